//! Rebuilding the index from the main database.
//!
//! A delivery that was cancelled after an attempt cannot always be recognized: it then has the
//! state that the last attempt left.

use postrider_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::{batch::Batch, counts::Subjects};
use crate::embedded::{
    checkpoint, database, extras,
    journal::{Change, DeliveryState, NewDelivery},
    number::{AttemptSequence, DeliveryKey, MessageSequence},
    row::{
        attempt::{AttemptRecord, Consequence},
        message,
    },
};

/// Changes that are written at once.
const ROWS: usize = 100_000;

/// The length of the log, in pages, at which it is copied into the file.
const LONG_LOG: usize = 65_536;

const COUNT_MESSAGES: &str = "SELECT count(*) FROM messages";

pub(super) fn fill(
    index: &Connection,
    main: &Connection,
    subjects: &mut Subjects,
) -> rusqlite::Result<()> {
    let count: u64 = main.query_row(COUNT_MESSAGES, [], |row| row.get(0))?;
    if count > 0 {
        tracing::warn!(messages = count, "the index is rebuilt from the messages");
    }
    let mut writer = Writer { index, main, subjects, batch: Batch::default() };
    add_messages(main, &mut writer)?;
    add_attempts(main, &mut writer)?;
    writer.write()
}

struct Writer<'a> {
    index: &'a Connection,
    main: &'a Connection,
    subjects: &'a mut Subjects,
    batch: Batch,
}

impl Writer<'_> {
    fn add(&mut self, change: Change) -> rusqlite::Result<()> {
        self.batch.add(change);
        if self.batch.len() >= ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        let counts = batch.take_counts();
        self.index.execute_batch("BEGIN IMMEDIATE")?;
        batch.write(self.index)?;
        counts.write(self.index, self.main, self.subjects)?;
        self.index.execute_batch("COMMIT")?;
        if database::log_pages(self.index) > LONG_LOG {
            checkpoint::passive(self.index)?;
        }
        Ok(())
    }
}

const MESSAGES: &str = "SELECT sequence, tail, application, head
    FROM messages
    ORDER BY sequence";

/// Adds all messages. A delivery without a row counts as cancelled until an attempt follows.
fn add_messages(main: &Connection, writer: &mut Writer<'_>) -> rusqlite::Result<()> {
    let mut statement = main.prepare(MESSAGES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let message: MessageSequence = row.get(0)?;
        let Some(head) = message::intact_head(row)? else { continue };
        let endpoints = extras::with_extras(main, message, head.targets)?;
        let due_at = Timestamp::default();
        let delivery = |&endpoint| NewDelivery { endpoint, due_at };
        let deliveries = endpoints.iter().map(delivery).collect();
        let application = row.get(2)?;
        writer.add(Change::MessageAccepted { message, application, deliveries })?;
        for endpoint in endpoints {
            let to = pending_due_at(main, DeliveryKey { message, endpoint })?
                .map_or(DeliveryState::Cancelled, DeliveryState::Pending);
            writer.add(Change::DeliveryMoved { message, endpoint, to })?;
        }
    }
    Ok(())
}

const ATTEMPTS: &str = "SELECT sequence, tail, record
    FROM attempts
    ORDER BY sequence";

/// Adds all attempts, which decide the states of deliveries that are not pending.
fn add_attempts(main: &Connection, writer: &mut Writer<'_>) -> rusqlite::Result<()> {
    let mut statement = main.prepare(ATTEMPTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let attempt: AttemptSequence = row.get(0)?;
        let Some(record) = AttemptRecord::intact(row)? else { continue };
        let state = match record.consequence {
            Consequence::Delivered => Some(DeliveryState::Delivered),
            Consequence::Failed => Some(DeliveryState::Failed),
            Consequence::Retried => None,
        };
        let is_pending = pending_due_at(main, record.key())?.is_some();
        writer.add(Change::AttemptCounted {
            attempt,
            message: record.message,
            endpoint: record.endpoint,
            status: record.status(),
            then: state.filter(|_| !is_pending),
            fact: record.fact(),
        })?;
    }
    Ok(())
}

const PENDING: &str = "SELECT coalesce(due_at, free_at)
    FROM pending
    WHERE message = ?1 AND endpoint = ?2";

/// When the delivery is due, if it is pending.
fn pending_due_at(main: &Connection, key: DeliveryKey) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = main.prepare_cached(PENDING)?;
    let due_at = statement.query_row((key.message, key.endpoint), |row| row.get(0)).optional()?;
    Ok(due_at.map(Timestamp::from_millis))
}
