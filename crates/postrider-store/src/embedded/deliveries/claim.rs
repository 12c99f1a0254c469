//! Claiming: leasing due deliveries, the endpoint that has waited longest first.

pub(super) mod fetch;

use std::collections::HashMap;

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};
use rusqlite::params;

use super::cancel;
use crate::{
    contract::deliveries::Claim,
    embedded::{
        leases::{Lane, RowLease},
        ledger::Ledger,
        number::{DeliveryKey, EndpointNumber, MessageSequence},
        pending_row::{FIRST_ORDERED, PendingRow},
        row,
    },
    error::StoreError,
};

/// Leases of a kind that one claim ends.
const EXPIRED: usize = 1_000;

/// The deliveries that a claim leased, before their messages are fetched.
#[derive(Debug, Default)]
pub(in crate::embedded) struct LeasedBatch {
    pub(in crate::embedded) deliveries: Vec<LeasedDelivery>,
    pub(in crate::embedded) next_due: Option<Timestamp>,
}

/// A leased delivery. The row names its message by the first half of the id only.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct LeasedDelivery {
    pub(in crate::embedded) row: PendingRow,
    endpoint: EndpointId,
    application: ApplicationId,
}

impl LeasedDelivery {
    pub(super) const fn delivery(self, message: MessageId) -> Delivery {
        Delivery {
            id: DeliveryId { endpoint: self.endpoint, message },
            application: self.application,
            attempt: self.row.attempt.0,
            trigger: self.row.trigger,
            retry_plan: self.row.retry_plan,
            reported: self.row.reported,
        }
    }
}

impl Ledger {
    pub(in crate::embedded) fn claim(&mut self, claim: &Claim) -> Result<LeasedBatch, StoreError> {
        self.end_leases(claim.now)?;
        let mut leased = LeasedBatch::default();
        let mut used = HashMap::new();
        let mut unclaimed = cancel::STEP;
        // Leasing changes when lanes are due, so they are collected before.
        let due: Vec<_> =
            self.leases.due_lanes().take_while(|&(due_at, _)| due_at <= claim.now).collect();
        for (_, endpoint) in due {
            let left = claim.limit - leased.deliveries.len();
            if left == 0 {
                break;
            }
            let lane = self.leases.lane(endpoint);
            let capacity = capacity(claim, &lane);
            if capacity == 0 {
                continue;
            }
            if !self.has_endpoint(lane.endpoint)? {
                if unclaimed == 0 {
                    continue;
                }
                // It was removed while messages for it were being accepted.
                // What is left stays due, and the next claim goes on.
                unclaimed -= self.cancel_endpoint(endpoint, unclaimed)?;
                continue;
            }
            let count = self.lease(claim, endpoint, capacity.min(left), &mut leased)?;
            used.insert(endpoint, count);
        }
        leased.next_due = self.next_due(claim, &used);
        Ok(leased)
    }

    /// When the next claim finds something: in a lane with capacity left, or because a lease
    /// expires.
    fn next_due(&self, claim: &Claim, used: &HashMap<EndpointNumber, usize>) -> Option<Timestamp> {
        let has_capacity = |endpoint: EndpointNumber| {
            let lane = self.leases.lane(endpoint);
            capacity(claim, &lane) > used.get(&endpoint).copied().unwrap_or(0)
        };
        let due = self.leases.due_lanes().find(|&(_, endpoint)| has_capacity(endpoint));
        due.map(|(due_at, _)| due_at).into_iter().chain(self.leases.first_expiry()).min()
    }

    /// Leases up to `limit` due deliveries of the lane; returns their number.
    fn lease(
        &mut self,
        claim: &Claim,
        endpoint: EndpointNumber,
        limit: usize,
        into: &mut LeasedBatch,
    ) -> Result<usize, StoreError> {
        let mut found = Vec::new();
        let next = self.find_unordered(endpoint, claim.now, limit, &mut found)?;
        self.leases.set_unordered_due(endpoint, next);
        let has_head = self.leases.head_due(endpoint).is_some_and(|head| head <= claim.now);
        if has_head && found.len() < limit {
            self.add_due_in_order(endpoint, claim.now, limit, &mut found)?;
        }
        let Lane { endpoint: id, application, .. } = self.leases.lane(endpoint);
        for row in &found {
            let lease = RowLease { until: claim.lease_until, row: *row };
            self.leases.set_row(row.key, Some(lease));
            into.deliveries.push(LeasedDelivery { row: *row, endpoint: id, application });
        }
        if found.last().is_some_and(|row| row.in_order) {
            // The deliveries after it wait until it is settled.
            self.leases.set_head_due(endpoint, None);
        }
        Ok(found.len())
    }
}

pub(in crate::embedded) const UNORDERED_OF_LANE: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE endpoint = ?1 AND free_at < ?2
    ORDER BY free_at, message";

const ENDPOINT_EXISTS: &str = "SELECT 1 FROM endpoints WHERE id = ?1";

impl Ledger {
    /// Finds due unordered deliveries without a lease; returns when the first one after them is
    /// due.
    fn find_unordered(
        &self,
        endpoint: EndpointNumber,
        now: Timestamp,
        limit: usize,
        found: &mut Vec<PendingRow>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = self.db.prepare_cached(UNORDERED_OF_LANE)?;
        let mut rows = statement.query(params![endpoint, FIRST_ORDERED])?;
        while let Some(row) = rows.next()? {
            let row = PendingRow::from_row(row)?;
            // Leased rows keep their place, and a lane has as many as its endpoint's capacity.
            if self.leases.is_row_leased(row.key) {
                continue;
            }
            if found.len() == limit || row.due_at > now {
                return Ok(Some(row.due_at));
            }
            found.push(row);
        }
        Ok(None)
    }

    fn has_endpoint(&self, endpoint: EndpointId) -> Result<bool, StoreError> {
        let mut statement = self.db.prepare_cached(ENDPOINT_EXISTS)?;
        Ok(statement.exists([row::blob(endpoint.as_u128())])?)
    }

    /// Makes deliveries available whose leases have expired: up to [`EXPIRED`] of both kinds. The
    /// result of the claim says that more are due.
    fn end_leases(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.leases.first_expiry().is_none_or(|expiry| expiry > now) {
            return Ok(());
        }
        let unpersisted = self.leases.all_unpersisted().filter(|(_, lease)| lease.until <= now);
        let unpersisted: Vec<_> = unpersisted.take(EXPIRED).collect();
        for (key, lease) in unpersisted {
            self.persist_unleased(key, lease)?;
        }
        let rows = self.leases.all_rows().filter(|lease| lease.until <= now);
        let rows: Vec<_> = rows.take(EXPIRED).collect();
        for RowLease { row, .. } in rows {
            self.leases.set_row(row.key, None);
            self.make_available(row)?;
        }
        Ok(())
    }

    /// Ends leases whose messages could not be fetched.
    pub(in crate::embedded) fn return_leases(
        &mut self,
        keys: &[DeliveryKey],
    ) -> Result<(), StoreError> {
        for &key in keys {
            let Some(lease) = self.leases.row(key) else { continue };
            self.leases.set_row(key, None);
            self.make_available(lease.row)?;
        }
        Ok(())
    }

    /// Cancels leased deliveries of messages that have lost their bodies.
    pub(in crate::embedded) fn cancel_leased(
        &mut self,
        messages: &[MessageSequence],
    ) -> Result<(), StoreError> {
        let is_concerned = |lease: &RowLease| messages.contains(&lease.row.key.message);
        let leases: Vec<_> = self.leases.all_rows().filter(is_concerned).collect();
        leases.into_iter().try_for_each(|lease| self.cancel_delivery(lease.row.key))
    }
}

/// How many deliveries of the lane the claim may lease.
fn capacity(claim: &Claim, lane: &Lane) -> usize {
    if !claim.shard.holds(lane.application) {
        return 0;
    }
    claim.capacities.get(&lane.endpoint).copied().unwrap_or(claim.per_endpoint)
}
