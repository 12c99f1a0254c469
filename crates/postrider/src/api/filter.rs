//! Trials of filters, and explanations why endpoints get messages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::api::endpoint::MAX_FILTER;
use crate::{
    id::{EndpointId, MessageId},
    name::{EventTypeName, Uid},
};

/// Maximum number of messages that a filter is tried on.
pub const MAX_TRIED: u16 = 1_000;

/// Tries a filter on the latest messages of the application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilterTestIn {
    /// The filter; the endpoint's own one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_FILTER)))]
    pub filter: Option<String>,
    /// The number of messages, the newest first; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_TRIED)))]
    pub limit: Option<u16>,
}

/// What a filter does with the latest messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilterTestOut {
    /// The number of messages that were read. It is less than the limit if there are fewer, or if
    /// their payloads are large.
    pub messages: u64,
    /// Messages that the endpoint would get.
    pub matching: u64,
    /// Messages for which the filter is false.
    pub not_matching: u64,
    /// Messages for which the filter cannot be evaluated. The endpoint would not get them.
    pub not_evaluated: u64,
    /// Messages that the endpoint does not get because of their event type or channels, whatever
    /// the filter is.
    pub excluded: u64,
    /// Some of these messages.
    pub examples: FilterExamplesOut,
}

/// Messages for each result of a filter, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilterExamplesOut {
    /// Messages that the endpoint would get.
    pub matching: Vec<FilterExampleOut>,
    /// Messages for which the filter is false.
    pub not_matching: Vec<FilterExampleOut>,
    /// Messages for which the filter cannot be evaluated.
    pub not_evaluated: Vec<FilterExampleOut>,
}

/// A message that a filter was tried on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilterExampleOut {
    /// The message.
    pub id: MessageId,
    /// Your own identifier of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uid>,
    /// Its event type.
    pub event_type: EventTypeName,
    /// When it was accepted.
    pub timestamp: Timestamp,
    /// Why the filter cannot be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Why an endpoint gets a message, or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointExplanationOut {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The message.
    pub msg_id: MessageId,
    /// The state of the delivery, or the first reason why there is none, for programs.
    pub result: EndpointExplanationResult,
    /// The same for people.
    pub reason: String,
    /// The number of attempts so far.
    pub attempts: u16,
    /// When the next attempt is due, if there will be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
}

/// The state of a delivery, or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EndpointExplanationResult {
    /// The message was delivered.
    Delivered,
    /// There was no attempt yet.
    Pending,
    /// There were failed attempts, and there will be another one.
    Sending,
    /// There will be no more attempts.
    Failed,
    /// The delivery was cancelled.
    Canceled,
    /// The endpoint is disabled.
    Disabled,
    /// The endpoint does not receive the event type.
    EventType,
    /// The endpoint has channels, and the message has none of them.
    Channels,
    /// The filter is false for the message.
    Filter,
    /// The filter cannot be evaluated for the message.
    FilterNotEvaluated,
    /// The stored filter is not valid.
    FilterInvalid,
    /// The endpoint would get the message now, but did not when the message was accepted.
    NotSent,
}
