//! Opening the ledger: rebuilding the state in memory, and recovering the deliveries whose
//! leases were not persisted.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::{
    Cursors, JournalTrim, Ledger, expiry::ExpirySpans, freed::FreedNumbers, low_water::LowWater,
};
use crate::{
    embedded::{
        disk_space::DiskSpace,
        format,
        leases::LeaseTable,
        number::{DeliveryKey, EndpointNumber, JournalPosition, MessageSequence},
        numbers::{Numbers, SharedNumbers},
        pending_row::PendingRow,
        row::{attempt::AttemptRecord, message},
        state,
        sync_failure::SyncFailure,
    },
    error::StoreError,
};

const NEWEST: &str = "SELECT max(sequence) FROM messages";

const LAST_COMMIT: &str = "SELECT position, coalesce(accepted, 0)
    FROM journal
    ORDER BY position DESC
    LIMIT 1";

const FIRST_POSITION: &str = "SELECT coalesce(min(position), 1) FROM journal";

impl Ledger {
    pub(in crate::embedded) fn open(
        db: Connection,
        disk: DiskSpace,
        sync: SyncFailure,
    ) -> Result<Self, StoreError> {
        let newest: Option<MessageSequence> = db.query_row(NEWEST, [], |row| row.get(0))?;
        let numbers = Numbers::load(&db, newest.unwrap_or(MessageSequence::ZERO))?;
        let low_water = state::get(&db, state::LOW_WATER)?.unwrap_or(MessageSequence::ZERO);
        // The last entry is there: the journal is never trimmed up to its end.
        let last = db.query_row(LAST_COMMIT, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (position, accepted) = last.optional()?.unwrap_or_default();
        let first: JournalPosition = db.query_row(FIRST_POSITION, [], |row| row.get(0))?;
        let expiry = ExpirySpans::load(&db)?;
        let mut ledger = Self {
            db,
            leases: LeaseTable::default(),
            changes: Vec::new(),
            low_water: LowWater::new(low_water),
            expiry,
            freed: FreedNumbers::default(),
            cursors: Cursors::default(),
            written: 0,
            buffer: Vec::new(),
            sync,
            numbers: SharedNumbers::new(numbers),
            disk,
            position,
            accepted,
            row_changes: 0,
            most_row_changes: 0,
            trim: JournalTrim::from(first),
        };
        // Lanes first: rows that are added from here on change when lanes are due.
        ledger.load_lanes()?;
        ledger.begin()?;
        format::touch_first_page(&ledger.db)?;
        ledger.recover_unpersisted()?;
        // No lease exists yet, so every pending delivery has a row now.
        ledger.move_low_water_to_end()?;
        ledger.commit()?;
        Ok(ledger)
    }
}

const COUNT_PENDING: &str = "SELECT count(*) FROM pending";

impl Ledger {
    fn load_lanes(&mut self) -> Result<(), StoreError> {
        let mut last = None;
        while let Some(endpoint) = self.next_lane(last)? {
            self.add_lane(endpoint)?;
            self.refresh_unordered_due(endpoint)?;
            self.refresh_head_due(endpoint)?;
            last = Some(endpoint);
        }
        self.leases.set_row_count(self.db.query_row(COUNT_PENDING, [], |row| row.get(0))?);
        self.leases.commit();
        Ok(())
    }
}

/// The next lane: one seek for each endpoint, however many rows its lane has.
pub(in crate::embedded) const NEXT_LANE: &str = "SELECT endpoint
    FROM pending
    WHERE endpoint > ?1
    ORDER BY endpoint
    LIMIT 1";

impl Ledger {
    fn next_lane(
        &self,
        after: Option<EndpointNumber>,
    ) -> Result<Option<EndpointNumber>, StoreError> {
        let mut statement = self.db.prepare_cached(NEXT_LANE)?;
        let after = after.map_or(-1, |endpoint| i64::from(endpoint.0));
        Ok(statement.query_row([after], |row| row.get(0)).optional()?)
    }
}

const MESSAGES_SINCE: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence >= ?1 AND body IS NOT NULL";

impl Ledger {
    /// Gives a row to each delivery that only had a lease in memory when the process ended: of a
    /// message from the low-water mark on, never attempted, never ended, without a row.
    fn recover_unpersisted(&mut self) -> Result<(), StoreError> {
        let known = self.attempted_or_ended()?;
        // Collected first: a statement that reads must not see what is inserted meanwhile.
        let mut found = Vec::new();
        {
            let mut statement = self.db.prepare(MESSAGES_SINCE)?;
            let mut rows = statement.query([self.low_water.current()])?;
            while let Some(row) = rows.next()? {
                let message: MessageSequence = row.get(0)?;
                let Some(head) = message::intact_head(row)? else { continue };
                let due_at = head.first_due(message);
                let keys = head.targets.iter().map(|&endpoint| DeliveryKey { message, endpoint });
                let left = keys.filter(|key| !known.contains(key));
                found.extend(left.map(|key| PendingRow::first(key, due_at)));
            }
        }
        for row in found {
            if self.find_row(row.key)?.is_none() {
                self.insert_available(row)?;
            }
        }
        Ok(())
    }
}

const ATTEMPTS_SINCE: &str = "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence >= ?1";

const ENDED_SINCE: &str = "SELECT message, endpoint FROM ended WHERE message >= ?1";

impl Ledger {
    /// Deliveries from the low-water mark on that have an attempt or ended without one. An
    /// attempt is made after its message was accepted, so its sequence is beyond the mark too.
    fn attempted_or_ended(&self) -> Result<HashSet<DeliveryKey>, StoreError> {
        let since = self.low_water.current();
        let mut known = HashSet::new();
        let mut statement = self.db.prepare(ATTEMPTS_SINCE)?;
        let mut rows = statement.query([since])?;
        while let Some(row) = rows.next()? {
            known.extend(AttemptRecord::intact(row)?.map(|record| record.key()));
        }
        let mut statement = self.db.prepare(ENDED_SINCE)?;
        let mut rows = statement.query([since])?;
        while let Some(row) = rows.next()? {
            known.insert(DeliveryKey { message: row.get(0)?, endpoint: row.get(1)? });
        }
        Ok(known)
    }
}
