//! The commands that call a running server.

pub(crate) mod alert;
pub(crate) mod application;
pub(crate) mod attempt;
mod code;
pub(crate) mod connector;
pub(crate) mod consumer;
pub(crate) mod endpoint;
pub(crate) mod event_type;
mod fields;
mod json;
pub(crate) mod key;
pub(crate) mod message;
mod paths;
pub(crate) mod poll;
pub(crate) mod send;
pub(crate) mod source;
mod table;
pub(crate) mod task;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, value::RawValue};
use url::Url;

use crate::{
    client::{self, Call, Client},
    commands::target::http_url,
    failure::{Advice, usage},
    output,
};

/// The server to call, and how to print its response.
#[derive(Args, Debug)]
#[command(next_help_heading = "Server and output options")]
pub(crate) struct ApiArgs {
    /// URL of the server
    #[arg(
        long,
        global = true,
        env = "POSTRIDER_URL",
        default_value = "http://127.0.0.1:8071",
        value_parser = http_url
    )]
    url: Url,
    /// API token, from `postrider token create`, or API key, from `postrider key create`
    #[arg(long, global = true, env = "POSTRIDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print the JSON response instead of a table
    #[arg(long, global = true)]
    json: bool,
}

/// A page of a list.
#[derive(Args, Debug)]
pub(crate) struct PageArgs {
    /// Maximum number of items
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Cursor from the previous page
    #[arg(long, value_name = "CURSOR")]
    iterator: Option<String>,
}

impl PageArgs {
    fn apply(self, call: Call) -> Call {
        call.query("limit", self.limit.map(|it| it.to_string())).query("iterator", self.iterator)
    }
}

/// A call to the API, and the columns of the table that shows its response.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub call: Call,
    pub columns: &'static [&'static str],
}

impl ApiArgs {
    /// Makes the call and prints the response.
    pub(crate) fn run(&self, request: ApiRequest) -> anyhow::Result<()> {
        let ApiRequest { call, columns } = request;
        match self.raw_response(call)? {
            None => Ok(()),
            Some(response) if self.json => output::line(json::pretty(&response)),
            Some(response) => output::text(&table::render(&response, columns)),
        }
    }

    /// Makes the call and returns the body of the response, unless it is empty.
    fn response(&self, call: Call) -> anyhow::Result<Option<Value>> {
        let response = self.raw_response(call)?;
        Ok(response.map(|it| serde_json::from_str(it.get())).transpose()?)
    }

    /// The same with the body exactly as the server wrote it: payloads may contain numbers that no
    /// Rust type can represent.
    fn raw_response(&self, call: Call) -> anyhow::Result<Option<Box<RawValue>>> {
        let client = self.client()?;
        let body = super::on_runtime(client.call(call))?;
        if body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&body).context("the server's response is not JSON")
    }

    /// Whether to print JSON.
    pub(crate) const fn wants_json(&self) -> bool {
        self.json
    }

    /// A client for the server.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let token = client::token(self.token.as_deref()).ok_or_else(|| {
            usage(Advice {
                message: "no API token".to_owned(),
                hint: "create one with `postrider token create`, and set POSTRIDER_TOKEN or \
                       --token"
                    .to_owned(),
                source: None,
            })
        })?;
        Ok(Client { url: self.url.clone(), token })
    }
}
