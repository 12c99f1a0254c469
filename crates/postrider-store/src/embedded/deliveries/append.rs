//! Appending messages.

use postrider::{MessageId, Uid};
use postrider_core::{delivery::DeliveryOrder, message::Message, time::Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::{
    contract::deliveries::{AppendOutcome, Hold, NewMessage, Target},
    embedded::{
        journal::{Change, NewDelivery},
        leases::UnpersistedLease,
        ledger::Ledger,
        number::{ApplicationNumber, DeliveryKey, IdTail, MessageSequence},
        pending_row::PendingRow,
        row::message::{self, Head},
    },
    error::StoreError,
};

impl Ledger {
    pub(in crate::embedded) fn append(
        &mut self,
        batch: &[NewMessage],
    ) -> Result<Vec<AppendOutcome>, StoreError> {
        batch.iter().map(|new| self.append_one(new)).collect()
    }

    fn append_one(&mut self, new: &NewMessage) -> Result<AppendOutcome, StoreError> {
        let message = &*new.message;
        if let Some(known) = self.duplicate_of(new)? {
            return Ok(AppendOutcome::Duplicate(known));
        }
        let position = self.next_position();
        let application = self.numbers_mut().assign_application(message.application, position);
        if let Some(other) = self.event_id_holder(application, message)? {
            // A caller that repeats a batch must not see its own message refused.
            let is_known = self.is_known(message.id)?;
            return Ok(if is_known {
                AppendOutcome::New
            } else {
                AppendOutcome::EventIdTaken(other)
            });
        }
        if !self.insert(new, application)? {
            // The row of a message has the first half of its id as its key.
            let is_known = self.is_known(message.id)?;
            return Ok(if is_known { AppendOutcome::New } else { AppendOutcome::IdTaken });
        }
        if let Some(event_id) = &message.event_id {
            self.store_event_id(application, event_id, message.id)?;
        }
        if let Some(digest) = new.idempotency {
            self.store_digest(digest, message.id)?;
        }
        self.expiry.add(&self.db, message.id, message.body_until)?;
        self.low_water.note_appended();
        Ok(AppendOutcome::New)
    }

    /// Stores the message and its deliveries; `false` if there is a message with this sequence.
    fn insert(
        &mut self,
        new: &NewMessage,
        application: ApplicationNumber,
    ) -> Result<bool, StoreError> {
        let message = &*new.message;
        let sequence = MessageSequence::of(message.id);
        let head = self.head(new, application);
        if !self.insert_message(message, message.id, application, &head)? {
            return Ok(false);
        }
        let mut deliveries = Vec::with_capacity(head.targets.len());
        for (target, &endpoint) in new.targets.iter().zip(&head.targets) {
            let key = DeliveryKey { message: sequence, endpoint };
            let due_at = self.add_delivery(key, *target, &head)?;
            deliveries.push(NewDelivery { endpoint, due_at });
        }
        let labels = head.labels();
        let accepted =
            Change::MessageLabelled { message: sequence, application, labels, deliveries };
        self.changes.push(accepted);
        Ok(true)
    }

    fn head(&self, new: &NewMessage, application: ApplicationNumber) -> Head {
        let message = &*new.message;
        let position = self.next_position();
        let mut numbers = self.numbers_mut();
        let number = |it: &Target| numbers.assign_endpoint(it.endpoint, application, position);
        let targets: Vec<_> = new.targets.iter().map(number).collect();
        let sequence = MessageSequence::of(message.id);
        let event_type = numbers.assign_event_type(&message.event_type, sequence);
        Head::of(message, event_type, targets)
    }

    /// Adds a delivery of a new message; returns when it is due.
    fn add_delivery(
        &mut self,
        key: DeliveryKey,
        target: Target,
        head: &Head,
    ) -> Result<Timestamp, StoreError> {
        let in_order = target.order == DeliveryOrder::InOrder;
        let row = |due_at| PendingRow { in_order, ..PendingRow::first(key, due_at) };
        match target.hold {
            Hold::Leased(until) => {
                let due_at = head.first_due(key.message);
                // Nearly all deliveries succeed before they need a row, so a lease is kept in
                // memory only. There are two exceptions. A message whose id was created long
                // before is older than the low-water mark: startup would not look at it. And
                // only rows have a place in an order.
                if key.message < self.low_water.current() || in_order {
                    self.insert_leased(row(due_at), until)?;
                } else {
                    let lease = UnpersistedLease { until, due_at };
                    self.leases.set_unpersisted(key, Some(lease));
                }
                Ok(due_at)
            },
            Hold::Free(at) => {
                self.insert_available(row(at))?;
                Ok(at)
            },
        }
    }
}

const INSERT_MESSAGE: &str =
    "INSERT OR IGNORE INTO messages (sequence, tail, application, head, body)
    VALUES (?1, ?2, ?3, ?4, ?5)";

impl Ledger {
    /// Writes a message's row under this id; `false` if the id is taken.
    pub(in crate::embedded) fn insert_message(
        &mut self,
        message: &Message,
        id: MessageId,
        application: ApplicationNumber,
        head: &Head,
    ) -> Result<bool, StoreError> {
        let body = message.body.as_deref();
        let blob = message::encode(head, (id, application), body, &mut self.buffer);
        let inserted = self.db.prepare_cached(INSERT_MESSAGE)?.execute(params![
            MessageSequence::of(id),
            IdTail(id.tail()),
            application,
            blob,
            body,
        ])?;
        if inserted > 0 {
            self.written += self.buffer.len() + body.map_or(0, <[u8]>::len);
        }
        Ok(inserted > 0)
    }
}

const FIND_DIGEST: &str = "SELECT message, tail FROM idempotent WHERE digest = ?1";

impl Ledger {
    /// The message that was appended with the same idempotency digest.
    fn duplicate_of(&self, new: &NewMessage) -> Result<Option<MessageId>, StoreError> {
        let Some(digest) = new.idempotency else { return Ok(None) };
        let mut statement = self.db.prepare_cached(FIND_DIGEST)?;
        Ok(statement.query_row([digest], message_id).optional()?)
    }
}

const FIND_EVENT_ID: &str =
    "SELECT message, tail FROM event_ids WHERE application = ?1 AND event_id = ?2";

impl Ledger {
    /// Another message of the application that has the event id.
    fn event_id_holder(
        &self,
        application: ApplicationNumber,
        message: &Message,
    ) -> Result<Option<MessageId>, StoreError> {
        let Some(event_id) = &message.event_id else { return Ok(None) };
        let mut statement = self.db.prepare_cached(FIND_EVENT_ID)?;
        let known = statement.query_row(params![application, event_id.as_str()], message_id);
        Ok(known.optional()?.filter(|known| *known != message.id))
    }
}

/// Reads the columns `message, tail`.
fn message_id(row: &rusqlite::Row<'_>) -> rusqlite::Result<MessageId> {
    let sequence: MessageSequence = row.get(0)?;
    Ok(sequence.id(row.get(1)?))
}

const INSERT_EVENT_ID: &str = "INSERT INTO event_ids (application, event_id, message, tail)
    VALUES (?1, ?2, ?3, ?4)";

const INSERT_DIGEST: &str = "INSERT INTO idempotent (digest, message, tail) VALUES (?1, ?2, ?3)";

impl Ledger {
    pub(in crate::embedded) fn store_event_id(
        &self,
        application: ApplicationNumber,
        event_id: &Uid,
        id: MessageId,
    ) -> Result<(), StoreError> {
        let (sequence, tail) = (MessageSequence::of(id), IdTail(id.tail()));
        let values = params![application, event_id.as_str(), sequence, tail];
        self.db.prepare_cached(INSERT_EVENT_ID)?.execute(values)?;
        Ok(())
    }

    pub(in crate::embedded) fn store_digest(
        &self,
        digest: [u8; 32],
        id: MessageId,
    ) -> Result<(), StoreError> {
        let values = params![digest, MessageSequence::of(id), IdTail(id.tail())];
        self.db.prepare_cached(INSERT_DIGEST)?.execute(values)?;
        Ok(())
    }
}
