//! Consumers of a polling endpoint: what a poll may hand out, and what a commit acknowledges.
//!
//! The messages of a polling endpoint are in a log, whose offsets begin at 1 and have no gaps. A
//! consumer has a committed offset: everything up to it is done. A poll hands out messages behind
//! that and leases them, so that no other poll of the same consumer gets them meanwhile. If the
//! lease ends before a commit, the next poll gets the same messages again.

mod bisection;
mod position;
mod token;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    bisection::Bisection,
    position::{Position, PositionError},
    token::{MAX_POLLING_TOKENS, PollingToken, TOKEN_PREFIX, TokenName},
};
use crate::time::Timestamp;

/// How long messages are leased if the poll does not say it.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// Longest lease that a poll can ask for.
pub const MAX_LEASE: Duration = Duration::from_secs(60 * 60);

/// Most consumers of an endpoint.
pub const MAX_POLL_CONSUMERS: usize = 100;

/// Most characters of a consumer's id.
pub const MAX_CONSUMER_ID: usize = 256;

/// How often it is recorded that a consumer polls, if nothing else changes.
const SEEN_INTERVAL: Duration = Duration::from_secs(60);

/// A reader of a polling endpoint whose progress is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollConsumer {
    pub id: String,
    /// Everything up to this offset is done; 0 if nothing is.
    pub committed: u64,
    /// The highest offset that was handed out and may be committed.
    pub handed_out: u64,
    /// The highest offset that a lease contained which has ended. The client that had that lease may
    /// still commit up to here.
    pub contested: u64,
    /// Counts leases and seeks, so that a position can be told from older ones.
    pub generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<PollLease>,
    pub created_at: Timestamp,
    /// The last poll, give or take a minute.
    pub seen_at: Timestamp,
}

/// The right to messages that were handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollLease {
    /// The last offset of the messages.
    pub last: u64,
    pub until: Timestamp,
}

/// What was read from the log behind the committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The offset of the last message; `None` if there was none.
    pub last: Option<u64>,
    /// The log was read up to here. Behind the last message there may be some without a payload.
    pub scanned: u64,
}

/// Why a poll gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollRefusal {
    /// Another client has messages of this consumer until then.
    Leased(Timestamp),
    /// The position is not the last one that the consumer got.
    Outdated,
}

/// The offset was never handed out to the consumer; the highest one that was is contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHandedOut(pub u64);

impl PollConsumer {
    /// A consumer that begins behind this offset.
    pub const fn new(id: String, committed: u64, now: Timestamp) -> Self {
        Self {
            id,
            committed,
            handed_out: committed,
            contested: 0,
            generation: 0,
            lease: None,
            created_at: now,
            seen_at: now,
        }
    }

    /// The position that acknowledges everything that was handed out.
    pub fn position(&self) -> Position {
        let offset = self.lease.map_or(self.committed, |lease| lease.last);
        Position { offset, generation: Some(self.generation) }
    }

    /// Whether messages are leased.
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.lease.is_some_and(|lease| now < lease.until)
    }

    /// Prepares a poll. The messages behind the committed offset are to be handed out.
    pub fn begin_poll(&mut self, now: Timestamp) -> Result<(), PollRefusal> {
        match self.lease {
            Some(lease) if now < lease.until => Err(PollRefusal::Leased(lease.until)),
            Some(_) | None => Ok(()),
        }
    }

    /// Prepares a poll that gives back a position. The last position that the consumer got
    /// acknowledges what was handed out with it.
    pub fn begin_poll_at(&mut self, position: Position, now: Timestamp) -> Result<(), PollRefusal> {
        let is_latest = position.generation == Some(self.generation);
        if is_latest && (self.committed..=self.handed_out).contains(&position.offset) {
            if position.offset > self.committed {
                self.committed = position.offset;
                self.lease = None;
            }
            return self.begin_poll(now);
        }
        // A repeated request, whose response was lost, or a client that begins again.
        if position.offset == self.committed {
            return self.begin_poll(now);
        }
        Err(PollRefusal::Outdated)
    }

    /// Hands out a batch for this long. Without messages, there is nothing to lease.
    pub fn hand_out(&mut self, batch: Batch, lease: Duration, now: Timestamp) {
        if let Some(expired) = self.lease.take() {
            self.contested = self.contested.max(expired.last);
        }
        if now.since(self.seen_at) >= SEEN_INTERVAL {
            self.seen_at = now;
        }
        let Some(last) = batch.last else {
            // What has no payload any more needs no commit.
            self.committed = self.committed.max(batch.scanned);
            self.handed_out = self.handed_out.max(self.committed);
            return;
        };
        self.generation += 1;
        self.handed_out = self.handed_out.max(last);
        self.lease = Some(PollLease { last, until: now + lease });
        self.seen_at = now;
    }

    /// Acknowledges everything up to the offset. Less than what was committed before is harmless.
    ///
    /// This ends the lease, so that the next poll gets what follows. But if the commit can be that
    /// of a client whose own lease has ended, another client keeps the rest of what it has.
    pub fn commit(&mut self, offset: u64) -> Result<(), NotHandedOut> {
        if offset > self.handed_out {
            return Err(NotHandedOut(self.handed_out));
        }
        if offset <= self.committed {
            return Ok(());
        }
        self.committed = offset;
        let Some(lease) = self.lease else { return Ok(()) };
        if offset >= lease.last || offset > self.contested {
            self.lease = None;
            // The client may still commit the rest of what it had.
            self.contested = self.contested.max(lease.last);
        }
        Ok(())
    }

    /// Moves the consumer, which begins behind this offset then. What it has leased is given up,
    /// and can no longer be committed.
    pub fn seek(&mut self, offset: u64) {
        self.contested = self.contested.max(self.handed_out);
        self.committed = offset;
        self.handed_out = offset;
        self.generation += 1;
        self.lease = None;
    }
}

/// Whether the text can be the id of a consumer.
pub fn is_consumer_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    (1..=MAX_CONSUMER_ID).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests;
