//! What the engine accepts, and the result.

use std::sync::Arc;

use bytes::Bytes;
use postrider::{EndpointId, EventTypeName, MessageId, Uid};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
    trace::TraceContext,
};
use postrider_store::StoreError;

use crate::directory::Entry;

/// A message to accept.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The application that it is for.
    pub entry: Arc<Entry>,
    pub event_type: EventTypeName,
    pub event_id: Option<Uid>,
    pub channels: Vec<String>,
    pub tags: Vec<String>,
    pub body: Bytes,
    pub format: Format,
    pub deliver_at: Option<Timestamp>,
    pub body_until: Timestamp,
    /// The request that publishes it, in its distributed trace.
    pub trace: Option<Box<TraceContext>>,
    /// Digest of the request's idempotency key and its scope.
    pub idempotency: Option<[u8; 32]>,
    /// Send to this endpoint only, whatever its filters say.
    pub only: Option<EndpointId>,
    /// Keep this id and make no deliveries, because another system has accepted the message, at the
    /// time in the id.
    pub history: Option<MessageId>,
}

/// Bytes of a body from which filters are evaluated on another thread. Parsing it takes about a
/// millisecond, and everything else in the shard would wait.
const LARGE_BODY: usize = 128 << 10;

impl Submission {
    /// Whether it takes long to find out which endpoints get the message.
    pub(crate) fn takes_long(&self) -> bool {
        let chooses = self.only.is_none() && self.history.is_none();
        self.body.len() >= LARGE_BODY && chooses && self.entry.has_filters()
    }
}

/// The result of a submission.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// The message is durable and will be delivered.
    Accepted(Arc<Message>),
    /// An earlier submission with the same idempotency digest was accepted as this message.
    Repeated(MessageId),
    /// The event id already belongs to this message of the application.
    EventIdTaken(MessageId),
}

/// Why a submission was not accepted; nothing was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too many messages wait to be stored; try again in a moment.
    #[error("too many messages wait to be stored")]
    Overloaded,
    /// The server is shutting down.
    #[error("shutting down")]
    Stopping,
    /// Another message has the id; try again, with another id if it was chosen.
    #[error("another message has the id of this one")]
    IdTaken,
    #[error(transparent)]
    Store(Arc<StoreError>),
}
