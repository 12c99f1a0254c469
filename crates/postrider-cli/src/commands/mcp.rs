//! `postrider mcp`: the Model Context Protocol over standard input and output.

mod read;
mod write;

use anyhow::Context;
use clap::Args;
use http::StatusCode;
use postrider::api::{ErrorOut, ValidationErrorOut};
use postrider_core::mcp::{CallError, INSTRUCTIONS, ToolName, ToolResult, check_call, offered};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    },
    service::{RequestContext, ServerInitializeError},
    transport::{async_rw::AsyncRwTransport, stdio},
};
use serde_json::{Map, Value};

use super::api::ApiArgs;
use crate::client::{Call, Client};

/// Most bytes of a message of the client. Longer ones are dropped.
const MAX_MESSAGE: usize = 1 << 20;

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
        let tools = Tools { client: self.api.client()?, allows_writes: self.allow_writes };
        super::on_runtime(serve(tools))
    }
}

/// Serves until the client closes standard input.
async fn serve(tools: Tools) -> anyhow::Result<()> {
    let (input, output) = stdio();
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(MAX_MESSAGE);
    let served = match tools.serve(transport).await {
        Ok(served) => served,
        // The client left before it said what it wants.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(error).context("the client does not speak the protocol"),
    };
    served.waiting().await?;
    Ok(())
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let product = Implementation::new("postrider", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities)
            .with_server_info(product.with_title("Postrider"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = offered(self.allows_writes).into_iter();
        let tools: Result<_, _> = tools.map(|it| serde_json::from_value(it.describe())).collect();
        let tools = tools.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let called = match check_call(&request.name, &arguments, self.allows_writes) {
            Ok(tool) => self.call(tool, &arguments).await.map_err(|error| format!("{error:#}")),
            Err(CallError::Arguments(reason)) => Err(reason),
            Err(CallError::Refused(reason)) => return Err(ErrorData::invalid_params(reason, None)),
        };
        let result = match called {
            Ok(found) => succeeded(found),
            Err(reason) => CallToolResult::error(vec![ContentBlock::text(reason)]),
        };
        Ok(result.into())
    }
}

/// The result as text for models, and as JSON for programs.
fn succeeded(found: ToolResult) -> CallToolResult {
    let ToolResult { summary, content } = found;
    let json = serde_json::to_string_pretty(&content).unwrap_or_default();
    let mut result =
        CallToolResult::success(vec![ContentBlock::text(format!("{summary}\n{json}"))]);
    result.structured_content = Some(content);
    result
}

/// Arguments of a tool.
type Arguments = Map<String, Value>;

/// Calls tools through the API.
#[derive(Debug)]
struct Tools {
    client: Client,
    allows_writes: bool,
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
