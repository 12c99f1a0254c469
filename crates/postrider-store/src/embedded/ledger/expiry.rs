//! The spans of messages whose bodies expire in the same minute, so that the messages do not
//! need an index by expiry.

use std::collections::BTreeMap;

use postrider::MessageId;
use postrider_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::embedded::number::{ExpiryMinute, MessageSequence};

const MINUTE_MILLIS: u64 = 60_000;

/// Spans are stored rounded to 2^26 steps of a sequence, 16 seconds, so that they are written
/// that rarely.
const ROUNDED_BITS: u32 = 26;

impl ExpiryMinute {
    pub(in crate::embedded) const fn of(at: Timestamp) -> Self {
        Self(at.as_millis() / MINUTE_MILLIS)
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    lowest: MessageSequence,
    highest: MessageSequence,
}

#[derive(Debug, Default)]
pub(in crate::embedded) struct ExpirySpans {
    by_minute: BTreeMap<ExpiryMinute, Span>,
    /// The minutes whose spans this transaction widened.
    widened: Vec<ExpiryMinute>,
}

const SPANS: &str = "SELECT minute, lowest, highest FROM expiring";

impl ExpirySpans {
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut statement = db.prepare(SPANS)?;
        let found = statement.query_map([], |row| {
            Ok((row.get(0)?, Span { lowest: row.get(1)?, highest: row.get(2)? }))
        })?;
        Ok(Self { by_minute: found.collect::<Result<_, _>>()?, widened: Vec::new() })
    }
}

const WIDEN: &str = "INSERT INTO expiring (minute, lowest, highest) VALUES (?1, ?2, ?3)
    ON CONFLICT (minute) DO UPDATE
    SET lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest)";

impl ExpirySpans {
    /// Widens the span of the minute in which the message's body expires.
    pub(in crate::embedded) fn add(
        &mut self,
        db: &Connection,
        message: MessageId,
        body_until: Timestamp,
    ) -> rusqlite::Result<()> {
        let minute = ExpiryMinute::of(body_until);
        let sequence = MessageSequence::of(message);
        let known = self.by_minute.get(&minute).copied();
        if known.is_some_and(|span| (span.lowest..=span.highest).contains(&sequence)) {
            return Ok(());
        }
        let first = MessageSequence(sequence.0 >> ROUNDED_BITS << ROUNDED_BITS);
        let last = MessageSequence(first.0 + (1 << ROUNDED_BITS) - 1);
        let span = Span {
            lowest: known.map_or(first, |span| span.lowest.min(first)),
            highest: known.map_or(last, |span| span.highest.max(last)),
        };
        db.prepare_cached(WIDEN)?.execute(params![minute, span.lowest, span.highest])?;
        self.by_minute.insert(minute, span);
        self.widened.push(minute);
        Ok(())
    }

    /// The span is done. A message that is added for the minute later widens it again.
    pub(in crate::embedded) fn remove(&mut self, minute: ExpiryMinute) {
        self.by_minute.remove(&minute);
    }

    pub(super) const fn savepoint(&self) -> usize {
        self.widened.len()
    }

    /// Forgets spans whose widening was rolled back: the next message stores them again.
    pub(super) fn undo_to(&mut self, savepoint: usize) {
        for minute in self.widened.drain(savepoint..) {
            self.by_minute.remove(&minute);
        }
    }

    pub(super) fn commit(&mut self) {
        self.widened.clear();
    }
}
