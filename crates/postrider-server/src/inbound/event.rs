//! Makes what is verified a message of the source's application, once.

use std::sync::Arc;

use postrider::{
    EventTypeName, MessageId, Uid,
    name::MAX_NAME,
    provider::{Identity, Repeats, Verified},
};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
};
use postrider_engine::{Engine, Entry, Submission, Submitted};
use postrider_store::IdOrUid;
use sha2::{Digest, Sha256};

use super::{Arrival, forward};
use crate::{api::error::ApiError, context::Context};

/// What an event is called whose provider does not say.
const NAMELESS: &str = "webhook";

/// Times that one event is accepted again while its digests are remembered; beyond that
/// nothing tells repetitions apart any more.
const MAX_CHAIN: usize = 64;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    /// It was accepted before, within the source's window, as this message.
    Before(MessageId),
}

/// Makes the event durable, unless it is already.
///
/// The digest of source and identity is the event's idempotency key; where the provider does not
/// sign the id, that of source and signed content, so that a recorded request is known again
/// whatever id it is sent with. Once the window has passed, that key still belongs to the old
/// message, so the next digest is derived from the key and that message: requests that find the
/// same message continue with the same digest, and of two that arrive at once one is still a
/// repetition.
pub(super) async fn keep(
    context: &Context,
    arrival: &Arrival,
    verified: Verified,
) -> Result<Kept, ApiError> {
    let engine = &context.engine;
    let source = &arrival.source.source;
    let entry = engine.directory().entry(source.application).await?;
    let entry = entry.ok_or(ApiError::NotFound("source"))?;
    let mut digest = digest(arrival, &verified);
    let mut submission = submission(context, arrival, entry, &verified);
    // The provider repeats an event only if someone asks for it, by its id.
    let is_on_demand = arrival.source.provider.model.repeats == Repeats::Never;
    let mut may_be_wanted = is_on_demand && !source.dedupe_by_body;
    for _ in 0..MAX_CHAIN {
        submission.idempotency = digest;
        match submit(engine, &mut submission, arrival, &verified).await? {
            None => return Ok(Kept::New),
            Some(message) => {
                let is_wanted = may_be_wanted
                    && has_same_id(
                        stored(engine, &submission, message).await?.as_ref(),
                        &submission,
                    );
                if is_recent(arrival, message) && !is_wanted {
                    return Ok(Kept::Before(message));
                }
                // All that follow the first have its content, and are wanted too.
                may_be_wanted &= is_wanted;
                digest = digest.map(|it| following(&it, message));
            },
        }
    }
    submission.idempotency = None;
    submit(engine, &mut submission, arrival, &verified).await?;
    Ok(Kept::New)
}

fn is_recent(arrival: &Arrival, message: MessageId) -> bool {
    let accepted_at = Timestamp::from_millis(message.millis());
    arrival.at.since(accepted_at) < arrival.source.source.dedupe_window
}

/// A message of the submission's application, unless it is gone.
async fn stored(
    engine: &Engine,
    submission: &Submission,
    message: MessageId,
) -> Result<Option<Message>, ApiError> {
    let application = submission.entry.application.id;
    Ok(engine.store().message(application, &IdOrUid::Id(message)).await?)
}

/// Whether the provider's id of the message is that of the submission. A message that is gone
/// tells nothing; a duplicate is better than a loss.
fn has_same_id(before: Option<&Message>, submission: &Submission) -> bool {
    let id = forward::event_id(&submission.format);
    before.is_none_or(|it| forward::event_id(&it.format) == id)
}

/// Whether the message is of this source. Its id then makes the two one event, although what is
/// signed differs: some providers sign each attempt separately.
fn is_of_source(before: Option<&Message>, submission: &Submission) -> bool {
    before.is_some_and(|it| it.tags == submission.tags)
}

/// The message that the event became before, if it did; or else it is durable now.
async fn submit(
    engine: &Engine,
    submission: &mut Submission,
    arrival: &Arrival,
    verified: &Verified,
) -> Result<Option<MessageId>, ApiError> {
    let id_repeats = submission.idempotency.is_some()
        && verified.signed_content.is_some()
        && verified.identity.is_some();
    loop {
        match engine.submit(submission.clone()).await? {
            Submitted::Accepted(_) => return Ok(None),
            Submitted::Repeated(id) => return Ok(Some(id)),
            Submitted::EventIdTaken(id)
                if id_repeats
                    && is_recent(arrival, id)
                    && is_of_source(stored(engine, submission, id).await?.as_ref(), submission) =>
            {
                return Ok(Some(id));
            },
            // Another message of the application has this id, which says nothing about whether
            // it is the same event: ours goes without.
            Submitted::EventIdTaken(id) if submission.event_id.take().is_none() => {
                let reason = format!("{id} has the event id of a message that has none");
                return Err(ApiError::Internal(reason.into()));
            },
            Submitted::EventIdTaken(_) => {},
        }
    }
}

fn submission(
    context: &Context,
    arrival: &Arrival,
    entry: Arc<Entry>,
    verified: &Verified,
) -> Submission {
    Submission {
        entry,
        event_type: event_type(verified.event_type.as_deref().unwrap_or_default()),
        event_id: event_id(verified),
        channels: Vec::new(),
        tags: vec![arrival.source.source.id.to_string()],
        body: arrival.body.clone(),
        format: Format::Raw { headers: forward::headers(arrival, verified) },
        deliver_at: None,
        body_until: arrival.at + context.settings.payload_retention,
        idempotency: None,
        only: None,
    }
}

/// The provider's id, if no other event has it: a message's event id is unique too.
fn event_id(verified: &Verified) -> Option<Uid> {
    let unique = verified.event_id.as_deref().filter(|_| verified.event_id_is_unique);
    unique.and_then(|it| it.parse().ok())
}

/// What tells the event from others, if anything does.
fn identity(arrival: &Arrival, verified: &Verified) -> Option<Identity> {
    if verified.signed_content.is_some() {
        return verified.signed_content;
    }
    let is_known = verified.identity.is_some() && verified.event_id_is_unique;
    if arrival.source.source.dedupe_by_body && !is_known {
        return Some(verified.identity_by_body(&arrival.body));
    }
    verified.identity
}

/// The idempotency key of the event.
fn digest(arrival: &Arrival, verified: &Verified) -> Option<[u8; 32]> {
    let source = &arrival.source.source;
    if source.dedupe_window.is_zero() {
        return None;
    }
    let identity = identity(arrival, verified)?;
    let hasher = Sha256::new_with_prefix(b"postrider event 2");
    let hasher = hasher.chain_update(source.id.as_u128().to_be_bytes());
    Some(hasher.chain_update(identity.as_bytes()).finalize().into())
}

fn following(digest: &[u8; 32], message: MessageId) -> [u8; 32] {
    let hasher = Sha256::new_with_prefix(digest);
    hasher.chain_update(message.as_u128().to_be_bytes()).finalize().into()
}

/// The provider's words as the name of an event type.
fn event_type(text: &str) -> EventTypeName {
    let character = |it: char| match it {
        '/' | ':' | ' ' => '.',
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => it,
        _ => '_',
    };
    let name: String = text.chars().take(MAX_NAME).map(character).collect();
    let name = name.parse().or_else(|_| NAMELESS.parse());
    name.expect("only characters of names are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_are_the_providers_with_characters_that_names_may_have() {
        for (text, expected) in [
            ("payment_intent.succeeded", "payment_intent.succeeded"),
            ("orders/create", "orders.create"),
            ("pull request:öpened", "pull.request._pened"),
            ("", "webhook"),
            (&"x".repeat(300), &"x".repeat(256)),
        ] {
            assert_eq!(event_type(text).as_str(), expected);
        }
    }
}
