//! `postrider mcp`: the Model Context Protocol over standard input and output.

mod read;
mod write;

use std::io::{self, BufRead, Read, Write};

use anyhow::Context;
use clap::Args;
use http::StatusCode;
use postrider::api::{ErrorOut, ValidationErrorOut};
use postrider_core::mcp::{McpServer, Step, ToolName, ToolResult, failed, succeeded};
use serde_json::{Map, Value};

use super::api::ApiArgs;
use crate::client::{Call, Client};

/// Most bytes of a message of the client.
const MAX_MESSAGE: u64 = 1 << 20;

/// Lets an AI assistant look at a server, over the Model Context Protocol
///
/// The assistant starts the command and talks to it over standard input and output. It can only
/// read, unless --allow-writes is given, and never gets secrets.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Mcp {
    #[command(flatten)]
    api: ApiArgs,
    /// Let the assistant send test events, resend messages, change endpoints and create sources
    #[arg(long)]
    allow_writes: bool,
}

const EXAMPLE: &str = "\
Example of an assistant's configuration:
  {\"mcpServers\": {\"postrider\": {\"command\": \"postrider\", \"args\": [\"mcp\"],
    \"env\": {\"POSTRIDER_URL\": \"http://127.0.0.1:8071\", \"POSTRIDER_TOKEN\": \"...\"}}}}";

impl Mcp {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let server = McpServer::new(env!("CARGO_PKG_VERSION"), self.allow_writes);
        let tools = Tools { client: self.api.client()? };
        serve(&server, &tools)
    }
}

/// Serves until the client closes standard input. Calls of tools follow each other.
fn serve(server: &McpServer, tools: &Tools) -> anyhow::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while let Some(line) = next_line(&mut input)? {
        let reply = match server.receive(&line) {
            Step::Nothing => continue,
            Step::Reply(reply) => reply,
            Step::Call { id, tool, arguments } => {
                match super::on_runtime(tools.call(tool, &arguments)) {
                    Ok(found) => succeeded(&id, found),
                    Err(error) => failed(&id, &format!("{error:#}")),
                }
            },
        };
        send(&mut output, &reply)?;
    }
    Ok(())
}

/// The next line that is not empty.
fn next_line(input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    loop {
        let mut line = String::new();
        let read = input.by_ref().take(MAX_MESSAGE).read_line(&mut line);
        let read = read.context("standard input is not text")?;
        if read == 0 {
            return Ok(None);
        }
        anyhow::ensure!(
            line.ends_with('\n') || (read as u64) < MAX_MESSAGE,
            "a message of the client is longer than {MAX_MESSAGE} bytes"
        );
        if !line.trim().is_empty() {
            return Ok(Some(line));
        }
    }
}

fn send(output: &mut impl Write, message: &Value) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()?;
    Ok(())
}

/// Arguments of a tool.
type Arguments = Map<String, Value>;

/// Calls tools through the API.
#[derive(Debug)]
struct Tools {
    client: Client,
}

impl Tools {
    async fn call(&self, tool: ToolName, arguments: &Arguments) -> anyhow::Result<ToolResult> {
        match tool {
            ToolName::Overview => self.overview().await,
            ToolName::FindMessages => self.find_messages(arguments).await,
            ToolName::ExplainDelivery => self.explain_delivery(arguments).await,
            ToolName::RejectedRequests => self.rejected_requests(arguments).await,
            ToolName::VerifyRequest => self.verify_request(arguments).await,
            ToolName::SendTestEvent => self.send_test_event(arguments).await,
            ToolName::Resend => self.resend(arguments).await,
            ToolName::UpdateEndpoint => self.update_endpoint(arguments).await,
            ToolName::CreateSource => self.create_source(arguments).await,
        }
    }

    /// Calls the API, and returns the response of a success.
    async fn ask(&self, call: Call) -> anyhow::Result<Value> {
        let (status, body) = self.client.ask(call).await?;
        if status.is_success() {
            if body.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&body).context("the server's response is not JSON");
        }
        Err(anyhow::Error::msg(reason(status, &body)))
    }

    /// The same, if the token may call it.
    async fn ask_if_allowed(&self, call: Call) -> anyhow::Result<Option<Value>> {
        let (status, body) = self.client.ask(call).await?;
        match status {
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(serde_json::from_slice(&body)?)),
            status => Err(anyhow::Error::msg(reason(status, &body))),
        }
    }
}

/// What the server says is wrong.
fn reason(status: StatusCode, body: &[u8]) -> String {
    if let Ok(found) = serde_json::from_slice::<ErrorOut>(body) {
        return found.detail;
    }
    if let Ok(found) = serde_json::from_slice::<ValidationErrorOut>(body) {
        let problems = found.detail.iter().map(|it| format!("{}: {}", it.loc.join("."), it.msg));
        return problems.collect::<Vec<_>>().join("; ");
    }
    format!("the server responded with {status}")
}

/// An argument that is a text.
fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

/// A required argument; its presence was checked.
fn required<'a>(arguments: &'a Arguments, name: &str) -> &'a str {
    text(arguments, name).unwrap_or_default()
}
