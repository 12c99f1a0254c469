//! Fetching the messages of leased deliveries.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use postrider_core::message::Message;

use super::LeasedBatch;
use crate::{
    contract::deliveries::ClaimedBatch,
    embedded::{error, history::messages, number::MessageSequence, readers::Reader},
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
            Entry::Vacant(vacant) => vacant.insert(deliverable(reader, sequence)?),
        };
        match found {
            Deliverable::Complete(message) => {
                deliveries.push((delivery.delivery(message.id), Arc::clone(message)));
            },
            Deliverable::WithoutBody => without_body.push(sequence),
            Deliverable::Damaged => {},
        }
    }
    let claimed = ClaimedBatch { deliveries, next_due: leased.next_due };
    Ok(Fetched { claimed, without_body })
}

/// What can be sent of a message.
enum Deliverable {
    Complete(Arc<Message>),
    WithoutBody,
    /// Its delivery keeps its lease, and so does not block the others of the claim.
    Damaged,
}

fn deliverable(reader: &Reader, sequence: MessageSequence) -> rusqlite::Result<Deliverable> {
    match messages::by_sequence(reader, sequence, true) {
        Ok(Some(message)) if message.body.is_some() => Ok(Deliverable::Complete(Arc::new(message))),
        Ok(_) => Ok(Deliverable::WithoutBody),
        Err(error) if error::is_damage(&error) => {
            tracing::error!(
                message.sequence = sequence.0,
                error = &error as &dyn std::error::Error,
                "a stored message is damaged and cannot be delivered"
            );
            Ok(Deliverable::Damaged)
        },
        Err(error) => Err(error),
    }
}
