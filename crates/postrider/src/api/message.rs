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

/// Maximum number of channels of a message.
pub const MAX_CHANNELS: usize = 5;

/// Maximum number of tags of a message.
pub const MAX_TAGS: usize = 5;

/// Maximum length of a tag, which has letters, digits and `-_./\#`.
pub const MAX_TAG: usize = 128;

/// Punctuation that a tag may contain.
pub const TAG_MARKS: &str = r"-_./\#";

/// Minimum and maximum retention of a payload in days.
pub const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 5..=90;

/// Minimum and maximum retention of a payload in hours.
pub const RETENTION_HOURS: std::ops::RangeInclusive<i64> = 1..=90 * 24;

/// Maximum number of messages in a batch.
pub const MAX_BATCH: usize = 1000;

/// Publishes an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageIn {
    /// The name of the event type.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub event_type: String,
    /// The payload. Endpoints receive exactly these bytes.
    #[cfg_attr(feature = "schema", schemars(with = "Payload"))]
    pub payload: Box<RawValue>,
    /// Your own identifier of the event, unique in the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub event_id: Option<String>,
    /// Endpoints with channels receive the message only if one of theirs is listed; 1 to 5 if
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_CHANNELS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = CHANNEL))))]
    pub channels: Option<Vec<String>>,
    /// Words by which the message can be found, at most 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TAGS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = TAG))))]
    pub tags: Option<Vec<String>>,
    /// The application to create if the one in the path does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationIn>,
    /// Sends something other than the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformations_params: Option<TransformationsParams>,
    /// When the first attempt is made: a minute to a year from now. The payload is kept from then
    /// on.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub deliver_at: Option<Timestamp>,
    /// How many days the payload is kept, 5 to 90. Cannot be combined with `payloadRetentionHours`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 5, max = 90)))]
    pub payload_retention_period: Option<i64>,
    /// How many hours the payload is kept, 1 to 2160. Cannot be combined with
    /// `payloadRetentionPeriod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 2160)))]
    pub payload_retention_hours: Option<i64>,
}

/// Sends something other than the payload. The clients' helpers for raw payloads use this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("additionalProperties" = true)))]
#[serde(rename_all = "camelCase")]
pub struct TransformationsParams {
    /// The body to send instead of the payload, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_payload: Option<String>,
    /// Headers for this message, such as its `content-type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageOut {
    /// The identifier that the server assigned; ids sort by time.
    pub id: MessageId,
    /// The name of the event type.
    pub event_type: EventTypeName,
    /// The publisher's identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uid>,
    /// The payload, an object: `{}` if it was not requested, `{"expired":true}` if it was deleted.
    #[cfg_attr(feature = "schema", schemars(with = "Payload"))]
    pub payload: Box<RawValue>,
    /// The message's channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Words by which the message can be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When the first attempt is made, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// When the message was accepted.
    pub timestamp: Timestamp,
}

/// Changes when the first attempts of a message are made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageRescheduleIn {
    /// When the first attempt is made, at most a year from now. A time in the past means now.
    #[serde(deserialize_with = "time::deserialize")]
    pub deliver_at: Timestamp,
}

/// The placeholder for a payload that was not requested (`with_content=false`). By default, 2.x
/// clients do not request payloads; 1.x clients and plain requests do.
pub fn omitted_payload() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

/// The placeholder for a payload that was deleted, by request or after its retention.
pub fn expired() -> Box<RawValue> {
    RawValue::from_string(r#"{"expired":true}"#.to_owned()).expect("the object is JSON")
}

/// The representation of a raw payload.
pub fn raw(text: &str) -> Box<RawValue> {
    to_raw_value(&BTreeMap::from([("rawPayload", text)])).expect("texts are JSON")
}

/// Sends an example of an event type to one endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventExampleIn {
    /// The event type whose schema contains the example.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub event_type: String,
    /// The index of the example in the schema; the first one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_index: Option<usize>,
    /// The payload to send instead of the schema's example. Only 2.x clients have this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Payload>"))]
    pub payload: Option<Box<RawValue>>,
}

/// Publishes many events in one request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchIn {
    /// The events, 1 to 1000.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_BATCH)))]
    pub messages: Vec<MessageIn>,
}

/// The results, in the order of the events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchOut {
    /// One item for each event.
    pub data: Vec<BatchItemOut>,
}

/// The result for one event: a message or an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchItemOut {
    /// The status code that a request with only this event would have received, such as 202.
    pub status: u16,
    /// The message, if the event was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageOut>,
    /// Why the event was rejected, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorOut>,
}

/// An empty object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EmptyOut {}

#[cfg(feature = "schema")]
const CHANNEL: &str = crate::api::endpoint::CHANNEL;

#[cfg(feature = "schema")]
const TAG: &str = r"^[a-zA-Z0-9\-_./\\#]{1,128}$";

/// The schema of payloads. The actual type preserves their bytes.
#[cfg(feature = "schema")]
pub(crate) type Payload = serde_json::Map<String, serde_json::Value>;
