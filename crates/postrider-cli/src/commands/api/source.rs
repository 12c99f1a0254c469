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

use super::{Page, Query, Server, fields::Fields};
use crate::{
    client::Call,
    commands::{duration, target::http_url},
    failure::usage,
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    /// Lists the sources
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Shows one source
    Get { source: String },
    /// Creates a source and prints the URL to give to the provider:
    /// `create --provider stripe --secret whsec_… --forward https://example.com/in`
    Create(Create),
    /// Changes the fields that are given, such as disabled:=true
    Update {
        source: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Deletes the source, and its application if that was made for it
    Delete { source: String },
    /// Gives the source another URL and prints it; the old one ends at once
    RotateToken { source: String },
    /// Shows what requests are verified with, such as a secret that the provider handed over
    Secret { source: String },
    /// Puts a new secret before the old ones, which verify for a day more
    RotateSecret {
        source: String,
        /// The new secret, as the provider shows it
        #[arg(long)]
        secret: String,
        /// How long the old ones still verify, such as 2h
        #[arg(long, value_parser = duration)]
        grace: Option<Duration>,
    },
    /// Lists the requests that were turned away, and why, and those that repeat a message
    Log {
        source: String,
        #[command(flatten)]
        page: Page,
    },
}

/// A new source.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Who posts: a name of `postrider providers`, custom with a model, or generic-webhook for
    /// requests that are not verified
    #[arg(long)]
    provider: String,
    /// Secret as the provider shows it; can be repeated
    #[arg(long)]
    secret: Vec<String>,
    /// What the provider needs beside, as name=value; can be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// What people call it [default: the provider]
    #[arg(long)]
    name: Option<String>,
    /// Your own identifier
    #[arg(long)]
    uid: Option<String>,
    /// Application that gets the messages, by id or uid [default: one of its own]
    #[arg(long)]
    app: Option<String>,
    /// URL to forward to: an endpoint is made too
    #[arg(long, value_name = "URL", value_parser = http_url)]
    forward: Option<Url>,
    /// Take every request, whoever sent it
    #[arg(long)]
    no_verification: bool,
    #[command(flatten)]
    fields: Fields,
}

const COLUMNS: &[&str] = &["id", "uid", "name", "provider", "status", "ingestUrl", "createdAt"];

const LOG: &[&str] =
    &["created_at", "status_code", "error_text", "duplicate_of", "method", "target"];

impl Source {
    pub(crate) fn run(self, server: Server) -> anyhow::Result<()> {
        let (call, columns) = match self {
            Self::Create(create) => return create.run(&server),
            Self::RotateToken { source } => {
                let call = one(Method::POST, &source, &["token", "rotate"]);
                return print_url(&server, &server.ask(call)?.unwrap_or_default());
            },
            Self::List { page } => (page.of(Call::ingest(Method::GET, &["source"])), COLUMNS),
            Self::Get { source } => (one(Method::GET, &source, &[]), COLUMNS),
            Self::Update { source, fields } => {
                (one(Method::PATCH, &source, &[]).body(fields.object()?), COLUMNS)
            },
            Self::Delete { source } => (one(Method::DELETE, &source, &[]), COLUMNS),
            Self::Secret { source } => (one(Method::GET, &source, &["secret"]), COLUMNS),
            Self::RotateSecret { source, secret, grace } => {
                let mut body = json!({ "secret": secret });
                if let Some(grace) = grace {
                    body["gracePeriodSeconds"] = grace.as_secs().into();
                }
                let call = one(Method::POST, &source, &["secret", "rotate"]);
                (call.body(body.to_string()), COLUMNS)
            },
            Self::Log { source, page } => (page.of(one(Method::GET, &source, &["log"])), LOG),
        };
        server.run(Query { call, columns })
    }
}

fn one(method: Method, source: &str, rest: &[&str]) -> Call {
    Call::ingest(method, &[&["source", source], rest].concat())
}

/// Only the URL, so that a script can take it.
fn print_url(server: &Server, answer: &Value) -> anyhow::Result<()> {
    if server.json {
        return output::line(serde_json::to_string_pretty(answer)?);
    }
    let url = answer["ingestUrl"].as_str().context("the server's answer has no URL")?;
    output::line(url)
}

impl Create {
    fn run(self, server: &Server) -> anyhow::Result<()> {
        let forward = self.forward.clone();
        let call = Call::ingest(Method::POST, &["source"]).body(self.body()?);
        let source = server.ask(call)?.unwrap_or_default();
        if let Some(url) = forward {
            forward_to(server, &source, &url)?;
        }
        print_url(server, &source)
    }

    /// The fields that are given as such win over the flags.
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
            put("parameters", parameters(&self.parameter)?.into())?;
        }
        if self.no_verification {
            put("verification", "none".into())?;
        }
        for (field, value) in [("uid", self.uid), ("appId", self.app)] {
            value.map_or(Ok(()), |it| put(field, it.into()))?;
        }
        let fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&self.fields.object()?)?;
        body.extend(fields);
        Ok(serde_json::to_vec(&body)?)
    }
}

fn parameters(words: &[String]) -> anyhow::Result<Map<String, Value>> {
    let split = |word: &String| match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.into())),
        None => bail!("--parameter {word:?}: expected name=value"),
    };
    words.iter().map(split).collect::<anyhow::Result<_>>().map_err(usage)
}

/// Makes the endpoint; a source that leads nowhere is not what was asked for, so it goes again.
fn forward_to(server: &Server, source: &Value, url: &Url) -> anyhow::Result<()> {
    let id = source["id"].as_str().context("the server's answer has no id")?;
    let body = json!({ "url": url.as_str(), "description": "made with its source" });
    let endpoint = one(Method::POST, id, &["endpoint"]).body(body.to_string());
    if let Err(error) = server.ask(endpoint) {
        server.ask(one(Method::DELETE, id, &[]))?;
        return Err(error.context("the endpoint was refused, so there is no source either"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_names_and_values() {
        let words = ["a=b=c".to_owned(), "d=".to_owned()];
        assert_eq!(Value::from(parameters(&words).unwrap()), json!({ "a": "b=c", "d": "" }));
        assert!(parameters(&["a".to_owned()]).is_err());
    }
}
