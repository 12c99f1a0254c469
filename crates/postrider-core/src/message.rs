//! One accepted event.

use bytes::Bytes;
use postrider::{ApplicationId, EventTypeName, MessageId, RejectionId, SourceId, Uid};

use crate::time::Timestamp;

/// One accepted event; immutable, but for its body, which can be expunged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub application: ApplicationId,
    pub event_type: EventTypeName,
    /// The sender's own identifier, unique in the application.
    pub event_id: Option<Uid>,
    /// Endpoints that listen to channels get the message only if one of theirs is here.
    pub channels: Vec<String>,
    /// Words to find the message by.
    pub tags: Vec<String>,
    /// What is signed and sent, byte for byte as it came; `None` once it was expunged or
    /// has outlived its retention.
    pub body: Option<Bytes>,
    pub format: Format,
    /// When the first attempt may leave, if not at once.
    pub deliver_at: Option<Timestamp>,
    /// When the body is to be removed.
    pub body_until: Timestamp,
}

/// What the body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// The JSON text of the message's `payload`.
    Json,
    /// A text that the sender wanted sent as it is, with these headers of its own.
    Raw { headers: Vec<(String, String)> },
}

impl Message {
    /// When the message was accepted; its id carries that moment.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }
}

/// A request to a source that was turned away, or dropped because it repeats a message; kept for a
/// short time, to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub id: RejectionId,
    pub source: SourceId,
    /// What was answered.
    pub status: u16,
    /// Why it became no message, for the source's owner.
    pub reason: String,
    pub method: String,
    /// Path and query, without the source's token.
    pub target: String,
    /// As they came, but for sensitive ones.
    pub headers: Vec<(String, String)>,
    /// The first [`MAX_REJECTED_BODY`] bytes of the body.
    pub body: Bytes,
    /// The message that it repeats, if that is why.
    pub duplicate_of: Option<MessageId>,
}

/// Most bytes that are kept of a rejected request's body.
pub const MAX_REJECTED_BODY: usize = 64 << 10;

impl Rejection {
    /// When the request came; the id carries that moment.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }
}
