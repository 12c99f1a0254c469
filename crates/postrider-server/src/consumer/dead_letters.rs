//! Puts messages that cannot be published on the dead-letter list.

use std::collections::BTreeMap;

use postrider::api::DeadLetterCause;
use postrider_core::catalog::{Consumer, DeadBody, DeadLetter, MAX_DEAD_BODY, MAX_DEAD_HEADERS};
use postrider_store::{Expected, Records, StoreError};

use super::parked::Pending;
use crate::operations::call::Call;

/// Stores a message as a dead letter. It is durable when this returns.
pub(super) async fn bury(
    call: &Call,
    consumer: &Consumer,
    pending: &Pending,
    (cause, reason): (DeadLetterCause, String),
) -> Result<(), StoreError> {
    let message = &pending.message;
    let letter = DeadLetter {
        id: call.engine().clock().dead_letter_id(),
        consumer: consumer.id,
        message: message.id.clone(),
        cause,
        reason,
        attempts: pending.attempts + 1,
        subject: message.subject.clone(),
        headers: kept(&message.headers),
        body: DeadBody::of(&message.body),
        is_truncated: message.body.len() > MAX_DEAD_BODY,
    };
    // The audit log does not record it: it comes from the queue, and is a record itself.
    call.engine().store().save(&letter, Expected::New).await.map(drop)
}

/// As many headers as fit.
fn kept(headers: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut bytes = 0;
    let fits = |(name, value): &(&String, &String)| {
        bytes += name.len() + value.len();
        bytes <= MAX_DEAD_HEADERS
    };
    headers.iter().take_while(fits).map(|(name, value)| (name.clone(), value.clone())).collect()
}
