//! The entries of a feed.

use bytes::Bytes;
use postrider::{ApplicationId, EndpointId, EventTypeName};
use postrider_core::time::Timestamp;
use serde::Serialize;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A message was accepted.
    Message,
    /// An attempt has ended.
    Attempt,
    /// A source rejected a request.
    Rejection,
    /// An endpoint or a delivery changed its state.
    State,
}

impl EntryKind {
    pub(super) const ALL: [Self; 4] = [Self::Message, Self::Attempt, Self::Rejection, Self::State];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Attempt => "attempt",
            Self::Rejection => "rejection",
            Self::State => "state",
        }
    }
}

/// What readers filter by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: EntryKind,
    /// None if it is about no application in particular.
    pub(super) application: Option<ApplicationId>,
    pub(super) endpoint: Option<EndpointId>,
    pub(super) event_type: Option<EventTypeName>,
    /// Whether an attempt succeeded.
    pub(super) delivered: Option<bool>,
}

/// An entry, which all readers share.
#[derive(Clone, Debug)]
pub(super) struct FeedEntry {
    /// The bits of the id of the message, the attempt, or the rejected request.
    pub(super) id: u128,
    /// When it began: the time in the id.
    pub(super) at: Timestamp,
    pub(super) facts: Facts,
    /// As a Server-Sent Event.
    pub(super) sse: Bytes,
}

impl FeedEntry {
    pub(super) fn new(id: u128, text: &str, facts: Facts, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).expect("types of the API serialize");
        let at = Timestamp::from_millis(millis(id));
        let sse = format!("id: {text}\nevent: {}\ndata: {data}\n\n", facts.kind.name());
        Self { id, at, facts, sse: sse.into() }
    }

    /// Memory that it takes, roughly.
    pub(super) fn size(&self) -> usize {
        const OWN: usize = 256;
        OWN + self.sse.len()
    }
}

/// The time in the bits of an id, in milliseconds.
pub(super) fn millis(id: u128) -> u64 {
    u64::try_from(id >> 80).unwrap_or(u64::MAX)
}
