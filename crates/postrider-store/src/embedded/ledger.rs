//! The ledger: the one writer of the main database, and how its transactions start and end.
//!
//! Every write runs on the commit thread, in one transaction with whatever else waits. The
//! database and the state in memory change together: work that fails is undone in both, and so
//! is the whole transaction when its commit fails. The statements are in the modules of the
//! contracts; this one contains what they share.

pub(super) mod expiry;
mod freed;
mod low_water;
mod messages;
mod open;
pub(super) mod pending;
mod persist;
mod space;

use std::sync::{RwLockReadGuard, RwLockWriteGuard};

use postrider::EndpointId;
use rusqlite::{Connection, params};

#[cfg(test)]
pub(super) use self::open::NEXT_LANE;
use self::{expiry::ExpirySpans, freed::FreedNumbers, low_water::LowWater};
use super::{
    disk_space::DiskSpace,
    error,
    journal::Change,
    leases::LeaseTable,
    number::{EndpointNumber, JournalPosition, MessageSequence},
    numbers::{AnyNumber, NumberCounts, Numbers, SharedNumbers},
    row,
    sync_failure::SyncFailure,
};
use crate::error::StoreError;

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) db: Connection,
    pub(super) leases: LeaseTable,
    /// Changes of this transaction, for the journal and the index.
    pub(super) changes: Vec<Change>,
    pub(super) low_water: LowWater,
    pub(super) expiry: ExpirySpans,
    pub(super) freed: FreedNumbers,
    pub(super) cursors: Cursors,
    /// Bytes written since the transaction started, roughly.
    pub(super) written: usize,
    /// Reused for encoding rows.
    pub(super) buffer: Vec<u8>,
    pub(super) sync: SyncFailure,
    numbers: SharedNumbers,
    disk: DiskSpace,
    /// The last position of the journal: every commit that changed anything has one.
    position: JournalPosition,
    /// The number of messages that were ever accepted.
    accepted: u64,
    /// `SQLite`'s count of changed rows when this transaction started.
    row_changes: u64,
    /// The most rows that one transaction has changed.
    most_row_changes: u64,
    trim: JournalTrim,
}

/// Where maintenance continues that looks at a bounded number of rows per call.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    /// Old messages before this one were looked at.
    pub(super) old_message: Option<MessageSequence>,
    /// The oldest message when unused event types were looked for.
    pub(super) oldest_message: Option<MessageSequence>,
    /// Removed endpoints up to this one were looked at.
    pub(super) retired_endpoint: Option<EndpointNumber>,
}

/// Entries of the journal that one transaction removes. An index that was far behind releases very
/// many at once.
const TRIMMED: u64 = 64;

/// Positions up to which the journal is not needed, and up to which it is removed.
#[derive(Debug)]
struct JournalTrim {
    limit: JournalPosition,
    done: JournalPosition,
}

impl JournalTrim {
    /// For a journal that begins with this entry.
    const fn from(first: JournalPosition) -> Self {
        let before = JournalPosition(first.0.saturating_sub(1));
        Self { limit: before, done: before }
    }

    /// Up to which position the next transaction removes the journal, if there is something to
    /// remove.
    fn next(&self) -> Option<JournalPosition> {
        let next = self.limit.0.min(self.done.0.saturating_add(TRIMMED));
        (next > self.done.0).then_some(JournalPosition(next))
    }
}

/// The result of a commit for the other threads.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) position: JournalPosition,
    pub(super) changes: Vec<Change>,
    /// Bytes that the write-ahead log grew by, roughly.
    pub(super) bytes: usize,
}

/// The state in memory at the start of a piece of work.
#[derive(Clone, Copy)]
struct Savepoint {
    leases: usize,
    changes: usize,
    low_water: Option<MessageSequence>,
    expiry: usize,
    freed: freed::Savepoint,
}

impl Ledger {
    pub(super) const fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) const fn position(&self) -> JournalPosition {
        self.position
    }

    /// The position that this transaction gets if it changes anything.
    pub(super) const fn next_position(&self) -> JournalPosition {
        self.position.next()
    }

    /// The number of messages that were ever accepted.
    pub(super) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn shared_numbers(&self) -> SharedNumbers {
        self.numbers.clone()
    }

    pub(super) fn numbers(&self) -> RwLockReadGuard<'_, Numbers> {
        self.numbers.read()
    }

    pub(super) fn numbers_mut(&self) -> RwLockWriteGuard<'_, Numbers> {
        self.numbers.write()
    }

    pub(super) fn endpoint_number(&self, endpoint: EndpointId) -> Option<EndpointNumber> {
        self.numbers().endpoint_number(endpoint)
    }

    /// Frees a number that nothing refers to any more, once the transaction is committed.
    pub(super) fn free_number(&mut self, number: AnyNumber) {
        self.freed.free(number, &self.numbers);
    }

    /// How many numbers and lanes are in memory.
    pub(super) fn sizes(&self) -> (NumberCounts, usize) {
        (self.numbers().counts(), self.leases.lanes().count())
    }

    /// The most rows that one transaction has changed since the last call.
    pub(super) const fn take_most_row_changes(&mut self) -> u64 {
        std::mem::replace(&mut self.most_row_changes, 0)
    }

    /// Begins a transaction, and takes the lock of writers at once. A reader that meets a header of
    /// the log that is just being written takes this lock for a moment. `SQLite` waits for a lock at
    /// the beginning of a transaction, but fails the first write of one that has already read.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        self.written = 0;
        self.row_changes = self.db.total_changes();
        Ok(self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)?)
    }

    /// Does a piece of work completely or not at all, so that its error does not affect the
    /// rest of the transaction.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // SQLite rolls the whole transaction back on errors such as a full disk. Work after
        // that would be committed statement by statement.
        if self.db.is_autocommit() {
            return Err(error::rolled_back());
        }
        let savepoint = self.savepoint();
        self.db.prepare_cached("SAVEPOINT work")?.execute([])?;
        let result = work(self);
        if let Err(error) = &result {
            self.note_refused(error);
            self.undo_to(savepoint);
            if !self.db.is_autocommit() {
                self.db.prepare_cached("ROLLBACK TO work")?.execute([])?;
            }
        }
        if !self.db.is_autocommit() {
            self.db.prepare_cached("RELEASE work")?.execute([])?;
        }
        result
    }

    fn savepoint(&self) -> Savepoint {
        Savepoint {
            leases: self.leases.savepoint(),
            changes: self.changes.len(),
            low_water: self.low_water.savepoint(),
            expiry: self.expiry.savepoint(),
            freed: self.freed.savepoint(),
        }
    }

    /// Undoes what changed in memory since the savepoint.
    fn undo_to(&mut self, savepoint: Savepoint) {
        self.leases.undo_to(savepoint.leases);
        self.changes.truncate(savepoint.changes);
        self.low_water.undo_to(savepoint.low_water);
        self.expiry.undo_to(savepoint.expiry);
        self.freed.undo_to(savepoint.freed, &self.numbers);
    }

    /// Ends the transaction: all of it is durable afterwards, or none of it happened.
    pub(super) fn commit(&mut self) -> Result<Committed, StoreError> {
        match self.try_commit() {
            Ok(accepted) => Ok(self.keep(accepted)),
            Err(error) => {
                if !self.db.is_autocommit() {
                    drop(self.db.execute_batch("ROLLBACK"));
                }
                self.note_refused(&error);
                self.undo_to(Savepoint {
                    leases: 0,
                    changes: 0,
                    low_water: None,
                    expiry: 0,
                    freed: freed::Savepoint::default(),
                });
                Err(error)
            },
        }
    }

    /// Makes the changes in memory final, now that the database has them.
    fn keep(&mut self, accepted: Option<u64>) -> Committed {
        self.leases.commit();
        self.expiry.commit();
        self.low_water.commit();
        self.disk.note_written(self.written);
        if let Some(accepted) = accepted {
            if accepted > self.accepted {
                self.disk.note_refused(false);
            }
            self.position = self.position.next();
            self.accepted = accepted;
        }
        self.numbers_mut().saved();
        self.freed.commit(&self.numbers);
        if let Some(trimmed) = accepted.and_then(|_| self.trim.next()) {
            self.trim.done = trimmed;
        }
        let changes = std::mem::take(&mut self.changes);
        Committed { position: self.position, changes, bytes: self.written }
    }
}

const INSERT_JOURNAL: &str = "INSERT INTO journal (position, events, accepted) VALUES (?1, ?2, ?3)";

const TRIM_JOURNAL: &str = "DELETE FROM journal WHERE position <= ?1";

impl Ledger {
    /// Commits; if anything changed, the number of messages that were ever accepted.
    fn try_commit(&mut self) -> Result<Option<u64>, StoreError> {
        if self.db.is_autocommit() {
            return Err(error::rolled_back_full());
        }
        if self.low_water.is_behind() {
            self.advance_low_water()?;
        }
        // In the same transaction as the rows that refer to the numbers.
        if self.numbers().has_unsaved() {
            self.numbers().save(&self.db)?;
        }
        // A transaction that only changed leases in memory needs no position and no sync.
        let has_changed = !self.changes.is_empty() || self.db.total_changes() != self.row_changes;
        let accepted = has_changed.then(|| self.accepted + accepted_in(&self.changes));
        if accepted.is_some() {
            let blob = row::encode(&self.changes, &mut self.buffer);
            let values = params![self.position.next(), blob, accepted];
            self.db.prepare_cached(INSERT_JOURNAL)?.execute(values)?;
            // Only together with another change: trimming alone is not worth a sync.
            if let Some(trimmed) = self.trim.next() {
                self.db.prepare_cached(TRIM_JOURNAL)?.execute([trimmed])?;
            }
            self.written += self.buffer.len();
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        let changed = self.db.total_changes() - self.row_changes;
        self.most_row_changes = self.most_row_changes.max(changed);
        Ok(accepted)
    }

    /// The index has everything up to this position on disk: the next commit trims the journal.
    pub(super) const fn release_journal(&mut self, position: JournalPosition) {
        self.trim.limit = position;
    }
}

fn accepted_in(changes: &[Change]) -> u64 {
    changes.iter().filter(|it| matches!(it, Change::MessageLabelled { .. })).count() as u64
}
