//! `postrider send`.

use anyhow::Context;
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ApiArgs, ApiRequest, fields, message::COLUMNS, paths::ApplicationPath};

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Send {
    #[command(flatten)]
    app: ApplicationPath,
    /// Event type, such as invoice.paid
    event_type: String,
    /// JSON payload, or - for standard input; delivered byte for byte
    #[arg(default_value = "{}")]
    payload: String,
    /// Your own id of the event; a second event with the same id is rejected
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// Channel that endpoints can filter by; can be repeated
    #[arg(long)]
    channel: Vec<String>,
    /// Tag to find the message by; can be repeated
    #[arg(long)]
    tag: Vec<String>,
    /// When the first attempt is made, at most a year ahead, such as 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    deliver_at: Option<String>,
    /// Publish only once, even if the command runs again with the same key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

const EXAMPLES: &str = "\
Examples:
  postrider send acme invoice.paid '{\"id\": 1}' --event-id invoice-1-paid
  postrider send acme invoice.paid - < payload.json";

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
    #[serde(skip_serializing_if = "Option::is_none")]
    deliver_at: Option<String>,
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
            deliver_at: self.deliver_at,
        };
        let mut call = self.app.call(Method::POST, &["msg"]).body(serde_json::to_vec(&body)?);
        call.idempotency_key = self.idempotency_key;
        self.api.run(ApiRequest { call, columns: COLUMNS })
    }
}
