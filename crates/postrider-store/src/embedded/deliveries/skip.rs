//! Skipping the first deliveries of an endpoint, and retrying those that wait, at a client's request.

use postrider::{EndpointId, MessageId};
use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use crate::{
    contract::audit::RETRIED_AT_ONCE,
    embedded::{
        journal::{Change, DeliveryState},
        ledger::Ledger,
        number::{DeliveryKey, EndpointNumber, MessageSequence},
        pending_row::{FIRST_ORDERED, PendingRow},
    },
    error::StoreError,
};

const FIRST_IN_ORDER: &str = "SELECT message
    FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2
    ORDER BY free_at
    LIMIT 1";

impl Ledger {
    pub(in crate::embedded) fn skip(
        &mut self,
        endpoint: EndpointId,
        until: Option<MessageId>,
    ) -> Result<bool, StoreError> {
        let Some(endpoint) = self.endpoint_number(endpoint) else { return Ok(false) };
        let last = match until {
            Some(message) => Some(MessageSequence::of(message)),
            None => self.first_in_order(endpoint)?,
        };
        let Some(message) = last else { return Ok(false) };
        let key = DeliveryKey { message, endpoint };
        let row = self.find_row(key)?;
        if row.is_none() && self.leases.unpersisted(key).is_none() {
            return Ok(false);
        }
        match row.filter(|row| row.in_order) {
            Some(row) => self.cancel_until(row)?,
            None => self.cancel_delivery(key)?,
        }
        Ok(true)
    }

    /// Cancels some of what would be skipped, and not the last; `false`, and nothing, if there is
    /// little.
    pub(in crate::embedded) fn skip_step(
        &mut self,
        endpoint: EndpointId,
        until: MessageId,
    ) -> Result<bool, StoreError> {
        let Some(endpoint) = self.endpoint_number(endpoint) else { return Ok(false) };
        let row = self.find_row(DeliveryKey { message: MessageSequence::of(until), endpoint })?;
        row.filter(|row| row.in_order).map_or(Ok(false), |row| self.cancel_before(row))
    }

    fn first_in_order(
        &self,
        endpoint: EndpointNumber,
    ) -> Result<Option<MessageSequence>, StoreError> {
        let mut statement = self.db.prepare_cached(FIRST_IN_ORDER)?;
        let values = params![endpoint, FIRST_ORDERED];
        Ok(statement.query_row(values, |row| row.get(0)).optional()?)
    }
}

const FIRST_ORDERED_ROWS: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2
    ORDER BY free_at
    LIMIT ?3";

const LATER_ROWS: &str = "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE endpoint = ?1 AND free_at > ?2 AND free_at < ?3
    ORDER BY free_at
    LIMIT ?4";

impl Ledger {
    pub(in crate::embedded) fn retry_now(
        &mut self,
        endpoint: EndpointId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(endpoint) = self.endpoint_number(endpoint) else { return Ok(false) };
        let mut rows = self.first_ordered_rows(endpoint)?;
        rows.extend(self.later_rows(endpoint, at)?);
        rows.retain(|row| row.due_at > at && !self.leases.is_leased(row.key));
        for row in &rows {
            self.delete_row(*row)?;
            self.insert_available(PendingRow { due_at: at, ..*row })?;
            let (DeliveryKey { message, endpoint }, to) = (row.key, DeliveryState::Pending(at));
            self.changes.push(Change::DeliveryMoved { message, endpoint, to });
        }
        Ok(!rows.is_empty())
    }

    fn first_ordered_rows(&self, endpoint: EndpointNumber) -> Result<Vec<PendingRow>, StoreError> {
        let mut statement = self.db.prepare_cached(FIRST_ORDERED_ROWS)?;
        let values = params![endpoint, FIRST_ORDERED, RETRIED_AT_ONCE];
        let found = statement.query_map(values, PendingRow::from_row)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn later_rows(
        &self,
        endpoint: EndpointNumber,
        at: Timestamp,
    ) -> Result<Vec<PendingRow>, StoreError> {
        let mut statement = self.db.prepare_cached(LATER_ROWS)?;
        let values = params![endpoint, at.as_millis(), FIRST_ORDERED, RETRIED_AT_ONCE];
        let found = statement.query_map(values, PendingRow::from_row)?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}
