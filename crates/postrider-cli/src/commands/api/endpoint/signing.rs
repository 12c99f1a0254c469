//! `postrider endpoint signing`.

use std::path::{Path, PathBuf};

use clap::Args;
use http::Method;
use postrider::provider::profile;
use serde_json::{Value, json};

use super::EndpointPath;
use crate::{
    client::Call,
    failure::{Advice, usage},
    input,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  postrider endpoint signing acme main --profile convoy-advanced --secret @secret
  postrider endpoint signing acme main --profile convoy-advanced --standard
  postrider endpoint signing acme main --profile custom --model model.json --secret @secret
  postrider endpoint signing acme main --remove

docs/signing-profiles.md describes the profiles and custom models.";

const CUSTOM: &str = "custom";

#[derive(Args, Debug)]
pub(crate) struct SigningArgs {
    /// Profile: convoy, convoy-advanced, hook0, hook0-v0, hookdeck, outpost, outpost-timestamped or
    /// custom
    #[arg(long, value_name = "NAME", required_unless_present = "remove", value_parser = profile_name)]
    profile: Option<String>,
    /// Secret that the receiver verifies with, or @FILE [default: the stored one, or a new one]
    #[arg(long, value_name = "SECRET|@FILE", requires = "profile")]
    secret: Option<String>,
    /// Also sign by Standard Webhooks, while the receiver changes over
    #[arg(long, requires = "profile")]
    standard: bool,
    /// File with the model of a custom profile
    #[arg(long, value_name = "FILE", requires = "profile")]
    model: Option<PathBuf>,
    /// Sign by Standard Webhooks alone
    #[arg(long, conflicts_with = "profile")]
    remove: bool,
}

fn profile_name(text: &str) -> Result<String, String> {
    if text == CUSTOM || profile::find(text).is_some() {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = profile::all().iter().map(|it| it.id.as_str()).collect();
    Err(format!("expected {} or {CUSTOM}", names.join(", ")))
}

impl SigningArgs {
    pub(super) fn call(self, endpoint: &EndpointPath) -> anyhow::Result<Call> {
        let body = json!({ "signing": self.signing()? });
        Ok(endpoint.call(Method::PATCH, &[]).body(body.to_string()))
    }

    fn signing(self) -> anyhow::Result<Value> {
        let Some(profile) = self.profile else { return Ok(Value::Null) };
        let mut signing = json!({ "profile": profile, "standard": self.standard });
        if let Some(secret) = self.secret {
            let secret = match secret.strip_prefix('@') {
                Some(path) => input::read_text(Path::new(path)).map_err(usage)?,
                None => secret,
            };
            signing["secrets"] = json!([secret.trim()]);
        }
        if let Some(path) = self.model {
            let text = input::read_text(&path).map_err(usage)?;
            let model = serde_json::from_str(&text).map_err(|error| {
                usage(Advice {
                    message: format!("{} is not JSON", path.display()),
                    hint: "correct the file; docs/signing-profiles.md has an example".to_owned(),
                    source: Some(error.into()),
                })
            })?;
            signing["model"] = model;
        }
        Ok(signing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_the_field_of_the_api() {
        let args = |profile: Option<&str>, secret: Option<&str>, standard| SigningArgs {
            profile: profile.map(str::to_owned),
            secret: secret.map(str::to_owned),
            standard,
            model: None,
            remove: profile.is_none(),
        };
        for (args, expected) in [
            (args(None, None, false), json!(null)),
            (args(Some("convoy"), None, true), json!({ "profile": "convoy", "standard": true })),
            (
                args(Some("outpost"), Some("s"), false),
                json!({ "profile": "outpost", "standard": false, "secrets": ["s"] }),
            ),
        ] {
            assert_eq!(args.signing().unwrap(), expected);
        }
        assert!(profile_name("custom").is_ok() && profile_name("hookdeck").is_ok());
        assert!(profile_name("svix").unwrap_err().contains("outpost-timestamped or custom"));
    }
}
