//! `postrider source`.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};
use url::Url;

use super::{ApiArgs, ApiRequest, PageArgs, fields::Fields, paths::SourcePath};
use crate::{
    client::Call,
    commands::{duration, target::http_url},
    failure::usage,
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Lists sources
    List(#[command(flatten)] PageArgs),
    /// Shows a source
    Get(SourcePath),
    /// Creates a source and prints the URL to give to the provider
    #[command(after_help = CREATE_EXAMPLE)]
    Create(Create),
    /// Changes the given fields
    #[command(after_help = "Example:\n  postrider source update stripe disabled:=true")]
    Update {
        #[command(flatten)]
        source: SourcePath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Deletes a source, and its application if it was created with the source
    Delete(SourcePath),
    /// Replaces the URL of a source and prints the new one; the old URL stops working immediately
    RotateToken(SourcePath),
    /// Shows the secrets and parameters that verify requests
    Secret(SourcePath),
    /// Adds a secret; the old ones stay valid for 24 h
    RotateSecret {
        #[command(flatten)]
        source: SourcePath,
        /// New secret, as the provider shows it
        #[arg(long)]
        secret: String,
        /// How long the old secrets stay valid, such as 2h [default: 24h]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        grace: Option<Duration>,
    },
    /// Lists rejected requests with the reason, and repeated ones
    Log {
        #[command(flatten)]
        source: SourcePath,
        #[command(flatten)]
        page: PageArgs,
    },
}

const CREATE_EXAMPLE: &str = "\
Example:
  postrider source create --provider stripe --secret whsec_… --forward https://example.com/webhooks";

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Provider, as listed by `postrider providers`; `custom` to describe one in the field `model`;
    /// `generic-webhook` to accept unverified requests
    #[arg(long, value_name = "NAME")]
    provider: String,
    /// Secret, as the provider shows it; can be repeated
    #[arg(long)]
    secret: Vec<String>,
    /// Extra parameter that the provider requires; can be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// Display name [default: the provider]
    #[arg(long)]
    name: Option<String>,
    /// Your own id of the source
    #[arg(long)]
    uid: Option<String>,
    /// Application that receives the messages, by id or uid [default: a new one]
    #[arg(long)]
    app: Option<String>,
    /// Also create an endpoint that forwards the messages to this URL
    #[arg(long, value_name = "URL", value_parser = http_url)]
    forward: Option<Url>,
    /// Accept every request without verifying it
    #[arg(long)]
    no_verification: bool,
    #[command(flatten)]
    fields: Fields,
}

const COLUMNS: &[&str] = &["id", "uid", "name", "provider", "status", "ingestUrl", "createdAt"];

const LOG_COLUMNS: &[&str] =
    &["created_at", "status_code", "error_text", "duplicate_of", "method", "target"];

impl SourceCommand {
    pub(crate) fn run(self, api: &ApiArgs) -> anyhow::Result<()> {
        let (call, columns) = match self {
            Self::Create(create) => return create.run(api),
            Self::RotateToken(source) => {
                let call = source.call(Method::POST, &["token", "rotate"]);
                return print_url(api, &api.response(call)?.unwrap_or_default());
            },
            Self::List(page) => (page.apply(Call::ingest(Method::GET, &["source"])), COLUMNS),
            Self::Get(source) => (source.call(Method::GET, &[]), COLUMNS),
            Self::Update { source, fields } => {
                (source.call(Method::PATCH, &[]).body(fields.object()?), COLUMNS)
            },
            Self::Delete(source) => (source.call(Method::DELETE, &[]), COLUMNS),
            Self::Secret(source) => (source.call(Method::GET, &["secret"]), COLUMNS),
            Self::RotateSecret { source, secret, grace } => {
                let mut body = json!({ "secret": secret });
                if let Some(grace) = grace {
                    body["gracePeriodSeconds"] = grace.as_secs().into();
                }
                let call = source.call(Method::POST, &["secret", "rotate"]);
                (call.body(body.to_string()), COLUMNS)
            },
            Self::Log { source, page } => {
                (page.apply(source.call(Method::GET, &["log"])), LOG_COLUMNS)
            },
        };
        api.run(ApiRequest { call, columns })
    }
}

/// Prints only the URL, so that scripts can use it.
fn print_url(api: &ApiArgs, source: &Value) -> anyhow::Result<()> {
    if api.json {
        return output::line(serde_json::to_string_pretty(source)?);
    }
    let url = source["ingestUrl"].as_str().context("the server's response has no URL")?;
    output::line(url)
}

impl Create {
    fn run(self, api: &ApiArgs) -> anyhow::Result<()> {
        let forward = self.forward.clone();
        let call = Call::ingest(Method::POST, &["source"]).body(self.body()?);
        let source = api.response(call)?.unwrap_or_default();
        if let Some(url) = forward {
            create_endpoint(api, &source, &url)?;
        }
        print_url(api, &source)
    }

    /// Fields win over flags.
    fn body(self) -> anyhow::Result<Vec<u8>> {
        let mut body: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.to_owned(), to_raw_value(&value)?);
            anyhow::Ok(())
        };
        put("name", self.name.unwrap_or_else(|| self.provider.clone()).into())?;
        put("type", self.provider.into())?;
        if !self.secret.is_empty() {
            put("secrets", self.secret.into())?;
        }
        if !self.parameter.is_empty() {
            put("parameters", parse_parameters(&self.parameter)?.into())?;
        }
        if self.no_verification {
            put("verification", "none".into())?;
        }
        for (field, value) in [("uid", self.uid), ("appId", self.app)] {
            value.map_or(Ok(()), |value| put(field, value.into()))?;
        }
        let fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&self.fields.object()?)?;
        body.extend(fields);
        Ok(serde_json::to_vec(&body)?)
    }
}

fn parse_parameters(words: &[String]) -> anyhow::Result<Map<String, Value>> {
    let split = |word: &String| match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.into())),
        None => bail!("--parameter {word:?}: expected NAME=VALUE"),
    };
    words.iter().map(split).collect::<anyhow::Result<_>>().map_err(usage)
}

/// Creates the endpoint. If that fails, the source is deleted again: without the endpoint it is not
/// what the user asked for, and a repeated command would create a second one.
fn create_endpoint(api: &ApiArgs, source: &Value, url: &Url) -> anyhow::Result<()> {
    let id = source["id"].as_str().context("the server's response has no id")?;
    let path = SourcePath::new(id);
    let body = json!({ "url": url.as_str(), "description": "created with its source" });
    let call = path.call(Method::POST, &["endpoint"]).body(body.to_string());
    if let Err(error) = api.response(call) {
        api.response(path.call(Method::DELETE, &[]))?;
        return Err(error.context("the endpoint was rejected, so the source was deleted again"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_names_with_values() {
        let words = ["a=b=c".to_owned(), "d=".to_owned()];
        assert_eq!(Value::from(parse_parameters(&words).unwrap()), json!({ "a": "b=c", "d": "" }));
        assert!(parse_parameters(&["a".to_owned()]).is_err());
    }
}
