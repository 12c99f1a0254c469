//! Exporting messages, each with its deliveries and attempts.

use postrider::MessageId;
use postrider_core::delivery::DeliveryOrder;
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    embedded::{
        error::{Inconsistency, IndexError},
        extras,
        history::attempts,
        index::delivery_state::{CANCELLED, DELIVERED, FAILED},
        ledger::pending,
        number::{AttemptSequence, DeliveryKey, EndpointNumber, MessageSequence},
        pending_row::PendingRow,
        readers::Reader,
        row::message,
        transfer::cursor::{after_number, number_in},
    },
    error::StoreError,
    transfer::{
        CHUNK_BYTES, Chunk, Cursor, DeliveryExport, DeliveryState, ExportPage, MessageExport,
        PendingState,
    },
};

const MESSAGES: &str = "SELECT sequence, tail, application, head, body
    FROM messages
    WHERE sequence > ?1
    ORDER BY sequence
    LIMIT ?2";

pub(in crate::embedded) fn messages(
    reader: &Reader,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let mut exports = Vec::new();
    let mut bytes = 0;
    let mut statement = reader.main.prepare_cached(MESSAGES)?;
    let mut rows = statement.query(params![number_in(after)?, limit])?;
    while let Some(row) = rows.next()? {
        let export = export(reader, row)?;
        bytes += export.message.body.as_ref().map_or(0, bytes::Bytes::len);
        exports.push(export);
        if bytes >= CHUNK_BYTES {
            break;
        }
    }
    let is_cut = exports.len() == limit || bytes >= CHUNK_BYTES;
    let last = exports.last().filter(|_| is_cut);
    let next = last.map(|export| after_number(export.message.id.sequence()));
    Ok(ExportPage { chunk: Chunk::Messages(exports), next })
}

const DIGEST: &str = "SELECT digest FROM idempotent WHERE message = ?1";

/// Reads the columns of a message, and what belongs to it.
fn export(reader: &Reader, row: &Row<'_>) -> Result<MessageExport, StoreError> {
    let message = message::from_row(row, &reader.numbers())?;
    let head = message::head(row)?;
    let sequence = MessageSequence::of(message.id);
    let endpoints = extras::with_extras(&reader.main, sequence, head.targets)?;
    let mut statement = reader.main.prepare_cached(DIGEST)?;
    let idempotency = statement.query_row([sequence], |row| row.get(0)).optional()?;
    let deliveries = deliveries(reader, message.id, endpoints)?;
    Ok(MessageExport { message, idempotency, deliveries })
}

/// The deliveries of the message with their attempts.
fn deliveries(
    reader: &Reader,
    message: MessageId,
    endpoints: Vec<EndpointNumber>,
) -> Result<Vec<DeliveryExport>, StoreError> {
    let mut deliveries = Vec::with_capacity(endpoints.len());
    for number in endpoints {
        let key = DeliveryKey { message: MessageSequence::of(message), endpoint: number };
        if let Some((state, made)) = state(reader, key)? {
            let endpoint = reader.numbers().endpoint(number)?;
            let export = DeliveryExport { endpoint, state, made, attempts: Vec::new() };
            deliveries.push((number, export));
        }
    }
    for (attempt, endpoint) in attempts_of(reader, MessageSequence::of(message))? {
        let delivery = deliveries.iter_mut().find(|(number, _)| *number == endpoint);
        let attempt = attempts::by_message(reader, attempt, message)?;
        if let (Some((_, delivery)), Some(attempt)) = (delivery, attempt) {
            delivery.attempts.push(attempt);
        }
    }
    Ok(deliveries.into_iter().map(|(_, delivery)| delivery).collect())
}

/// The state of the delivery, and the number of its attempts.
fn state(reader: &Reader, key: DeliveryKey) -> Result<Option<(DeliveryState, u16)>, StoreError> {
    let Some((state, made)) = indexed(reader, key)? else { return Ok(None) };
    // The store serves no requests meanwhile, so every pending delivery has a row.
    let state = match (pending::find_row(&reader.main, key)?, state) {
        (Some(row), _) => DeliveryState::Pending(pending_state(&row)),
        (None, DELIVERED) => DeliveryState::Delivered,
        (None, FAILED) => DeliveryState::Failed,
        (None, CANCELLED) => DeliveryState::Cancelled,
        (None, _) => {
            return Err(rusqlite::Error::from(Inconsistency::PendingInIndexOnly).into());
        },
    };
    Ok(Some((state, made)))
}

const DELIVERY: &str = "SELECT state, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message = ?2";

fn indexed(reader: &Reader, key: DeliveryKey) -> Result<Option<(u8, u16)>, IndexError> {
    let mut statement = reader.index.prepare_cached(DELIVERY)?;
    let found =
        statement.query_row((key.endpoint, key.message), |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

const fn pending_state(row: &PendingRow) -> PendingState {
    PendingState {
        attempt: row.attempt.0,
        trigger: row.trigger,
        retry_plan: row.retry_plan,
        reported: row.reported,
        due_at: row.due_at,
        order: if row.in_order { DeliveryOrder::InOrder } else { DeliveryOrder::Any },
        position: None,
    }
}

const ATTEMPTS: &str = "SELECT attempt, endpoint
    FROM attempts_by_message
    WHERE message = ?1
    ORDER BY attempt";

/// The attempts for the message, each with its endpoint.
fn attempts_of(
    reader: &Reader,
    message: MessageSequence,
) -> Result<Vec<(AttemptSequence, EndpointNumber)>, IndexError> {
    let mut statement = reader.index.prepare_cached(ATTEMPTS)?;
    let found = statement.query_map([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
