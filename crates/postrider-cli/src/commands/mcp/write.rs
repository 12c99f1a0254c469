//! Tools that change something.

use http::Method;
use postrider_core::mcp::{ToolResult, pick};
use serde_json::{Map, json};

use super::{Arguments, Tools, required, text};
use crate::client::Call;

const ENDPOINT: &[&str] = &[
    "id",
    "uid",
    "url",
    "kind",
    "description",
    "disabled",
    "paused",
    "eventTypes",
    "channels",
    "filter",
    "throttleRate",
    "ordering",
    "updatedAt",
];

impl Tools {
    pub(super) async fn send_test_event(
        &self,
        arguments: &Arguments,
    ) -> anyhow::Result<ToolResult> {
        let (application, endpoint) =
            (required(arguments, "application"), required(arguments, "endpoint"));
        let mut body = json!({ "eventType": required(arguments, "event_type") });
        if let Some(payload) = arguments.get("payload") {
            body["payload"] = payload.clone();
        }
        let call =
            Call::new(Method::POST, &["app", application, "endpoint", endpoint, "send-example"]);
        let sent = self.ask(call.body(serde_json::to_vec(&body)?)).await?;
        let id = sent["id"].as_str().unwrap_or_default();
        let summary =
            format!("The test event {id} was accepted; explain_delivery shows its result.");
        Ok(ToolResult {
            summary,
            content: json!({ "message": pick(&sent, &["id", "eventType", "timestamp"]) }),
        })
    }

    pub(super) async fn resend(&self, arguments: &Arguments) -> anyhow::Result<ToolResult> {
        let (application, message) =
            (required(arguments, "application"), required(arguments, "message"));
        let endpoint = required(arguments, "endpoint");
        let path = ["app", application, "msg", message, "endpoint", endpoint, "resend"];
        self.ask(Call::new(Method::POST, &path)).await?;
        let summary = "The message will be delivered again; explain_delivery shows the result.";
        let content = json!({ "message": message, "endpoint": endpoint, "resent": true });
        Ok(ToolResult { summary: summary.to_owned(), content })
    }

    pub(super) async fn update_endpoint(
        &self,
        arguments: &Arguments,
    ) -> anyhow::Result<ToolResult> {
        let (application, endpoint) =
            (required(arguments, "application"), required(arguments, "endpoint"));
        let mut patch = Map::new();
        for (name, field) in [
            ("url", "url"),
            ("description", "description"),
            ("disabled", "disabled"),
            ("paused", "paused"),
            ("event_types", "eventTypes"),
            ("filter", "filter"),
            ("throttle_rate", "throttleRate"),
        ] {
            if let Some(value) = arguments.get(name) {
                patch.insert(field.to_owned(), value.clone());
            }
        }
        anyhow::ensure!(!patch.is_empty(), "give a field to change, such as `disabled`");
        let changed = patch.keys().cloned().collect::<Vec<_>>().join(", ");
        let call = Call::new(Method::PATCH, &["app", application, "endpoint", endpoint]);
        let found = self.ask(call.body(serde_json::to_vec(&patch)?)).await?;
        let summary = format!("Changed {changed} of the endpoint.");
        Ok(ToolResult { summary, content: json!({ "endpoint": pick(&found, ENDPOINT) }) })
    }

    pub(super) async fn create_source(&self, arguments: &Arguments) -> anyhow::Result<ToolResult> {
        let mut body = json!({
            "name": required(arguments, "name"),
            "type": required(arguments, "type"),
        });
        for (name, field) in [("uid", "uid"), ("application", "appId")] {
            if let Some(value) = text(arguments, name) {
                body[field] = value.into();
            }
        }
        let call = Call::ingest(Method::POST, &["source"]).body(serde_json::to_vec(&body)?);
        let found = self.ask(call).await?;
        let id = found["id"].as_str().unwrap_or_default();
        let summary = format!(
            "Created the source {id}. The operator reads its URL with `postrider source get {id}`, \
             and sets its secret with `postrider source rotate-secret {id}`."
        );
        let fields = ["id", "uid", "name", "type", "provider", "appId", "status", "verification"];
        Ok(ToolResult { summary, content: json!({ "source": pick(&found, &fields) }) })
    }
}
