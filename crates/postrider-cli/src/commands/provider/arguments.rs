//! Flags that name a provider, its secrets and its parameters.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use http::{HeaderName, HeaderValue};
use postrider::provider::Settings;
use zeroize::Zeroizing;

use crate::input::read_text;

/// The provider that a request is signed for, and its secrets.
#[derive(Args, Debug)]
pub(crate) struct ProviderArgs {
    /// Provider, as listed by `postrider providers`
    #[arg(long, value_name = "NAME")]
    pub provider: String,
    #[command(flatten)]
    pub secrets: SecretArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SecretArgs {
    /// Secret, key or password as the provider shows it, or @FILE; can be repeated
    #[arg(long = "secret", value_name = "SECRET")]
    pub(super) secrets: Vec<String>,
    /// File that contains a secret or key; can be repeated
    #[arg(long = "secret-file", visible_alias = "key", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Extra parameter that the provider requires, such as certificate=@FILE; can be repeated
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(super) parameters: Vec<String>,
}

impl SecretArgs {
    /// Reads the named files and returns everything as settings of the provider.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut secrets = self.secrets()?;
        secrets.retain(|it| !it.is_empty());
        let parameters = self.parameters.iter().map(|it| parameter(it));
        let parameters = parameters.collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        Ok(Settings { secrets, parameters, ..Settings::default() })
    }

    pub(crate) fn secrets(&self) -> anyhow::Result<Vec<Zeroizing<String>>> {
        let values = self.secrets.iter().map(|it| value_or_file(it));
        let files = self.files.iter().map(|it| trimmed_file(it));
        values.chain(files).collect()
    }
}

fn parameter(text: &str) -> anyhow::Result<(String, Zeroizing<String>)> {
    let (name, value) =
        text.split_once('=').with_context(|| format!("--param {text:?}: expected NAME=VALUE"))?;
    Ok((name.to_owned(), value_or_file(value)?))
}

/// The value, or the content of the file for `@FILE`.
fn value_or_file(text: &str) -> anyhow::Result<Zeroizing<String>> {
    match text.strip_prefix('@') {
        Some(path) => trimmed_file(Path::new(path)),
        None => Ok(Zeroizing::new(text.trim().to_owned())),
    }
}

/// The text of a file without the surrounding whitespace that editors and clipboards add.
fn trimmed_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(read_text(path)?);
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Parses a header as curl takes it.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected `Name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is not a valid header name"))?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes())
        .map_err(|_| "the value contains characters that a header cannot contain")?;
    Ok((name, value))
}
