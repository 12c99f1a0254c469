//! The handle that the surface holds.

use std::sync::Arc;

use bytes::Bytes;
use postrider::{ApplicationId, EndpointId, EventTypeName, MessageId, Uid};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
};
use postrider_store::{Store, StoreError};

use crate::{Clock, Directory, Entry};

/// A message that somebody wants accepted.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Of the application that it is for.
    pub entry: Arc<Entry>,
    pub event_type: EventTypeName,
    pub event_id: Option<Uid>,
    pub channels: Vec<String>,
    pub tags: Vec<String>,
    pub body: Bytes,
    pub format: Format,
    pub deliver_at: Option<Timestamp>,
    pub body_until: Timestamp,
    /// Digest of the request's idempotency key and its scope.
    pub idempotency: Option<[u8; 32]>,
    /// Send to this endpoint alone, whatever its filters say.
    pub only: Option<EndpointId>,
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It is durable, and on its way.
    Accepted(Arc<Message>),
    /// A submission with the same idempotency digest was accepted as this message.
    Repeated(MessageId),
    /// The event id belongs to this message of the application.
    EventIdTaken(MessageId),
}

/// Why a submission was not accepted; nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too many wait already; try again in a moment.
    #[error("too many messages wait to be stored")]
    Overloaded,
    /// The server is going down.
    #[error("shutting down")]
    Stopping,
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

/// The handle to the running engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {}

impl Engine {
    /// Makes the message durable and sets its deliveries going.
    pub async fn submit(&self, _submission: Submission) -> Result<Submitted, SubmitError> {
        todo!()
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        todo!()
    }

    pub fn directory(&self) -> &Directory {
        todo!()
    }

    pub fn clock(&self) -> &Clock {
        todo!()
    }

    /// Takes note that the application or an endpoint of it was changed in the store; when
    /// this returns, submissions and deliveries follow the change.
    pub async fn changed(&self, _application: ApplicationId) -> Result<(), StoreError> {
        todo!()
    }

    /// Looks for due deliveries at once; after a resend or a recovery.
    pub fn wake(&self, _application: ApplicationId) {
        todo!()
    }
}
