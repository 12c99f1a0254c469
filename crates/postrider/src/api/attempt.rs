//! Attempts, and the statuses of deliveries.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::{
    api::{
        MessageOut,
        renamed::{EventTypes, ThrottleRate},
        transformation::AttemptTransformationOut,
    },
    id::{AttemptId, EndpointId, MessageId},
    name::{EventTypeName, Uid},
};

/// The response of an attempt whose content was deleted.
pub const EXPUNGED: &str = "EXPUNGED";

/// An attempt to deliver a message to an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageAttemptOut {
    /// The identifier that the server assigned; ids sort by time.
    pub id: AttemptId,
    /// The message that was sent.
    pub msg_id: MessageId,
    /// The endpoint that the request was sent to.
    pub endpoint_id: EndpointId,
    /// The URL that the request was sent to.
    pub url: String,
    /// The beginning of the response's body, or an explanation of the failure. Empty if it was not
    /// requested, and [`EXPUNGED`] if it was deleted.
    pub response: String,
    /// The status code of the response; 0 if there was none.
    pub response_status_code: i16,
    /// How long the attempt took, in milliseconds.
    pub response_duration_ms: i64,
    /// The result of the attempt.
    pub status: MessageStatus,
    /// The status as a word.
    pub status_text: MessageStatusText,
    /// What triggered the attempt.
    pub trigger_type: TriggerType,
    /// When the attempt began.
    pub timestamp: Timestamp,
    /// The message without its payload, if it was requested (`with_msg`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<MessageOut>,
    /// The headers of the response, in their order. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Vec<(String, String)>>,
    /// What part of the response could not be read after its status was known. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_note: Option<String>,
    /// The address and port that the request was sent to. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the transformation of the endpoint made of the message, if there is one. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation: Option<AttemptTransformationOut>,
    /// The request that was not sent, because the application was in shadow mode. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowRequestOut>,
}

/// The request of a delivery that was not sent, because its application was in shadow mode. A
/// Postrider extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ShadowRequestOut {
    /// The method; absent if the endpoint is not called over HTTP.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The URL that would have been called.
    pub url: String,
    /// All headers of the request, with its signatures. Values that may be credentials are `***`.
    pub headers: Vec<(String, String)>,
}

/// A message with its delivery to one endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointMessageOut {
    /// The message.
    pub id: MessageId,
    /// The name of the event type.
    pub event_type: EventTypeName,
    /// The publisher's identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uid>,
    /// The payload; see [`MessageOut::payload`].
    #[cfg_attr(feature = "schema", schemars(with = "crate::api::message::Payload"))]
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
    /// The status of the delivery.
    pub status: MessageStatus,
    /// The status as a word.
    pub status_text: MessageStatusText,
    /// When the next attempt is due, if there will be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// When the message was accepted.
    pub timestamp: Timestamp,
}

/// An endpoint with the delivery of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageEndpointOut {
    /// The endpoint. Of a deleted endpoint, only the id is known, and it is `disabled`.
    pub id: EndpointId,
    /// The URL of the endpoint. For a deleted endpoint, the URL of the last attempt; empty if there
    /// was none.
    pub url: String,
    /// Your own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// A description for people.
    pub description: String,
    /// Whether the endpoint receives no messages.
    pub disabled: bool,
    /// The event types that the endpoint receives.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<EventTypeName>>>,
    /// The channels that the endpoint receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Maximum number of attempts per second.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Always [`crate::api::endpoint::VERSION`].
    pub version: i32,
    /// When the endpoint was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
    /// The status of the delivery.
    pub status: MessageStatus,
    /// The status as a word.
    pub status_text: MessageStatusText,
    /// When the next attempt is due, if there will be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// Why the endpoint's filter keeps the message out. Then there is no delivery, and the status
    /// is that of cancelled ones. Only requests with `with_filtered` list such endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<String>,
}

macro_rules! numbered {
    ($(
        $(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)+ }
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)+
        }

        impl $name {
            /// All variants.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number in the API.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The variant with this number.
            pub fn from_number(number: u64) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| u64::from(it.number()) == number)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u16(self.number())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = u64::deserialize(deserializer)?;
                Self::from_number(number).ok_or_else(|| {
                    let expected = concat!("one of ", $(stringify!($number), " ",)+);
                    de::Error::invalid_value(de::Unexpected::Unsigned(number), &expected.trim_end())
                })
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "integer",
                    "enum": [$($number),+],
                    "description": concat!($(stringify!($variant), " = ", stringify!($number), "; ",)+),
                })
            }
        }
    )+};
}

numbered! {
    /// The status of a delivery, as a number.
    MessageStatus {
        /// The message was delivered.
        Success = 0,
        /// There was no attempt yet.
        Pending = 1,
        /// All attempts failed.
        Fail = 2,
        /// The attempts so far have failed, and there will be more.
        Sending = 3,
        /// It was cancelled because its endpoint, application or payload was deleted. Clients that
        /// know this status request it with `expanded_statuses=true`, as 2.x clients always do; for
        /// the others, see [`MessageStatus::without_canceled`].
        Canceled = 4,
    }

    /// What triggered an attempt, as a number.
    TriggerType {
        /// The message was accepted, or a retry was due.
        Scheduled = 0,
        /// A request to the API.
        Manual = 1,
    }

    /// The class of a status code; 0 if there was no response.
    StatusCodeClass {
        /// There was no response.
        CodeNone = 0,
        /// 100 to 199.
        Code1xx = 100,
        /// 200 to 299.
        Code2xx = 200,
        /// 300 to 399.
        Code3xx = 300,
        /// 400 to 499.
        Code4xx = 400,
        /// 500 to 599.
        Code5xx = 500,
    }
}

impl MessageStatus {
    /// The status as a word.
    pub const fn text(self) -> MessageStatusText {
        match self {
            Self::Success => MessageStatusText::Success,
            Self::Pending => MessageStatusText::Pending,
            Self::Fail => MessageStatusText::Fail,
            Self::Sending => MessageStatusText::Sending,
            Self::Canceled => MessageStatusText::Canceled,
        }
    }

    /// The status for a client that does not know [`Self::Canceled`] and cannot parse it: a
    /// failure, because the message was not delivered, and such a client stops waiting for it.
    pub const fn without_canceled(self) -> Self {
        match self {
            Self::Canceled => Self::Fail,
            Self::Success | Self::Pending | Self::Fail | Self::Sending => self,
        }
    }
}

/// The status of a delivery, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum MessageStatusText {
    /// The message was delivered.
    Success,
    /// There was no attempt yet.
    Pending,
    /// All attempts failed.
    Fail,
    /// The attempts so far have failed, and there will be more.
    Sending,
    /// It was cancelled because the endpoint, the application or the payload was deleted.
    Canceled,
}
