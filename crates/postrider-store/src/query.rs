//! What readers ask for.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, EventTypeName, MessageId};
use postrider_core::{
    delivery::{DeliveryId, Status},
    message::Message,
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

/// What a walk found. With a filter that few rows pass it may end early, with fewer items
/// than the limit and a place to go on from, so that one call is bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T, K> {
    pub items: Vec<T>,
    /// Where to go on from; `None` if there is nothing behind it.
    pub resume: Option<K>,
}

/// Conditions on messages; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Accepted before this.
    pub before: Option<Timestamp>,
    /// Accepted after this.
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
    pub failed: u64,
    pub cancelled: u64,
}
