//! Answers to readers: found by the index, fetched from the truth.

mod lists;

#[cfg(test)]
pub(super) use self::lists::{
    BY_ENDPOINT_DOWN, BY_ENDPOINT_UP, BY_MESSAGE_DOWN, BY_MESSAGE_UP, DELIVERIES_DOWN,
    DELIVERIES_UP, FAILED_UP, MESSAGES_DOWN, MESSAGES_UP, OPEN_DOWN, OPEN_UP,
};
pub(super) use self::lists::{attempts, backlog, deliveries, failed, messages, stats};

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use postrider::{ApplicationId, AttemptId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId},
    message::Message,
};
use rusqlite::{OptionalExtension, params};

use super::{
    ledger::Leased,
    read::Reader,
    row::{self, Record},
    trouble,
};
use crate::{ClaimedBatch, IdOrUid, StoreError};

const MESSAGE: &str = "SELECT sequence, tail, application, head, body
    FROM messages
    WHERE sequence = ?1";

const MESSAGE_BARE: &str = "SELECT sequence, tail, application, head, NULL
    FROM messages
    WHERE sequence = ?1";

const EVENT_ID: &str = "SELECT message FROM event_ids WHERE application = ?1 AND event_id = ?2";

const ATTEMPT: &str = "SELECT tail, record FROM attempts WHERE sequence = ?1";

/// Fetches the messages of leased deliveries. Second, messages that have no body any more:
/// their deliveries are not claimed.
pub(super) fn fetch(
    reader: &mut Reader,
    leased: Leased,
) -> Result<(ClaimedBatch, Vec<u64>), StoreError> {
    let mut messages: HashMap<u64, Deliverable> = HashMap::new();
    let mut bodiless = Vec::new();
    let mut deliveries = Vec::with_capacity(leased.deliveries.len());
    for (taken, sequence) in leased.deliveries {
        let found = match messages.entry(sequence) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(deliverable(reader, sequence)?),
        };
        match found {
            Deliverable::Whole(message) => {
                deliveries.push((taken.delivery(message.id), Arc::clone(message)));
            },
            Deliverable::Bodiless => bodiless.push(sequence),
            Deliverable::Damaged => {},
        }
    }
    Ok((ClaimedBatch { deliveries, next_due: leased.next_due }, bodiless))
}

/// What can be sent of a message.
enum Deliverable {
    Whole(Arc<Message>),
    Bodiless,
    /// It stays where it is, so that it does not hold up what was claimed with it.
    Damaged,
}

fn deliverable(reader: &Reader, sequence: u64) -> rusqlite::Result<Deliverable> {
    match by_sequence(reader, sequence, true) {
        Ok(Some(message)) if message.body.is_some() => Ok(Deliverable::Whole(Arc::new(message))),
        Ok(_) => Ok(Deliverable::Bodiless),
        Err(error) if trouble::is_damage(&error) => {
            tracing::error!(
                message.sequence = sequence,
                error = &error as &dyn std::error::Error,
                "a stored message is damaged and cannot be delivered"
            );
            Ok(Deliverable::Damaged)
        },
        Err(error) => Err(error),
    }
}

fn by_sequence(
    reader: &Reader,
    sequence: u64,
    with_body: bool,
) -> rusqlite::Result<Option<Message>> {
    let sql = if with_body { MESSAGE } else { MESSAGE_BARE };
    let numbers = reader.numbers();
    let mut statement = reader.truth.prepare_cached(sql)?;
    statement.query_row([sequence], |it| row::message(it, &numbers)).optional()
}

pub(super) fn message(
    reader: &mut Reader,
    application: ApplicationId,
    named: &IdOrUid<MessageId>,
) -> Result<Option<Message>, StoreError> {
    let sequence = match named {
        IdOrUid::Id(id) => id.sequence(),
        IdOrUid::Uid(uid) => {
            let owner = reader.numbers().number_of_application(application);
            let Some(owner) = owner else { return Ok(None) };
            let mut statement = reader.truth.prepare_cached(EVENT_ID)?;
            let found = statement.query_row(params![owner, uid.as_str()], |row| row.get(0));
            let Some(sequence) = found.optional()? else { return Ok(None) };
            sequence
        },
    };
    let found = by_sequence(reader, sequence, true)?;
    Ok(found.filter(|it| {
        it.application == application
            && match named {
                IdOrUid::Id(id) => *id == it.id,
                IdOrUid::Uid(_) => true,
            }
    }))
}

pub(super) fn attempt(
    reader: &mut Reader,
    message: MessageId,
    id: AttemptId,
) -> Result<Option<Attempt>, StoreError> {
    let known = by_sequence(reader, message.sequence(), false)?;
    if known.is_none_or(|it| it.id != message) {
        return Ok(None);
    }
    let found = attempt_of(reader, id.sequence(), message)?;
    Ok(found.filter(|it| it.id == id))
}

/// An attempt for this message.
pub(super) fn attempt_of(
    reader: &Reader,
    sequence: u64,
    message: MessageId,
) -> rusqlite::Result<Option<Attempt>> {
    let mut statement = reader.truth.prepare_cached(ATTEMPT)?;
    let mut rows = statement.query([sequence])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let id = AttemptId::from_parts(sequence, row::tail(found, 0)?);
    let record: Record<'_> = row::decode(row::blob_of(found, 1)?)?;
    if record.message != message.sequence() {
        return Ok(None);
    }
    let endpoint = reader.numbers().endpoint(record.endpoint)?;
    Ok(Some(record.attempt(id, DeliveryId { endpoint, message })))
}

pub(super) fn last_sequence(reader: &mut Reader) -> Result<u64, StoreError> {
    const LAST: &str = "SELECT max(
        coalesce((SELECT max(sequence) FROM messages), 0),
        coalesce((SELECT max(sequence) FROM attempts), 0)
    )";
    Ok(reader.truth.prepare_cached(LAST)?.query_row([], |row| row.get(0))?)
}
