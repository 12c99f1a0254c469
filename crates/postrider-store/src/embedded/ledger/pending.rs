//! The rows of `pending`, and the lanes in memory that follow them.
//!
//! A lane knows when its first delivery without a lease is due. Every function here keeps that
//! true: a claim looks at no lane that has nothing due.

use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::{
    embedded::{
        leases::{RowLease, UnpersistedLease},
        number::{DeliveryKey, EndpointNumber},
        pending_row::{FIRST_ORDERED, PendingRow},
        row,
    },
    error::StoreError,
};

/// What the write-ahead log grows by for an inserted or deleted row, roughly.
const INSERTED_BYTES: usize = 256;
pub(in crate::embedded) const DELETED_BYTES: usize = 128;

impl Ledger {
    /// Writes a row that no lease is on.
    pub(in crate::embedded) fn insert_available(
        &mut self,
        row: PendingRow,
    ) -> Result<(), StoreError> {
        self.insert_row(row)?;
        self.make_available(row)
    }

    /// Writes a row together with a lease on it.
    pub(in crate::embedded) fn insert_leased(
        &mut self,
        row: PendingRow,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert_row(row)?;
        self.leases.set_row(row.key, Some(RowLease { until, row }));
        if row.in_order { self.refresh_head_due(row.key.endpoint) } else { Ok(()) }
    }

    /// Offers a row to claims that no lease is on any more.
    pub(in crate::embedded) fn make_available(
        &mut self,
        row: PendingRow,
    ) -> Result<(), StoreError> {
        if row.in_order {
            return self.refresh_head_due(row.key.endpoint);
        }
        self.leases.note_unordered_due(row.key.endpoint, row.due_at);
        Ok(())
    }

    /// Gives a row to an unpersisted lease that stays valid.
    pub(in crate::embedded) fn persist_lease(
        &mut self,
        key: DeliveryKey,
    ) -> Result<(), StoreError> {
        let Some(lease) = self.leases.unpersisted(key) else { return Ok(()) };
        self.leases.set_unpersisted(key, None);
        self.insert_leased(PendingRow::first(key, lease.due_at), lease.until)
    }

    /// Gives a row to a delivery whose unpersisted lease ends.
    pub(in crate::embedded) fn persist_unleased(
        &mut self,
        key: DeliveryKey,
        lease: UnpersistedLease,
    ) -> Result<(), StoreError> {
        self.leases.set_unpersisted(key, None);
        self.insert_available(PendingRow::first(key, lease.due_at))
    }
}

const INSERT_PENDING: &str =
    "INSERT INTO pending (endpoint, free_at, message, attempt, flags, due_at, resume_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

impl Ledger {
    fn insert_row(&mut self, row: PendingRow) -> Result<(), StoreError> {
        let DeliveryKey { endpoint, message } = row.key;
        self.db.prepare_cached(INSERT_PENDING)?.execute(params![
            endpoint,
            row.position(),
            message,
            row.attempt,
            row.flags(),
            row.ordered_due_at(),
            row.resume_at()
        ])?;
        // Counted here, because counting the rows for each metric would scan the table.
        self.leases.set_row_count(self.leases.row_count() + 1);
        self.written += INSERTED_BYTES;
        if self.leases.has_lane(endpoint) { Ok(()) } else { self.add_lane(endpoint) }
    }
}

const IS_STOPPED: &str =
    "SELECT json_extract(record, '$.disabled') OR coalesce(json_extract(record, '$.paused'), 0)
    FROM endpoints WHERE id = ?1";

impl Ledger {
    /// Adds an empty lane, paused if the endpoint is disabled or paused.
    pub(super) fn add_lane(&mut self, endpoint: EndpointNumber) -> Result<(), StoreError> {
        let (id, application) = {
            let numbers = self.numbers();
            (numbers.endpoint(endpoint)?, numbers.application_of(endpoint)?)
        };
        self.leases.add_lane(endpoint, id, application);
        let is_stopped = {
            let mut statement = self.db.prepare_cached(IS_STOPPED)?;
            statement.query_row([row::blob(id.as_u128())], |row| row.get(0)).optional()?
        };
        // Without a record the endpoint was removed; a claim cancels its remaining deliveries.
        self.leases.set_paused(endpoint, is_stopped.unwrap_or(false));
        Ok(())
    }
}

pub(in crate::embedded) const DELETE_PENDING: &str =
    "DELETE FROM pending WHERE endpoint = ?1 AND free_at = ?2 AND message = ?3";

impl Ledger {
    /// Deletes the row, and the lease on it if there is one.
    pub(in crate::embedded) fn delete_row(&mut self, row: PendingRow) -> Result<(), StoreError> {
        let DeliveryKey { endpoint, message } = row.key;
        let values = params![endpoint, row.position(), message];
        self.db.prepare_cached(DELETE_PENDING)?.execute(values)?;
        self.leases.set_row_count(self.leases.row_count().saturating_sub(1));
        self.written += DELETED_BYTES;
        let was_leased = self.leases.is_row_leased(row.key);
        if was_leased {
            self.leases.set_row(row.key, None);
        }
        if row.in_order {
            // Whether it was the head or not: the one after it may be the head now.
            self.refresh_head_due(endpoint)?;
        } else if !was_leased && self.leases.unordered_due(endpoint) == Some(row.due_at) {
            // Only then did the lane's due time depend on this row. Settling, the common case,
            // deletes a leased row and needs no search.
            self.refresh_unordered_due(endpoint)?;
        }
        Ok(())
    }
}

pub(in crate::embedded) const FIRST_UNORDERED: &str = "SELECT free_at, message
    FROM pending
    WHERE endpoint = ?1 AND free_at < ?2
    ORDER BY free_at, message";

impl Ledger {
    /// Finds out when the first unordered delivery of the lane without a lease is due.
    pub(in crate::embedded) fn refresh_unordered_due(
        &mut self,
        endpoint: EndpointNumber,
    ) -> Result<(), StoreError> {
        let due = {
            let mut statement = self.db.prepare_cached(FIRST_UNORDERED)?;
            let mut rows = statement.query(params![endpoint, FIRST_ORDERED])?;
            loop {
                let Some(row) = rows.next()? else { break None };
                // Skips at most as many rows as the endpoint's capacity: no more are leased.
                if !self.leases.is_row_leased(DeliveryKey { endpoint, message: row.get(1)? }) {
                    break Some(Timestamp::from_millis(row.get(0)?));
                }
            }
        };
        self.leases.set_unordered_due(endpoint, due);
        Ok(())
    }
}

pub(in crate::embedded) const ORDERED_OF_LANE: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2
    ORDER BY free_at, message";

impl Ledger {
    /// Finds out when the first ordered delivery of the lane is due; none if it is leased.
    pub(in crate::embedded) fn refresh_head_due(
        &mut self,
        endpoint: EndpointNumber,
    ) -> Result<(), StoreError> {
        let first = {
            let mut statement = self.db.prepare_cached(ORDERED_OF_LANE)?;
            statement
                .query_row(params![endpoint, FIRST_ORDERED], PendingRow::from_row)
                .optional()?
        };
        let head = first.filter(|row| !self.leases.is_row_leased(row.key));
        self.leases.set_head_due(endpoint, head.map(|row| row.due_at));
        Ok(())
    }

    /// Adds the first ordered deliveries of the lane, up to the first that is leased or not due.
    pub(in crate::embedded) fn add_due_in_order(
        &self,
        endpoint: EndpointNumber,
        now: Timestamp,
        limit: usize,
        found: &mut Vec<PendingRow>,
    ) -> Result<(), StoreError> {
        let mut statement = self.db.prepare_cached(ORDERED_OF_LANE)?;
        let mut rows = statement.query(params![endpoint, FIRST_ORDERED])?;
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let row = PendingRow::from_row(row)?;
            if self.leases.is_row_leased(row.key) || row.due_at > now {
                break;
            }
            found.push(row);
        }
        Ok(())
    }
}

pub(in crate::embedded) const FIND_PENDING: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE message = ?1 AND endpoint = ?2";

/// The row of a delivery, leased or not.
pub(in crate::embedded) fn find_row(
    db: &rusqlite::Connection,
    key: DeliveryKey,
) -> rusqlite::Result<Option<PendingRow>> {
    let mut statement = db.prepare_cached(FIND_PENDING)?;
    statement.query_row((key.message, key.endpoint), PendingRow::from_row).optional()
}

const INSERT_ENDED: &str = "INSERT OR IGNORE INTO ended (message, endpoint) VALUES (?1, ?2)";

impl Ledger {
    pub(in crate::embedded) fn find_row(
        &self,
        key: DeliveryKey,
    ) -> Result<Option<PendingRow>, StoreError> {
        Ok(find_row(&self.db, key)?)
    }

    /// Records that a delivery ended without an attempt. From the low-water mark on, startup
    /// would otherwise take it for one whose lease was not persisted.
    pub(in crate::embedded) fn record_ended(&self, key: DeliveryKey) -> Result<(), StoreError> {
        if key.message >= self.low_water.current() {
            self.db.prepare_cached(INSERT_ENDED)?.execute((key.message, key.endpoint))?;
        }
        Ok(())
    }
}
