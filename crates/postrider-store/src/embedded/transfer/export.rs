//! Exporting a folder, chunk by chunk.

mod messages;

use postrider_core::time::Timestamp;
use rusqlite::{Row, params, types::FromSql};
use serde::de::DeserializeOwned;

pub(super) use self::messages::messages;
use super::cursor::{after_number, number_in};
use crate::{
    embedded::{
        error,
        number::{IdTail, MessageSequence},
        readers::Reader,
        row,
    },
    error::StoreError,
    transfer::{Chunk, CompletedKey, Cursor, EndpointExport, ExportPage, names, next_cursor},
};

/// Reads the columns `key, record`.
fn record<K: FromSql, T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<(K, T)> {
    let record = serde_json::from_str(row.get_ref(1)?.as_str()?);
    Ok((row.get(0)?, record.map_err(error::undecodable)?))
}

const APPLICATIONS: &str = "SELECT id, record FROM applications WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn applications(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, APPLICATIONS, after, limit)?;
    Ok(ExportPage { chunk: Chunk::Applications(found), next })
}

const SOURCES: &str = "SELECT id, record FROM sources WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn sources(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, SOURCES, after, limit)?;
    Ok(ExportPage { chunk: Chunk::Sources(found), next })
}

const CONNECTORS: &str = "SELECT id, record FROM connectors WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn connectors(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, CONNECTORS, after, limit)?;
    Ok(ExportPage { chunk: Chunk::Connectors(found), next })
}

const CONSUMERS: &str = "SELECT id, record FROM consumers WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn consumers(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, CONSUMERS, after, limit)?;
    Ok(ExportPage { chunk: Chunk::Consumers(found), next })
}

const PARTITIONS: &str = "SELECT consumer, record
    FROM consumer_partitions
    WHERE consumer > ?1
    ORDER BY consumer
    LIMIT ?2";

pub(super) fn partitions(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, PARTITIONS, after, limit)?;
    Ok(ExportPage { chunk: Chunk::Partitions(found), next })
}

const DEAD_LETTERS: &str = "SELECT id, record FROM dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2";

/// Dead letters in one chunk: each may be large.
const MAX_DEAD_LETTERS: usize = 16;

pub(super) fn dead_letters(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, DEAD_LETTERS, after, limit.min(MAX_DEAD_LETTERS))?;
    Ok(ExportPage { chunk: Chunk::DeadLetters(found), next })
}

const API_KEYS: &str = "SELECT id, record FROM api_keys WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn api_keys(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, API_KEYS, after, limit)?;
    Ok(ExportPage { chunk: Chunk::ApiKeys(found), next })
}

const TOKEN_POLICIES: &str = "SELECT organization, record
    FROM token_policies
    WHERE organization > ?1
    ORDER BY organization
    LIMIT ?2";

pub(super) fn token_policies(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (organization, _) = after.names()?;
    let mut statement = reader.main.prepare_cached(TOKEN_POLICIES)?;
    let found = statement.query_map(params![organization, limit], record::<String, _>)?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(organization, _)| names(organization, ""));
    let policies = found.into_iter().map(|(_, policy)| policy).collect();
    Ok(ExportPage { chunk: Chunk::TokenPolicies(policies), next })
}

const AUDIT_LOG: &str = "SELECT id, entry FROM audit_log WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn audit_log(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, AUDIT_LOG, after, limit)?;
    Ok(ExportPage { chunk: Chunk::AuditLog(found), next })
}

const TASKS: &str = "SELECT id, record FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2";

/// Tasks in one chunk: the result of each may be large.
const MAX_TASKS: usize = 16;

pub(super) fn tasks(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(reader, TASKS, after, limit.min(MAX_TASKS))?;
    Ok(ExportPage { chunk: Chunk::Tasks(found), next })
}

/// Records in the order of their ids, and the cursor after them.
fn by_id<T: DeserializeOwned>(
    reader: &Reader,
    sql: &str,
    after: &Cursor,
    limit: usize,
) -> Result<(Vec<T>, Option<Vec<u8>>), StoreError> {
    let mut statement = reader.main.prepare_cached(sql)?;
    let found = statement.query_map(params![row::blob(after.id()?), limit], record)?;
    let found = found.collect::<Result<Vec<([u8; 16], T)>, _>>()?;
    let next = next_cursor(&found, limit, |(id, _)| id.to_vec());
    Ok((found.into_iter().map(|(_, record)| record).collect(), next))
}

const ENDPOINTS: &str = "SELECT id, record, failing_since
    FROM endpoints
    WHERE id > ?1
    ORDER BY id
    LIMIT ?2";

pub(super) fn endpoints(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.main.prepare_cached(ENDPOINTS)?;
    let found = statement.query_map(params![row::blob(after.id()?), limit], |row| {
        let (id, endpoint) = record::<[u8; 16], _>(row)?;
        let failing_since = row.get::<_, Option<u64>>(2)?.map(Timestamp::from_millis);
        Ok((id, EndpointExport { endpoint, failing_since }))
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(id, _)| id.to_vec());
    let endpoints = found.into_iter().map(|(_, endpoint)| endpoint).collect();
    Ok(ExportPage { chunk: Chunk::Endpoints(endpoints), next })
}

const EVENT_TYPES: &str = "SELECT organization, record, name
    FROM event_types
    WHERE (organization, name) > (?1, ?2)
    ORDER BY organization, name
    LIMIT ?3";

pub(super) fn event_types(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (organization, name) = after.names()?;
    let mut statement = reader.main.prepare_cached(EVENT_TYPES)?;
    let found = statement.query_map(params![organization, name, limit], |row| {
        let (organization, event_type) = record::<String, _>(row)?;
        Ok((organization, row.get::<_, String>(2)?, event_type))
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(organization, name, _)| names(organization, name));
    let event_types = found.into_iter().map(|(_, _, event_type)| event_type).collect();
    Ok(ExportPage { chunk: Chunk::EventTypes(event_types), next })
}

const RECOVERIES: &str = "SELECT number, record, done
    FROM recoveries
    WHERE number > ?1
    ORDER BY number
    LIMIT ?2";

pub(super) fn recoveries(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.main.prepare_cached(RECOVERIES)?;
    let found = statement.query_map(params![number_in(after)?, limit], |row| {
        let (number, recovery) = record::<u64, _>(row)?;
        let done: MessageSequence = row.get(2)?;
        // After all ids with this sequence.
        Ok((number, (recovery, done.id(IdTail(u64::MAX)))))
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(number, _)| after_number(*number));
    let recoveries = found.into_iter().map(|(_, recovery)| recovery).collect();
    Ok(ExportPage { chunk: Chunk::Recoveries(recoveries), next })
}

const COMPLETED_KEYS: &str = "SELECT key, fingerprint, response, answered_at
    FROM reservations
    WHERE key > ?1
    ORDER BY key
    LIMIT ?2";

pub(super) fn completed_keys(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.main.prepare_cached(COMPLETED_KEYS)?;
    let found = statement.query_map(params![after.after, limit], |row| {
        Ok(CompletedKey {
            key: row.get(0)?,
            fingerprint: row.get(1)?,
            response: row.get(2)?,
            answered_at: Timestamp::from_millis(row.get(3)?),
        })
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |completed: &CompletedKey| completed.key.to_vec());
    Ok(ExportPage { chunk: Chunk::CompletedKeys(found), next })
}
