//! Accepts a verified event: makes it a message of the source's application, once.

use std::sync::Arc;

use postrider::{
    EventTypeName, MessageId, RejectionId, Uid,
    name::MAX_NAME,
    provider::{DuplicateRule, Identity, Verified},
};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
};
use postrider_engine::{Engine, Entry, Submission, Submitted};
use postrider_store::IdOrUid;
use sha2::{Digest, Sha256};

use super::{context::Context, forwarded_headers, request::InboundRequest, schema_check};
use crate::api::error::ApiError;

/// Event type of an event without one.
const DEFAULT_EVENT_TYPE: &str = "webhook";

/// How often one event can be accepted again while its digests are stored. After that, every
/// repetition is accepted, because a duplicate is better than a loss.
const MAX_CHAIN: usize = 64;

/// What became of a verified event. Either way it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventOutcome {
    Accepted(MessageId),
    /// It was accepted before, within the source's window, as this message.
    Duplicate(MessageId),
}

/// Makes the event durable, unless it is already.
///
/// The idempotency key is the digest of the source and the event's identity. If the provider does
/// not sign the id, it is the digest of the source and the signed content instead: an attacker who
/// replays a recorded request could choose another id.
///
/// After the deduplication window the event may be accepted again, although its key still belongs
/// to the old message. The next key is then derived from the key and the old message. All requests
/// that find the same message derive the same key, so that of two simultaneous repetitions one is
/// a duplicate of the other.
pub(super) async fn accept(
    context: &Context,
    request: &InboundRequest,
    verified: Verified,
) -> Result<EventOutcome, ApiError> {
    let entry = context.engine.directory().entry(request.source.source.application).await?;
    let entry = entry.ok_or(ApiError::NotFound("source"))?;
    let mut submission = submission(context, request, entry, &verified);
    let outcome = accept_once(context, request, &verified, &mut submission).await?;
    if let EventOutcome::Accepted(message) = outcome {
        schema_check::inspect(context, request, &submission, message).await;
    }
    Ok(outcome)
}

async fn accept_once(
    context: &Context,
    request: &InboundRequest,
    verified: &Verified,
    submission: &mut Submission,
) -> Result<EventOutcome, ApiError> {
    let engine = &context.engine;
    let source = &request.source.source;
    let mut digest = digest(request, verified);
    // Such a provider does not retry. If it sends an event again, an operator has requested that,
    // and the event is not a duplicate.
    let is_on_demand = request.source.provider.model.repeats == DuplicateRule::Never;
    // An operator who accepts a rejected request twice requests nothing more.
    let mut may_be_requested =
        is_on_demand && !source.dedupe_by_body && request.rejection.is_none();
    for _ in 0..MAX_CHAIN {
        submission.idempotency = digest;
        match submit(engine, submission, request, verified).await? {
            accepted @ EventOutcome::Accepted(_) => return Ok(accepted),
            EventOutcome::Duplicate(message) => {
                let is_requested = may_be_requested
                    && has_same_id(stored(engine, submission, message).await?.as_ref(), submission);
                if is_recent(request, message) && !is_requested {
                    return Ok(EventOutcome::Duplicate(message));
                }
                // After a message with another id, only the window decides.
                may_be_requested &= is_requested;
                digest = digest.map(|it| next_digest(&it, message));
            },
        }
    }
    submission.idempotency = None;
    submit(engine, submission, request, verified).await
}

fn is_recent(request: &InboundRequest, message: MessageId) -> bool {
    let accepted_at = Timestamp::from_millis(message.millis());
    accepted_at >= request.at || request.at.since(accepted_at) < request.source.source.dedupe_window
}

/// The message, unless it has expired.
async fn stored(
    engine: &Engine,
    submission: &Submission,
    message: MessageId,
) -> Result<Option<Message>, ApiError> {
    let application = submission.entry.application.id;
    Ok(engine.store().message(application, &IdOrUid::Id(message)).await?)
}

/// Whether the message has the submission's event id. An expired message counts as one that has,
/// so that the event is accepted: a duplicate is better than a loss.
fn has_same_id(previous: Option<&Message>, submission: &Submission) -> bool {
    let id = forwarded_headers::event_id(&submission.format);
    previous.is_none_or(|message| forwarded_headers::event_id(&message.format) == id)
}

/// Whether the message was received by the same source. An equal event id then means the same
/// event, although the signed content differs: some providers sign each attempt separately.
fn is_of_source(previous: Option<&Message>, submission: &Submission) -> bool {
    previous.is_some_and(|message| message.tags == submission.tags)
}

/// Submits the event. Returns when it is durable; a duplicate of any age counts as one.
async fn submit(
    engine: &Engine,
    submission: &mut Submission,
    request: &InboundRequest,
    verified: &Verified,
) -> Result<EventOutcome, ApiError> {
    let id_repeats = submission.idempotency.is_some()
        && verified.signed_content.is_some()
        && verified.identity.is_some();
    loop {
        match engine.submit(submission.clone()).await? {
            Submitted::Accepted(message) => return Ok(EventOutcome::Accepted(message.id)),
            Submitted::Repeated(id) => return Ok(EventOutcome::Duplicate(id)),
            Submitted::EventIdTaken(id)
                if id_repeats
                    && is_recent(request, id)
                    && is_of_source(stored(engine, submission, id).await?.as_ref(), submission) =>
            {
                return Ok(EventOutcome::Duplicate(id));
            },
            // Another message of the application has this id. That does not make it the same
            // event, so that ours is submitted without an event id.
            Submitted::EventIdTaken(id) if submission.event_id.take().is_none() => {
                let reason = format!("{id} conflicts with a message without an event id");
                return Err(ApiError::Internal(reason.into()));
            },
            Submitted::EventIdTaken(_) => {},
        }
    }
}

fn submission(
    context: &Context,
    request: &InboundRequest,
    entry: Arc<Entry>,
    verified: &Verified,
) -> Submission {
    Submission {
        entry,
        event_type: event_type(verified.event_type.as_deref().unwrap_or_default()),
        event_id: event_id(verified),
        channels: Vec::new(),
        tags: vec![request.source.source.id.to_string()],
        body: request.body.clone(),
        format: Format::Raw { headers: forwarded_headers::headers(request, verified) },
        deliver_at: None,
        body_until: request.at + context.settings.payload_retention,
        trace: request.trace.as_ref().map(|it| Box::new(it.context())),
        idempotency: None,
        only: None,
        history: None,
    }
}

/// The provider's event id, if the provider guarantees that it is unique, as that of a message is.
fn event_id(verified: &Verified) -> Option<Uid> {
    let unique = verified.event_id.as_deref().filter(|_| verified.event_id_is_unique);
    unique.and_then(|it| it.parse().ok())
}

/// What distinguishes the event from others; none if every request counts as a new event.
fn identity(request: &InboundRequest, verified: &Verified) -> Option<Identity> {
    if verified.signed_content.is_some() {
        return verified.signed_content;
    }
    let is_known = verified.identity.is_some() && verified.event_id_is_unique;
    if request.source.source.dedupe_by_body && !is_known {
        return Some(verified.identity_by_body(&request.body));
    }
    verified.identity
}

/// The idempotency key of the event. A request that an operator accepts is the same event each time.
fn digest(request: &InboundRequest, verified: &Verified) -> Option<[u8; 32]> {
    let of_rejection = |id: RejectionId| {
        let hasher = Sha256::new_with_prefix(b"postrider rejection");
        hasher.chain_update(id.as_u128().to_be_bytes()).finalize().into()
    };
    digest_of_identity(request, verified).or_else(|| request.rejection.map(of_rejection))
}

fn digest_of_identity(request: &InboundRequest, verified: &Verified) -> Option<[u8; 32]> {
    let source = &request.source.source;
    if source.dedupe_window.is_zero() {
        return None;
    }
    let identity = identity(request, verified)?;
    let hasher = Sha256::new_with_prefix(b"postrider event 2");
    let hasher = hasher.chain_update(source.id.as_u128().to_be_bytes());
    Some(hasher.chain_update(identity.as_bytes()).finalize().into())
}

/// The key of a repetition after the window of `message`, which has the key `digest`.
fn next_digest(digest: &[u8; 32], message: MessageId) -> [u8; 32] {
    let hasher = Sha256::new_with_prefix(digest);
    hasher.chain_update(message.as_u128().to_be_bytes()).finalize().into()
}

/// The provider's event type as one of ours.
fn event_type(text: &str) -> EventTypeName {
    let character = |it: char| match it {
        '/' | ':' | ' ' => '.',
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => it,
        _ => '_',
    };
    let name: String = text.chars().take(MAX_NAME).map(character).collect();
    let name = name.parse().or_else(|_| DEFAULT_EVENT_TYPE.parse());
    name.expect("all other characters were replaced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_event_types_cannot_have_are_replaced() {
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
