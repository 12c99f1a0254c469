//! What arrives from another store, as it stood there.

use postrider::MessageId;
use postrider_core::{catalog::Recovery, delivery::Attempt, delivery::Trigger, message::Message};
use rusqlite::{OptionalExtension, params};

use super::{
    Ledger, SET_STATE, append, damaged, recover::INSERT_RECOVERY, reserve::INSERT_ANSWER, settle,
};
use crate::{
    DeliveryOrder, Record, StoreError,
    embedded::{
        holdings::Waiting,
        journal::{self, Event},
        row::{self, End, Head},
    },
    transfer::{
        Chunk, CompletedKey, DeliveryExport, DeliveryState, EndpointExport, MessageExport, Progress,
    },
};

/// The number of the copy that was made from here, until a node opens the folder.
pub(in crate::embedded) const MARK: &str = "copied_as";

const GET_MARK: &str = "SELECT value FROM state WHERE key = ?1";

/// The table is there as long as the copy into this folder is not whole.
const BEGIN_COPY: &str = "CREATE TABLE IF NOT EXISTS copying (progress BLOB NOT NULL) STRICT";

const FORGET_PROGRESS: &str = "DELETE FROM copying";

const NOTE_PROGRESS: &str = "INSERT INTO copying (progress) VALUES (?1)";

const PROGRESS: &str = "SELECT progress FROM copying";

const END_COPY: &str = "DROP TABLE IF EXISTS copying";

const TAKEN: &str = "SELECT 1 FROM messages WHERE sequence = ?1";

const ATTEMPT_TAKEN: &str = "SELECT 1 FROM attempts WHERE sequence = ?1";

const SET_DONE: &str = "UPDATE recoveries SET done = ?1 WHERE number = last_insert_rowid()";

impl Ledger {
    pub(in crate::embedded) fn mark(&self) -> Result<Option<u64>, StoreError> {
        let mut statement = self.db.prepare_cached(GET_MARK)?;
        let mark = statement.query_row([MARK], |row| row.get::<_, i64>(0)).optional()?;
        Ok(mark.map(i64::cast_unsigned))
    }

    pub(in crate::embedded) fn set_mark(&self, copy: u64) -> Result<(), StoreError> {
        self.db.prepare_cached(SET_STATE)?.execute(params![MARK, copy.cast_signed()])?;
        Ok(())
    }

    /// How far a copy into this folder is, if there is an unfinished one.
    pub(in crate::embedded) fn copy_progress(&self) -> Result<Option<Progress>, StoreError> {
        if !self.db.table_exists(None, "copying")? {
            return Ok(None);
        }
        let found = self.db.query_row(PROGRESS, [], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        found.map(|bytes| Progress::from_bytes(&bytes)).transpose()
    }

    pub(in crate::embedded) fn end_copy(&self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch(END_COPY)?)
    }

    /// Writes chunk and progress; how many things got another id.
    pub(in crate::embedded) fn import(
        &mut self,
        chunk: &Chunk,
        progress: Progress,
    ) -> Result<u64, StoreError> {
        let mut renamed = 0;
        match chunk {
            Chunk::Applications(them) => {
                them.iter().try_for_each(|it| self.save(&Record::Application(it.clone()), true))?;
            },
            Chunk::Endpoints(them) => them.iter().try_for_each(|it| self.import_endpoint(it))?,
            Chunk::EventTypes(them) => {
                them.iter().try_for_each(|it| self.save(&Record::EventType(it.clone()), true))?;
            },
            Chunk::Sources(them) => {
                them.iter().try_for_each(|it| self.save_source(it, true))?;
            },
            Chunk::Messages(parcels) => {
                for parcel in parcels {
                    renamed += self.import_message(parcel)?;
                }
                // Every pending delivery has a row, so none counts as fresh.
                self.store_low_water(self.newest()?.max(self.low_water()))?;
            },
            Chunk::Recoveries(them) => {
                them.iter().try_for_each(|(it, done)| self.import_recovery(it, *done))?;
            },
            Chunk::CompletedKeys(them) => them.iter().try_for_each(|it| self.import_answer(it))?,
        }
        self.db.execute_batch(BEGIN_COPY)?;
        self.db.execute(FORGET_PROGRESS, [])?;
        self.db.execute(NOTE_PROGRESS, [progress.with_renamed(renamed).to_bytes()])?;
        Ok(renamed)
    }

    fn import_endpoint(&mut self, posted: &EndpointExport) -> Result<(), StoreError> {
        let endpoint = &posted.endpoint;
        self.save(&Record::Endpoint(endpoint.clone()), true)?;
        self.note_failing(endpoint.id, posted.failing_since)
    }

    /// How many ids had to be changed.
    fn import_message(&mut self, parcel: &MessageExport) -> Result<u64, StoreError> {
        let message = &parcel.message;
        let sequence = self.free_sequence(TAKEN, message.id.sequence())?;
        let mut renamed = u64::from(sequence != message.id.sequence());
        let id = MessageId::from_parts(sequence, message.id.tail());
        let (application, endpoints) = self.insert_message(parcel, id)?;
        if let Some(event_id) = &message.event_id {
            self.keep_event_id(application, event_id, id)?;
        }
        if let Some(digest) = parcel.idempotency {
            self.keep_digest(digest, id)?;
        }
        if message.body.is_some() {
            self.note_expiry(&Message { id, body: None, ..message.clone() })?;
        }
        let due = |it: &DeliveryExport| match it.state {
            DeliveryState::Pending(waiting) => waiting.due_at.as_millis(),
            DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Cancelled => 0,
        };
        let targets =
            endpoints.iter().zip(&parcel.deliveries).map(|(&it, of)| (it, due(of))).collect();
        self.events.push(Event::Accepted { message: sequence, application, targets });
        for (&endpoint, delivery) in endpoints.iter().zip(&parcel.deliveries) {
            renamed += self.import_delivery(delivery, sequence, endpoint)?;
        }
        Ok(renamed)
    }

    /// Writes the message; the numbers of its application and of its deliveries' endpoints.
    fn insert_message(
        &mut self,
        parcel: &MessageExport,
        id: MessageId,
    ) -> Result<(u32, Vec<u32>), StoreError> {
        let message = &parcel.message;
        let (application, event_type, endpoints) = {
            let position = self.position + 1;
            let mut numbers = self.numbers_mut();
            let application = numbers.give_application(message.application, position);
            let event_type = numbers.give_event_type(&message.event_type, message.id.sequence());
            let number =
                |it: &DeliveryExport| numbers.give_endpoint(it.endpoint, application, position);
            (application, event_type, parcel.deliveries.iter().map(number).collect::<Vec<_>>())
        };
        let head = Head::of(message, event_type, endpoints.clone());
        let blob = row::encode(&head, &mut self.buffer);
        self.db.prepare_cached(append::INSERT_MESSAGE)?.execute(params![
            id.sequence(),
            id.tail().cast_signed(),
            application,
            blob,
            message.body.as_deref(),
        ])?;
        self.written += self.buffer.len() + message.body.as_ref().map_or(0, bytes::Bytes::len);
        Ok((application, endpoints))
    }

    fn import_delivery(
        &mut self,
        delivery: &DeliveryExport,
        message: u64,
        endpoint: u32,
    ) -> Result<u64, StoreError> {
        let mut renamed = 0;
        for (attempt, number) in delivery.attempts.iter().zip(1..) {
            let is_last = number == delivery.attempts.len();
            let end = end(delivery, is_last);
            renamed += self.import_attempt(attempt, (message, endpoint), end)?;
        }
        // Those that are not kept any more count, and nobody finds them.
        let (attempt, status) = (0, 0);
        for _ in delivery.attempts.len()..delivery.made.into() {
            let then = None;
            self.events.push(Event::Attempted { attempt, message, endpoint, status, then });
        }
        let to = match delivery.state {
            DeliveryState::Delivered => journal::Standing::Delivered,
            DeliveryState::Failed => journal::Standing::Failed,
            DeliveryState::Cancelled => journal::Standing::Cancelled,
            DeliveryState::Pending(it) => {
                self.wait(Waiting {
                    endpoint,
                    free_at: it.due_at.as_millis(),
                    message,
                    attempt: it.attempt,
                    manual: it.trigger == Trigger::Manual,
                    retry_plan: it.retry_plan,
                    reported: it.reported,
                    in_order: it.order == DeliveryOrder::InOrder,
                })?;
                journal::Standing::Pending(it.due_at.as_millis())
            },
        };
        self.events.push(Event::Moved { message, endpoint, to });
        Ok(renamed)
    }

    fn import_attempt(
        &mut self,
        attempt: &Attempt,
        (message, endpoint): (u64, u32),
        end: End,
    ) -> Result<u64, StoreError> {
        let sequence = self.free_sequence(ATTEMPT_TAKEN, attempt.id.sequence())?;
        let record = row::Record::new(attempt, (message, endpoint), end);
        let status = record.status();
        let blob = row::encode(&record, &mut self.buffer);
        let tail = attempt.id.tail().cast_signed();
        self.db.prepare_cached(settle::INSERT_ATTEMPT)?.execute(params![sequence, tail, blob])?;
        self.written += self.buffer.len();
        let then = None;
        self.events.push(Event::Attempted { attempt: sequence, message, endpoint, status, then });
        Ok(u64::from(sequence != attempt.id.sequence()))
    }

    /// Ids of several nodes can share their first half, by which they are told apart here: the
    /// next one that is free then.
    fn free_sequence(&self, taken: &str, mut sequence: u64) -> Result<u64, StoreError> {
        let mut statement = self.db.prepare_cached(taken)?;
        while statement.exists([sequence])? {
            sequence += 1;
        }
        Ok(sequence)
    }

    fn import_recovery(&mut self, recovery: &Recovery, done: MessageId) -> Result<(), StoreError> {
        let record = serde_json::to_string(recovery).map_err(damaged)?;
        self.db.prepare_cached(INSERT_RECOVERY)?.execute([record])?;
        self.db.prepare_cached(SET_DONE)?.execute([done.sequence()])?;
        Ok(())
    }

    fn import_answer(&mut self, answer: &CompletedKey) -> Result<(), StoreError> {
        let CompletedKey { key, fingerprint, response, answered_at } = answer;
        let values = params![key, fingerprint, response, answered_at.as_millis()];
        self.db.prepare_cached(INSERT_ANSWER)?.execute(values)?;
        Ok(())
    }
}

/// What followed from an attempt, as far as where the delivery stands says so.
fn end(delivery: &DeliveryExport, is_last: bool) -> End {
    match delivery.state {
        DeliveryState::Delivered if is_last => End::Delivered,
        DeliveryState::Failed if is_last => End::Failed,
        DeliveryState::Delivered
        | DeliveryState::Failed
        | DeliveryState::Cancelled
        | DeliveryState::Pending(_) => End::Retried,
    }
}
