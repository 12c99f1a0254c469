//! Polling endpoints: messages for clients that poll, and the progress of consumers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::{message::MessageOut, time},
    id::MessageId,
    name::{EventTypeName, Uid},
};

/// Seconds for which a replaced token of a polling endpoint stays valid by default.
pub const DEFAULT_OLD_TOKEN_EXPIRY_SECONDS: u64 = 300;

/// Most seconds for which a replaced token of a polling endpoint stays valid.
pub const MAX_OLD_TOKEN_EXPIRY_SECONDS: u64 = 24 * 60 * 60;

/// Most seconds for which a token of a polling endpoint is valid, if it expires.
pub const MAX_POLLING_TOKEN_EXPIRY_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Messages of a polling endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollingEndpointOut {
    /// The messages, oldest first.
    pub data: Vec<MessageOut>,
    /// The iterator of the next request, which acknowledges these messages.
    pub iterator: String,
    /// Whether there are no more messages at present.
    pub done: bool,
}

/// Moves a consumer of a polling endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollingEndpointConsumerSeekIn {
    /// The consumer goes on with the messages that were added at this time or later.
    #[serde(deserialize_with = "time::deserialize")]
    pub after: Timestamp,
}

/// Where a consumer of a polling endpoint goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollingEndpointConsumerSeekOut {
    /// The iterator of the next request.
    pub iterator: String,
}

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StartingPosition {
    /// With the oldest message.
    #[default]
    Earliest,
    /// With the next message.
    Latest,
}

/// Messages of a polling endpoint, leased to the client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollerV2PollOut {
    /// The messages, oldest first.
    pub data: Vec<PollerV2MessageOut>,
    /// Whether there are no more messages at present.
    pub done: bool,
}

/// A message with its place among those of the endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PollerV2MessageOut {
    /// What acknowledges this message and all before it.
    pub offset: u64,
    /// The identifier that the server assigned.
    pub id: MessageId,
    /// The name of the event type.
    pub event_type: EventTypeName,
    /// The publisher's identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uid>,
    /// The payload, an object.
    #[cfg_attr(feature = "schema", schemars(with = "crate::api::message::Payload"))]
    pub payload: Box<RawValue>,
    /// The message's channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Words by which the message can be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When the message was to be delivered, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// When the message was accepted.
    pub timestamp: Timestamp,
}

/// Acknowledges messages.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollerV2CommitIn {
    /// The offset of the last message that is done.
    pub offset: u64,
}

/// A consumer of a polling endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PollingConsumerOut {
    /// The name that the client chose.
    pub id: String,
    /// Everything up to this offset is acknowledged.
    pub committed_offset: u64,
    /// How many offsets are behind that. Messages whose payload was deleted count.
    pub lag: u64,
    /// Until when a client has messages that it has not acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased_until: Option<Timestamp>,
    /// When the consumer polled for the first time.
    pub created_at: Timestamp,
    /// The last poll, give or take a minute.
    pub last_poll_at: Timestamp,
}

/// The consumers of a polling endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PollingConsumersOut {
    /// The consumers, by id; at most 100.
    pub data: Vec<PollingConsumerOut>,
    /// The offset of the newest message; 0 if there was none yet.
    pub last_offset: u64,
}

/// Replaces the token of a polling endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RotatePollerTokenIn {
    /// Validity of the new token in seconds, at most a year; it does not expire if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_POLLING_TOKEN_EXPIRY_SECONDS)))]
    pub expiry: Option<u64>,
    /// How many seconds the replaced token stays valid, at most a day; 300 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_OLD_TOKEN_EXPIRY_SECONDS)))]
    pub old_token_expiry: Option<u64>,
}
