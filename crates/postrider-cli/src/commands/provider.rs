//! How a provider, its secrets and its parameters are named on the command line.

mod keys;
mod playing;
mod sender;

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::Context;
use clap::Args;
use http::{HeaderName, HeaderValue};
use postrider::provider::{self, Provider, Settings};
use zeroize::Zeroizing;

pub(crate) use self::{
    keys::Secret,
    playing::{Cast, Playing, cast},
    sender::{Reaction, Sender, outgoing, outgoing_with, send},
};
use crate::failure::Advice;

/// A suggestion must be about as near as a typing error.
const LIKENESS: f64 = 0.85;
const MOST_SUGGESTIONS: usize = 3;

/// The provider with this name, or an error that suggests others.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static Provider> {
    let found = provider::find(&name.to_ascii_lowercase());
    let found = found.ok_or_else(|| Advice {
        message: match &near(name)[..] {
            [] => format!("there is no provider `{name}`"),
            names => format!("there is no provider `{name}`; did you mean {}?", names.join(", ")),
        },
        hint: "`postrider providers` lists them all".to_owned(),
        source: None,
    });
    Ok(found?)
}

/// Names that the word may have meant, the likeliest first.
fn near(word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    let likeness = |id: &str| {
        let parts = if id.starts_with(&word) || word.starts_with(id) { 1.0 } else { 0.0 };
        strsim::jaro_winkler(&word, id).max(parts)
    };
    let mut names: Vec<_> = provider::all()
        .iter()
        .map(|it| (likeness(&it.id), it.id.as_str()))
        .filter(|(likeness, _)| *likeness > LIKENESS)
        .collect();
    names.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    names.iter().take(MOST_SUGGESTIONS).map(|(_, id)| format!("`{id}`")).collect()
}

/// What is known of a provider: its secrets, and what it needs beside.
#[derive(Args, Debug)]
pub(crate) struct Keys {
    /// Secret, key or password as the provider shows it, or @FILE; can be repeated
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    /// File that holds a secret or a key; can be repeated
    #[arg(long = "secret-file", visible_alias = "key", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the provider needs beside, such as `certificate=@FILE`; can be repeated
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
}

impl Keys {
    /// Reads the files that are named.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut secrets = self.secrets()?;
        secrets.retain(|it| !it.is_empty());
        let parameters = self.parameters.iter().map(|it| parameter(it));
        let parameters = parameters.collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        Ok(Settings { secrets, parameters, ..Settings::default() })
    }

    pub(crate) fn secrets(&self) -> anyhow::Result<Vec<Zeroizing<String>>> {
        let words = self.secrets.iter().map(|it| word(it));
        let files = self.files.iter().map(file);
        words.chain(files).collect()
    }
}

fn parameter(text: &str) -> anyhow::Result<(String, Zeroizing<String>)> {
    let (name, value) =
        text.split_once('=').with_context(|| format!("--param {text:?}: expected name=value"))?;
    Ok((name.to_owned(), word(value)?))
}

/// A word, or what is in the file that it names.
fn word(text: &str) -> anyhow::Result<Zeroizing<String>> {
    match text.strip_prefix('@') {
        Some(path) => file(&PathBuf::from(path)),
        None => Ok(Zeroizing::new(text.trim().to_owned())),
    }
}

/// The text of a file without the line's end that editors add, and what else stands around it.
fn file(path: &PathBuf) -> anyhow::Result<Zeroizing<String>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Reads a header as it is typed for curl.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected `Name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes())
        .map_err(|_| "the value holds characters that a header cannot hold")?;
    Ok((name, value))
}
