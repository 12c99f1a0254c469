//! Logs of polling endpoints.

mod consumers;
mod remove;

use std::collections::HashSet;

use async_trait::async_trait;
use postrider::MessageId;
use postrider_core::{
    polling::{Bisection, PollConsumer},
    time::Timestamp,
};
use tokio_postgres::Row;

pub(super) use self::remove::{expire, remove_log, remove_logs_of};
use super::{
    error::DatabaseError,
    history::fetch::messages_by_id,
    session::Session,
    store::{PostgresStore, with_session},
    value::{Uuid, millis, timestamp, to_bigint},
};
use crate::{
    contract::{
        catalog::Version,
        polling::{LogEntry, LogKey, LogPage, PollLogs, SavedConsumer},
    },
    error::StoreError,
    weight::LIST_BYTES,
};

#[async_trait]
impl PollLogs for PostgresStore {
    async fn append_to_log(
        &self,
        log: LogKey,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| append(session, log, &messages, at))
    }

    async fn read_log(&self, log: LogKey, after: u64, limit: usize) -> Result<LogPage, StoreError> {
        with_session!(self.node.api_session(), |session| read(session, log, after, limit))
    }

    async fn log_end(&self, log: LogKey) -> Result<u64, StoreError> {
        with_session!(self.node.api_session(), |session| end(session, log))
    }

    async fn log_offset_at(&self, log: LogKey, at: Timestamp) -> Result<u64, StoreError> {
        with_session!(self.node.api_session(), |session| offset_at(session, log, at))
    }

    async fn poll_consumer(
        &self,
        log: LogKey,
        id: &str,
    ) -> Result<Option<(PollConsumer, Version)>, StoreError> {
        with_session!(self.node.api_session(), |session| consumers::find(session, log, id))
    }

    async fn poll_consumers(&self, log: LogKey) -> Result<Vec<PollConsumer>, StoreError> {
        with_session!(self.node.api_session(), |session| consumers::list(session, log))
    }

    async fn save_poll_consumer(
        &self,
        log: LogKey,
        saved: SavedConsumer,
    ) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| consumers::save(session, log, &saved))
    }

    async fn remove_poll_consumer(&self, log: LogKey, id: &str) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| consumers::remove(session, log, id))
    }
}

/// Locks the end of the log. A statement that follows sees everything that was appended before.
const LOCK: &str = "SELECT last, last_at
    FROM poll_log
    WHERE endpoint = $1 AND NOT removed
    FOR UPDATE";

/// The lock keeps the endpoint from being removed until the log exists.
const CREATE: &str = "INSERT INTO poll_log (endpoint, application)
    SELECT e.id, e.application
    FROM endpoint e
    WHERE e.application = $1 AND e.id = $2
    FOR KEY SHARE
    ON CONFLICT (endpoint) DO NOTHING";

/// The end of a log that is locked.
#[derive(Clone, Copy, Debug)]
struct End {
    last: i64,
    last_at: i64,
}

/// Locks the log of an endpoint, which is created with the first use; `None` if there is no such
/// endpoint.
async fn lock(session: &mut Session, log: LogKey) -> Result<Option<End>, DatabaseError> {
    let endpoint = Uuid::from(log.endpoint);
    let end = |row: &Row| End { last: row.get(0), last_at: row.get(1) };
    if let Some(row) = session.query_opt(LOCK, &[&endpoint]).await? {
        return Ok(Some(end(&row)));
    }
    session.execute(CREATE, &[&Uuid::from(log.application), &endpoint]).await?;
    Ok(session.query_opt(LOCK, &[&endpoint]).await?.as_ref().map(end))
}

const KNOWN: &str = "SELECT it.message
    FROM unnest($2::uuid[]) AS it (message)
    CROSS JOIN LATERAL (
        SELECT FROM poll_entry e
        WHERE e.message = it.message AND e.endpoint = $1
        LIMIT 1
    ) AS known";

const ADD: &str = "INSERT INTO poll_entry (endpoint, number, message, at)
    SELECT $1, it.number, it.message, $4
    FROM unnest($2::bigint[], $3::uuid[]) AS it (number, message)";

const SET_END: &str = "UPDATE poll_log SET last = $2, last_at = $3 WHERE endpoint = $1";

async fn append(
    session: &mut Session,
    log: LogKey,
    messages: &[MessageId],
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let Some(end) = lock(session, log).await? else {
        session.rollback().await?;
        return Ok(false);
    };
    let endpoint = Uuid::from(log.endpoint);
    let ids: Vec<Uuid> = messages.iter().copied().map(Uuid::from).collect();
    let known = session.query(KNOWN, &[&endpoint, &ids]).await?;
    let mut known: HashSet<Uuid> = known.iter().map(|row| row.get(0)).collect();
    let new: Vec<Uuid> = ids.into_iter().filter(|id| known.insert(*id)).collect();
    if new.is_empty() {
        session.rollback().await?;
        return Ok(true);
    }
    let numbers: Vec<i64> = (end.last + 1..).take(new.len()).collect();
    let last = end.last + to_bigint(new.len());
    let at = end.last_at.max(millis(at));
    session.execute(ADD, &[&endpoint, &numbers, &new, &at]).await?;
    session.execute(SET_END, &[&endpoint, &last, &at]).await?;
    session.commit().await?;
    Ok(true)
}

/// One lookup for each entry. The lengths are read without the bodies.
const ENTRIES: &str = "SELECT e.number, e.message, m.length
    FROM (
        SELECT number, message
        FROM poll_entry
        WHERE endpoint = $2 AND number > $3 AND EXISTS (
            SELECT FROM poll_log l WHERE l.endpoint = $2 AND NOT l.removed
            OFFSET 0
        )
        ORDER BY number
        LIMIT $4
    ) AS e
    LEFT JOIN LATERAL (
        SELECT octet_length(m.body) AS length
        FROM message m
        WHERE m.application = $1 AND m.id = e.message
        LIMIT 1
    ) AS m ON true
    ORDER BY e.number";

async fn read(
    session: &mut Session,
    log: LogKey,
    after: u64,
    limit: usize,
) -> Result<LogPage, DatabaseError> {
    let (application, endpoint) = (Uuid::from(log.application), Uuid::from(log.endpoint));
    // One more shows whether this is the end.
    let (from, rows) = (i64::try_from(after).unwrap_or(i64::MAX), to_bigint(limit + 1));
    let found = session.query(ENTRIES, &[&application, &endpoint, &from, &rows]).await?;
    let mut page = LogPage { entries: Vec::new(), scanned: after, is_end: true };
    let mut with_body: Vec<(u64, MessageId)> = Vec::new();
    let mut bytes = 0;
    for row in found.iter().take(limit) {
        if bytes >= LIST_BYTES {
            break;
        }
        page.scanned = offset(row.get(0));
        if let Some(length) = row.get::<_, Option<i32>>(2) {
            bytes += usize::try_from(length).unwrap_or_default();
            with_body.push((page.scanned, row.get::<_, Uuid>(1).into()));
        }
    }
    page.is_end = found.last().is_none_or(|row| offset(row.get(0)) <= page.scanned);
    let ids = with_body.iter().map(|(_, id)| *id).collect();
    let mut messages = messages_by_id(session, log.application, ids, true).await?;
    let entry = |(offset, id)| {
        // A body may have been removed in between.
        let message = messages.remove(&id).filter(|it| it.body.is_some())?;
        Some(LogEntry { offset, message })
    };
    page.entries = with_body.into_iter().filter_map(entry).collect();
    Ok(page)
}

fn offset(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

const END: &str = "SELECT last FROM poll_log WHERE endpoint = $1 AND NOT removed";

async fn end(session: &mut Session, log: LogKey) -> Result<u64, DatabaseError> {
    let row = session.query_opt(END, &[&Uuid::from(log.endpoint)]).await?;
    Ok(row.map_or(0, |row| offset(row.get(0))))
}

const ENTRY_AT: &str = "SELECT number, at
    FROM poll_entry
    WHERE endpoint = $1 AND number >= $2
    ORDER BY number
    LIMIT 1";

async fn offset_at(
    session: &mut Session,
    log: LogKey,
    at: Timestamp,
) -> Result<u64, DatabaseError> {
    let endpoint = Uuid::from(log.endpoint);
    let mut search = Bisection::new(at, end(session, log).await?);
    while let Some(asked) = search.next() {
        let from = i64::try_from(asked).unwrap_or(i64::MAX);
        let row = session.query_opt(ENTRY_AT, &[&endpoint, &from]).await?;
        search.found(asked, row.map(|row| (offset(row.get(0)), timestamp(row.get(1)))));
    }
    Ok(search.offset())
}
