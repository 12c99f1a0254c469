//! Cancelling: ending pending deliveries before they are sent.

use postrider::ApplicationId;
use postrider_core::delivery::Trigger;
use rusqlite::params;

use crate::{
    contract::deliveries::Scope,
    embedded::{
        cancelled,
        journal::{Change, DeliveryState},
        ledger::{Ledger, pending::DELETED_BYTES},
        number::{DeliveryKey, EndpointNumber, MessageSequence},
        pending_row::{FIRST_ORDERED, PendingRow},
    },
    error::StoreError,
};

/// Deliveries that one transaction cancels, at most, unless a message has more endpoints. Other
/// commits wait for a transaction, so it has to be short.
pub(in crate::embedded) const STEP: usize = 2_000;

impl Ledger {
    /// Cancels up to [`STEP`] deliveries of the scope; if there are fewer, all of them. Returns their
    /// number.
    pub(in crate::embedded) fn cancel_step(&mut self, scope: Scope) -> Result<usize, StoreError> {
        self.cancel_up_to(scope, STEP)
    }

    /// Cancels up to `limit` deliveries of the scope, or all of a message; if there are fewer, all of
    /// them. Returns their number.
    pub(in crate::embedded) fn cancel_up_to(
        &mut self,
        scope: Scope,
        limit: usize,
    ) -> Result<usize, StoreError> {
        match scope {
            Scope::Message(_, id) => self.cancel_message(MessageSequence::of(id)),
            Scope::Endpoint(_, id) => match self.endpoint_number(id) {
                Some(endpoint) => self.cancel_endpoint(endpoint, limit),
                None => Ok(0),
            },
            Scope::Application(id) => self.cancel_application(id, limit),
        }
    }

    pub(in crate::embedded) fn cancel_message(
        &mut self,
        message: MessageSequence,
    ) -> Result<usize, StoreError> {
        let mut endpoints = self.endpoints_pending(message)?;
        // A delivery has a row or an unpersisted lease, never both: none is counted twice.
        endpoints.extend(self.leases.unpersisted_of(message));
        for &endpoint in &endpoints {
            self.cancel_delivery(DeliveryKey { message, endpoint })?;
        }
        Ok(endpoints.len())
    }

    fn cancel_application(&mut self, id: ApplicationId, limit: usize) -> Result<usize, StoreError> {
        let mut count = 0;
        for endpoint in self.lanes_of(id)? {
            count += self.cancel_endpoint(endpoint, limit - count)?;
            if count == limit {
                break;
            }
        }
        Ok(count)
    }

    /// The endpoints of the application that have pending deliveries.
    fn lanes_of(&self, id: ApplicationId) -> Result<Vec<EndpointNumber>, StoreError> {
        let mut endpoints: Vec<EndpointNumber> = self
            .leases
            .lanes()
            .filter(|(_, lane)| lane.application == id)
            .map(|(number, _)| number)
            .collect();
        // An endpoint has no lane while all its deliveries are leased without rows.
        let numbers = self.numbers();
        for (key, _) in self.leases.all_unpersisted() {
            if numbers.application_of(key.endpoint)? == id {
                endpoints.push(key.endpoint);
            }
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        Ok(endpoints)
    }

    /// Cancels up to `limit` deliveries of the endpoint; if there are fewer, all of them. Returns
    /// their number.
    pub(in crate::embedded) fn cancel_endpoint(
        &mut self,
        endpoint: EndpointNumber,
        limit: usize,
    ) -> Result<usize, StoreError> {
        // Looks at those of all endpoints, which are only the attempts under way.
        let unpersisted: Vec<DeliveryKey> = self
            .leases
            .all_unpersisted()
            .map(|(key, _)| key)
            .filter(|key| key.endpoint == endpoint)
            .take(limit)
            .collect();
        for &key in &unpersisted {
            self.leases.set_unpersisted(key, None);
            self.record_ended(key)?;
            self.note_cancelled(key);
        }
        let left = limit - unpersisted.len();
        let of_lane = if left == 0 { 0 } else { self.cancel_lane(endpoint, left)? };
        Ok(unpersisted.len() + of_lane)
    }

    pub(in crate::embedded) fn cancel_delivery(
        &mut self,
        key: DeliveryKey,
    ) -> Result<(), StoreError> {
        self.end_delivery(key)?;
        self.note_cancelled(key);
        Ok(())
    }

    fn note_cancelled(&mut self, DeliveryKey { message, endpoint }: DeliveryKey) {
        let to = DeliveryState::Cancelled;
        self.changes.push(Change::DeliveryMoved { message, endpoint, to });
    }

    /// Removes the lease and the row of a delivery, and makes sure that startup does not revive
    /// it.
    fn end_delivery(&mut self, key: DeliveryKey) -> Result<(), StoreError> {
        if self.leases.unpersisted(key).is_some() {
            self.leases.set_unpersisted(key, None);
        } else if let Some(row) = self.find_row(key)? {
            self.delete_row(row)?;
            if row.trigger == Trigger::Manual {
                cancelled::insert(&self.db, key)?;
            }
        }
        // Its holder may still settle it; the attempt is then recorded and changes nothing.
        self.record_ended(key)
    }
}

const ENDPOINTS_PENDING: &str = "SELECT endpoint FROM pending WHERE message = ?1";

impl Ledger {
    /// The endpoints that the message has rows for.
    pub(in crate::embedded) fn endpoints_pending(
        &self,
        message: MessageSequence,
    ) -> Result<Vec<EndpointNumber>, StoreError> {
        let mut statement = self.db.prepare_cached(ENDPOINTS_PENDING)?;
        let found = statement.query_map([message], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// Where a row is in its lane.
#[derive(Clone, Copy, Debug)]
struct LanePosition {
    free_at: u64,
    message: MessageSequence,
}

pub(in crate::embedded) const FIRST_OF_LANE: &str = "SELECT free_at, message
    FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2
    ORDER BY free_at, message
    LIMIT ?3";

pub(in crate::embedded) const RECORD_RANGE_ENDED: &str =
    "INSERT OR IGNORE INTO ended (message, endpoint)
    SELECT message, endpoint FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2 AND (free_at, message) <= (?3, ?4) AND message >= ?5";

pub(in crate::embedded) const DELETE_RANGE: &str = "DELETE FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2 AND (free_at, message) <= (?3, ?4)";

impl Ledger {
    /// Cancels the first deliveries that have rows. If these are all, the index learns it with one
    /// change.
    fn cancel_lane(&mut self, endpoint: EndpointNumber, limit: usize) -> Result<usize, StoreError> {
        if !self.leases.has_lane(endpoint) {
            return Ok(0);
        }
        let first = self.first_of_lane(endpoint, 0, limit)?;
        self.remove_range(endpoint, 0, &first)?;
        if first.len() == limit {
            self.note_range_cancelled(endpoint, &first);
        } else if !first.is_empty() {
            self.changes.push(Change::EndpointCancelled { endpoint });
        }
        Ok(first.len())
    }

    /// Cancels [`STEP`] deliveries in order before this one; `false`, and nothing, if there are fewer.
    pub(in crate::embedded) fn cancel_before(
        &mut self,
        last: PendingRow,
    ) -> Result<bool, StoreError> {
        let endpoint = last.key.endpoint;
        let first = self.first_of_lane(endpoint, FIRST_ORDERED, STEP)?;
        let is_full = first.len() == STEP;
        if !is_full || first.last().is_some_and(|it| it.free_at >= last.position()) {
            return Ok(false);
        }
        self.remove_range(endpoint, FIRST_ORDERED, &first)?;
        self.note_range_cancelled(endpoint, &first);
        Ok(true)
    }

    /// Cancels the deliveries in order up to this one.
    pub(in crate::embedded) fn cancel_until(&mut self, last: PendingRow) -> Result<(), StoreError> {
        while self.cancel_before(last)? {}
        let endpoint = last.key.endpoint;
        let mut first = self.first_of_lane(endpoint, FIRST_ORDERED, STEP)?;
        first.retain(|it| it.free_at <= last.position());
        self.remove_range(endpoint, FIRST_ORDERED, &first)?;
        self.note_range_cancelled(endpoint, &first);
        Ok(())
    }

    /// The first positions from this one on.
    fn first_of_lane(
        &self,
        endpoint: EndpointNumber,
        from: u64,
        limit: usize,
    ) -> Result<Vec<LanePosition>, StoreError> {
        let mut statement = self.db.prepare_cached(FIRST_OF_LANE)?;
        let found = statement.query_map(params![endpoint, from, limit], |row| {
            Ok(LanePosition { free_at: row.get(0)?, message: row.get(1)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Removes these rows and their leases, which are all from a position on up to the last of them,
    /// with two statements however many there are.
    fn remove_range(
        &mut self,
        endpoint: EndpointNumber,
        from: u64,
        rows: &[LanePosition],
    ) -> Result<(), StoreError> {
        let Some(&LanePosition { free_at, message }) = rows.last() else { return Ok(()) };
        // Before the rows are deleted, which it copies.
        let since = self.low_water.current();
        let values = params![endpoint, from, free_at, message, since];
        self.db.prepare_cached(RECORD_RANGE_ENDED)?.execute(values)?;
        let values = params![endpoint, from, free_at, message];
        self.db.prepare_cached(cancelled::INSERT_RANGE)?.execute(values)?;
        let count = self.db.prepare_cached(DELETE_RANGE)?.execute(values)?;
        debug_assert_eq!(count, rows.len(), "no row of the lane is added in between");
        for &LanePosition { message, .. } in rows {
            let key = DeliveryKey { message, endpoint };
            if self.leases.is_row_leased(key) {
                self.leases.set_row(key, None);
            }
        }
        self.leases.set_row_count(self.leases.row_count().saturating_sub(count as u64));
        self.written += count * DELETED_BYTES;
        self.refresh_unordered_due(endpoint)?;
        self.refresh_head_due(endpoint)
    }

    fn note_range_cancelled(&mut self, endpoint: EndpointNumber, rows: &[LanePosition]) {
        for &LanePosition { message, .. } in rows {
            self.note_cancelled(DeliveryKey { message, endpoint });
        }
    }
}
