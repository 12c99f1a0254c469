//! Making the index anew from the truth.
//!
//! What was cancelled after it had been attempted cannot be told from the truth in every
//! case: it then stands as the last attempt left it.

use rusqlite::Connection;

use super::batch::Batch;
use crate::embedded::{
    journal::{Event, Standing},
    row::{self, End, Head, Record},
};

/// Rows that are written at once.
const ROWS: usize = 100_000;

const MESSAGES: &str = "SELECT sequence, application, head FROM messages ORDER BY sequence";

const EXTRAS: &str = "SELECT endpoint FROM extras WHERE message = ?1";

const PENDING: &str = "SELECT coalesce(due_at, free_at)
    FROM pending
    WHERE message = ?1 AND endpoint = ?2";

const ATTEMPTS: &str = "SELECT sequence, record FROM attempts ORDER BY sequence";

pub(super) fn fill(index: &Connection, truth: &Connection) -> rusqlite::Result<()> {
    let count: u64 = truth.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    if count > 0 {
        tracing::warn!(messages = count, "the index is made anew from the messages");
    }
    let mut writer = Writer { index, batch: Batch::default() };
    messages(truth, &mut writer)?;
    attempts(truth, &mut writer)?;
    writer.write()
}

struct Writer<'a> {
    index: &'a Connection,
    batch: Batch,
}

impl Writer<'_> {
    fn add(&mut self, event: Event) -> rusqlite::Result<()> {
        self.batch.gather(event);
        if self.batch.len() >= ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        self.index.execute_batch("BEGIN IMMEDIATE")?;
        std::mem::take(&mut self.batch).write(self.index)?;
        self.index.execute_batch("COMMIT")?;
        if crate::embedded::folder::log_pages(self.index) > 65_536 {
            crate::embedded::checkpoint::passive(self.index)?;
        }
        Ok(())
    }
}

fn messages(truth: &Connection, writer: &mut Writer<'_>) -> rusqlite::Result<()> {
    let mut extras = truth.prepare(EXTRAS)?;
    let mut statement = truth.prepare(MESSAGES)?;
    let mut rows = statement.query([])?;
    while let Some(it) = rows.next()? {
        let message = row::sequence(it, 0)?;
        let application = it.get(1)?;
        let head = row::decode_if_whole::<Head>("messages", message, row::blob_of(it, 2)?);
        let Some(head) = head else { continue };
        let mut endpoints = head.targets;
        for endpoint in extras.query_map([message], |it| it.get(0))? {
            endpoints.push(endpoint?);
        }
        let targets = endpoints.iter().map(|&endpoint| (endpoint, 0)).collect();
        writer.add(Event::Accepted { message, application, targets })?;
        for endpoint in endpoints {
            let to = match pending(truth, message, endpoint)? {
                Some(at) => Standing::Pending(at),
                None => Standing::Cancelled,
            };
            writer.add(Event::Moved { message, endpoint, to })?;
        }
    }
    Ok(())
}

fn attempts(truth: &Connection, writer: &mut Writer<'_>) -> rusqlite::Result<()> {
    let mut statement = truth.prepare(ATTEMPTS)?;
    let mut rows = statement.query([])?;
    while let Some(it) = rows.next()? {
        let attempt = row::sequence(it, 0)?;
        let record = row::blob_of(it, 1)?;
        let record = row::decode_if_whole::<Record<'_>>("attempts", attempt, record);
        let Some(record) = record else { continue };
        let (message, endpoint, status) = (record.message, record.endpoint, record.status());
        let then = match record.end {
            End::Delivered => Some(Standing::Delivered),
            End::Failed => Some(Standing::Failed),
            End::Retried => None,
        };
        let then = if pending(truth, message, endpoint)?.is_some() { None } else { then };
        writer.add(Event::Attempted { attempt, message, endpoint, status, then })?;
    }
    Ok(())
}

fn pending(truth: &Connection, message: u64, endpoint: u32) -> rusqlite::Result<Option<u64>> {
    use rusqlite::OptionalExtension as _;
    let mut statement = truth.prepare_cached(PENDING)?;
    statement.query_row([message, endpoint.into()], |row| row.get(0)).optional()
}
