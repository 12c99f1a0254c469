//! Cancelling: ending pending deliveries before they are sent.

use postrider::ApplicationId;
use postrider_core::delivery::Trigger;
use rusqlite::params;

use crate::{
    contract::deliveries::Scope,
    embedded::{
        cancelled,
        journal::{Change, DeliveryState},
        ledger::Ledger,
        number::{DeliveryKey, EndpointNumber, MessageSequence},
    },
    error::StoreError,
};

impl Ledger {
    pub(in crate::embedded) fn cancel(&mut self, scope: Scope) -> Result<u64, StoreError> {
        match scope {
            Scope::Message(_, id) => self.cancel_message(MessageSequence::of(id)),
            Scope::Endpoint(_, id) => match self.endpoint_number(id) {
                Some(endpoint) => self.cancel_endpoint(endpoint),
                None => Ok(0),
            },
            Scope::Application(id) => self.cancel_application(id),
        }
    }

    pub(in crate::embedded) fn cancel_message(
        &mut self,
        message: MessageSequence,
    ) -> Result<u64, StoreError> {
        let mut endpoints = self.endpoints_pending(message)?;
        // A delivery has a row or an unpersisted lease, never both: none is counted twice.
        endpoints.extend(self.leases.unpersisted_of(message));
        for &endpoint in &endpoints {
            self.cancel_delivery(DeliveryKey { message, endpoint })?;
        }
        Ok(endpoints.len() as u64)
    }

    fn cancel_application(&mut self, id: ApplicationId) -> Result<u64, StoreError> {
        let mut endpoints: Vec<EndpointNumber> = self
            .leases
            .lanes()
            .filter(|(_, lane)| lane.application == id)
            .map(|(number, _)| number)
            .collect();
        {
            // An endpoint has no lane while all its deliveries are leased without rows.
            let numbers = self.numbers();
            for (key, _) in self.leases.all_unpersisted() {
                if numbers.application_of(key.endpoint)? == id {
                    endpoints.push(key.endpoint);
                }
            }
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        let mut count = 0;
        for endpoint in endpoints {
            count += self.cancel_endpoint(endpoint)?;
        }
        Ok(count)
    }

    pub(in crate::embedded) fn cancel_endpoint(
        &mut self,
        endpoint: EndpointNumber,
    ) -> Result<u64, StoreError> {
        // Looks at those of all endpoints, which are only the attempts under way.
        let unpersisted: Vec<DeliveryKey> = self
            .leases
            .all_unpersisted()
            .map(|(key, _)| key)
            .filter(|key| key.endpoint == endpoint)
            .collect();
        for &key in &unpersisted {
            self.leases.set_unpersisted(key, None);
            self.record_ended(key)?;
            self.note_cancelled(key);
        }
        Ok(unpersisted.len() as u64 + self.cancel_lane(endpoint)?)
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

const RECORD_LANE_ENDED: &str = "INSERT OR IGNORE INTO ended (message, endpoint)
    SELECT message, endpoint FROM pending WHERE endpoint = ?1 AND message >= ?2";

const DELETE_LANE: &str = "DELETE FROM pending WHERE endpoint = ?1";

impl Ledger {
    /// Cancels the deliveries that have rows, with two statements however many there are,
    /// and with one change for the index.
    fn cancel_lane(&mut self, endpoint: EndpointNumber) -> Result<u64, StoreError> {
        if !self.leases.has_lane(endpoint) {
            return Ok(0);
        }
        // Before the rows are deleted, which it copies.
        let since = self.low_water.current();
        self.db.prepare_cached(RECORD_LANE_ENDED)?.execute(params![endpoint, since])?;
        cancelled::insert_lane(&self.db, endpoint)?;
        let count = self.db.prepare_cached(DELETE_LANE)?.execute([endpoint])? as u64;
        let leases: Vec<_> = self.leases.rows_of(endpoint).collect();
        for lease in leases {
            self.leases.set_row(lease.row.key, None);
        }
        self.leases.set_row_count(self.leases.row_count().saturating_sub(count));
        self.leases.set_unordered_due(endpoint, None);
        self.leases.set_head_due(endpoint, None);
        if count > 0 {
            self.changes.push(Change::EndpointCancelled { endpoint });
        }
        Ok(count)
    }
}
