//! The body of a request, given as fields on the command line.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    commands::target::http_url,
    failure::usage,
    input::{read_stdin_text, read_text},
};

/// The fields of a record that is created or changed.
#[derive(Args, Debug)]
pub(crate) struct Fields {
    /// NAME=TEXT, NAME:=JSON, NAME:=@FILE, a whole JSON object, @FILE or - to read one
    #[arg(value_name = "FIELD")]
    words: Vec<String>,
}

impl Fields {
    pub(super) fn object(&self) -> anyhow::Result<Vec<u8>> {
        object(&self.words, &[]).map_err(usage)
    }

    /// The same, with the names of fields whose value is a URL to call.
    pub(super) fn object_with_urls(&self, urls: &[&str]) -> anyhow::Result<Vec<u8>> {
        object(&self.words, urls).map_err(usage)
    }
}

/// Builds a JSON object from `name=text` and `name:=json` words, or takes a single word that is
/// the whole object, or `-` for standard input.
fn object(words: &[String], urls: &[&str]) -> anyhow::Result<Vec<u8>> {
    match words {
        [word] if word == "-" || word.starts_with(['{', '@']) => {
            let text = json_text(word)?;
            anyhow::ensure!(text.trim_start().starts_with('{'), "expected a JSON object");
            Ok(text.into_bytes())
        },
        words => Ok(serde_json::to_vec(&assignments(words, urls)?)?),
    }
}

/// Takes a word that is JSON, `@` and a file with JSON, or `-` for standard input, and returns the
/// text unchanged.
pub(super) fn json(word: &str) -> anyhow::Result<String> {
    json_text(word).map_err(usage)
}

fn json_text(word: &str) -> anyhow::Result<String> {
    let (text, origin) = match word.strip_prefix('@') {
        Some(path) => (read_text(Path::new(path))?, format!("{path}: ")),
        None if word == "-" => (read_stdin_text()?, String::new()),
        None => (word.to_owned(), String::new()),
    };
    let parsed = serde_json::from_str::<&RawValue>(&text);
    parsed.with_context(|| format!("{origin}not valid JSON"))?;
    Ok(text)
}

/// Values by name, each exactly as typed: JSON numbers may exceed the range of Rust's types. The
/// value of a field in `urls` may lack its scheme.
fn assignments(words: &[String], urls: &[&str]) -> anyhow::Result<BTreeMap<String, Box<RawValue>>> {
    let mut object = BTreeMap::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            bail!("{word:?}: expected NAME=TEXT, NAME:=JSON, one JSON object, @FILE, or -");
        };
        let (name, value) = match name.strip_suffix(':') {
            None if urls.contains(&name) => {
                let url = http_url(value).map_err(|error| anyhow!("`{name}`: {error}"))?;
                // The server validates a URL with a scheme, exactly as typed.
                let has_scheme = value.contains("://");
                (name, to_raw_value(if has_scheme { value } else { url.as_str() })?)
            },
            None => (name, to_raw_value(value)?),
            Some(name) if value.starts_with('@') => {
                let value = json_text(value).with_context(|| format!("`{name}`"))?;
                (name, serde_json::from_str(&value)?)
            },
            Some(name) => {
                let value = serde_json::from_str::<Box<RawValue>>(value);
                (name, value.with_context(|| format!("`{name}` is not valid JSON"))?)
            },
        };
        object.insert(name.to_owned(), value);
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: Result<&str, &str>) {
        let words: Vec<_> = words.iter().map(|it| (*it).to_owned()).collect();
        let actual = object(&words, &["url"]).map(|it| String::from_utf8(it).unwrap());
        assert_eq!(actual.as_deref().map_err(ToString::to_string), expected.map_err(str::to_owned));
    }

    #[test]
    fn objects_are_built_from_fields_or_given_whole() {
        check(&[], Ok("{}"));
        check(&["name=Acme", "rateLimit:=5"], Ok(r#"{"name":"Acme","rateLimit":5}"#));
        check(
            &["a:=42.50", "b:=[1e3,12345678901234567890123456]"],
            Ok(r#"{"a":42.50,"b":[1e3,12345678901234567890123456]}"#),
        );
        check(&["url=http://a/?b=c"], Ok(r#"{"url":"http://a/?b=c"}"#));
        check(&[r#"{"b": 1.0, "a":2}"#], Ok(r#"{"b": 1.0, "a":2}"#));
        check(&["url=localhost:1/a"], Ok(r#"{"url":"http://localhost:1/a"}"#));
        check(
            &["url=example.com/a"],
            Err("`url`: the scheme is missing: write https://example.com/a or \
                 http://example.com/a"),
        );
        check(&["{"], Err("not valid JSON"));
        check(&["a:=x"], Err("`a` is not valid JSON"));
        check(&["x"], Err("\"x\": expected NAME=TEXT, NAME:=JSON, one JSON object, @FILE, or -"));
    }

    #[test]
    fn json_can_be_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.json");
        std::fs::write(&path, r#"{"table": "t"}"#).unwrap();
        let path = path.display();
        let all = &[&*format!("config:=@{path}")];
        check(&["kind=postgres", all[0]], Ok(r#"{"config":{"table": "t"},"kind":"postgres"}"#));
        check(&[&format!("@{path}")], Ok(r#"{"table": "t"}"#));
        let words = ["a:=@no/such/file".to_owned()];
        let error = object(&words, &[]).unwrap_err();
        assert!(format!("{error:#}").starts_with("`a`: no/such/file: "), "{error:#}");
    }
}
