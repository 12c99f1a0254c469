//! `postrider verify`: verifies the signature of a request.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use http::{HeaderName, HeaderValue};
use postrider::{
    provider::{self, Request, VerifyError},
    signature::{self, TOLERANCE, Verifier},
};
use serde::Serialize;

use super::{
    duration, now,
    provider::{SecretArgs, find, header},
};
use crate::{
    failure::usage_error,
    input::{read_file_or_stdin, read_text},
    output,
};

/// Exit code for a request that failed verification.
const REJECTED: u8 = 1;

/// Verifies the signature of a webhook request
///
/// With --provider, prints the result as one JSON object. Without it, verifies a request that
/// Postrider sent, which is signed as Standard Webhooks specifies. Exits with 0 if the request is
/// valid, with 1 if it is not, and with 2 if the arguments are wrong.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// Provider that sent the request, as listed by `postrider providers` [default: Postrider]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    #[command(flatten)]
    secrets: SecretArgs,
    /// Header as `Name: value`; can be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// File with headers, one `Name: value` per line
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// Method of the request
    #[arg(long, default_value = "POST", requires = "provider")]
    method: String,
    /// URL of the request as the provider calls it, including the query
    #[arg(long, default_value = "https://localhost/", requires = "provider")]
    url: String,
    /// Time of the verification in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIXTIME")]
    now: Option<u64>,
    /// How far the timestamp may be from now [default: the provider's tolerance, or 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    tolerance: Option<Duration>,
    /// Value of the webhook-id header
    #[arg(long, conflicts_with = "provider")]
    id: Option<HeaderValue>,
    /// Value of the webhook-timestamp header
    #[arg(long, value_name = "UNIXTIME", conflicts_with = "provider")]
    timestamp: Option<HeaderValue>,
    /// Value of the webhook-signature header
    #[arg(long, conflicts_with = "provider")]
    signature: Option<HeaderValue>,
    /// File with the body, or - for standard input
    #[arg(default_value = "-")]
    body: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  postrider verify --secret-file secret.txt --headers headers.txt body.json
  postrider verify --provider github --secret-file secret.txt -H 'X-Hub-Signature-256: …' body.json";

/// The result as it is printed.
#[derive(Serialize)]
struct Finding {
    valid: bool,
    reason: Option<String>,
    event_type: Option<String>,
    event_id: Option<String>,
    /// Whether the provider guarantees that no other event has this id.
    event_id_is_unique: bool,
    /// A digest that repetitions of the event share, and no other event has.
    identity: Option<String>,
}

impl Verify {
    pub(crate) fn run(&self) -> ExitCode {
        let is_valid = match &self.provider {
            Some(name) => self.verify_provider(name),
            None => self.verify_standard(),
        };
        match is_valid {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(REJECTED),
            Err(error) => usage_error(&error),
        }
    }

    /// Verifies a request of a provider.
    fn verify_provider(&self, name: &str) -> anyhow::Result<bool> {
        let provider = find(name)?;
        let mut settings = self.secrets.settings()?;
        settings.tolerance = self.tolerance;
        let fields = self.fields()?;
        let headers: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let body = read_file_or_stdin(&self.body)?;
        let request = Request {
            method: &self.method.to_ascii_uppercase(),
            url: &self.url,
            headers: provider::Headers(&headers),
            body: &body,
        };
        let verified = provider::verify(provider, &settings, &request, self.seconds()?);
        let finding = match verified {
            Ok(event) => Finding {
                valid: true,
                reason: None,
                event_type: event.event_type,
                event_id: event.event_id,
                event_id_is_unique: event.event_id_is_unique,
                identity: event.identity.map(|it| it.to_string()),
            },
            Err(VerifyError::NoSecret) => anyhow::bail!("expected --secret or --secret-file"),
            Err(VerifyError::Parameter(name)) => {
                anyhow::bail!("expected --param {name}=…, which {} requires", provider.name)
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

    /// Verifies a request that Postrider sent.
    fn verify_standard(&self) -> anyhow::Result<bool> {
        let secrets = self.secrets.secrets()?;
        anyhow::ensure!(!secrets.is_empty(), "expected --secret or --secret-file");
        let keys = secrets.iter().flat_map(|it| it.split_whitespace());
        let verifier = Verifier::new(keys).context("invalid secret")?;
        let fields = self.fields()?;
        let find = |name: &str| {
            let (_, value) = fields.iter().find(|(it, _)| it == name)?;
            value.to_str().ok()
        };
        let body = read_file_or_stdin(&self.body)?;
        let tolerance = self.tolerance.unwrap_or(TOLERANCE);
        let now = self.seconds()?;
        let verified = signature::Headers::find(find)
            .and_then(|headers| verifier.verify(&headers, &body, now, tolerance));
        match &verified {
            Ok(()) => output::line("the signature is valid")?,
            Err(rejected) => output::line(format_args!("not valid: {rejected}"))?,
        }
        Ok(verified.is_ok())
    }

    fn seconds(&self) -> anyhow::Result<u64> {
        self.now.map_or_else(|| now().map(|it| it.as_secs()), Ok)
    }

    fn fields(&self) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
        let flags = [
            ("webhook-id", &self.id),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
        ];
        let flags = flags.into_iter().filter_map(|(name, value)| {
            value.as_ref().map(|value| (HeaderName::from_static(name), value.clone()))
        });
        let file = self.headers.as_deref().map_or_else(|| Ok(Vec::new()), read_headers)?;
        Ok(self.header.iter().cloned().chain(flags).chain(file).collect())
    }
}

/// The headers in a file; other lines, such as the request line, are skipped.
fn read_headers(path: &Path) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let text = read_text(path)?;
    Ok(text.lines().filter_map(|line| header(line).ok()).collect())
}

fn reason(rejected: &VerifyError) -> String {
    let VerifyError::KeyNeeded(key) = rejected else { return rejected.to_string() };
    format!(
        "the key at {} is required: download it, and pass it with --param certificate=@FILE or \
         --secret @FILE",
        key.url
    )
}
