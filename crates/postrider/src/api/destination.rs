//! Destinations: endpoints as the hosted API shows those that are queues, buckets, tables, or
//! called in order.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[cfg(feature = "schema")]
use crate::api::endpoint::MAX_FILTER;
use crate::{
    api::{
        Metadata,
        attempt::{MessageStatus, MessageStatusText},
        field::{Field, Patch, or_default, present},
        kind::EndpointConfig,
    },
    id::{AttemptId, EndpointId, MessageId},
    name::{EventTypeName, Uid},
};

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 6] =
    ["id", "currentIterator", "failureReason", "nextRetryAt", "createdAt", "updatedAt"];

/// Largest `batchSize`.
pub const MAX_BATCH_SIZE: u16 = 1_000;

/// Identifies a destination: the id of its endpoint, as clients of the hosted API expect it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationId(pub EndpointId);

/// What a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DestinationType {
    /// A URL that is called in order: an endpoint with the ordering `fifo`.
    FifoEndpoint,
    /// A bucket of Amazon S3 or a compatible store: an endpoint of the kind `s3`.
    AmazonS3,
    /// An Amazon SQS queue: an endpoint of the kind `sqs`.
    Sqs,
    /// An Amazon SNS topic: an endpoint of the kind `sns`.
    Sns,
    /// A RabbitMQ exchange: an endpoint of the kind `rabbitmq`.
    RabbitMq,
    /// A PostgreSQL table: an endpoint of the kind `postgres`.
    Postgres,
    /// A log that clients poll: an endpoint of the kind `polling`. It has no `config`.
    PollingEndpoint,
}

/// Whether a destination receives messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DestinationStatusIn {
    /// It receives messages.
    #[default]
    Enabled,
    /// Its messages wait until it is enabled. A Postrider extension.
    Paused,
    /// It receives no messages.
    Disabled,
}

/// Whether a destination receives messages, and accepts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DestinationStatus {
    /// It receives messages.
    Enabled,
    /// Its messages wait until it is enabled.
    Paused,
    /// It receives no messages.
    Disabled,
    /// Its deliveries fail, and are retried.
    Retrying,
}

/// Creates a destination, or replaces it (`PUT`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct DestinationIn {
    /// What the destination is. It cannot be changed later.
    #[serde(rename = "type")]
    pub destination_type: DestinationType,
    /// The fields of the hosted API for this type. When a destination is replaced, credentials that
    /// are absent stay.
    #[serde(default)]
    pub config: EndpointConfig,
    /// Your own identifier, unique in the application. It can be used wherever the id can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// Whether the destination receives messages.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<DestinationStatusIn>"))]
    pub status: DestinationStatusIn,
    /// For `amazonS3`: most messages of an object, 100 by default. For `fifoEndpoint`: most messages
    /// of a request, 100 by default. For other types, only 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_BATCH_SIZE)))]
    pub batch_size: Option<u16>,
    /// How many seconds a batch waits for more messages: for `amazonS3`, at most 60, for
    /// `fifoEndpoint`, at most 300. For other types, only 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_secs: Option<u16>,
    /// The event types that the destination receives, which must exist; all if absent or empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub event_types: Vec<String>,
    /// The channels that the destination receives; all if absent or empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub channels: Vec<String>,
    /// An expression over the message in CEL. The destination receives only messages for which it
    /// is true. When a destination is replaced, unchanged if absent, removed if empty. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_FILTER)))]
    pub filter: Option<String>,
    /// Custom key-value pairs.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
}

/// Changes some fields of a destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct DestinationPatch {
    /// The type that the destination has.
    #[serde(rename = "type")]
    pub destination_type: DestinationType,
    /// The fields to change; `null` removes an optional one.
    #[serde(default)]
    pub config: EndpointConfig,
    /// Your own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Patch<String>,
    /// Whether the destination receives messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DestinationStatusIn>,
    /// As in [`DestinationIn`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_BATCH_SIZE)))]
    pub batch_size: Option<u16>,
    /// As in [`DestinationIn`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_secs: Option<u16>,
    /// The event types that the destination receives; all if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// The channels that the destination receives; all if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// An expression over the message in CEL. The destination receives only messages for which it
    /// is true; `null` removes it. A Postrider extension.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_FILTER)))]
    pub filter: Patch<String>,
    /// Replaces all metadata.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Metadata"))]
    pub metadata: Option<Metadata>,
}

/// A destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DestinationOut {
    /// The identifier that the server assigned.
    pub id: DestinationId,
    /// What the destination is.
    #[serde(rename = "type")]
    pub destination_type: DestinationType,
    /// The fields of the hosted API for this type, without credentials; absent for
    /// `pollingEndpoint`, which has none.
    #[serde(default, skip_serializing_if = "EndpointConfig::is_empty")]
    pub config: EndpointConfig,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// Whether the destination receives messages, and accepts them.
    pub status: DestinationStatus,
    /// The id of the next message of a `fifoEndpoint`; empty if none waits, and for other types.
    pub current_iterator: String,
    /// Why the last attempt for that message failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When the message that failed is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry_at: Option<Timestamp>,
    /// Most messages of a batch.
    pub batch_size: u16,
    /// How many seconds a batch waits for more messages.
    pub max_wait_secs: u16,
    /// The event types that the destination receives; all if empty.
    pub event_types: Vec<EventTypeName>,
    /// The channels that the destination receives; all if empty.
    pub channels: Vec<String>,
    /// An expression over the message in CEL. The destination receives only messages for which it
    /// is true. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Custom key-value pairs.
    pub metadata: Metadata,
    /// When the destination was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
}

/// A message of an endpoint or a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventOut {
    /// The event type.
    pub event_type: EventTypeName,
    /// The body of the message, which is usually JSON; empty if it was deleted.
    pub payload: String,
    /// When the message was accepted.
    pub timestamp: Timestamp,
    /// The id of the message, with which it can be skipped. A Postrider extension.
    pub id: MessageId,
}

/// Which messages to skip.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SkipIn {
    /// The id of the last message to skip; only the next one is skipped if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub iterator: Option<String>,
}

/// An attempt to deliver a message to a destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DestinationAttemptOut {
    /// The identifier that the server assigned; ids sort by time.
    pub id: AttemptId,
    /// The destination.
    pub destination_id: DestinationId,
    /// The result of the attempt.
    pub status: MessageStatus,
    /// The status as a word.
    pub status_text: MessageStatusText,
    /// The message that was sent.
    pub first_msg_id: MessageId,
    /// The same message: an attempt has one.
    pub last_msg_id: MessageId,
    /// Always 1.
    pub num_events: u32,
    /// The beginning of the response's body, or an explanation of the failure; empty if it was not
    /// requested. A Postrider extension.
    pub response: String,
    /// The status code of the response; 0 if there was none. A Postrider extension.
    pub response_status_code: i16,
    /// How long the attempt took, in milliseconds.
    pub response_duration_ms: i64,
    /// When the attempt began.
    pub timestamp: Timestamp,
}

/// The text is not the id of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that begins with `sink_`")]
pub struct ParseDestinationIdError;

const PREFIX: &str = "sink_";

/// Sorted as their codes are, so that texts sort like ids.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits of a number of 128 bits.
const DIGITS: usize = 22;

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_u128();
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            let index = usize::try_from(rest % 62).expect("it is below 62");
            (*digit, rest) = (ALPHABET[index], rest / 62);
        }
        f.write_str(PREFIX)?;
        f.write_str(str::from_utf8(&digits).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DestinationId {
    type Err = ParseDestinationIdError;

    fn from_str(text: &str) -> Result<Self, ParseDestinationIdError> {
        let digits = text.strip_prefix(PREFIX).ok_or(ParseDestinationIdError)?;
        if digits.len() != DIGITS {
            return Err(ParseDestinationIdError);
        }
        let add = |number: u128, byte: u8| {
            let digit = ALPHABET.iter().position(|it| *it == byte)?;
            number.checked_mul(62)?.checked_add(digit as u128)
        };
        let number = digits.bytes().try_fold(0, add).ok_or(ParseDestinationIdError)?;
        Ok(Self(EndpointId::from_u128(number)))
    }
}

impl Serialize for DestinationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DestinationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for DestinationId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DestinationId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let example = Self(EndpointId::from_parts(0x1_9a2_3b4_c5d_000, 0x8123_4567_89ab_cdef));
        schemars::json_schema!({ "type": "string", "examples": [example.to_string()] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_those_of_endpoints_in_another_notation(raw: u128, other: u128) {
            let [id, other] = [raw, other].map(|it| DestinationId(EndpointId::from_u128(it)));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.cmp(&other), id.to_string().cmp(&other.to_string()));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let largest = DestinationId(EndpointId::from_u128(u128::MAX)).to_string();
        assert_eq!(largest.len(), 27);
        for text in ["", "sink_", "sink_1", "sink_zzzzzzzzzzzzzzzzzzzzzz", &largest.to_lowercase()]
        {
            assert!(text.parse::<DestinationId>().is_err(), "{text}");
        }
    }
}
