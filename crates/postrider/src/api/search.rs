//! Reads across applications: messages, attempts, groups of failures, and the lookup of names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{EndpointKind, MessageAttemptOut, MessageOut, MessageStatus, MessageStatusText},
    id::{ApplicationId, AttemptId, EndpointId, MessageId},
    name::{EventTypeName, Uid},
};

/// A page of a search.
///
/// A search looks at a limited number of rows for each request. So a page may have fewer items than
/// the limit, or none, although more follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "SearchResponse_{T}_"))]
#[serde(rename_all = "camelCase")]
pub struct SearchResponse<T> {
    /// The items.
    pub data: Vec<T>,
    /// The `iterator` parameter that continues the search.
    pub iterator: Option<String>,
    /// The `iterator` parameter for the previous page.
    pub prev_iterator: Option<String>,
    /// Whether the search is complete.
    pub done: bool,
    /// The time up to which the search has looked at everything; absent if it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched_until: Option<Timestamp>,
}

/// Conditions on an application's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MessageSearchIn {
    /// Maximum number of items on the page, from 1 to 250.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The `iterator` or `prevIterator` of another page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterator: Option<String>,
    /// Only messages with this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Only messages with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only messages accepted before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// Only messages accepted at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// Only messages of these event types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<EventTypeName>>,
    /// Include payloads.
    #[serde(default)]
    pub with_content: bool,
    /// Only messages whose payload, as it was published, contains this text. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Only messages whose payload has `value` at this path, for example `$.user.id`. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The value at `path`: the text of a string, or any other value as it was published. A
    /// Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The stream of an application's messages, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageEventsOut {
    /// The messages.
    pub data: Vec<MessageOut>,
    /// The `iterator` parameter that continues the stream, also if there is nothing more yet.
    pub iterator: String,
    /// Whether there is nothing more yet.
    pub done: bool,
}

/// The payload of a message, as it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageRawPayloadOut {
    /// The bytes that are signed and sent, as text.
    pub payload: String,
}

/// The headers of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageAttemptHeadersOut {
    /// The headers of the request, without those that are sensitive. They are not stored, but
    /// computed from the message and the present configuration of the endpoint. Empty if the
    /// endpoint was deleted or is not called over HTTP.
    pub sent_headers: BTreeMap<String, String>,
    /// The headers of the response, in their order; absent if there was no response, or if it was
    /// deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Vec<(String, String)>>,
    /// Names of headers that were sent, and whose values are not shown.
    pub sensitive: BTreeSet<String>,
    /// Whether the endpoint was changed or deleted after the attempt, so that its request may have
    /// had other headers. A Postrider extension.
    pub endpoint_changed: bool,
}

/// A message with its application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrganizationMessageOut {
    /// The application that the message was published to.
    pub app_id: ApplicationId,
    /// Your own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The message.
    pub msg: MessageOut,
    /// Its deliveries, if they were requested: at most 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Vec<MessageDeliveryOut>>,
}

/// The delivery of a message to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageDeliveryOut {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The status of the delivery.
    pub status: MessageStatus,
    /// The status as a word.
    pub status_text: MessageStatusText,
    /// How many attempts there were.
    pub attempts: u16,
    /// When the next attempt is due, if there will be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
}

/// An attempt with its application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrganizationAttemptOut {
    /// The application of the endpoint.
    pub app_id: ApplicationId,
    /// Your own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The kind of the endpoint, if it still exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_kind: Option<EndpointKind>,
    /// The event type of the message.
    pub event_type: EventTypeName,
    /// Why the attempt failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<FailureCause>,
    /// What to do about the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The attempt.
    pub attempt: MessageAttemptOut,
}

/// Failed attempts to one endpoint, with the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FailureGroupOut {
    /// The application of the endpoint.
    pub app_id: ApplicationId,
    /// Your own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The URL of the latest of the attempts.
    pub url: String,
    /// Why the attempts failed.
    pub cause: FailureCause,
    /// The status code of the responses; absent if there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status_code: Option<u16>,
    /// What to do about it.
    pub remedy: String,
    /// How many attempts were found: at least so many, unless the search is complete.
    pub count: u64,
    /// When the earliest of them began.
    pub first_at: Timestamp,
    /// When the latest of them began.
    pub last_at: Timestamp,
    /// The latest of them, at most five.
    pub samples: Vec<FailureSampleOut>,
}

/// One of several failed attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FailureSampleOut {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The message that was sent.
    pub msg_id: MessageId,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum FailureCause {
    /// The receiver responded, but not with a status from 200 to 299.
    Response,
    /// The host name does not resolve.
    Resolve,
    /// The connection could not be made.
    Connect,
    /// TLS could not be agreed on.
    Tls,
    /// There was no complete response within the time limit.
    Timeout,
    /// The address is not allowed.
    Forbidden,
    /// The connection broke, or the response was not HTTP.
    Protocol,
    /// The service does not accept the message.
    Rejected,
    /// The endpoint has to be configured differently.
    Misconfigured,
    /// The service is not available.
    Unavailable,
    /// The service asks for fewer messages.
    Busy,
    /// The transformation of the endpoint failed.
    Transformation,
    /// The stored message is damaged.
    Damaged,
}

impl FailureCause {
    /// All causes.
    pub const ALL: [Self; 13] = [
        Self::Response,
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Forbidden,
        Self::Protocol,
        Self::Rejected,
        Self::Misconfigured,
        Self::Unavailable,
        Self::Busy,
        Self::Transformation,
        Self::Damaged,
    ];

    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Forbidden => "forbidden",
            Self::Protocol => "protocol",
            Self::Rejected => "rejected",
            Self::Misconfigured => "misconfigured",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Transformation => "transformation",
            Self::Damaged => "damaged",
        }
    }
}

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LookupOut {
    /// Everything that was found, at most 50 of each type.
    pub data: Vec<LookupMatchOut>,
}

/// Something that a text names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LookupMatchOut {
    /// What it is.
    pub r#type: LookupType,
    /// Its id; the name of an event type.
    pub id: String,
    /// Your own identifier: a uid, or the event id of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its name, description or URL, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The application that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ApplicationId>,
    /// The message that an attempt sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_id: Option<MessageId>,
    /// The source that a rejection belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What a text can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum LookupType {
    /// An application, by its id or uid.
    Application,
    /// An endpoint, by its id, its uid, or the beginning of its URL.
    Endpoint,
    /// A source, by its id or uid.
    Source,
    /// A consumer, by its id or uid.
    Consumer,
    /// An event type, by its name.
    EventType,
    /// A message, by its id or event id.
    Message,
    /// An attempt, by its id.
    Attempt,
    /// A request that a source rejected, by its id.
    Rejection,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_causes_are_those_in_json() {
        for cause in FailureCause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
    }
}
