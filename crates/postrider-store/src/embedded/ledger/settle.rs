//! Attempts, and what follows from them.

use postrider::EndpointId;
use postrider_core::{
    delivery::{Delivery, Settlement, Trigger},
    retry::Verdict,
    time::Timestamp,
};
use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::{
    SettleBatch, StoreError,
    embedded::{
        holdings::Waiting,
        journal::{Event, Standing},
        row::{self, Head, Record},
    },
};

pub(super) const INSERT_ATTEMPT: &str =
    "INSERT OR IGNORE INTO attempts (sequence, tail, record) VALUES (?1, ?2, ?3)";

const FIND_HEAD: &str = "SELECT head FROM messages WHERE sequence = ?1";

const IS_EXTRA: &str = "SELECT 1 FROM extras WHERE message = ?1 AND endpoint = ?2";

const NOTE_FAILING: &str = "UPDATE endpoints SET failing_since = ?2 WHERE id = ?1";

/// What the store has of a delivery that somebody wants to settle or release.
enum Place {
    Fresh,
    Row(Waiting),
    /// It has ended.
    Nowhere,
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
            self.note_failing(id.endpoint, since)?;
        }
        let Some(endpoint) = self.number_of(id.endpoint) else { return Ok(()) };
        let message = id.message.sequence();
        let place = self.place(message, endpoint)?;
        if matches!(place, Place::Nowhere) && !self.was_delivery(message, endpoint)? {
            return Ok(());
        }
        if !self.record(settlement, endpoint)? {
            return Ok(());
        }
        let then = match place {
            Place::Fresh if is_first(&settlement.delivery) => {
                self.holdings.set_fresh((message, endpoint), None);
                Some(self.follow(settlement, Waiting::first(message, endpoint, 0))?)
            },
            Place::Row(waiting) if is_about(&settlement.delivery, waiting) => {
                self.leave(waiting)?;
                Some(self.follow(settlement, waiting)?)
            },
            Place::Fresh => {
                // An attempt that it does not follow: without a row a start would take it
                // for done.
                self.give_row(message, endpoint)?;
                None
            },
            Place::Row(_) | Place::Nowhere => None,
        };
        let outcome = settlement.attempt.outcome;
        let status = match outcome {
            postrider_core::outcome::Outcome::Answered { status, .. } => status,
            postrider_core::outcome::Outcome::Unanswered(_) => 0,
        };
        let attempt = settlement.attempt.id.sequence();
        self.events.push(Event::Attempted { attempt, message, endpoint, status, then });
        Ok(())
    }

    /// Notes since when the endpoint has been failing.
    pub(super) fn note_failing(
        &self,
        endpoint: EndpointId,
        since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = row::blob(endpoint.as_u128());
        let since = since.map(Timestamp::as_millis);
        self.db.prepare_cached(NOTE_FAILING)?.execute(params![key, since])?;
        Ok(())
    }

    fn place(&self, message: u64, endpoint: u32) -> Result<Place, StoreError> {
        if self.holdings.fresh(message, endpoint).is_some() {
            return Ok(Place::Fresh);
        }
        if let Some(held) = self.holdings.held(endpoint, message) {
            return Ok(Place::Row(held.waiting));
        }
        // A lease that ran out may have left it free.
        Ok(self.find_waiting(message, endpoint)?.map_or(Place::Nowhere, Place::Row))
    }

    /// Whether the message had a delivery to the endpoint.
    pub(super) fn was_delivery(&self, message: u64, endpoint: u32) -> Result<bool, StoreError> {
        let mut statement = self.db.prepare_cached(FIND_HEAD)?;
        let mut rows = statement.query([message])?;
        let Some(found) = rows.next()? else { return Ok(false) };
        let head: Head = row::decode(row::blob_of(found, 0)?)?;
        if head.targets.contains(&endpoint) {
            return Ok(true);
        }
        let mut statement = self.db.prepare_cached(IS_EXTRA)?;
        Ok(statement.exists([message, endpoint.into()])?)
    }

    /// Writes the attempt; `false` if it is known.
    fn record(&mut self, settlement: &Settlement, endpoint: u32) -> Result<bool, StoreError> {
        let id = settlement.attempt.id;
        let record = row::encode(&Record::of(settlement, endpoint), &mut self.buffer);
        let values = params![id.sequence(), id.tail().cast_signed(), record];
        let inserted = self.db.prepare_cached(INSERT_ATTEMPT)?.execute(values)?;
        self.written += self.buffer.len();
        Ok(inserted > 0)
    }

    /// Moves on a delivery that was taken from its place.
    fn follow(
        &mut self,
        settlement: &Settlement,
        waiting: Waiting,
    ) -> Result<Standing, StoreError> {
        match settlement.verdict {
            Verdict::Delivered => Ok(Standing::Delivered),
            Verdict::GiveUp(_) => Ok(Standing::Failed),
            Verdict::RetryAt(at) => {
                let (at, reported) = (at.as_millis(), settlement.delivery.reported);
                self.wait(waiting.after_failure(at, reported))?;
                Ok(Standing::Pending(at))
            },
        }
    }

    pub(in crate::embedded) fn release(
        &mut self,
        deliveries: &[(Delivery, Timestamp)],
    ) -> Result<(), StoreError> {
        for (delivery, at) in deliveries {
            let Some(endpoint) = self.number_of(delivery.id.endpoint) else { continue };
            self.release_one(delivery.id.message.sequence(), endpoint, at.as_millis())?;
        }
        Ok(())
    }

    fn release_one(&mut self, message: u64, endpoint: u32, at: u64) -> Result<(), StoreError> {
        if let Some(mut fresh) = self.holdings.fresh(message, endpoint) {
            fresh.due_at = at;
            self.stay(message, endpoint, fresh)?;
        } else if let Some(held) = self.holdings.held(endpoint, message) {
            self.leave(held.waiting)?;
            self.wait(Waiting { free_at: at, ..held.waiting })?;
        } else {
            return Ok(());
        }
        self.events.push(Event::Moved { message, endpoint, to: Standing::Pending(at) });
        Ok(())
    }

    /// Whether there is such a message, and whose it is if it still has its body.
    pub(super) fn body_owner(&self, message: u64, tail: u64) -> Result<Option<u32>, StoreError> {
        const FIND_OWNER: &str = "SELECT application
            FROM messages
            WHERE sequence = ?1 AND tail = ?2 AND body IS NOT NULL";
        let mut statement = self.db.prepare_cached(FIND_OWNER)?;
        let owner = statement.query_row(params![message, tail.cast_signed()], |it| it.get(0));
        Ok(owner.optional()?)
    }
}

/// Whether this is how a fresh delivery looks to its holder.
fn is_first(delivery: &Delivery) -> bool {
    delivery.attempt == 1 && delivery.trigger == Trigger::Scheduled
}

fn is_about(delivery: &Delivery, waiting: Waiting) -> bool {
    delivery.attempt == waiting.attempt && (delivery.trigger == Trigger::Manual) == waiting.manual
}
