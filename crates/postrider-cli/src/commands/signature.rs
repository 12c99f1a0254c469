//! `postrider sign`: Standard Webhooks by hand.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use postrider::signature::Secret;

use super::now;
use crate::{failure::usage, output};

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
        let secret: anyhow::Result<Secret> = self.key.text()?.parse().context("the secret");
        let secret = secret.map_err(usage)?;
        let timestamp = self.timestamp.map_or_else(|| now().map(|it| it.as_secs()), Ok)?;
        let signature = secret.sign(&self.id, timestamp, &read(&self.body)?);
        output::line(format_args!(
            "webhook-id: {}\nwebhook-timestamp: {timestamp}\nwebhook-signature: {signature}",
            self.id
        ))
    }
}

/// The key, as a word or in a file that other users of the machine cannot read.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct KeyArguments {
    /// Secret (whsec_… or whsk_…)
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

/// The file, or standard input for `-`, byte for byte.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| path.display().to_string())
}
