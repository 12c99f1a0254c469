//! One accepted event.

use bytes::Bytes;
use postrider::{ApplicationId, EventTypeName, MessageId, RejectionId, SourceId, Uid};

use crate::{time::Timestamp, trace::TraceContext};

/// One accepted event. It is immutable, except that its body can be expunged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub application: ApplicationId,
    pub event_type: EventTypeName,
    /// The publisher's identifier, unique in the application.
    pub event_id: Option<Uid>,
    /// An endpoint with channels gets the message only if they share one.
    pub channels: Vec<String>,
    /// Labels to search for.
    pub tags: Vec<String>,
    /// What is signed and sent, byte for byte as it was received; `None` after it was expunged
    /// or its retention has ended.
    pub body: Option<Bytes>,
    pub format: Format,
    /// When the first attempt may be made, if not at once.
    pub deliver_at: Option<Timestamp>,
    /// When the body is removed.
    pub body_until: Timestamp,
    /// The request that published it, in its distributed trace.
    pub trace: Option<Box<TraceContext>>,
}

/// The format of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON: the message's `payload`.
    Json,
    /// Any content, sent unchanged with these additional headers.
    Raw { headers: Vec<(String, String)> },
}

impl Message {
    /// When the message was accepted, taken from its id.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }
}

/// A request to a source that was rejected, or dropped as a duplicate. It is kept for a short time
/// for inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub id: RejectionId,
    pub source: SourceId,
    /// Status of the response.
    pub status: u16,
    /// Why it did not become a message, for the source's owner.
    pub reason: String,
    pub method: String,
    /// Path and query, without the source's token.
    pub target: String,
    /// As received, without sensitive ones.
    pub headers: Vec<(String, String)>,
    /// The first [`MAX_REJECTED_BODY`] bytes of the body.
    pub body: Bytes,
    /// The message that it duplicates, if that is the reason.
    pub duplicate_of: Option<MessageId>,
}

/// Most bytes that are kept of a rejected request's body.
pub const MAX_REJECTED_BODY: usize = 64 << 10;

impl Rejection {
    /// When the request was received, taken from the id.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }
}
