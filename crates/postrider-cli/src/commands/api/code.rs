//! Options for code of transformations, and for what it is tried on.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use serde_json::{Map, Value};

use super::fields;
use crate::{failure::usage, input::read_file_or_stdin};

/// Code, and the values that it finds in `webhook.env`.
#[derive(Args, Debug)]
pub(crate) struct CodeArgs {
    /// File with JavaScript that defines a function `handler`; - for standard input
    #[arg(long, value_name = "FILE")]
    code: Option<PathBuf>,
    /// Value that the code finds in webhook.env; can be repeated, and replaces all of them
    #[arg(long, value_name = "NAME=VALUE")]
    variable: Vec<String>,
}

impl CodeArgs {
    /// Adds the fields `code` and `variables`, if they were given.
    pub(super) fn add_to(&self, body: &mut Map<String, Value>) -> anyhow::Result<()> {
        if let Some(code) = self.text()? {
            body.insert("code".to_owned(), code.into());
        }
        if !self.variable.is_empty() {
            body.insert("variables".to_owned(), serde_json::to_value(self.variables()?)?);
        }
        Ok(())
    }

    /// The code, if it was given.
    fn text(&self) -> anyhow::Result<Option<String>> {
        self.code.as_deref().map(read).transpose()
    }

    fn variables(&self) -> anyhow::Result<BTreeMap<&str, &str>> {
        let error = |word| usage(anyhow::anyhow!("{word:?}: expected NAME=VALUE"));
        self.variable.iter().map(|word| word.split_once('=').ok_or_else(|| error(word))).collect()
    }
}

/// Reads code from a file, or from standard input if the path is `-`.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = read_file_or_stdin(path).map_err(usage)?;
    String::from_utf8(bytes).context("the code is not UTF-8").map_err(usage)
}

/// What code is tried on.
#[derive(Args, Debug)]
pub(crate) struct TrialArgs {
    #[command(flatten)]
    code: CodeArgs,
    /// Event type, such as invoice.paid
    #[arg(long, value_name = "NAME")]
    event_type: String,
    /// JSON payload, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    payload: String,
}

impl TrialArgs {
    /// The body of a request to try the code.
    pub(super) fn body(&self) -> anyhow::Result<Vec<u8>> {
        let mut body = Map::new();
        self.code.add_to(&mut body)?;
        if !body.contains_key("code") {
            return Err(usage(anyhow::anyhow!("--code is required")));
        }
        body.insert("eventType".to_owned(), self.event_type.as_str().into());
        let payload = serde_json::from_str(fields::json(&self.payload)?.trim())?;
        body.insert("payload".to_owned(), payload);
        Ok(serde_json::to_vec(&body)?)
    }
}
