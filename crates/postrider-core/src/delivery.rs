//! The duty to bring one message to one endpoint, and the calls made for it.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};

use crate::{outcome::Outcome, retry::Verdict, time::Timestamp};

/// Names a delivery: an endpoint gets a message once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    pub endpoint: EndpointId,
    pub message: MessageId,
}

/// The duty to bring one message to one endpoint, before the attempt numbered `attempt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub application: ApplicationId,
    /// Number of the attempt to make next; the first is 1, also after a resend.
    pub attempt: u16,
    pub trigger: Trigger,
    /// The operator was told that this delivery keeps failing, so a success is news.
    pub reported: bool,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The message was accepted, or the schedule says so.
    Scheduled,
    /// Somebody asked for it: resend, recover.
    Manual,
}

/// How a delivery stands to the others of its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// It may be made beside any other one, by any node.
    #[default]
    Any,
    /// Beside any other one, but all of the endpoint by the same node: its rate is counted
    /// there.
    Owned,
    /// Owned, and offered only when every delivery in order that was appended before it has
    /// ended, or is offered in the same claim before it. So a claim gives the first ones of
    /// the order, up to the first that is held or not due. Never appended as leased. A resend
    /// takes it out of the order.
    InOrder,
}

/// The record of one HTTP call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub delivery: DeliveryId,
    pub number: u16,
    pub trigger: Trigger,
    /// When the call began: the time in the id, so that lists, which are sorted and filtered by
    /// ids, agree with what they show.
    pub at: Timestamp,
    pub duration: Duration,
    pub url: String,
    /// The address that was called, if the name resolved.
    pub address: Option<SocketAddr>,
    pub outcome: Outcome,
    /// What the receiver answered, or why there is no answer; `None` once it was expunged.
    pub response: Option<Response>,
}

/// As much of an answer as is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body, or a sentence about the failure.
    pub body: Bytes,
}

/// What an attempt came to: recorded, and the delivery moved on, in one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub delivery: Delivery,
    pub attempt: Attempt,
    pub verdict: Verdict,
    /// Since when the endpoint has been failing, if this attempt changed that:
    /// `Some(None)` when it works again.
    pub failing_since: Option<Option<Timestamp>>,
}

/// What a reader sees of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Delivered,
    /// Was not attempted yet; due at this moment at the earliest.
    Pending(Timestamp),
    /// Was attempted and has not ended; its next attempt is due at this moment at the earliest.
    Sending(Timestamp),
    Failed,
    /// Ended without success or failure: its endpoint, application or body is gone.
    Cancelled,
}

impl Status {
    /// The status of a delivery that has not ended, after this many attempts.
    pub const fn open(attempts: u16, due_at: Timestamp) -> Self {
        if attempts == 0 { Self::Pending(due_at) } else { Self::Sending(due_at) }
    }
}
