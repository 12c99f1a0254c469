//! Importing data from another store, in the state that it had there.

use postrider::MessageId;
use postrider_core::{
    delivery::{Attempt, DeliveryOrder},
    time::Timestamp,
};
use rusqlite::OptionalExtension;

use crate::{
    contract::catalog::{Expected, RecordRow, record::Record},
    embedded::{
        idempotency::StoredResponse,
        journal::{self, Change, NewDelivery},
        ledger::Ledger,
        number::{
            ApplicationNumber, AttemptNumber, AttemptSequence, DeliveryKey, EndpointNumber, IdTail,
            MessageSequence,
        },
        pending_row::PendingRow,
        row::{
            attempt::{AttemptRecord, Consequence},
            message::Head,
        },
        state,
    },
    error::StoreError,
    transfer::{
        Chunk, CompletedKey, DeliveryExport, DeliveryState, EndpointExport, MessageExport,
        PendingState, Progress,
    },
};

impl Ledger {
    /// The number of the copy that was made from here, until a node opens the folder.
    pub(super) fn copy_mark(&self) -> Result<Option<u64>, StoreError> {
        let mark: Option<i64> = state::get(&self.db, state::COPY_MARK)?;
        Ok(mark.map(i64::cast_unsigned))
    }

    pub(super) fn set_copy_mark(&self, copy: u64) -> Result<(), StoreError> {
        Ok(state::set(&self.db, state::COPY_MARK, &copy.cast_signed())?)
    }
}

const PROGRESS: &str = "SELECT progress FROM copying";

const END_COPY: &str = "DROP TABLE IF EXISTS copying";

impl Ledger {
    /// How far a copy into this folder is, if there is an unfinished one.
    pub(super) fn copy_progress(&self) -> Result<Option<Progress>, StoreError> {
        if !self.db.table_exists(None, "copying")? {
            return Ok(None);
        }
        let found = self.db.query_row(PROGRESS, [], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        found.map(|bytes| Progress::from_bytes(&bytes)).transpose()
    }

    pub(super) fn end_copy(&self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch(END_COPY)?)
    }

    /// Writes a chunk together with the progress of the copy; returns how many ids were changed.
    pub(super) fn import(&mut self, chunk: &Chunk, progress: Progress) -> Result<u64, StoreError> {
        let mut renamed = 0;
        match chunk {
            Chunk::Applications(all) => {
                all.iter().try_for_each(|it| self.import_record(it))?;
            },
            Chunk::Endpoints(all) => all.iter().try_for_each(|it| self.import_endpoint(it))?,
            Chunk::EventTypes(all) => {
                all.iter().try_for_each(|it| self.import_record(it))?;
            },
            Chunk::Sources(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::Connectors(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::Consumers(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::Partitions(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::DeadLetters(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::ApiKeys(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::TokenPolicies(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::AuditLog(all) => all.iter().try_for_each(|it| self.insert_audit_entry(it))?,
            Chunk::Tasks(all) => all.iter().try_for_each(|it| self.import_record(it))?,
            Chunk::Messages(all) => {
                for message in all {
                    renamed += self.import_message(message)?;
                }
                self.move_low_water_to_end()?;
            },
            Chunk::PollLogs(all) => all.iter().try_for_each(|it| self.import_poll_log(it))?,
            Chunk::PollEntries(all) => all.iter().try_for_each(|it| self.import_poll_entry(it))?,
            Chunk::Recoveries(all) => all.iter().try_for_each(|(recovery, done)| {
                self.insert_recovery(recovery, MessageSequence::of(*done))
            })?,
            Chunk::CompletedKeys(all) => all.iter().try_for_each(|it| self.import_response(it))?,
        }
        self.store_progress(&progress.with_renamed(renamed))?;
        Ok(renamed)
    }
}

/// The table exists as long as the copy into this folder is incomplete.
const BEGIN_COPY: &str = "CREATE TABLE IF NOT EXISTS copying (progress BLOB NOT NULL) STRICT";

const FORGET_PROGRESS: &str = "DELETE FROM copying";

const STORE_PROGRESS: &str = "INSERT INTO copying (progress) VALUES (?1)";

impl Ledger {
    fn store_progress(&self, progress: &Progress) -> Result<(), StoreError> {
        self.db.execute_batch(BEGIN_COPY)?;
        self.db.execute(FORGET_PROGRESS, [])?;
        self.db.execute(STORE_PROGRESS, [progress.to_bytes()])?;
        Ok(())
    }

    fn import_record<R: Record>(&mut self, record: &R) -> Result<(), StoreError> {
        self.save_record(&RecordRow::of(record)?, Expected::New).map(drop)
    }

    fn import_endpoint(&mut self, export: &EndpointExport) -> Result<(), StoreError> {
        let endpoint = &export.endpoint;
        self.import_record(endpoint)?;
        self.set_failing_since(endpoint.id, export.failing_since)
    }

    fn import_response(&self, completed: &CompletedKey) -> Result<(), StoreError> {
        self.store_response(&StoredResponse {
            key: completed.key,
            fingerprint: completed.fingerprint,
            response: &completed.response,
            completed_at: completed.answered_at,
        })
    }
}

const IS_MESSAGE: &str = "SELECT 1 FROM messages WHERE sequence = ?1";

const IS_ATTEMPT: &str = "SELECT 1 FROM attempts WHERE sequence = ?1";

impl Ledger {
    /// Returns how many ids were changed.
    fn import_message(&mut self, export: &MessageExport) -> Result<u64, StoreError> {
        let message = &export.message;
        let sequence = MessageSequence(self.free_sequence(IS_MESSAGE, message.id.sequence())?);
        let id = sequence.id(IdTail(message.id.tail()));
        let mut renamed = u64::from(id != message.id);
        let (application, head) = self.import_row(export, id)?;
        if let Some(event_id) = &message.event_id {
            self.store_event_id(application, event_id, id)?;
        }
        if let Some(digest) = export.idempotency {
            self.store_digest(digest, id)?;
        }
        if message.body.is_some() {
            self.expiry.add(&self.db, id, message.body_until)?;
        }
        let new = |(&endpoint, export): (&EndpointNumber, &DeliveryExport)| {
            let due_at = match export.state {
                DeliveryState::Pending(pending) => pending.due_at,
                DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Cancelled => {
                    Timestamp::default()
                },
            };
            NewDelivery { endpoint, due_at }
        };
        let deliveries = head.targets.iter().zip(&export.deliveries).map(new).collect();
        let labels = head.labels();
        let accepted =
            Change::MessageLabelled { message: sequence, application, labels, deliveries };
        self.changes.push(accepted);
        for (&endpoint, delivery) in head.targets.iter().zip(&export.deliveries) {
            let key = DeliveryKey { message: sequence, endpoint };
            renamed += self.import_delivery(delivery, key)?;
        }
        Ok(renamed)
    }

    /// Writes the message's row; returns the number of its application, and its head.
    fn import_row(
        &mut self,
        export: &MessageExport,
        id: MessageId,
    ) -> Result<(ApplicationNumber, Head), StoreError> {
        let message = &export.message;
        let (application, event_type, endpoints) = {
            let position = self.next_position();
            let sequence = MessageSequence::of(message.id);
            let mut numbers = self.numbers_mut();
            let application = numbers.assign_application(message.application, position);
            let event_type = numbers.assign_event_type(&message.event_type, sequence);
            let number =
                |it: &DeliveryExport| numbers.assign_endpoint(it.endpoint, application, position);
            (application, event_type, export.deliveries.iter().map(number).collect::<Vec<_>>())
        };
        let head = Head::of(message, event_type, endpoints);
        self.insert_message(message, id, application, &head)?;
        Ok((application, head))
    }

    /// Ids of several nodes can share their first half, which is the key here. Returns the next
    /// one that is free.
    fn free_sequence(&self, is_taken: &str, mut sequence: u64) -> Result<u64, StoreError> {
        let mut statement = self.db.prepare_cached(is_taken)?;
        while statement.exists([sequence])? {
            sequence += 1;
        }
        Ok(sequence)
    }

    fn import_delivery(
        &mut self,
        delivery: &DeliveryExport,
        key: DeliveryKey,
    ) -> Result<u64, StoreError> {
        let mut renamed = 0;
        for (attempt, number) in delivery.attempts.iter().zip(1..) {
            let is_last = number == delivery.attempts.len();
            renamed += self.import_attempt(attempt, key, consequence(delivery, is_last))?;
        }
        // Attempts that are not kept any more are a part of the delivery, but appear in no list.
        for _ in delivery.attempts.len()..delivery.made.into() {
            self.note_lost_attempt(key);
        }
        let to = match delivery.state {
            DeliveryState::Delivered => journal::DeliveryState::Delivered,
            DeliveryState::Failed => journal::DeliveryState::Failed,
            DeliveryState::Cancelled => journal::DeliveryState::Cancelled,
            DeliveryState::Pending(pending) => {
                self.insert_available(pending_row(key, pending))?;
                journal::DeliveryState::Pending(pending.due_at)
            },
        };
        let DeliveryKey { message, endpoint } = key;
        self.changes.push(Change::DeliveryMoved { message, endpoint, to });
        Ok(renamed)
    }

    fn import_attempt(
        &mut self,
        attempt: &Attempt,
        key: DeliveryKey,
        consequence: Consequence,
    ) -> Result<u64, StoreError> {
        let sequence = AttemptSequence(self.free_sequence(IS_ATTEMPT, attempt.id.sequence())?);
        let record = AttemptRecord::new(attempt, key, consequence);
        self.insert_attempt(sequence, IdTail(attempt.id.tail()), &record)?;
        let (status, fact) = (record.status(), record.fact());
        let DeliveryKey { message, endpoint } = key;
        let (id, then) = (attempt.id, None);
        let attempt = sequence;
        self.changes.push(Change::AttemptCounted {
            attempt,
            message,
            endpoint,
            status,
            then,
            fact,
        });
        Ok(u64::from(sequence != AttemptSequence::of(id)))
    }

    fn note_lost_attempt(&mut self, key: DeliveryKey) {
        let DeliveryKey { message, endpoint } = key;
        let (attempt, status, then) = (AttemptSequence(0), 0, None);
        self.changes.push(Change::AttemptRecorded { attempt, message, endpoint, status, then });
    }
}

const fn pending_row(key: DeliveryKey, pending: PendingState) -> PendingRow {
    PendingRow {
        key,
        due_at: pending.due_at,
        attempt: AttemptNumber(pending.attempt),
        trigger: pending.trigger,
        retry_plan: pending.retry_plan,
        reported: pending.reported,
        in_order: matches!(pending.order, DeliveryOrder::InOrder),
    }
}

/// What followed from an attempt, as far as the state of the delivery shows it.
const fn consequence(delivery: &DeliveryExport, is_last: bool) -> Consequence {
    match delivery.state {
        DeliveryState::Delivered if is_last => Consequence::Delivered,
        DeliveryState::Failed if is_last => Consequence::Failed,
        DeliveryState::Delivered
        | DeliveryState::Failed
        | DeliveryState::Cancelled
        | DeliveryState::Pending(_) => Consequence::Retried,
    }
}
