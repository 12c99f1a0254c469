//! Messages: the events that users publish.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    api::{ApplicationIn, ErrorOut, time},
    id::MessageId,
    name::{EventTypeName, Uid},
};

/// Most channels of a message.
pub const MAX_CHANNELS: usize = 5;

/// Most tags of a message.
pub const MAX_TAGS: usize = 5;

/// Longest tag. Letters, digits and `-_./\#` may be in it.
pub const MAX_TAG: usize = 128;

/// The punctuation that a tag may have.
pub const TAG_MARKS: &str = r"-_./\#";

/// Fewest and most days that a payload may be kept.
pub const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 5..=90;

/// Fewest and most hours that a payload may be kept.
pub const RETENTION_HOURS: std::ops::RangeInclusive<i64> = 1..=90 * 24;

/// Most messages in one batch.
pub const MAX_BATCH: usize = 1000;

/// Publishes an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageIn {
    /// The name of the event's type.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub event_type: String,
    /// What receivers get, byte for byte as it stands here.
    #[cfg_attr(feature = "schema", schemars(with = "Payload"))]
    pub payload: Box<RawValue>,
    /// The sender's own identifier of the event, unique in the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub event_id: Option<String>,
    /// Endpoints that listen to channels get the message only if one of theirs is here; 1 to
    /// 5 if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_CHANNELS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = CHANNEL))))]
    pub channels: Option<Vec<String>>,
    /// Words to find the message by; 5 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TAGS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = TAG))))]
    pub tags: Option<Vec<String>>,
    /// The application to create if the one in the path does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationIn>,
    /// How to send something else than the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformations_params: Option<TransformationsParams>,
    /// When the first call may leave, up to a day ahead.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub deliver_at: Option<Timestamp>,
    /// Days that the payload is kept, 5 to 90. Not together with `payloadRetentionHours`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 5, max = 90)))]
    pub payload_retention_period: Option<i64>,
    /// Hours that the payload is kept, 1 to 2160. Not together with `payloadRetentionPeriod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 2160)))]
    pub payload_retention_hours: Option<i64>,
}

/// How to send something else than the payload. The clients' helpers for raw payloads fill
/// this in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("additionalProperties" = true)))]
#[serde(rename_all = "camelCase")]
pub struct TransformationsParams {
    /// The body to send instead of the payload, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_payload: Option<String>,
    /// Headers for this message alone, such as its `content-type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageOut {
    /// Our identifier; sorts by time.
    pub id: MessageId,
    /// The name of the event's type.
    pub event_type: EventTypeName,
    /// The sender's own identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uid>,
    /// What receivers get. Clients insist on an object: [`omitted_payload`] stands for a payload
    /// that was not asked for, [`expired`] for one that is gone.
    #[cfg_attr(feature = "schema", schemars(with = "Payload"))]
    pub payload: Box<RawValue>,
    /// Channels of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Words to find the message by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When the first call may leave, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// When the message was accepted.
    pub timestamp: Timestamp,
}

/// The payload to write for one that was not asked for (`with_content=false`). Clients of the
/// line 2.x do not ask unless told to; those of 1.x and plain requests do.
pub fn omitted_payload() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

/// The payload to write for one that was expunged or has outlived its retention.
pub fn expired() -> Box<RawValue> {
    RawValue::from_string(r#"{"expired":true}"#.to_owned()).expect("the object is JSON")
}

/// The payload to write for a text that was sent as it is.
pub fn raw(text: &str) -> Box<RawValue> {
    to_raw_value(&BTreeMap::from([("rawPayload", text)])).expect("texts are JSON")
}

/// Sends an example of an event type to one endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventExampleIn {
    /// The event type whose schema has the example.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub event_type: String,
    /// Which of the schema's examples; the first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_index: Option<usize>,
    /// What to send instead of the schema's example; only clients of the line 2.x have this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Payload>"))]
    pub payload: Option<Box<RawValue>>,
}

/// Publishes many events in one call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchIn {
    /// The events; 1 to 1000.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_BATCH)))]
    pub messages: Vec<MessageIn>,
}

/// What became of the events, in their order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchOut {
    /// One item for each event.
    pub data: Vec<BatchItemOut>,
}

/// What became of one event: it has a message or an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchItemOut {
    /// The status code that a call for this event alone would have got, such as 202.
    pub status: u16,
    /// The message, if the event was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageOut>,
    /// Why the event was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorOut>,
}

/// An answer with nothing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EmptyOut {}

#[cfg(feature = "schema")]
const CHANNEL: &str = crate::api::endpoint::CHANNEL;

#[cfg(feature = "schema")]
const TAG: &str = r"^[a-zA-Z0-9\-_./\\#]{1,128}$";

/// What the payload looks like to readers of the API's description; the type that carries it
/// keeps its bytes.
#[cfg(feature = "schema")]
pub(crate) type Payload = serde_json::Map<String, serde_json::Value>;
