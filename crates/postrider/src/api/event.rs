//! Operational webhooks: what the operator is told about endpoints and deliveries.
//!
//! They go out as ordinary messages whose payload is an [`OperationalEvent`], and whose
//! event type is the event's `type`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ApplicationId, AttemptId, EndpointId, MessageId},
    name::Uid,
};

/// Something that happened to an endpoint or a delivery.
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
    /// An endpoint gets calls again.
    #[serde(rename = "endpoint.enabled")]
    EndpointEnabled(EndpointData),
    /// An endpoint gets no more calls.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled(EndpointDisabledData),
    /// A delivery was given up.
    #[serde(rename = "message.attempt.exhausted")]
    MessageAttemptExhausted(MessageAttemptData),
    /// A delivery has failed several times and goes on.
    #[serde(rename = "message.attempt.failing")]
    MessageAttemptFailing(MessageAttemptData),
    /// A delivery that was reported as failing has arrived.
    #[serde(rename = "message.attempt.recovered")]
    MessageAttemptRecovered(MessageAttemptData),
}

impl OperationalEvent {
    /// The event types of all of them.
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

/// The endpoint that something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointData {
    /// Its application.
    pub app_id: ApplicationId,
    /// The user's own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The user's own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
}

/// The endpoint that was disabled, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointDisabledData {
    /// Its application.
    pub app_id: ApplicationId,
    /// The user's own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The user's own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
    /// Since when it has been failing. Clients insist on the field, so it is the moment of
    /// disabling if a person did that.
    pub fail_since: Timestamp,
    /// Who disabled it.
    pub trigger: DisabledTrigger,
}

/// Who disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DisabledTrigger {
    /// Somebody, through the API.
    Manual,
    /// The server, because it failed for too long or said that it is gone.
    Automatic,
}

/// The delivery that something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageAttemptData {
    /// The application.
    pub app_id: ApplicationId,
    /// The user's own identifier of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_uid: Option<Uid>,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The user's own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
    /// The message.
    pub msg_id: MessageId,
    /// The sender's own identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg_event_id: Option<Uid>,
    /// The last call that was made.
    pub last_attempt: LastAttempt,
}

/// The last call of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LastAttempt {
    /// The attempt.
    pub id: AttemptId,
    /// The status code of the answer; 0 if there was none.
    pub response_status_code: i16,
    /// When the call began.
    pub timestamp: Timestamp,
}
