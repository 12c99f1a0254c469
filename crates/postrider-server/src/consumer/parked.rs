//! Messages that were received and are tried again after a while.

use std::time::Duration;

use postrider_engine::QueueMessage;
use tokio::time::Instant;

/// How long a message is held that the server cannot accept. Then it is given back: brokers expect
/// an acknowledgement within 30 s, and another node may be able to accept it.
const MAX_HELD: Duration = Duration::from_secs(20);

/// A message that was received and not acknowledged yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) message: QueueMessage,
    pub(super) received_at: Instant,
    /// Attempts that failed.
    pub(super) attempts: u32,
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    pending: Pending,
    due_at: Instant,
    /// The server cannot accept any message, as far as is known.
    is_general: bool,
    /// Whether it waits for the server, and can be given back.
    waits_for_server: bool,
}

/// Messages that wait.
#[derive(Debug, Default)]
pub(super) struct Parked(Vec<Waiting>);

/// Why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It was refused, and is tried again.
    Refused,
    /// The server cannot accept it now.
    Server { is_general: bool },
}

impl Parked {
    pub(super) fn push(&mut self, pending: Pending, due_at: Instant, reason: Reason) {
        let is_general = reason == Reason::Server { is_general: true };
        let waits_for_server = reason != Reason::Refused;
        self.0.push(Waiting { pending, due_at, is_general, waits_for_server });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the server cannot accept any message, so that receiving more is of no use.
    pub(super) fn is_blocked(&self) -> bool {
        self.0.iter().any(|it| it.is_general)
    }

    pub(super) fn waits_for_server(&self) -> bool {
        self.0.iter().any(|it| it.waits_for_server)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.iter().map(|it| it.due_at).min()
    }

    /// Takes those that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Pending> {
        self.0.extract_if(.., |it| it.due_at <= now).map(|it| it.pending).collect()
    }

    /// Takes those that have waited for the server for too long.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<Pending> {
        let is_overdue = |it: &mut Waiting| {
            it.waits_for_server && now.duration_since(it.pending.received_at) >= MAX_HELD
        };
        self.0.extract_if(.., is_overdue).map(|it| it.pending).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<Pending> {
        self.0.drain(..).map(|it| it.pending).collect()
    }
}
