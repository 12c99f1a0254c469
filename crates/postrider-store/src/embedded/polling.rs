//! Logs of polling endpoints.

mod consumers;
mod head;
mod remove;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::MessageId;
use postrider_core::{
    polling::{Bisection, PollConsumer},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension, params};

use self::head::{Head, head};
#[cfg(test)]
pub(super) use self::{head::HEAD, remove::REMOVE_OLD_ENTRIES};
use super::{
    history::messages::by_sequence,
    ledger::Ledger,
    number::{IdTail, MessageSequence},
    readers::Reader,
    row,
    store::EmbeddedStore,
};
use crate::{
    contract::{
        catalog::Version,
        polling::{LogEntry, LogKey, LogPage, PollLogs, SavedConsumer},
    },
    error::StoreError,
    weight::{LIST_BYTES, Weight},
};

#[async_trait]
impl PollLogs for EmbeddedStore {
    async fn append_to_log(
        &self,
        log: LogKey,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.append_to_log(log, &messages, at)).await
    }

    async fn read_log(&self, log: LogKey, after: u64, limit: usize) -> Result<LogPage, StoreError> {
        self.read(move |reader| read(reader, log, after, limit)).await
    }

    async fn log_end(&self, log: LogKey) -> Result<u64, StoreError> {
        self.read(move |reader| Ok(head(&reader.main, log)?.map_or(0, |it| it.last))).await
    }

    async fn log_offset_at(&self, log: LogKey, at: Timestamp) -> Result<u64, StoreError> {
        self.read(move |reader| Ok(offset_at(&reader.main, log, at)?)).await
    }

    async fn poll_consumer(
        &self,
        log: LogKey,
        id: &str,
    ) -> Result<Option<(PollConsumer, Version)>, StoreError> {
        let id = id.to_owned();
        self.read(move |reader| consumers::find(&reader.main, log, &id)).await
    }

    async fn poll_consumers(&self, log: LogKey) -> Result<Vec<PollConsumer>, StoreError> {
        self.read(move |reader| consumers::list(&reader.main, log)).await
    }

    async fn save_poll_consumer(
        &self,
        log: LogKey,
        saved: SavedConsumer,
    ) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.save_poll_consumer(log, &saved)).await
    }

    async fn remove_poll_consumer(&self, log: LogKey, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.commit(move |ledger| ledger.remove_poll_consumer(log, &id)).await
    }
}

const CONTAINS: &str = "SELECT 1 FROM poll_entries WHERE message = ?1 AND tail = ?2 AND log = ?3";

const ADD: &str = "INSERT INTO poll_entries (log, offset, message, tail, at)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const SET_END: &str = "UPDATE poll_logs SET last = ?2, last_at = ?3 WHERE number = ?1";

/// Bytes of an entry in the write-ahead log, about.
const ENTRY_BYTES: usize = 64;

impl Ledger {
    fn append_to_log(
        &mut self,
        log: LogKey,
        messages: &[MessageId],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(Head { number, mut last, last_at }) = self.log(log)? else { return Ok(false) };
        let at = last_at.max(at.as_millis());
        let before = last;
        for message in messages {
            let (sequence, tail) = (MessageSequence::of(*message), IdTail(message.tail()));
            if self.db.prepare_cached(CONTAINS)?.exists(params![sequence, tail, number])? {
                continue;
            }
            last += 1;
            let values = params![number, last, sequence, tail, at];
            self.db.prepare_cached(ADD)?.execute(values)?;
            self.written += ENTRY_BYTES;
        }
        if last > before {
            self.db.prepare_cached(SET_END)?.execute(params![number, last, at])?;
        }
        Ok(true)
    }
}

pub(super) const ENTRIES: &str = "SELECT offset, message, tail
    FROM poll_entries
    WHERE log = ?1 AND offset > ?2
    ORDER BY offset
    LIMIT ?3";

fn read(reader: &Reader, log: LogKey, after: u64, limit: usize) -> Result<LogPage, StoreError> {
    let mut page = LogPage { entries: Vec::new(), scanned: after, is_end: true };
    let Some(head) = head(&reader.main, log)? else { return Ok(page) };
    let found = {
        let mut statement = reader.main.prepare_cached(ENTRIES)?;
        let after = after.min(i64::MAX as u64);
        // One more shows whether this is the end.
        let rows = statement.query_map(params![head.number, after, limit + 1], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        rows.collect::<Result<Vec<(u64, MessageSequence, IdTail)>, _>>()?
    };
    let mut bytes = 0;
    for &(offset, sequence, tail) in found.iter().take(limit) {
        if bytes >= LIST_BYTES {
            break;
        }
        page.scanned = offset;
        // A damaged message must not block the messages behind it.
        let message =
            row::intact("messages", sequence.0, by_sequence(reader, sequence, true))?.flatten();
        let is_wanted = |it: &postrider_core::message::Message| {
            it.body.is_some() && it.id == sequence.id(tail) && it.application == log.application
        };
        if let Some(message) = message.filter(is_wanted) {
            bytes += message.weight();
            page.entries.push(LogEntry { offset, message: Arc::new(message) });
        }
    }
    page.is_end = found.last().is_none_or(|(offset, ..)| *offset <= page.scanned);
    Ok(page)
}

pub(super) const ENTRY_AT: &str = "SELECT offset, at
    FROM poll_entries
    WHERE log = ?1 AND offset >= ?2
    ORDER BY offset
    LIMIT 1";

fn offset_at(db: &Connection, log: LogKey, at: Timestamp) -> rusqlite::Result<u64> {
    let Some(head) = head(db, log)? else { return Ok(0) };
    let mut search = Bisection::new(at, head.last);
    while let Some(asked) = search.next() {
        let mut statement = db.prepare_cached(ENTRY_AT)?;
        let entry = statement.query_row(params![head.number, asked], |row| {
            Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
        });
        search.found(asked, entry.optional()?);
    }
    Ok(search.offset())
}
