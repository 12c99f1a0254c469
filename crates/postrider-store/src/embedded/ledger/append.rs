//! New messages.

use postrider::{MessageId, Uid};
use postrider_core::message::Message;
use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::{
    AppendOutcome, DeliveryOrder, Hold, NewMessage, StoreError, Target,
    embedded::{
        holdings::{Fresh, Waiting},
        journal::Event,
        row::{self, Head},
    },
};

pub(super) const INSERT_MESSAGE: &str =
    "INSERT OR IGNORE INTO messages (sequence, tail, application, head, body)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const FIND_DIGEST: &str = "SELECT message, tail FROM idempotent WHERE digest = ?1";

const INSERT_DIGEST: &str = "INSERT INTO idempotent (digest, message, tail) VALUES (?1, ?2, ?3)";

const FIND_EVENT_ID: &str =
    "SELECT message, tail FROM event_ids WHERE application = ?1 AND event_id = ?2";

const INSERT_EVENT_ID: &str = "INSERT INTO event_ids (application, event_id, message, tail)
    VALUES (?1, ?2, ?3, ?4)";

const WIDEN: &str = "INSERT INTO expiring (minute, lowest, highest) VALUES (?1, ?2, ?3)
    ON CONFLICT (minute) DO UPDATE
    SET lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest)";

/// Spans are stored rounded to 2^26 steps of a sequence, 16 seconds, so that they are
/// written that rarely.
const SPAN_BITS: u32 = 26;

pub(in crate::embedded) const MINUTE: u64 = 60_000;

impl Ledger {
    pub(in crate::embedded) fn append(
        &mut self,
        batch: &[NewMessage],
    ) -> Result<Vec<AppendOutcome>, StoreError> {
        batch.iter().map(|new| self.append_one(new)).collect()
    }

    fn append_one(&mut self, new: &NewMessage) -> Result<AppendOutcome, StoreError> {
        let message = &*new.message;
        if let Some(known) = self.repeated(new)? {
            return Ok(AppendOutcome::Duplicate(known));
        }
        let position = self.position + 1;
        let application = self.numbers_mut().give_application(message.application, position);
        if let Some(taken) = self.event_id_taken(application, message)? {
            let known = self.is_known(message.id)?;
            return Ok(if known { AppendOutcome::New } else { AppendOutcome::EventIdTaken(taken) });
        }
        if !self.insert(new, application)? {
            return Ok(AppendOutcome::New);
        }
        if let Some(event_id) = &message.event_id {
            self.keep_event_id(application, event_id, message.id)?;
        }
        if let Some(digest) = new.idempotency {
            self.keep_digest(digest, message.id)?;
        }
        self.note_expiry(message)?;
        self.since_mark += 1;
        Ok(AppendOutcome::New)
    }

    /// Writes the message and its deliveries; `false` if it is there already.
    fn insert(&mut self, new: &NewMessage, application: u32) -> Result<bool, StoreError> {
        let message = &*new.message;
        let sequence = message.id.sequence();
        let (event_type, targets) = {
            let position = self.position + 1;
            let mut numbers = self.numbers_mut();
            let number = |it: &Target| numbers.give_endpoint(it.endpoint, application, position);
            let targets: Vec<_> = new.targets.iter().map(number).collect();
            (numbers.give_event_type(&message.event_type, sequence), targets)
        };
        let head = Head::of(message, event_type, targets);
        let blob = row::encode(&head, &mut self.buffer);
        let inserted = self.db.prepare_cached(INSERT_MESSAGE)?.execute(params![
            sequence,
            message.id.tail().cast_signed(),
            application,
            blob,
            message.body.as_deref(),
        ])?;
        if inserted == 0 {
            return Ok(false);
        }
        self.written += self.buffer.len() + message.body.as_ref().map_or(0, bytes::Bytes::len);
        let mut due = Vec::with_capacity(head.targets.len());
        for (target, &endpoint) in new.targets.iter().zip(&head.targets) {
            due.push((endpoint, self.hold(sequence, endpoint, *target, &head)?));
        }
        self.events.push(Event::Accepted { message: sequence, application, targets: due });
        Ok(true)
    }

    /// Gives a new delivery to whom it belongs; when it is due.
    fn hold(
        &mut self,
        message: u64,
        endpoint: u32,
        target: Target,
        head: &Head,
    ) -> Result<u64, StoreError> {
        let in_order = target.order == DeliveryOrder::InOrder;
        let waiting = |free_at| Waiting { in_order, ..Waiting::first(message, endpoint, free_at) };
        match target.hold {
            Hold::Leased(until) => {
                let (until, due_at) = (until.as_millis(), head.first_due(message));
                if message < self.low_water() || in_order {
                    // Its id was made long before: a start does not look for it that far back.
                    // And a place in an order is kept by a row alone.
                    self.hold_row(waiting(due_at), until)?;
                } else {
                    let fresh = Fresh { until, due_at };
                    self.holdings.set_fresh((message, endpoint), Some(fresh));
                }
                Ok(due_at)
            },
            Hold::Free(at) => {
                self.wait(waiting(at.as_millis()))?;
                Ok(at.as_millis())
            },
        }
    }

    fn repeated(&self, new: &NewMessage) -> Result<Option<MessageId>, StoreError> {
        let Some(digest) = new.idempotency else { return Ok(None) };
        let mut statement = self.db.prepare_cached(FIND_DIGEST)?;
        Ok(statement.query_row([digest], named).optional()?)
    }

    fn event_id_taken(
        &self,
        application: u32,
        message: &Message,
    ) -> Result<Option<MessageId>, StoreError> {
        let Some(event_id) = &message.event_id else { return Ok(None) };
        let mut statement = self.db.prepare_cached(FIND_EVENT_ID)?;
        let known = statement.query_row(params![application, event_id.as_str()], named);
        Ok(known.optional()?.filter(|known| *known != message.id))
    }

    pub(super) fn keep_event_id(
        &self,
        application: u32,
        event_id: &Uid,
        id: MessageId,
    ) -> Result<(), StoreError> {
        let (sequence, tail) = (id.sequence(), id.tail().cast_signed());
        let values = params![application, event_id.as_str(), sequence, tail];
        self.db.prepare_cached(INSERT_EVENT_ID)?.execute(values)?;
        Ok(())
    }

    pub(super) fn keep_digest(&self, digest: [u8; 32], id: MessageId) -> Result<(), StoreError> {
        let values = params![digest, id.sequence(), id.tail().cast_signed()];
        self.db.prepare_cached(INSERT_DIGEST)?.execute(values)?;
        Ok(())
    }

    pub(super) fn note_expiry(&mut self, message: &Message) -> Result<(), StoreError> {
        let minute = message.body_until.as_millis() / MINUTE;
        let sequence = message.id.sequence();
        let span = self.expiring.get(&minute).copied();
        if span.is_some_and(|(lowest, highest)| (lowest..=highest).contains(&sequence)) {
            return Ok(());
        }
        let rounded = sequence >> SPAN_BITS << SPAN_BITS;
        let (lowest, highest) = span.unwrap_or((u64::MAX, 0));
        let span = (lowest.min(rounded), highest.max(rounded + (1 << SPAN_BITS) - 1));
        self.db.prepare_cached(WIDEN)?.execute(params![minute, span.0, span.1])?;
        self.expiring.insert(minute, span);
        self.widened.push(minute);
        Ok(())
    }
}

/// Columns `message, tail`.
fn named(row: &rusqlite::Row<'_>) -> rusqlite::Result<MessageId> {
    Ok(MessageId::from_parts(row::sequence(row, 0)?, row::tail(row, 1)?))
}
