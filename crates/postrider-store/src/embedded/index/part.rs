//! A part of the main database that a step of a rebuild puts into the index.

use std::collections::{HashMap, HashSet};

use postrider_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::embedded::{
    cancelled,
    labels::Labels,
    number::{
        ApplicationNumber, AttemptSequence, DeliveryKey, EndpointNumber, MessageSequence,
        PackedFact,
    },
    row::{
        attempt::{AttemptRecord, Consequence},
        message,
    },
    state,
};

/// The rows between two sequences, and what the main database says about their deliveries.
pub(super) struct Part {
    pub(super) messages: Vec<FoundMessage>,
    pub(super) attempts: Vec<FoundAttempt>,
    /// When pending deliveries with rows are due.
    pub(super) pending: HashMap<DeliveryKey, Timestamp>,
    /// Deliveries that ended without an attempt, from the low-water mark on.
    pub(super) ended: HashSet<DeliveryKey>,
    /// Deliveries that were cancelled after they had ended once.
    pub(super) cancelled: HashSet<DeliveryKey>,
    pub(super) low_water: MessageSequence,
}

pub(super) struct FoundMessage {
    pub(super) message: MessageSequence,
    pub(super) application: ApplicationNumber,
    pub(super) labels: Labels,
    /// No endpoint wanted the message when it was accepted.
    pub(super) is_filtered: bool,
    pub(super) endpoints: Vec<EndpointNumber>,
    pub(super) first_due: Timestamp,
}

pub(super) struct FoundAttempt {
    pub(super) attempt: AttemptSequence,
    pub(super) key: DeliveryKey,
    pub(super) status: u16,
    pub(super) consequence: Consequence,
    pub(super) fact: PackedFact,
}

/// Reads a part.
#[derive(Clone, Copy)]
pub(super) struct PartReader<'a> {
    pub(super) main: &'a Connection,
    pub(super) first: u64,
    /// The part ends before this sequence.
    pub(super) end: u64,
}

impl PartReader<'_> {
    pub(super) fn read(self) -> rusqlite::Result<Part> {
        let low_water = state::get(self.main, state::LOW_WATER)?;
        Ok(Part {
            messages: self.messages()?,
            attempts: self.attempts()?,
            pending: self.pending()?,
            ended: self.keys(ENDED)?.into_iter().collect(),
            cancelled: cancelled::between(self.main, self.first, self.end)?.into_iter().collect(),
            low_water: low_water.unwrap_or(MessageSequence::ZERO),
        })
    }
}

pub(in crate::embedded) const MESSAGES: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence >= ?1 AND sequence < ?2
    ORDER BY sequence";

pub(in crate::embedded) const EXTRAS: &str =
    "SELECT message, endpoint FROM extras WHERE message >= ?1 AND message < ?2";

pub(in crate::embedded) const ENDED: &str =
    "SELECT message, endpoint FROM ended WHERE message >= ?1 AND message < ?2";

impl PartReader<'_> {
    /// The messages whose rows can be read.
    fn messages(self) -> rusqlite::Result<Vec<FoundMessage>> {
        let mut extras: HashMap<MessageSequence, Vec<EndpointNumber>> = HashMap::new();
        for key in self.keys(EXTRAS)? {
            extras.entry(key.message).or_default().push(key.endpoint);
        }
        let mut statement = self.main.prepare_cached(MESSAGES)?;
        let mut rows = statement.query(params![self.first, self.end])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let message: MessageSequence = row.get(0)?;
            let Some(head) = message::intact_head(row)? else { continue };
            let first_due = head.first_due(message);
            let (is_filtered, labels) = (head.targets.is_empty(), head.labels());
            let mut endpoints = head.targets;
            endpoints.extend(extras.remove(&message).unwrap_or_default());
            let application = row.get(2)?;
            found.push(FoundMessage {
                message,
                application,
                labels,
                is_filtered,
                endpoints,
                first_due,
            });
        }
        Ok(found)
    }

    fn keys(self, sql: &'static str) -> rusqlite::Result<Vec<DeliveryKey>> {
        let mut statement = self.main.prepare_cached(sql)?;
        let found = statement.query_map(params![self.first, self.end], |row| {
            Ok(DeliveryKey { message: row.get(0)?, endpoint: row.get(1)? })
        })?;
        found.collect()
    }
}

pub(in crate::embedded) const PENDING: &str = "SELECT message, endpoint, coalesce(due_at, free_at)
    FROM pending INDEXED BY pending_by_message
    WHERE message >= ?1 AND message < ?2";

pub(in crate::embedded) const ATTEMPTS: &str = "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence >= ?1 AND sequence < ?2
    ORDER BY sequence";

impl PartReader<'_> {
    fn pending(self) -> rusqlite::Result<HashMap<DeliveryKey, Timestamp>> {
        let mut statement = self.main.prepare_cached(PENDING)?;
        let found = statement.query_map(params![self.first, self.end], |row| {
            let key = DeliveryKey { message: row.get(0)?, endpoint: row.get(1)? };
            Ok((key, Timestamp::from_millis(row.get(2)?)))
        })?;
        found.collect()
    }

    /// The attempts whose rows can be read.
    fn attempts(self) -> rusqlite::Result<Vec<FoundAttempt>> {
        let mut statement = self.main.prepare_cached(ATTEMPTS)?;
        let mut rows = statement.query(params![self.first, self.end])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let attempt: AttemptSequence = row.get(0)?;
            let Some(record) = AttemptRecord::intact(row)? else { continue };
            found.push(FoundAttempt {
                attempt,
                key: record.key(),
                status: record.status(),
                consequence: record.consequence,
                fact: record.fact(),
            });
        }
        Ok(found)
    }
}
