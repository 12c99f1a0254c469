//! `postrider verify`: whether a request is to be believed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use http::{HeaderName, HeaderValue};
use postrider::{
    provider::{self, Rejected, Request},
    signature::{self, TOLERANCE, Verifier},
};
use serde::Serialize;

use super::{
    duration, now,
    provider::{Keys, find, header},
    signature::read,
};
use crate::{failure::unknown, output};

/// The request is not to be believed.
const REJECTED: u8 = 1;

/// Verifies a request: exits with 0 if it is valid, with 1 if it is not, with 2 if the call is
/// wrong. With a provider it prints one JSON object; without one, the request is one of ours,
/// signed after Standard Webhooks.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Who sent it, as `postrider providers` names it [default: ours, as `postrider sign` signs]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    #[command(flatten)]
    keys: Keys,
    /// Header as `Name: value`; can be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// File with headers, one `name: value` a line
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// Method of the request
    #[arg(long, default_value = "POST", requires = "provider")]
    method: String,
    /// URL of the request as the provider knows it, with its query
    #[arg(long, default_value = "https://localhost/", requires = "provider")]
    url: String,
    /// Moment of the check in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIXTIME")]
    now: Option<u64>,
    /// How far the timestamp may be from now [default: as the provider has it, else 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    tolerance: Option<Duration>,
    /// The header webhook-id
    #[arg(long, conflicts_with = "provider")]
    id: Option<HeaderValue>,
    /// The header webhook-timestamp
    #[arg(long, conflicts_with = "provider")]
    timestamp: Option<HeaderValue>,
    /// The header webhook-signature
    #[arg(long, conflicts_with = "provider")]
    signature: Option<HeaderValue>,
    /// File with the body, or - for standard input
    #[arg(default_value = "-")]
    body: PathBuf,
}

/// What is printed.
#[derive(Serialize)]
struct Finding {
    valid: bool,
    reason: Option<String>,
    event_type: Option<String>,
    event_id: Option<String>,
    /// Whether no other event has this id.
    event_id_is_unique: bool,
    /// The same for repetitions of the event, and for nothing else.
    identity: Option<String>,
}

impl Verify {
    pub(crate) fn run(&self) -> ExitCode {
        let is_valid = match &self.provider {
            Some(name) => self.ask(name),
            None => self.check(),
        };
        match is_valid {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(REJECTED),
            Err(error) => unknown(&error),
        }
    }

    /// Verifies as the provider signs.
    fn ask(&self, name: &str) -> anyhow::Result<bool> {
        let provider = find(name)?;
        let mut settings = self.keys.settings()?;
        settings.tolerance = self.tolerance;
        let fields = self.fields()?;
        let headers: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let body = read(&self.body)?;
        let request = Request {
            method: &self.method.to_ascii_uppercase(),
            url: &self.url,
            headers: provider::Headers(&headers),
            body: &body,
        };
        let verdict = provider::verify(provider, &settings, &request, self.seconds()?);
        let finding = match verdict {
            Ok(it) => Finding {
                valid: true,
                reason: None,
                event_type: it.event_type,
                event_id: it.event_id,
                event_id_is_unique: it.event_id_is_unique,
                identity: it.identity.map(|it| it.to_string()),
            },
            Err(Rejected::NoSecret) => anyhow::bail!("expected --secret or --secret-file"),
            Err(Rejected::Parameter(name)) => {
                anyhow::bail!("expected --param {name}=…, which {} needs", provider.name)
            },
            Err(rejected) => Finding {
                valid: false,
                reason: Some(reason(&rejected)),
                event_type: None,
                event_id: None,
                event_id_is_unique: false,
                identity: None,
            },
        };
        output::line(serde_json::to_string(&finding)?)?;
        Ok(finding.valid)
    }

    /// Verifies as the program itself signs.
    fn check(&self) -> anyhow::Result<bool> {
        let secrets = self.keys.secrets()?;
        anyhow::ensure!(!secrets.is_empty(), "expected --secret or --secret-file");
        let words = secrets.iter().flat_map(|it| it.split_whitespace());
        let verifier = Verifier::new(words).context("the key")?;
        let fields = self.fields()?;
        let find = |name: &str| {
            let (_, value) = fields.iter().find(|(it, _)| it == name)?;
            value.to_str().ok()
        };
        let body = read(&self.body)?;
        let tolerance = self.tolerance.unwrap_or(TOLERANCE);
        let now = self.seconds()?;
        let verdict = signature::Headers::find(find)
            .and_then(|headers| verifier.verify(&headers, &body, now, tolerance));
        match &verdict {
            Ok(()) => output::line("the signature is valid")?,
            Err(rejected) => output::line(format_args!("not valid: {rejected}"))?,
        }
        Ok(verdict.is_ok())
    }

    fn seconds(&self) -> anyhow::Result<u64> {
        self.now.map_or_else(|| now().map(|it| it.as_secs()), Ok)
    }

    fn fields(&self) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
        let ours = [
            ("webhook-id", &self.id),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
        ];
        let ours = ours.into_iter().filter_map(|(name, value)| {
            value.as_ref().map(|value| (HeaderName::from_static(name), value.clone()))
        });
        let file = self.headers.as_deref().map_or_else(|| Ok(Vec::new()), fields)?;
        Ok(self.header.iter().cloned().chain(ours).chain(file).collect())
    }
}

/// The headers in a file; other lines, such as the request's first one, are passed over.
fn fields(path: &Path) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.lines().filter_map(|line| header(line).ok()).collect())
}

fn reason(rejected: &Rejected) -> String {
    let Rejected::KeyNeeded(key) = rejected else { return rejected.to_string() };
    format!(
        "the key at {} is needed, which this command does not fetch: fetch it, and give it with \
         --param certificate=@FILE or --secret @FILE",
        key.url
    )
}
