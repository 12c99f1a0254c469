//! `postrider message` and `postrider send`.

use anyhow::Context;
use clap::{Args, Subcommand};
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Page, Query, Server,
    fields::{self, Fields},
};
use crate::client::Call;

/// Applications and messages are named by id, or by uid and event id.
#[derive(Debug, Subcommand)]
pub(crate) enum Message {
    /// Lists the messages of an application, newest first
    List {
        app: String,
        #[command(flatten)]
        page: Page,
    },
    /// Shows one message with its payload
    Get { app: String, message: String },
    /// Publishes an event: `create acme eventType=invoice.paid payload:='{"id": 1}'`
    Create {
        app: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Lists where the message went, and where each delivery stands
    Endpoints {
        app: String,
        message: String,
        #[command(flatten)]
        page: Page,
    },
    /// Removes the payload for good
    Expunge { app: String, message: String },
}

const COLUMNS: &[&str] =
    &["id", "eventType", "eventId", "url", "status", "nextAttempt", "timestamp"];

impl Message {
    pub(crate) fn query(self) -> anyhow::Result<Query> {
        let call = match self {
            Self::List { app, page } => page.of(Call::new(Method::GET, &["app", &app, "msg"])),
            Self::Get { app, message } => Call::new(Method::GET, &["app", &app, "msg", &message]),
            Self::Create { app, fields } => {
                Call::new(Method::POST, &["app", &app, "msg"]).body(fields.object()?)
            },
            Self::Endpoints { app, message, page } => {
                page.of(Call::new(Method::GET, &["app", &app, "msg", &message, "endpoint"]))
            },
            Self::Expunge { app, message } => {
                Call::new(Method::DELETE, &["app", &app, "msg", &message, "content"])
            },
        };
        Ok(Query { call, columns: COLUMNS })
    }
}

/// Publishes one event.
#[derive(Args, Debug)]
pub(crate) struct Send {
    #[command(flatten)]
    pub server: Server,
    /// Application, by id or uid
    app: String,
    /// Event type, such as invoice.paid
    event_type: String,
    /// Payload as JSON, or - for standard input; it is sent byte for byte
    #[arg(default_value = "{}")]
    payload: String,
    /// Your own identifier of the event; a second event with the same one is refused
    #[arg(long)]
    event_id: Option<String>,
    /// Channel that endpoints may filter by; can be repeated
    #[arg(long)]
    channel: Vec<String>,
    /// Tag to find the message by; can be repeated
    #[arg(long)]
    tag: Vec<String>,
    /// Makes it safe to run the same command twice
    #[arg(long)]
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    event_type: String,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    channels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

impl Send {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let payload = fields::json(&self.payload)?;
        let body = Body {
            event_type: self.event_type,
            payload: serde_json::from_str(payload.trim()).context("not valid JSON")?,
            event_id: self.event_id,
            channels: self.channel,
            tags: self.tag,
        };
        let mut call =
            Call::new(Method::POST, &["app", &self.app, "msg"]).body(serde_json::to_vec(&body)?);
        call.idempotency_key = self.idempotency_key;
        self.server.run(Query { call, columns: COLUMNS })
    }
}
