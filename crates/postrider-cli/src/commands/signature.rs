//! `postrider sign` and `postrider verify`: Standard Webhooks by hand.

use std::{fs, io::Read, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use postrider::signature::{Headers, Secret, Verifier};

use super::{duration, now};
use crate::output;

/// The body does not carry a valid signature; 2 says that it could not be checked.
const REJECTED: u8 = 1;
const UNCHECKED: u8 = 2;

/// Signs a body, and prints the headers to send it with.
#[derive(Args, Debug)]
pub(crate) struct Sign {
    #[command(flatten)]
    key: KeyArguments,
    /// Message id, which receivers recognize repetitions by
    #[arg(long)]
    id: String,
    /// Moment of the call in seconds since 1970 [default: now]
    #[arg(long)]
    timestamp: Option<u64>,
    /// File with the body, or - for standard input
    #[arg(default_value = "-")]
    body: PathBuf,
}

impl Sign {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let secret: Secret = self.key.text()?.trim().parse().context("the secret")?;
        let timestamp = self.timestamp.map_or_else(|| now().map(|it| it.as_secs()), Ok)?;
        let signature = secret.sign(&self.id, timestamp, &read(&self.body)?);
        output::line(format_args!(
            "webhook-id: {}\nwebhook-timestamp: {timestamp}\nwebhook-signature: {signature}",
            self.id
        ))
    }
}

/// Verifies a body against its headers: exits with 0 if the signature is valid, with 1 if it
/// is not, with 2 if that could not be found out.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    key: KeyArguments,
    /// File with the headers, one `name: value` a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "timestamp", "signature"])]
    headers: Option<PathBuf>,
    /// The header webhook-id
    #[arg(long, required_unless_present = "headers")]
    id: Option<String>,
    /// The header webhook-timestamp
    #[arg(long, required_unless_present = "headers")]
    timestamp: Option<String>,
    /// The header webhook-signature
    #[arg(long, required_unless_present = "headers")]
    signature: Option<String>,
    /// How far the timestamp may be from now
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    tolerance: Duration,
    /// File with the body, or - for standard input
    #[arg(default_value = "-")]
    body: PathBuf,
}

impl Verify {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self.check() {
            Ok(Ok(())) => {
                output::line("the signature is valid")?;
                Ok(ExitCode::SUCCESS)
            },
            Ok(Err(rejected)) => {
                output::line(format_args!("not valid: {rejected}"))?;
                Ok(ExitCode::from(REJECTED))
            },
            Err(error) => {
                crate::failure::report(&error);
                Ok(ExitCode::from(UNCHECKED))
            },
        }
    }

    fn check(&self) -> anyhow::Result<Result<(), postrider::signature::Rejected>> {
        let keys = self.key.text()?;
        let verifier = Verifier::new(keys.split_whitespace()).context("the key")?;
        let fields = self.fields()?;
        let body = read(&self.body)?;
        let now = now()?.as_secs();
        let find = |name: &str| {
            fields.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, it)| it.as_str())
        };
        Ok(Headers::find(find)
            .and_then(|headers| verifier.verify(&headers, &body, now, self.tolerance)))
    }

    fn fields(&self) -> anyhow::Result<Vec<(String, String)>> {
        let Some(path) = &self.headers else {
            let given = [
                ("webhook-id", &self.id),
                ("webhook-timestamp", &self.timestamp),
                ("webhook-signature", &self.signature),
            ];
            let named = |(name, value): (&str, &Option<String>)| {
                value.as_ref().map(|value| (name.to_owned(), value.clone()))
            };
            return Ok(given.into_iter().filter_map(named).collect());
        };
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect())
    }
}

/// The key, as a word or in a file that other users of the machine cannot read.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct KeyArguments {
    /// Secret (whsec_… or whsk_…); to verify, also a public key (whpk_…)
    #[arg(long)]
    secret: Option<String>,
    /// File that holds the secret
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl KeyArguments {
    fn text(&self) -> anyhow::Result<String> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(path)) => {
                fs::read_to_string(path).with_context(|| path.display().to_string())
            },
            (None, None) => anyhow::bail!("expected --secret or --secret-file"),
        }
    }
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| path.display().to_string())
}
