//! Consumers: queues that messages are read from.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    field::{Field, Patch, or_default, present},
    ingest::PayloadEncoding,
    kind::QueueKind,
};
use crate::{
    id::{ConsumerId, DeadLetterId, MessageId},
    name::Uid,
};

/// How often a message is tried before it becomes a dead letter, if the consumer does not say.
pub const DEFAULT_ATTEMPTS: u32 = 5;

/// The most that a consumer may specify for the same.
pub const MAX_ATTEMPTS: u32 = 10;

/// Messages that one node has received and not acknowledged, at most, if the consumer does not say.
pub const DEFAULT_IN_FLIGHT: u32 = 256;

/// The most that a consumer may specify for the same.
pub const MAX_IN_FLIGHT: u32 = 1_000;

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 5] = ["id", "address", "createdAt", "updatedAt", "managedBy"];

/// How a queue's message becomes a message. Each text is a JSON path if it starts with `$`, such as
/// `$.body.customer.id`, and otherwise a template, such as `order.{{ body.kind }}`. Both see
/// `body`, `headers` and `subject`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerMapping {
    /// The application's id or uid.
    pub application: String,
    /// The event type.
    pub event_type: String,
    /// The event id; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The channels; a path may lead to a list.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub channels: Vec<String>,
    /// The payload; the whole body if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// Where a queue is and how to read it: the fields that the documentation of the kind describes.
/// Responses show `***` instead of credentials.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ConsumerConfig(pub Map<String, Value>);

/// Shows no values: they may be credentials.
impl fmt::Debug for ConsumerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Creates a consumer, or replaces it (`PUT`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerIn {
    /// Your own identifier, unique in the organization. It can be used wherever the id can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// A description for people.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub description: String,
    /// The kind of queue.
    pub kind: QueueKind,
    /// Where the queue is and how to read it; the fields depend on the kind.
    pub config: ConsumerConfig,
    /// How a queue's message becomes a message; if absent, its body is `{"appId", "message"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<ConsumerMapping>,
    /// Whether the queue is not read.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub disabled: bool,
    /// How often a message is tried before it becomes a dead letter; 5 if absent. What can never
    /// succeed is tried once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_ATTEMPTS)))]
    pub max_attempts: Option<u32>,
    /// Maximum number of messages that each node has received and not acknowledged; 256 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_IN_FLIGHT)))]
    pub max_in_flight: Option<u32>,
}

/// Changes some fields of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerPatch {
    /// Your own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Patch<String>,
    /// A description for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub description: Option<String>,
    /// The whole configuration. Credentials that are `***` stay as they are.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ConsumerConfig"))]
    pub config: Option<ConsumerConfig>,
    /// How a queue's message becomes a message; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub mapping: Patch<ConsumerMapping>,
    /// Whether the queue is not read.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub disabled: Option<bool>,
    /// How often a message is tried before it becomes a dead letter.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32", range(min = 1, max = MAX_ATTEMPTS)))]
    pub max_attempts: Option<u32>,
    /// Maximum number of messages that each node has received and not acknowledged.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32", range(min = 1, max = MAX_IN_FLIGHT)))]
    pub max_in_flight: Option<u32>,
}

/// A queue that messages are read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerOut {
    /// The identifier that the server assigned.
    pub id: ConsumerId,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// A description for people.
    pub description: String,
    /// The kind of queue.
    pub kind: QueueKind,
    /// Where the queue is and how to read it, with `***` in place of credentials.
    pub config: ConsumerConfig,
    /// Where the queue is, as a URL without credentials.
    pub address: String,
    /// How a queue's message becomes a message; if absent, its body is `{"appId", "message"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<ConsumerMapping>,
    /// Whether the queue is not read.
    pub disabled: bool,
    /// How often a message is tried before it becomes a dead letter.
    pub max_attempts: u32,
    /// Maximum number of messages that each node has received and not acknowledged.
    pub max_in_flight: u32,
    /// When the consumer was created.
    pub created_at: Timestamp,
    /// When the consumer was last changed.
    pub updated_at: Timestamp,
    /// The set of declared records that it belongs to, if it was applied from files: applying them
    /// again undoes other changes. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
}

/// What a consumer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ConsumerStatus {
    /// It is disabled.
    Disabled,
    /// It is connecting to the queue for the first time, or again after a change.
    Connecting,
    /// It reads the queue.
    Connected,
    /// It has read messages that the server cannot accept at the moment, and waits.
    Waiting,
    /// It cannot read the queue, and tries again every few seconds.
    Failing,
}

/// What a consumer is doing on the node that answers, and what it has done since the node started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStateOut {
    /// What it is doing.
    pub status: ConsumerStatus,
    /// Since when.
    pub since: Timestamp,
    /// Why it is failing or waiting, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it received a message last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_at: Option<Timestamp>,
    /// The number of messages that were accepted.
    pub accepted: u64,
    /// The number of messages that had been accepted before.
    pub duplicates: u64,
    /// The number of messages that became dead letters.
    pub dead_letters: u64,
    /// The number of messages that were received and are not acknowledged.
    pub in_flight: u64,
}

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DeadLetterCause {
    /// It does not have the form that the consumer expects.
    Unreadable,
    /// There is no such application.
    UnknownApplication,
    /// It breaks a rule that messages published over the API follow too.
    Invalid,
    /// It is too large.
    TooLarge,
    /// Anything else.
    Refused,
}

impl DeadLetterCause {
    /// All causes.
    pub const ALL: [Self; 5] =
        [Self::Unreadable, Self::UnknownApplication, Self::Invalid, Self::TooLarge, Self::Refused];

    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::UnknownApplication => "unknownApplication",
            Self::Invalid => "invalid",
            Self::TooLarge => "tooLarge",
            Self::Refused => "refused",
        }
    }
}

/// A message of a queue that could not be accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterOut {
    /// The identifier that the server assigned.
    pub id: DeadLetterId,
    /// Identifies the message in its queue.
    pub message_id: String,
    /// Why it was not accepted, for programs.
    pub cause: DeadLetterCause,
    /// Why it was not accepted, in words.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Its subject, routing key or key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The size of the part of the body that is kept, in bytes.
    pub size: u64,
    /// Whether the body was too large to be kept completely. It cannot be retried then.
    pub truncated: bool,
    /// When it was put on the list.
    pub created_at: Timestamp,
}

/// A message of a queue that could not be accepted, with its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterContentOut {
    /// The message and why it was not accepted.
    #[serde(flatten)]
    pub letter: DeadLetterOut,
    /// Its headers, attributes or fields.
    pub headers: BTreeMap<String, String>,
    /// The first 64 KiB of the body.
    pub body: String,
    /// How the body is encoded.
    pub body_encoding: PayloadEncoding,
}

/// The message that a dead letter became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterRetryOut {
    /// The message's id; absent if a message with its event id exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_causes_are_those_in_json() {
        for cause in DeadLetterCause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
    }
}
