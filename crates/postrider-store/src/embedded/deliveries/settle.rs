//! Settling: recording attempts, and moving their deliveries on.

use postrider::EndpointId;
use postrider_core::{
    delivery::{Attempt, Delivery, Settlement, Trigger},
    outcome::Outcome,
    retry::Verdict,
    statistics::Fact,
    time::Timestamp,
};
use rusqlite::params;

use crate::{
    contract::deliveries::SettleBatch,
    embedded::{
        journal::{Change, DeliveryState},
        ledger::Ledger,
        number::{
            AttemptSequence, DeliveryKey, EndpointNumber, IdTail, MessageSequence, PackedFact,
        },
        pending_row::PendingRow,
        row::{self, attempt::AttemptRecord},
    },
    error::StoreError,
};

/// The state of a delivery that is to be settled.
#[derive(Clone, Copy)]
enum Current {
    /// Leased without a row.
    Unpersisted,
    /// Pending with a row, leased or not.
    Row(PendingRow),
    /// Ended, or unknown.
    Ended,
}

impl Current {
    /// Whether it waits for the attempt of this delivery. Otherwise it was resent or cancelled
    /// meanwhile, and the attempt changes nothing.
    fn is_moved_by(&self, delivery: &Delivery) -> bool {
        match self {
            Self::Unpersisted => is_first(delivery),
            Self::Row(row) => is_about(delivery, row),
            Self::Ended => false,
        }
    }
}

impl Ledger {
    pub(in crate::embedded) fn settle(&mut self, batch: &SettleBatch) -> Result<(), StoreError> {
        for settlement in &batch.settlements {
            self.settle_one(settlement)?;
        }
        self.append(&batch.messages).map(drop)
    }

    fn settle_one(&mut self, settlement: &Settlement) -> Result<(), StoreError> {
        let id = settlement.delivery.id;
        if let Some(since) = settlement.failing_since {
            self.set_failing_since(id.endpoint, since)?;
        }
        let Some(endpoint) = self.endpoint_number(id.endpoint) else { return Ok(()) };
        let key = DeliveryKey { message: MessageSequence::of(id.message), endpoint };
        let current = self.current(key)?;
        // An attempt of a delivery that ended is history and worth keeping; one of a delivery
        // that the message never had would appear in no list.
        if matches!(current, Current::Ended) && !self.has_delivery(key)? {
            return Ok(());
        }
        // The attempt may be recorded already, if the caller repeats a batch whose result it did
        // not learn. Then its delivery has moved on as well.
        if !self.record_attempt(settlement, endpoint, current.is_moved_by(&settlement.delivery))? {
            return Ok(());
        }
        let then = self.apply(settlement, key, current)?;
        self.changes.push(Change::AttemptCounted {
            attempt: AttemptSequence::of(settlement.attempt.id),
            message: key.message,
            endpoint,
            status: status(&settlement.attempt),
            then,
            fact: PackedFact(Fact::settlement(settlement).pack()),
        });
        Ok(())
    }

    /// Moves the delivery on if the settlement is about the attempt that it waits for; otherwise
    /// it was resent or cancelled meanwhile and stays as it is. Returns the new state.
    fn apply(
        &mut self,
        settlement: &Settlement,
        key: DeliveryKey,
        current: Current,
    ) -> Result<Option<DeliveryState>, StoreError> {
        match current {
            current if !current.is_moved_by(&settlement.delivery) => {
                if matches!(current, Current::Unpersisted) {
                    // It stays pending although it has an attempt now. Without a row, the next
                    // startup would take it for settled.
                    self.persist_lease(key)?;
                }
                Ok(None)
            },
            Current::Unpersisted => {
                self.leases.set_unpersisted(key, None);
                let row = PendingRow::first(key, Timestamp::default());
                self.follow(settlement, row).map(Some)
            },
            Current::Row(row) => {
                self.delete_row(row)?;
                self.follow(settlement, row).map(Some)
            },
            Current::Ended => Ok(None),
        }
    }

    fn current(&self, key: DeliveryKey) -> Result<Current, StoreError> {
        if self.leases.unpersisted(key).is_some() {
            return Ok(Current::Unpersisted);
        }
        if let Some(lease) = self.leases.row(key) {
            return Ok(Current::Row(lease.row));
        }
        // After its lease expired, the delivery has a row without a lease.
        Ok(self.find_row(key)?.map_or(Current::Ended, Current::Row))
    }

    /// Gives the delivery, which has neither a lease nor a row now, the state that its verdict
    /// demands. Only a retry needs a row.
    fn follow(
        &mut self,
        settlement: &Settlement,
        row: PendingRow,
    ) -> Result<DeliveryState, StoreError> {
        match settlement.verdict {
            Verdict::Delivered => Ok(DeliveryState::Delivered),
            Verdict::GiveUp(_) => Ok(DeliveryState::Failed),
            Verdict::RetryAt(at) => {
                self.insert_available(row.after_failure(at, settlement.delivery.reported))?;
                Ok(DeliveryState::Pending(at))
            },
        }
    }

    /// Stores the attempt; `false` if it is stored already.
    fn record_attempt(
        &mut self,
        settlement: &Settlement,
        endpoint: EndpointNumber,
        is_effective: bool,
    ) -> Result<bool, StoreError> {
        let id = settlement.attempt.id;
        let record = AttemptRecord::of(settlement, endpoint, is_effective);
        self.insert_attempt(AttemptSequence::of(id), IdTail(id.tail()), &record)
    }
}

const INSERT_ATTEMPT: &str =
    "INSERT OR IGNORE INTO attempts (sequence, tail, record) VALUES (?1, ?2, ?3)";

impl Ledger {
    /// Writes an attempt's row under this id; `false` if the id is taken.
    pub(in crate::embedded) fn insert_attempt(
        &mut self,
        sequence: AttemptSequence,
        tail: IdTail,
        record: &AttemptRecord<'_>,
    ) -> Result<bool, StoreError> {
        let blob = record.encode((sequence, tail), &mut self.buffer);
        let values = params![sequence, tail, blob];
        let inserted = self.db.prepare_cached(INSERT_ATTEMPT)?.execute(values)?;
        self.written += self.buffer.len();
        Ok(inserted > 0)
    }
}

const SET_FAILING_SINCE: &str = "UPDATE endpoints SET failing_since = ?2 WHERE id = ?1";

impl Ledger {
    /// Records since when the endpoint has been failing; `None` if it succeeded.
    pub(in crate::embedded) fn set_failing_since(
        &self,
        endpoint: EndpointId,
        since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = row::blob(endpoint.as_u128());
        let since = since.map(Timestamp::as_millis);
        self.db.prepare_cached(SET_FAILING_SINCE)?.execute(params![key, since])?;
        Ok(())
    }
}

/// The status of the response; 0 if there was none.
const fn status(attempt: &Attempt) -> u16 {
    match attempt.outcome {
        Outcome::Answered { status, .. } => status,
        Outcome::Unanswered(_) => 0,
    }
}

/// Whether this is an unpersisted delivery as its holder sees it.
fn is_first(delivery: &Delivery) -> bool {
    delivery.attempt == 1 && delivery.trigger == Trigger::Scheduled
}

fn is_about(delivery: &Delivery, row: &PendingRow) -> bool {
    delivery.attempt == row.attempt.0 && delivery.trigger == row.trigger
}
