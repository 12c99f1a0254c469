//! Tools that only read.

use http::Method;
use postrider_core::mcp::{ToolResult, pick, untrusted};
use serde_json::{Value, json};

use super::{Arguments, Tools, required, text};
use crate::client::Call;

/// Items of a list, if the client does not say how many.
const DEFAULT_ITEMS: u64 = 10;

/// Attempts that an explanation shows.
const ATTEMPTS: &str = "5";

const MESSAGE: &[&str] =
    &["id", "eventId", "eventType", "channels", "tags", "timestamp", "deliverAt"];

impl Tools {
    pub(super) async fn overview(&self) -> anyhow::Result<ToolResult> {
        let status = self.ask(get(&["status"])).await?;
        let applications = self.ask(get(&["app"]).query("limit", Some("20".to_owned()))).await?;
        let worst = self.ask_if_allowed(get(&["stats", "worst-endpoints"])).await?;
        let rejecting = self.ask_if_allowed(get(&["stats", "rejecting-sources"])).await?;
        let sources = Call::ingest(Method::GET, &["source"]).query("limit", Some("20".to_owned()));
        let sources = self.ask(sources).await?;
        let nodes = status["nodes"].as_array().map_or(0, Vec::len);
        let waiting = &status["waiting"];
        let worst: Vec<_> = items(worst.as_ref())
            .map(|it| pick(it, &["appId", "endpointId", "url", "cause", "remedy", "counts"]))
            .collect();
        let summary = format!(
            "Postrider {} with {nodes} node(s); {waiting} deliveries wait; {} endpoint(s) had failures.",
            status["version"].as_str().unwrap_or_default(),
            worst.len(),
        );
        let content = json!({
            "status": pick(&status, &["version", "waiting", "oldestDueAt", "store"]),
            "nodes": nodes,
            "applications": list(&applications, &["id", "uid", "name"]),
            "moreApplications": applications["done"] == false,
            "sources": list(&sources, &["id", "uid", "name", "type", "provider", "status", "disabled"]),
            "worstEndpoints": worst,
            "rejectingSources": items(rejecting.as_ref())
                .map(|it| pick(it, &["sourceId", "name", "rejected", "accepted", "counts", "reason", "reasons"]))
                .collect::<Vec<_>>(),
        });
        Ok(ToolResult { summary, content })
    }

    pub(super) async fn find_messages(&self, arguments: &Arguments) -> anyhow::Result<ToolResult> {
        let with_payload = arguments.get("with_payload") == Some(&Value::Bool(true));
        let mut body = json!({ "limit": limit(arguments), "with_content": with_payload });
        for name in ["contains", "event_types", "channel", "tag", "after", "before"] {
            if let Some(value) = arguments.get(name) {
                body[name] = value.clone();
            }
        }
        let path = ["app", required(arguments, "application"), "msg", "search"];
        let found =
            self.ask(Call::new(Method::POST, &path).body(serde_json::to_vec(&body)?)).await?;
        let messages: Vec<_> = items(Some(&found)).map(|it| message(it, with_payload)).collect();
        let more = if found["done"] == false { "; there may be more" } else { "" };
        let summary = format!("{} message(s){more}.", messages.len());
        Ok(ToolResult { summary, content: json!({ "messages": messages, "done": found["done"] }) })
    }

    pub(super) async fn explain_delivery(
        &self,
        arguments: &Arguments,
    ) -> anyhow::Result<ToolResult> {
        let (application, id) =
            (required(arguments, "application"), required(arguments, "message"));
        let found = self.ask(get(&["app", application, "msg", id])).await?;
        let destinations = self.ask(get(&["app", application, "msg", id, "endpoint"])).await?;
        let wanted = text(arguments, "endpoint");
        let endpoints: Vec<String> = match wanted {
            Some(endpoint) => vec![endpoint.to_owned()],
            None => items(Some(&destinations))
                .filter_map(|it| it["id"].as_str().map(str::to_owned))
                .take(10)
                .collect(),
        };
        let mut explanations = Vec::new();
        for endpoint in &endpoints {
            let path = ["app", application, "endpoint", endpoint, "msg", id, "explanation"];
            let found = self.ask(get(&path)).await?;
            explanations
                .push(pick(&found, &["endpointId", "result", "reason", "attempts", "nextAttempt"]));
        }
        let attempts = get(&["app", application, "attempt", "msg", id])
            .query("limit", Some(ATTEMPTS.to_owned()))
            .query("endpoint_id", wanted.map(str::to_owned));
        let attempts = self.ask(attempts).await?;
        let reason = |it: &postrider_core::mcp::Shown| {
            let part = |name| it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{}: {}", part("endpointId"), part("reason"))
        };
        let summary = match explanations.as_slice() {
            [] => "The message was for no endpoint: none subscribes to it.".to_owned(),
            some => some.iter().map(reason).collect::<Vec<_>>().join("; "),
        };
        let content = json!({
            "message": message(&found, true),
            "explanations": explanations,
            "attempts": items(Some(&attempts)).map(attempt).collect::<Vec<_>>(),
        });
        Ok(ToolResult { summary, content })
    }

    pub(super) async fn rejected_requests(
        &self,
        arguments: &Arguments,
    ) -> anyhow::Result<ToolResult> {
        let call = match text(arguments, "source") {
            Some(source) => Call::ingest(Method::GET, &["source", source, "log"]),
            None => Call::ingest(Method::GET, &["log"]),
        };
        let found = self.ask(call.query("limit", Some(limit(arguments).to_string()))).await?;
        let requests: Vec<_> = items(Some(&found)).map(rejected).collect();
        let summary = format!("{} rejected request(s).", requests.len());
        Ok(ToolResult { summary, content: json!({ "requests": requests, "done": found["done"] }) })
    }

    pub(super) async fn verify_request(&self, arguments: &Arguments) -> anyhow::Result<ToolResult> {
        let path = [
            "source",
            required(arguments, "source"),
            "log",
            required(arguments, "request"),
            "verify",
        ];
        let found = self.ask(Call::ingest(Method::POST, &path)).await?;
        let reason = found["reason"].as_str().unwrap_or("no reason was given");
        let summary = if found["verified"] == true {
            "The request verifies now.".to_owned()
        } else {
            format!("The request does not verify: {reason}.")
        };
        Ok(ToolResult {
            summary,
            content: pick(&found, &["verified", "reason", "isIncomplete"]).into(),
        })
    }
}

fn get(path: &[&str]) -> Call {
    Call::new(Method::GET, path)
}

fn limit(arguments: &Arguments) -> u64 {
    arguments.get("limit").and_then(Value::as_u64).unwrap_or(DEFAULT_ITEMS)
}

fn items(found: Option<&Value>) -> impl Iterator<Item = &Value> {
    found.and_then(|it| it["data"].as_array()).into_iter().flatten()
}

fn list(found: &Value, fields: &[&str]) -> Vec<Value> {
    items(Some(found)).map(|it| pick(it, fields).into()).collect()
}

fn message(it: &Value, with_payload: bool) -> Value {
    let mut shown = pick(it, MESSAGE);
    if with_payload {
        shown.insert("untrustedPayload".to_owned(), untrusted(&it["payload"]));
    }
    shown.into()
}

fn attempt(it: &Value) -> Value {
    let fields = [
        "id",
        "endpointId",
        "url",
        "statusText",
        "responseStatusCode",
        "responseDurationMs",
        "timestamp",
        "triggerType",
        "responseNote",
    ];
    let mut shown = pick(it, &fields);
    shown.insert("untrustedResponse".to_owned(), untrusted(&it["response"]));
    shown.into()
}

/// A rejected request. Its target contains the token of the source, and its headers may contain
/// credentials.
fn rejected(it: &Value) -> Value {
    let mut shown =
        pick(it, &["id", "source_id", "status_code", "error_text", "method", "created_at"]);
    let names: Vec<_> =
        it["headers"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    shown.insert("headerNames".to_owned(), json!(names));
    shown.insert("untrustedBody".to_owned(), untrusted(&it["payload"]));
    shown.insert("bodyEncoding".to_owned(), it["payload_encoding"].clone());
    shown.into()
}
