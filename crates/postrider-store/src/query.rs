//! What readers ask for.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, EventTypeName, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status},
    message::Message,
    outcome::Outcome,
    time::Timestamp,
};

/// A walk over keys in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan<K> {
    /// Begin behind this key; `None` at the very beginning.
    pub after: Option<K>,
    pub ascending: bool,
    /// Most items to return.
    pub limit: usize,
}

/// What a walk found. With a filter that few rows pass, or once the items have
/// [`LIST_BYTES`](crate::LIST_BYTES), it may end early, with fewer items than the limit and a
/// place to go on from, so that one call is bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPage<T, K> {
    pub items: Vec<T>,
    /// Where to go on from; `None` if there is nothing behind it.
    pub resume: Option<K>,
}

/// Conditions on messages; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Its id was made before this.
    pub before: Option<Timestamp>,
    /// Its id was made at this moment or later.
    pub after: Option<Timestamp>,
    pub channel: Option<String>,
    pub tag: Option<String>,
    /// One of these; any if empty.
    pub event_types: Vec<EventTypeName>,
    /// Fetch the bodies too.
    pub with_body: bool,
}

/// Whose attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptsOf {
    Endpoint(ApplicationId, EndpointId),
    /// Of one message, to one endpoint if given.
    Message(ApplicationId, MessageId, Option<EndpointId>),
}

/// Conditions on attempts; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    pub delivered: Option<bool>,
    /// 100 to 500: the answer's status is in that hundred; 0: there was no answer.
    pub status_class: Option<u16>,
    /// Conditions on the message; `before` and `after` are about the attempt.
    pub message: MessageFilter,
}

/// Whose deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveriesOf {
    Endpoint(ApplicationId, EndpointId),
    Message(ApplicationId, MessageId),
}

/// Words for [`Status`] without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    Delivered,
    Pending,
    Sending,
    Failed,
    Cancelled,
}

/// Conditions on deliveries; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub status: Option<StatusKind>,
    pub message: MessageFilter,
}

/// A delivery and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    /// Without its body unless the filter asked for it.
    pub message: Arc<Message>,
    pub status: Status,
    /// Attempts made so far.
    pub attempts: u16,
}

/// Deliveries of an endpoint by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub delivered: u64,
    pub pending: u64,
    pub sending: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl From<Status> for StatusKind {
    fn from(status: Status) -> Self {
        match status {
            Status::Delivered => Self::Delivered,
            Status::Pending(_) => Self::Pending,
            Status::Sending(_) => Self::Sending,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

impl DeliveryFilter {
    /// Whether a delivery with this status passes.
    pub(crate) fn admits(&self, status: Status) -> bool {
        self.status.is_none_or(|kind| kind == StatusKind::from(status))
    }
}

impl MessageFilter {
    /// Whether something with this time in its id passes `before` and `after`.
    pub(crate) fn spans(&self, millis: u64) -> bool {
        let at = Timestamp::from_millis(millis);
        self.before.is_none_or(|before| at < before) && self.after.is_none_or(|after| at >= after)
    }

    /// Whether the message passes the conditions other than time.
    pub(crate) fn concerns(&self, message: &Message) -> bool {
        self.channel.as_ref().is_none_or(|it| message.channels.contains(it))
            && self.tag.as_ref().is_none_or(|it| message.tags.contains(it))
            && (self.event_types.is_empty() || self.event_types.contains(&message.event_type))
    }

    /// The message as it is shown: with its body only if that was asked for.
    pub(crate) fn show(&self, message: &Arc<Message>) -> Arc<Message> {
        if self.with_body || message.body.is_none() {
            return Arc::clone(message);
        }
        Arc::new(Message { body: None, ..Message::clone(message) })
    }
}

impl AttemptFilter {
    /// Whether the attempt passes the conditions that are about itself.
    pub(crate) fn passes(&self, attempt: &Attempt) -> bool {
        let status = match attempt.outcome {
            Outcome::Answered { status, .. } => status,
            Outcome::Unanswered(_) => 0,
        };
        self.admits(status) && self.message.spans(attempt.id.millis())
    }

    /// Whether an attempt with this status passes; 0 is for no answer.
    pub(crate) fn admits(&self, status: u16) -> bool {
        self.delivered.is_none_or(|it| it == matches!(status, 200..=299))
            && self.status_class.is_none_or(|it| it == status / 100 * 100)
    }
}
