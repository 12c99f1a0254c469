//! The commands that talk to a running server.

pub(crate) mod application;
pub(crate) mod attempt;
pub(crate) mod endpoint;
pub(crate) mod event_type;
mod fields;
mod json;
pub(crate) mod message;
pub(crate) mod source;
mod table;

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

/// Which server, and how its answer is printed.
#[derive(Args, Debug)]
pub(crate) struct Server {
    /// URL of the server
    #[arg(
        long,
        global = true,
        env = "POSTRIDER_URL",
        default_value = "http://127.0.0.1:8071",
        value_parser = http_url
    )]
    url: Url,
    /// Token, made with `postrider token create`
    #[arg(long, global = true, env = "POSTRIDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print the server's JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
}

/// Part of a list.
#[derive(Args, Debug)]
pub(crate) struct Page {
    /// Most rows
    #[arg(long)]
    limit: Option<u32>,
    /// Where to go on, as an earlier list said
    #[arg(long)]
    iterator: Option<String>,
}

impl Page {
    fn of(self, call: Call) -> Call {
        call.query("limit", self.limit.map(|it| it.to_string())).query("iterator", self.iterator)
    }
}

/// What a command asks of the server, and what of the answer a table shows.
#[derive(Debug)]
pub(crate) struct Query {
    pub call: Call,
    pub columns: &'static [&'static str],
}

impl Server {
    /// Makes the call and prints the answer.
    pub(crate) fn run(self, query: Query) -> anyhow::Result<()> {
        let Query { call, columns } = query;
        let is_json = self.json;
        match self.answer(call)? {
            None => Ok(()),
            Some(answer) if is_json => output::line(json::pretty(&answer)),
            Some(answer) => output::text(&table::render(&answer, columns)),
        }
    }

    /// Makes the call; the answer, if it has something to say.
    fn ask(&self, call: Call) -> anyhow::Result<Option<Value>> {
        let answer = self.answer(call)?;
        Ok(answer.map(|it| serde_json::from_str(it.get())).transpose()?)
    }

    /// The same with the answer as the server wrote it: payloads hold numbers that no type of ours
    /// can hold.
    fn answer(&self, call: Call) -> anyhow::Result<Option<Box<RawValue>>> {
        let client = self.client()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let body = runtime.block_on(client.call(call))?;
        if body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&body).context("the server's answer is not JSON")
    }

    fn client(&self) -> anyhow::Result<Client> {
        let token = client::token(self.token.as_deref()).ok_or_else(|| {
            usage(Advice {
                message: "no token is given".to_owned(),
                hint: "make one with `postrider token create`, and set POSTRIDER_TOKEN to it"
                    .to_owned(),
                source: None,
            })
        })?;
        Ok(Client { url: self.url.clone(), token })
    }
}
