//! Fetching the messages of leased deliveries.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
};
use rusqlite::OptionalExtension;

use super::{LeasedBatch, LeasedDelivery};
use crate::{
    contract::deliveries::ClaimedBatch,
    embedded::{
        error,
        history::messages,
        number::{IdTail, MessageSequence},
        readers::Reader,
        row,
    },
    error::StoreError,
};

/// The deliveries that can be sent, and the messages that have no body any more.
pub(in crate::embedded) struct Fetched {
    pub(in crate::embedded) claimed: ClaimedBatch,
    pub(in crate::embedded) without_body: Vec<MessageSequence>,
}

pub(in crate::embedded) fn messages_of(
    reader: &Reader,
    leased: LeasedBatch,
) -> Result<Fetched, StoreError> {
    let mut messages: HashMap<MessageSequence, Deliverable> = HashMap::new();
    let mut without_body = Vec::new();
    let mut deliveries = Vec::with_capacity(leased.deliveries.len());
    for delivery in leased.deliveries {
        let sequence = delivery.row.key.message;
        let found = match messages.entry(sequence) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(deliverable(reader, &delivery)?),
        };
        match found {
            Deliverable::Complete(message) => {
                deliveries.push((delivery.delivery(message.id), Arc::clone(message)));
            },
            Deliverable::WithoutBody => without_body.push(sequence),
        }
    }
    let claimed = ClaimedBatch { deliveries, next_due: leased.next_due };
    Ok(Fetched { claimed, without_body })
}

/// What can be sent of a message.
enum Deliverable {
    /// A damaged message has no body: its delivery fails, and so does not block the others.
    Complete(Arc<Message>),
    WithoutBody,
}

fn deliverable(reader: &Reader, leased: &LeasedDelivery) -> rusqlite::Result<Deliverable> {
    let sequence = leased.row.key.message;
    match messages::by_sequence(reader, sequence, true) {
        Ok(Some(message)) if message.body.is_some() => Ok(Deliverable::Complete(Arc::new(message))),
        Ok(_) => Ok(Deliverable::WithoutBody),
        Err(error) if error::is_damage(&error) => {
            tracing::error!(
                message.sequence = sequence.0,
                error = &error as &dyn std::error::Error,
                "a stored message is damaged and cannot be delivered"
            );
            Ok(Deliverable::Complete(Arc::new(damaged(reader, leased)?)))
        },
        Err(error) => Err(error),
    }
}

/// What can be told of a damaged message.
fn damaged(reader: &Reader, leased: &LeasedDelivery) -> rusqlite::Result<Message> {
    let sequence = leased.row.key.message;
    let head = messages::by_sequence(reader, sequence, false);
    if let Some(message) = row::intact("messages", sequence.0, head)?.flatten() {
        return Ok(Message { body: None, ..message });
    }
    let mut statement = reader.main.prepare_cached(TAIL)?;
    let tail = statement.query_row([sequence], |row| row.get(0)).optional()?;
    Ok(Message {
        id: sequence.id(tail.unwrap_or(IdTail(0))),
        application: leased.application,
        event_type: UNKNOWN_EVENT_TYPE.parse().expect("it is the name of an event type"),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: None,
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::default(),
        trace: None,
    })
}

/// The event type of a message whose row does not tell.
const UNKNOWN_EVENT_TYPE: &str = "unknown";

const TAIL: &str = "SELECT tail FROM messages WHERE sequence = ?1";
