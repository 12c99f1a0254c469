//! A batch of changes for the index: combined first, then written in the order of keys.

use postrider_core::hash::FastMap;
use rusqlite::{CachedStatement, Connection, params};

use super::{counts::Counts, delivery_state};
use crate::embedded::{
    journal::{Change, DeliveryState, NewDelivery},
    labels::Labels,
    number::{ApplicationNumber, AttemptSequence, EndpointNumber, MessageSequence},
};

/// Changes that are written at once, if all are about a few subjects.
pub(super) const FEWEST_CHANGES: usize = 4_096;

/// Changes that are written at once, whatever they are about.
const MOST_CHANGES: usize = 32_768;

/// Changes for each number that is counted, from which on the rows are next to each other.
const CHANGES_PER_COUNT: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Sections that each end where all deliveries of an endpoint were cancelled: deliveries
    /// that were added after that must not be cancelled with them.
    closed: Vec<(Section, EndpointNumber)>,
    open: Section,
    counts: Counts,
    len: usize,
}

/// Changes whose order among each other does not matter any more.
#[derive(Debug, Default)]
struct Section {
    messages: Vec<(MessageEntry, Option<Labels>)>,
    deliveries: FastMap<DeliveryEntry, DeliveryUpdate>,
    attempts: Vec<AttemptEntry>,
    removed_messages: Vec<(MessageEntry, Vec<EndpointNumber>)>,
    removed_attempts: Vec<RemovedAttempt>,
}

/// The key of a row of `messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MessageEntry {
    application: ApplicationNumber,
    message: MessageSequence,
}

/// The key of a row of `deliveries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct DeliveryEntry {
    endpoint: EndpointNumber,
    message: MessageSequence,
}

/// The combined changes of a row of `deliveries`.
#[derive(Clone, Copy, Debug)]
struct DeliveryUpdate {
    /// The row does not exist yet.
    is_new: bool,
    /// The new state, if it changes.
    to: Option<DeliveryState>,
    /// Attempts to add.
    attempts: u16,
}

/// A row of `attempts_by_endpoint`, and of `attempts_by_message` except for the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AttemptEntry {
    endpoint: EndpointNumber,
    attempt: AttemptSequence,
    message: MessageSequence,
    status: u16,
}

#[derive(Clone, Copy, Debug)]
struct RemovedAttempt {
    endpoint: EndpointNumber,
    attempt: AttemptSequence,
    message: MessageSequence,
}

pub(in crate::embedded) const CANCEL_ENDPOINT: &str = "UPDATE deliveries INDEXED BY deliveries_open
    SET state = 3
    WHERE endpoint = ?1 AND state = 1 AND state > 0";

impl Batch {
    /// Whether the batch is written, if no reader waits for fewer changes.
    ///
    /// On a machine with few cores, other threads wait while a batch is written. So it is small
    /// unless a larger one saves work: if it is about many subjects, its rows are far apart, and the
    /// more of them are written at once, the more of them share a page.
    pub(super) fn is_full(&self) -> bool {
        let enough = CHANGES_PER_COUNT * self.counts.len();
        self.len >= enough.clamp(FEWEST_CHANGES, MOST_CHANGES)
    }

    pub(super) fn add(&mut self, change: Change) {
        self.len += 1;
        match change {
            Change::EndpointCancelled { endpoint } => {
                self.closed.push((std::mem::take(&mut self.open), endpoint));
            },
            change @ (Change::MessageAccepted { .. }
            | Change::MessageLabelled { .. }
            | Change::AttemptRecorded { .. }
            | Change::AttemptCounted { .. }
            | Change::DeliveryMoved { .. }
            | Change::MessageRemoved { .. }
            | Change::AttemptRemoved { .. }) => {
                self.counts.add(&change);
                self.open.add(change);
            },
            change @ (Change::RequestsCounted { .. } | Change::StatisticsErased { .. }) => {
                self.counts.add(&change);
            },
        }
    }

    /// Takes out what is counted, to be written in the same transaction.
    pub(super) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Writes everything, inside the caller's transaction.
    pub(super) fn write(self, db: &Connection) -> rusqlite::Result<()> {
        for (section, endpoint) in self.closed {
            section.write(db)?;
            db.prepare_cached(CANCEL_ENDPOINT)?.execute([endpoint])?;
        }
        self.open.write(db)
    }
}

impl Section {
    fn add(&mut self, change: Change) {
        match change {
            Change::MessageAccepted { message, application, deliveries } => {
                self.add_message(MessageEntry { application, message }, None, deliveries);
            },
            Change::MessageLabelled { message, application, labels, deliveries } => {
                self.add_message(MessageEntry { application, message }, Some(labels), deliveries);
            },
            Change::AttemptRecorded { attempt, message, endpoint, status, then }
            | Change::AttemptCounted { attempt, message, endpoint, status, then, .. } => {
                self.attempts.push(AttemptEntry { endpoint, attempt, message, status });
                self.update(DeliveryEntry { endpoint, message }, then, 1);
            },
            Change::DeliveryMoved { message, endpoint, to } => {
                self.update(DeliveryEntry { endpoint, message }, Some(to), 0);
            },
            Change::EndpointCancelled { .. }
            | Change::RequestsCounted { .. }
            | Change::StatisticsErased { .. } => {},
            Change::MessageRemoved { message, application, endpoints } => {
                self.removed_messages.push((MessageEntry { application, message }, endpoints));
            },
            Change::AttemptRemoved { attempt, message, endpoint } => {
                self.removed_attempts.push(RemovedAttempt { endpoint, attempt, message });
            },
        }
    }

    fn add_message(
        &mut self,
        entry: MessageEntry,
        labels: Option<Labels>,
        deliveries: Vec<NewDelivery>,
    ) {
        self.messages.push((entry, labels));
        for delivery in deliveries {
            let key = DeliveryEntry { endpoint: delivery.endpoint, message: entry.message };
            let to = Some(DeliveryState::Pending(delivery.due_at));
            let update = DeliveryUpdate { is_new: true, to, attempts: 0 };
            self.deliveries.insert(key, update);
        }
    }

    fn update(&mut self, key: DeliveryEntry, to: Option<DeliveryState>, attempts: u16) {
        let unchanged = DeliveryUpdate { is_new: false, to: None, attempts: 0 };
        // An accepted message whose delivery succeeds within one batch is one insert.
        let update = self.deliveries.entry(key).or_insert(unchanged);
        update.to = to.or(update.to);
        update.attempts = update.attempts.saturating_add(attempts);
    }

    /// Removes last: a message may have been added and removed within one batch.
    fn write(mut self, db: &Connection) -> rusqlite::Result<()> {
        self.write_messages(db)?;
        self.write_deliveries(db)?;
        self.write_attempts(db)?;
        self.remove_messages(db)?;
        self.remove_attempts(db)
    }
}

pub(super) const INSERT_MESSAGE: &str =
    "INSERT OR IGNORE INTO messages (application, message, labels) VALUES (?1, ?2, ?3)";

impl Section {
    fn write_messages(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.messages.sort_unstable();
        let mut statement = db.prepare_cached(INSERT_MESSAGE)?;
        for (MessageEntry { application, message }, labels) in &self.messages {
            statement.execute(params![application, message, labels])?;
        }
        Ok(())
    }
}

const INSERT_DELIVERY: &str =
    "INSERT OR REPLACE INTO deliveries (endpoint, message, state, at, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const MOVE_DELIVERY: &str = "INSERT INTO deliveries (endpoint, message, state, at, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (endpoint, message) DO UPDATE
    SET state = excluded.state, at = excluded.at, attempts = attempts + excluded.attempts";

const COUNT_ATTEMPTS: &str =
    "UPDATE deliveries SET attempts = attempts + ?3 WHERE endpoint = ?1 AND message = ?2";

impl Section {
    fn write_deliveries(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut deliveries: Vec<_> = self.deliveries.drain().collect();
        // In the order of keys, each page is read and written once.
        deliveries.sort_unstable_by_key(|(key, _)| *key);
        let mut insert = db.prepare_cached(INSERT_DELIVERY)?;
        let mut update = db.prepare_cached(MOVE_DELIVERY)?;
        let mut count = db.prepare_cached(COUNT_ATTEMPTS)?;
        for (key, DeliveryUpdate { is_new, to, attempts }) in deliveries {
            let DeliveryEntry { endpoint, message } = key;
            let Some(to) = to else {
                count.execute(params![endpoint, message, attempts])?;
                continue;
            };
            let (state, at) = delivery_state::columns(to);
            let write: &mut CachedStatement<'_> = if is_new { &mut insert } else { &mut update };
            write.execute(params![endpoint, message, state, at, attempts])?;
        }
        Ok(())
    }
}

pub(super) const INSERT_BY_ENDPOINT: &str =
    "INSERT OR IGNORE INTO attempts_by_endpoint (endpoint, attempt, message, status)
    VALUES (?1, ?2, ?3, ?4)";

pub(super) const INSERT_BY_MESSAGE: &str =
    "INSERT OR IGNORE INTO attempts_by_message (message, attempt, endpoint) VALUES (?1, ?2, ?3)";

impl Section {
    fn write_attempts(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.attempts.sort_unstable();
        let mut statement = db.prepare_cached(INSERT_BY_ENDPOINT)?;
        for AttemptEntry { endpoint, attempt, message, status } in &self.attempts {
            statement.execute(params![endpoint, attempt, message, status])?;
        }
        self.attempts.sort_unstable_by_key(|entry| (entry.message, entry.attempt));
        let mut statement = db.prepare_cached(INSERT_BY_MESSAGE)?;
        for AttemptEntry { endpoint, attempt, message, .. } in &self.attempts {
            statement.execute(params![message, attempt, endpoint])?;
        }
        Ok(())
    }
}

const REMOVE_MESSAGE: &str = "DELETE FROM messages WHERE application = ?1 AND message = ?2";

const REMOVE_DELIVERY: &str = "DELETE FROM deliveries WHERE endpoint = ?1 AND message = ?2";

impl Section {
    fn remove_messages(&self, db: &Connection) -> rusqlite::Result<()> {
        for (MessageEntry { application, message }, endpoints) in &self.removed_messages {
            db.prepare_cached(REMOVE_MESSAGE)?.execute(params![application, message])?;
            for endpoint in endpoints {
                db.prepare_cached(REMOVE_DELIVERY)?.execute(params![endpoint, message])?;
            }
        }
        Ok(())
    }
}

const REMOVE_BY_ENDPOINT: &str =
    "DELETE FROM attempts_by_endpoint WHERE endpoint = ?1 AND attempt = ?2";

const REMOVE_BY_MESSAGE: &str =
    "DELETE FROM attempts_by_message WHERE message = ?1 AND attempt = ?2";

impl Section {
    fn remove_attempts(&self, db: &Connection) -> rusqlite::Result<()> {
        for RemovedAttempt { endpoint, attempt, message } in &self.removed_attempts {
            db.prepare_cached(REMOVE_BY_ENDPOINT)?.execute(params![endpoint, attempt])?;
            db.prepare_cached(REMOVE_BY_MESSAGE)?.execute(params![message, attempt])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::number::EventTypeNumber;

    /// Messages to applications in turn; returns how many fill a batch.
    fn changes_that_fill(applications: u32) -> usize {
        let mut batch = Batch::default();
        for number in 1_u32.. {
            batch.add(Change::MessageLabelled {
                message: MessageSequence(u64::from(number)),
                application: ApplicationNumber(number % applications),
                labels: Labels::of(EventTypeNumber(1), &[], &[]),
                deliveries: Vec::new(),
            });
            if batch.is_full() {
                break;
            }
        }
        batch.len
    }

    #[test]
    fn a_batch_about_many_subjects_is_larger() {
        let sizes = [1, 100, 256, 1_000, 2_048, 100_000].map(changes_that_fill);
        assert_eq!(sizes, [4_096, 4_096, 4_096, 16_000, 32_768, 32_768]);
    }
}
