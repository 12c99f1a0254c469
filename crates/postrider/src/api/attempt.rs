//! Attempts: the calls that were made, and where deliveries stand.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::{
    api::{
        MessageOut,
        renamed::{EventTypes, ThrottleRate},
    },
    id::{AttemptId, EndpointId, MessageId},
    name::{EventTypeName, Uid},
};

/// The response that is shown of an attempt whose content was expunged.
pub const EXPUNGED: &str = "EXPUNGED";

/// One call to an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageAttemptOut {
    /// Our identifier; sorts by time.
    pub id: AttemptId,
    /// The message that was sent.
    pub msg_id: MessageId,
    /// The endpoint that was called.
    pub endpoint_id: EndpointId,
    /// The URL that was called.
    pub url: String,
    /// The first part of the body of the answer, or a sentence about the failure; empty if it
    /// was not asked for, [`EXPUNGED`] if it was removed.
    pub response: String,
    /// The status code of the answer; 0 if there was none.
    pub response_status_code: i16,
    /// How long the call took, in milliseconds.
    pub response_duration_ms: i64,
    /// How the call ended, or that the next one is due.
    pub status: MessageStatus,
    /// The same as a word.
    pub status_text: MessageStatusText,
    /// Why the call was made.
    pub trigger_type: TriggerType,
    /// When the call began.
    pub timestamp: Timestamp,
    /// The message, never with its payload, if it was asked for (`with_msg`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<MessageOut>,
    /// The headers of the answer, in their order. Our own addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Vec<(String, String)>>,
    /// What could not be read of the response after its status was known. Our own addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_note: Option<String>,
    /// The address and port that were called. Our own addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A message as one endpoint sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointMessageOut {
    /// The message.
    pub id: MessageId,
    /// The name of the event's type.
    pub event_type: EventTypeName,
    /// The sender's own identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uid>,
    /// What receivers get; see [`MessageOut::payload`].
    #[cfg_attr(feature = "schema", schemars(with = "crate::api::message::Payload"))]
    pub payload: Box<RawValue>,
    /// Channels of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Words to find the message by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When the first call may leave, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// Where the delivery stands.
    pub status: MessageStatus,
    /// The same as a word.
    pub status_text: MessageStatusText,
    /// When the next call is due, if there is to be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// When the message was accepted.
    pub timestamp: Timestamp,
}

/// An endpoint as one message sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageEndpointOut {
    /// The endpoint. One that was deleted has no more than its id, and is `disabled`.
    pub id: EndpointId,
    /// Where calls go; for a deleted endpoint, where the last one went, and empty if there was
    /// none.
    pub url: String,
    /// The user's own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// What people read about the endpoint.
    pub description: String,
    /// Whether calls are off.
    pub disabled: bool,
    /// The event types that the endpoint gets.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<EventTypeName>>>,
    /// The channels that it listens to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Most calls in a second.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Always [`crate::api::endpoint::VERSION`].
    pub version: i32,
    /// When the endpoint was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Where the delivery stands.
    pub status: MessageStatus,
    /// The same as a word.
    pub status_text: MessageStatusText,
    /// When the next call is due, if there is to be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
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
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands for it on the wire.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The one that this number stands for.
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
    /// Where a delivery stands, as a number.
    MessageStatus {
        /// It arrived.
        Success = 0,
        /// It was not called yet.
        Pending = 1,
        /// It was given up.
        Fail = 2,
        /// It was called without success, and will be called again.
        Sending = 3,
        /// It ended without an attempt that settled it: its endpoint, application or payload
        /// is gone. Clients that know this state ask for it with `expanded_statuses=true`, as
        /// those of the line 2.x always do; for the others, see [`MessageStatus::without_canceled`].
        Canceled = 4,
    }

    /// Why a call was made, as a number.
    TriggerType {
        /// The message was accepted, or the schedule of retries said so.
        Scheduled = 0,
        /// Somebody asked for it.
        Manual = 1,
    }

    /// The hundred that a status code is in; zero if there was no answer.
    StatusCodeClass {
        /// There was no answer.
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
    /// failure, which ends the waiting of such clients as well, since the message did not
    /// arrive.
    pub const fn without_canceled(self) -> Self {
        match self {
            Self::Canceled => Self::Fail,
            Self::Success | Self::Pending | Self::Fail | Self::Sending => self,
        }
    }
}

/// Where a delivery stands, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum MessageStatusText {
    /// It arrived.
    Success,
    /// It was not called yet.
    Pending,
    /// It was given up.
    Fail,
    /// It was called without success, and will be called again.
    Sending,
    /// It ended because endpoint, application or payload were gone.
    Canceled,
}
