//! Test deliveries to endpoints, and checks whether they can be reached.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[cfg(feature = "schema")]
use crate::{api::message::Payload, name::EventTypeName};
use crate::{api::transformation::AttemptTransformationOut, id::MessageId};

/// Delivers a message to one endpoint at once, without storing it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointTestIn {
    /// The event type of the message; `svix.ping` if absent. It need not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub event_type: Option<String>,
    /// The payload; the example of the event type's schema if absent, or a built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Payload>"))]
    pub payload: Option<Box<RawValue>>,
}

/// The result of a test delivery, or of a check whether an endpoint can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointTestOut {
    /// Whether the message was delivered, or the endpoint can be reached.
    pub success: bool,
    /// What happened, for programs.
    pub outcome: EndpointTestOutcome,
    /// What was done, or why it failed, for people.
    pub detail: String,
    /// What to do if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Where the endpoint leads, as a URL without credentials.
    pub url: String,
    /// The address and port that was called, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The id of the delivered message, which is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_id: Option<MessageId>,
    /// The status code of the HTTP response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status_code: Option<u16>,
    /// The headers of the HTTP response, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Vec<(String, String)>>,
    /// The beginning of the body of the HTTP response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// What part of the response could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_note: Option<String>,
    /// What the transformation of the endpoint made of the message, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation: Option<AttemptTransformationOut>,
}

/// What a test delivery or a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EndpointTestOutcome {
    /// The message was delivered, or the endpoint can be reached.
    Success,
    /// The receiver responded with a status that is not from 200 to 299.
    Status,
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
    /// The connection broke, or the service does not speak the protocol.
    Protocol,
    /// The service can never accept this message.
    Rejected,
    /// The endpoint or the service has to be configured differently.
    Misconfigured,
    /// The service is down or broke the connection.
    Unavailable,
    /// The service asks for fewer messages.
    Busy,
    /// The transformation of the endpoint failed, so nothing was sent.
    Transformation,
    /// The stored message is damaged, so nothing was sent.
    Damaged,
}
