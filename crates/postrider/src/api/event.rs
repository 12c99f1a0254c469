//! Operational webhooks: notifications of the operator about endpoints and deliveries.
//!
//! They are sent as ordinary messages. The payload is an [`OperationalEvent`], and the event type
//! is its `type`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ApplicationId, AttemptId, EndpointId, MessageId},
    name::Uid,
};

/// An operational webhook about an endpoint or a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "data")]
pub enum OperationalEvent {
    /// An endpoint was created.
    #[serde(rename = "endpoint.created")]
    EndpointCreated(EndpointData),
    /// An endpoint was changed.
    #[serde(rename = "endpoint.updated")]
    EndpointUpdated(EndpointData),
    /// An endpoint was deleted.
    #[serde(rename = "endpoint.deleted")]
    EndpointDeleted(EndpointData),
    /// An endpoint was enabled.
    #[serde(rename = "endpoint.enabled")]
    EndpointEnabled(EndpointData),
    /// An endpoint was disabled.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled(EndpointDisabledData),
    /// All attempts of a delivery have failed.
    #[serde(rename = "message.attempt.exhausted")]
    MessageAttemptExhausted(MessageAttemptData),
    /// A delivery has failed several times and is still being retried.
    #[serde(rename = "message.attempt.failing")]
    MessageAttemptFailing(MessageAttemptData),
    /// A delivery that was reported as failing has succeeded.
    #[serde(rename = "message.attempt.recovered")]
    MessageAttemptRecovered(MessageAttemptData),
}

impl OperationalEvent {
    /// The event types of all operational events.
    pub const NAMES: [&str; 8] = [
        "endpoint.created",
        "endpoint.updated",
        "endpoint.deleted",
        "endpoint.enabled",
        "endpoint.disabled",
        "message.attempt.exhausted",
        "message.attempt.failing",
        "message.attempt.recovered",
    ];

    /// The event's type.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EndpointCreated(_) => Self::NAMES[0],
            Self::EndpointUpdated(_) => Self::NAMES[1],
            Self::EndpointDeleted(_) => Self::NAMES[2],
            Self::EndpointEnabled(_) => Self::NAMES[3],
            Self::EndpointDisabled(_) => Self::NAMES[4],
            Self::MessageAttemptExhausted(_) => Self::NAMES[5],
            Self::MessageAttemptFailing(_) => Self::NAMES[6],
            Self::MessageAttemptRecovered(_) => Self::NAMES[7],
        }
    }
}

/// The endpoint that the event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointData {
    /// The endpoint's application.
    pub app_id: ApplicationId,
    /// Your own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Your own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
}

/// The endpoint that was disabled, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointDisabledData {
    /// The endpoint's application.
    pub app_id: ApplicationId,
    /// Your own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Your own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
    /// Since when the endpoint has been failing. Clients require the field, so it is the time of
    /// disabling if a request disabled the endpoint.
    pub fail_since: Timestamp,
    /// What disabled the endpoint.
    pub trigger: DisabledTrigger,
}

/// What disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DisabledTrigger {
    /// A request to the API.
    Manual,
    /// The server, because the endpoint failed for too long or responded with 410 Gone.
    Automatic,
}

/// The delivery that the event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageAttemptData {
    /// The application.
    pub app_id: ApplicationId,
    /// Your own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Your own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
    /// The message.
    pub msg_id: MessageId,
    /// The publisher's identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_event_id: Option<Uid>,
    /// The last attempt.
    pub last_attempt: LastAttempt,
}

/// The last attempt of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LastAttempt {
    /// The attempt.
    pub id: AttemptId,
    /// The status code of the response; 0 if there was none.
    pub response_status_code: i16,
    /// When the attempt began.
    pub timestamp: Timestamp,
}
