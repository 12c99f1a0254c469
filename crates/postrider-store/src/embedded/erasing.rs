//! What the index knows about things that are removed.

use rusqlite::{OptionalExtension, params};

use super::{
    ledger::{Erasure, Remains},
    read::Reader,
    trouble,
};
use crate::StoreError;

/// Bodies that one step erases, unless the first one alone is longer.
const BYTES: u64 = 2 << 20;

const MESSAGES: &str =
    "SELECT message FROM messages WHERE application = ?1 ORDER BY message LIMIT ?2";

const ATTEMPTS: &str = "SELECT attempt, message, endpoint
    FROM attempts_by_message
    WHERE message = ?1";

const BODY: &str = "SELECT coalesce(length(body), 0) FROM messages WHERE sequence = ?1";

const ENDPOINTS: &str = "SELECT number FROM endpoint_numbers WHERE application = ?1";

const ATTEMPTS_LEFT: &str = "SELECT attempt, message, endpoint
    FROM attempts_by_endpoint
    WHERE endpoint = ?1
    LIMIT ?2";

const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = ?1)
    OR EXISTS (SELECT 1 FROM attempts_by_endpoint WHERE endpoint = ?1)";

/// What is left of the applications: as many of them as `limit` messages in all allow for.
pub(super) fn remains_of(
    reader: &Reader,
    erasures: Vec<Erasure>,
    limit: usize,
) -> Result<Vec<(Erasure, Remains)>, StoreError> {
    let (mut found, mut left, mut bytes) = (Vec::new(), limit, 0);
    for erasure in erasures {
        if left == 0 || bytes >= BYTES {
            break;
        }
        let remains = remains(reader, erasure.application, left)?;
        left = left.saturating_sub(remains.messages.len().max(remains.attempts.len()));
        bytes += remains.bytes;
        found.push((erasure, remains));
    }
    Ok(found)
}

/// The application's first messages with their attempts; if there are none, attempts that
/// outlived their messages.
fn remains(reader: &Reader, application: u32, limit: usize) -> Result<Remains, StoreError> {
    let mut found = Remains::default();
    for message in messages(reader, application, limit).map_err(trouble::of_index)? {
        let mut statement = reader.truth.prepare_cached(BODY)?;
        let body: Option<u64> = statement.query_row([message], |row| row.get(0)).optional()?;
        let bytes = found.bytes + body.unwrap_or(0);
        if bytes > BYTES && !found.messages.is_empty() {
            break;
        }
        found.bytes = bytes;
        found.messages.push(message);
        found
            .attempts
            .extend(attempts(reader, ATTEMPTS, message, usize::MAX).map_err(trouble::of_index)?);
    }
    if found.messages.is_empty() {
        let mut statement = reader.truth.prepare_cached(ENDPOINTS)?;
        let endpoints = statement.query_map([application], |row| row.get::<_, u32>(0))?;
        for endpoint in endpoints {
            let left = limit.saturating_sub(found.attempts.len());
            let more = attempts(reader, ATTEMPTS_LEFT, endpoint?.into(), left);
            found.attempts.extend(more.map_err(trouble::of_index)?);
        }
    }
    Ok(found)
}

fn messages(reader: &Reader, application: u32, limit: usize) -> rusqlite::Result<Vec<u64>> {
    let mut statement = reader.index.prepare_cached(MESSAGES)?;
    let found = statement.query_map(params![application, limit], |row| row.get(0))?;
    found.collect()
}

fn attempts(
    reader: &Reader,
    sql: &str,
    of: u64,
    limit: usize,
) -> rusqlite::Result<Vec<(u64, u64, u32)>> {
    let mut statement = reader.index.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found = match statement.parameter_count() {
        1 => statement.query_map([of], row)?,
        _ => statement.query_map(params![of, i64::try_from(limit).unwrap_or(i64::MAX)], row)?,
    };
    found.collect()
}

/// Those of the endpoints that no delivery and no attempt refers to.
pub(super) fn unused(reader: &Reader, endpoints: Vec<u32>) -> Result<Vec<u32>, StoreError> {
    let mut statement = reader.index.prepare_cached(IS_USED).map_err(trouble::of_index)?;
    let mut unused = Vec::new();
    for endpoint in endpoints {
        let is_used: bool =
            statement.query_row([endpoint], |row| row.get(0)).map_err(trouble::of_index)?;
        if !is_used {
            unused.push(endpoint);
        }
    }
    Ok(unused)
}
