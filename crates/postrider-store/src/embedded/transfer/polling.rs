//! Logs of polling endpoints.

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{polling::PollConsumer, time::Timestamp};
use rusqlite::params;

use crate::{
    contract::catalog::Version,
    embedded::{
        error,
        ledger::Ledger,
        number::{IdTail, MessageSequence},
        readers::Reader,
        row::{self, blob},
    },
    error::StoreError,
    transfer::{
        Chunk, Cursor, ExportPage, PollEntryExport, PollLogExport, entry_cursor, next_cursor,
    },
};

const LOGS: &str = "SELECT endpoint, application, last, last_at, number
    FROM poll_logs
    WHERE endpoint > ?1 AND removed = 0
    ORDER BY endpoint
    LIMIT ?2";

/// Logs in one chunk: each has up to a hundred consumers.
const MAX_LOGS: usize = 50;

pub(super) fn logs(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let limit = limit.min(MAX_LOGS);
    let mut statement = reader.main.prepare_cached(LOGS)?;
    let rows = statement.query_map(params![blob(after.id()?), limit], |row| {
        let log = PollLogExport {
            endpoint: EndpointId::from_u128(row::id(row, 0)?),
            application: ApplicationId::from_u128(row::id(row, 1)?),
            last: row.get(2)?,
            last_at: Timestamp::from_millis(row.get(3)?),
            consumers: Vec::new(),
        };
        Ok((log, row.get::<_, i64>(4)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (log, number) = row?;
        found.push(PollLogExport { consumers: consumers(reader, number)?, ..log });
    }
    let next = next_cursor(&found, limit, |it| it.endpoint.as_u128().to_be_bytes().to_vec());
    Ok(ExportPage { chunk: Chunk::PollLogs(found), next })
}

const CONSUMERS: &str = "SELECT record FROM poll_consumers WHERE log = ?1 ORDER BY id";

fn consumers(reader: &Reader, log: i64) -> Result<Vec<PollConsumer>, StoreError> {
    let mut statement = reader.main.prepare_cached(CONSUMERS)?;
    let rows = statement.query_map([log], |row| {
        serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(error::undecodable)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const ENTRIES: &str = "SELECT l.endpoint, e.offset, e.message, e.tail, e.at
    FROM poll_logs l JOIN poll_entries e ON e.log = l.number
    WHERE (l.endpoint, e.offset) > (?1, ?2) AND l.removed = 0
    ORDER BY l.endpoint, e.offset
    LIMIT ?3";

pub(super) fn entries(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (endpoint, offset) = after.entry()?;
    let mut statement = reader.main.prepare_cached(ENTRIES)?;
    let rows = statement.query_map(params![blob(endpoint), offset, limit], |row| {
        let sequence: MessageSequence = row.get(2)?;
        Ok(PollEntryExport {
            endpoint: EndpointId::from_u128(row::id(row, 0)?),
            offset: row.get(1)?,
            message: sequence.id(row.get::<_, IdTail>(3)?),
            at: Timestamp::from_millis(row.get(4)?),
        })
    })?;
    let found = rows.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, entry_cursor);
    Ok(ExportPage { chunk: Chunk::PollEntries(found), next })
}

const ADD_LOG: &str = "INSERT INTO poll_logs (endpoint, application, last, last_at, removed)
    VALUES (?1, ?2, ?3, ?4, 0)";

const ADD_CONSUMER: &str = "INSERT INTO poll_consumers (log, id, version, record)
    VALUES (?1, ?2, ?3, ?4)";

const ADD_ENTRY: &str = "INSERT INTO poll_entries (log, offset, message, tail, at)
    SELECT number, ?2, ?3, ?4, ?5 FROM poll_logs WHERE endpoint = ?1";

const IS_TAKEN: &str = "SELECT 1 FROM messages WHERE sequence = ?1";

impl Ledger {
    pub(super) fn import_poll_log(&mut self, log: &PollLogExport) -> Result<(), StoreError> {
        let (endpoint, application) =
            (blob(log.endpoint.as_u128()), blob(log.application.as_u128()));
        let values = params![endpoint, application, log.last, log.last_at.as_millis()];
        self.db.prepare_cached(ADD_LOG)?.execute(values)?;
        let number = self.db.last_insert_rowid();
        for consumer in &log.consumers {
            let record = serde_json::to_string(consumer).map_err(error::undecodable)?;
            let values = params![number, consumer.id, Version::FIRST.0, record];
            self.db.prepare_cached(ADD_CONSUMER)?.execute(values)?;
        }
        Ok(())
    }

    pub(super) fn import_poll_entry(&mut self, entry: &PollEntryExport) -> Result<(), StoreError> {
        let message = self.imported_id(entry.message)?;
        let (sequence, tail) = (MessageSequence::of(message), IdTail(message.tail()));
        let endpoint = blob(entry.endpoint.as_u128());
        let values = params![endpoint, entry.offset, sequence, tail, entry.at.as_millis()];
        self.db.prepare_cached(ADD_ENTRY)?.execute(values)?;
        Ok(())
    }

    /// The id of a message in this folder: it got the next free sequence if another one had its own.
    fn imported_id(&self, id: MessageId) -> Result<MessageId, StoreError> {
        let mut renamed = id;
        while !self.is_known(renamed)? {
            let sequence = MessageSequence::of(renamed);
            if !self.db.prepare_cached(IS_TAKEN)?.exists([sequence])? {
                // The message has outlived its retention.
                return Ok(id);
            }
            renamed = sequence.next().id(IdTail(id.tail()));
        }
        Ok(renamed)
    }
}
