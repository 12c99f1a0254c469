//! `postrider sign`: signs a body as Standard Webhooks specifies.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use postrider::signature::Secret;

use super::now;
use crate::{
    failure::usage,
    input::{read_file_or_stdin, read_text},
    output,
};

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sign {
    #[command(flatten)]
    secret: SecretArgs,
    /// Message id; receivers recognize repeated deliveries by it
    #[arg(long)]
    id: String,
    /// Time of signing in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIXTIME")]
    timestamp: Option<u64>,
    /// File with the body, or - for standard input
    #[arg(default_value = "-")]
    body: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  postrider sign --secret-file secret.txt --id msg_1 body.json > headers.txt";

/// The secret, on the command line or in a file that other users of the machine cannot read.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct SecretArgs {
    /// Signing secret (whsec_… or whsk_…)
    #[arg(long)]
    secret: Option<String>,
    /// File that contains the signing secret
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl Sign {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let secret: anyhow::Result<Secret> = self.secret.read()?.parse().context("invalid secret");
        let secret = secret.map_err(usage)?;
        let timestamp = self.timestamp.map_or_else(|| now().map(|it| it.as_secs()), Ok)?;
        let signature = secret.sign(&self.id, timestamp, &read_file_or_stdin(&self.body)?);
        output::line(format_args!(
            "webhook-id: {}\nwebhook-timestamp: {timestamp}\nwebhook-signature: {signature}",
            self.id
        ))
    }
}

impl SecretArgs {
    fn read(&self) -> anyhow::Result<String> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(path)) => read_text(path),
            (None, None) => anyhow::bail!("expected --secret or --secret-file"),
        }
    }
}
