//! What the folder has, part by part.

use postrider::MessageId;
use postrider_core::{delivery::Trigger, time::Timestamp};
use rusqlite::{OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use crate::{
    DeliveryOrder, StoreError,
    embedded::{
        holdings::Waiting,
        index::{CANCELLED, DELIVERED, FAILED},
        ledger::{FIND_PENDING, Ledger},
        read::Reader,
        reading,
        row::{self, Head},
        trouble,
    },
    transfer::{
        self, Chunk, CompletedKey, Cursor, DeliveryExport, DeliveryState, EndpointExport,
        ExportPage, MessageExport, PART_BYTES, names, next_cursor,
    },
};

const APPLICATIONS: &str = "SELECT id, record FROM applications WHERE id > ?1 ORDER BY id LIMIT ?2";

const ENDPOINTS: &str = "SELECT id, record, failing_since
    FROM endpoints
    WHERE id > ?1
    ORDER BY id
    LIMIT ?2";

const EVENT_TYPES: &str = "SELECT organization, record, name
    FROM event_types
    WHERE (organization, name) > (?1, ?2)
    ORDER BY organization, name
    LIMIT ?3";

const SOURCES: &str = "SELECT id, record FROM sources WHERE id > ?1 ORDER BY id LIMIT ?2";

const MESSAGES: &str = "SELECT sequence, tail, application, head, body
    FROM messages
    WHERE sequence > ?1
    ORDER BY sequence
    LIMIT ?2";

const EXTRAS: &str = "SELECT endpoint FROM extras WHERE message = ?1";

const DIGEST: &str = "SELECT digest FROM idempotent WHERE message = ?1";

const DELIVERY: &str = "SELECT state, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message = ?2";

const ATTEMPTS: &str = "SELECT attempt, endpoint
    FROM attempts_by_message
    WHERE message = ?1
    ORDER BY attempt";

const RECOVERIES: &str = "SELECT number, record, done
    FROM recoveries
    WHERE number > ?1
    ORDER BY number
    LIMIT ?2";

const ANSWERS: &str = "SELECT key, fingerprint, response, answered_at
    FROM reservations
    WHERE key > ?1
    ORDER BY key
    LIMIT ?2";

pub(super) fn applications(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.truth.prepare_cached(APPLICATIONS)?;
    let found = statement.query_map(params![row::blob(after.id()?), limit], record)?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(id, _): &([u8; 16], _)| id.to_vec());
    Ok(ExportPage { chunk: Chunk::Applications(found.into_iter().map(|it| it.1).collect()), next })
}

pub(super) fn endpoints(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.truth.prepare_cached(ENDPOINTS)?;
    let found = statement.query_map(params![row::blob(after.id()?), limit], |it| {
        let (id, endpoint) = record::<[u8; 16], _>(it)?;
        let failing_since = it.get::<_, Option<u64>>(2)?.map(Timestamp::from_millis);
        Ok((id, EndpointExport { endpoint, failing_since }))
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(id, _)| id.to_vec());
    Ok(ExportPage { chunk: Chunk::Endpoints(found.into_iter().map(|it| it.1).collect()), next })
}

pub(super) fn event_types(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (organization, name) = after.names()?;
    let mut statement = reader.truth.prepare_cached(EVENT_TYPES)?;
    let found = statement.query_map(params![organization, name, limit], |it| {
        let (organization, event_type) = record::<String, _>(it)?;
        Ok((organization, it.get::<_, String>(2)?, event_type))
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(organization, name, _)| names(organization, name));
    Ok(ExportPage { chunk: Chunk::EventTypes(found.into_iter().map(|it| it.2).collect()), next })
}

pub(super) fn sources(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.truth.prepare_cached(SOURCES)?;
    let found = statement.query_map(params![row::blob(after.id()?), limit], record)?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(id, _): &([u8; 16], _)| id.to_vec());
    Ok(ExportPage { chunk: Chunk::Sources(found.into_iter().map(|it| it.1).collect()), next })
}

/// Columns `key, record`.
fn record<K: rusqlite::types::FromSql, T: DeserializeOwned>(
    row: &Row<'_>,
) -> rusqlite::Result<(K, T)> {
    let record = serde_json::from_str(row.get_ref(1)?.as_str()?);
    Ok((row.get(0)?, record.map_err(trouble::undecodable)?))
}

pub(super) fn messages(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut parcels = Vec::new();
    let mut bytes = 0;
    let mut statement = reader.truth.prepare_cached(MESSAGES)?;
    let mut rows = statement.query(params![sequence_of(after)?, limit])?;
    while let Some(row) = rows.next()? {
        let parcel = parcel(reader, row)?;
        bytes += parcel.message.body.as_ref().map_or(0, bytes::Bytes::len);
        parcels.push(parcel);
        if bytes >= PART_BYTES {
            break;
        }
    }
    let is_cut = parcels.len() == limit || bytes >= PART_BYTES;
    let next = parcels.last().filter(|_| is_cut).map(|it| behind(it.message.id.sequence()));
    Ok(ExportPage { chunk: Chunk::Messages(parcels), next })
}

/// Columns of a message.
fn parcel(reader: &Reader, row: &Row<'_>) -> Result<MessageExport, StoreError> {
    let message = row::message(row, &reader.numbers())?;
    let head: Head = row::decode(row::blob_of(row, 3)?)?;
    let sequence = message.id.sequence();
    let mut endpoints = head.targets;
    let mut extras = reader.truth.prepare_cached(EXTRAS)?;
    for extra in extras.query_map([sequence], |it| it.get(0))? {
        endpoints.push(extra?);
    }
    let mut statement = reader.truth.prepare_cached(DIGEST)?;
    let idempotency = statement.query_row([sequence], |it| it.get(0)).optional()?;
    let mut deliveries = Vec::with_capacity(endpoints.len());
    for number in endpoints {
        if let Some((standing, made)) = standing(reader, message.id, number)? {
            let endpoint = reader.numbers().endpoint(number)?;
            deliveries.push((
                number,
                DeliveryExport { endpoint, state: standing, made, attempts: Vec::new() },
            ));
        }
    }
    add_attempts(reader, message.id, &mut deliveries)?;
    let deliveries = deliveries.into_iter().map(|(_, it)| it).collect();
    Ok(MessageExport { message, idempotency, deliveries })
}

/// Where the delivery stands, and how often it was tried.
fn standing(
    reader: &Reader,
    message: MessageId,
    endpoint: u32,
) -> Result<Option<(DeliveryState, u16)>, StoreError> {
    let key = params![endpoint, message.sequence()];
    let mut statement = reader.index.prepare_cached(DELIVERY).map_err(trouble::of_index)?;
    let found = statement.query_row(key, |it| Ok((it.get::<_, u8>(0)?, it.get(1)?)));
    let Some((state, made)) = found.optional().map_err(trouble::of_index)? else {
        return Ok(None);
    };
    let mut statement = reader.truth.prepare_cached(FIND_PENDING)?;
    let key = params![message.sequence(), endpoint];
    let pending = statement.query_row(key, Ledger::waiting).optional()?;
    let standing = match (pending, state) {
        (Some(waiting), _) => DeliveryState::Pending(carried(waiting)),
        (None, DELIVERED) => DeliveryState::Delivered,
        (None, FAILED) => DeliveryState::Failed,
        (None, CANCELLED) => DeliveryState::Cancelled,
        (None, _) => {
            return Err(trouble::implausible("a delivery is pending and is not").into());
        },
    };
    Ok(Some((standing, made)))
}

fn carried(waiting: Waiting) -> transfer::PendingState {
    transfer::PendingState {
        attempt: waiting.attempt,
        trigger: if waiting.manual { Trigger::Manual } else { Trigger::Scheduled },
        retry_plan: waiting.retry_plan,
        reported: waiting.reported,
        due_at: Timestamp::from_millis(waiting.free_at),
        order: if waiting.in_order { DeliveryOrder::InOrder } else { DeliveryOrder::Any },
        position: None,
    }
}

fn add_attempts(
    reader: &Reader,
    message: MessageId,
    deliveries: &mut [(u32, DeliveryExport)],
) -> Result<(), StoreError> {
    let mut statement = reader.index.prepare_cached(ATTEMPTS).map_err(trouble::of_index)?;
    let found = statement.query_map([message.sequence()], |it| Ok((it.get(0)?, it.get(1)?)));
    let found: Vec<(u64, u32)> = found.and_then(Iterator::collect).map_err(trouble::of_index)?;
    for (attempt, endpoint) in found {
        let of = deliveries.iter_mut().find(|(number, _)| *number == endpoint);
        let attempt = reading::attempt_of(reader, attempt, message)?;
        if let (Some((_, delivery)), Some(attempt)) = (of, attempt) {
            delivery.attempts.push(attempt);
        }
    }
    Ok(())
}

pub(super) fn recoveries(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.truth.prepare_cached(RECOVERIES)?;
    let found = statement.query_map(params![sequence_of(after)?, limit], |it| {
        let (number, recovery) = record::<u64, _>(it)?;
        // Behind everything that shares the first half of its id.
        Ok((number, (recovery, MessageId::from_parts(it.get(2)?, u64::MAX))))
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |(number, _)| behind(*number));
    Ok(ExportPage { chunk: Chunk::Recoveries(found.into_iter().map(|it| it.1).collect()), next })
}

pub(super) fn answers(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut statement = reader.truth.prepare_cached(ANSWERS)?;
    let found = statement.query_map(params![after.after, limit], |it| {
        Ok(CompletedKey {
            key: it.get(0)?,
            fingerprint: it.get(1)?,
            response: it.get(2)?,
            answered_at: Timestamp::from_millis(it.get(3)?),
        })
    })?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let next = next_cursor(&found, limit, |it: &CompletedKey| it.key.to_vec());
    Ok(ExportPage { chunk: Chunk::CompletedKeys(found), next })
}

/// [`Cursor::after`] of a walk by numbers.
fn behind(number: u64) -> Vec<u8> {
    u128::from(number).to_be_bytes().to_vec()
}

fn sequence_of(cursor: &Cursor) -> Result<u64, StoreError> {
    u64::try_from(cursor.id()?).map_err(|error| transfer::corrupt("progress of a copy", error))
}
