//! Tells what a request is, with whatever that takes: keys to be fetched, a secret to be kept,
//! a URL to be called.

use std::{sync::Arc, time::Duration};

use postrider::provider::{
    self, Fetched, KeyRequest, Received, Rejected, Request, Settings, Verified,
};
use postrider_core::catalog::{Source, SourceSecret};
use postrider_engine::FetchError;
use postrider_store::Record;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Arrival, keys, plain};
use crate::{api::error::ApiError, context::Context};

/// Keys that one request may take: one may lead to another.
const MAX_ROUNDS: usize = 4;

/// A key that is younger is not fetched again because nothing verified with it.
const RETRY_AGE: Duration = Duration::from_secs(60);

/// Why a request is not to be believed, or not now.
#[derive(Debug)]
pub(super) enum Denied {
    Rejected(Rejected),
    /// What it takes could not be reached; it may be genuine.
    Unreachable(String),
    Ours(ApiError),
}

impl From<Rejected> for Denied {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<FetchError> for Denied {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Refused(reason) => Self::Rejected(Rejected::Malformed(reason)),
            FetchError::Unreachable(reason) => Self::Unreachable(reason),
        }
    }
}

impl<E: Into<ApiError>> From<E> for Denied {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

/// What the request is. A handshake is done, but for its answer, when this returns.
pub(super) async fn receive(
    context: &Context,
    arrival: &Arc<Arrival>,
    settings: &Settings,
) -> Result<Received, Denied> {
    match verify(context, arrival, settings).await? {
        Received::Secret { secret, reply } => {
            capture(context, arrival, secret).await?;
            Ok(Received::Handshake(reply))
        },
        Received::Confirm { url, reply } => {
            let request = KeyRequest { url, headers: Vec::new(), body: None };
            context.intake.keys.fetch(&context.engine, &request).await.map_err(
                |error| match error {
                    FetchError::Refused(it) => FetchError::Refused(format!("confirmation: {it}")),
                    FetchError::Unreachable(it) => {
                        FetchError::Unreachable(format!("confirmation: {it}"))
                    },
                },
            )?;
            Ok(Received::Handshake(reply))
        },
        received @ (Received::Event(_) | Received::Handshake(_)) => Ok(received),
    }
}

/// Verifies with the keys that are known; if it was not for those, with fresh ones.
async fn verify(
    context: &Context,
    arrival: &Arc<Arrival>,
    settings: &Settings,
) -> Result<Received, Denied> {
    let mut with_keys = settings.clone();
    let first = rounds(context, arrival, &mut with_keys, keys::LIFETIME).await;
    match first {
        Err(Denied::Rejected(_)) if !with_keys.fetched.is_empty() => {
            with_keys.fetched.clear();
            rounds(context, arrival, &mut with_keys, RETRY_AGE).await
        },
        done => done,
    }
}

async fn rounds(
    context: &Context,
    arrival: &Arc<Arrival>,
    settings: &mut Settings,
    max_age: Duration,
) -> Result<Received, Denied> {
    let limit = arrival.limit(&context.settings.limits).bytes;
    let apart = &context.intake.apart;
    let mut round = 0;
    loop {
        let received = apart.run(arrival, settings, move |arrival, settings, request| {
            let provider = &arrival.source.provider;
            match provider::receive(provider, settings, request, arrival.at.as_seconds())? {
                Received::Event(verified) => {
                    Ok(Received::Event(named(arrival, request, verified, limit)))
                },
                other @ (Received::Handshake(_)
                | Received::Secret { .. }
                | Received::Confirm { .. }) => Ok(other),
            }
        });
        let needed = match received.await? {
            Err(Rejected::KeyNeeded(needed)) if round < MAX_ROUNDS => needed,
            done => return Ok(done?),
        };
        round += 1;
        let body = context.intake.keys.get(&context.engine, &needed, max_age).await?;
        settings.fetched.push(Fetched { url: needed.url, body: body.to_vec() });
    }
}

/// The event with the type and the id that stand in its body, if that came compressed.
fn named(arrival: &Arrival, request: &Request<'_>, verified: Verified, limit: usize) -> Verified {
    let Some(plain) = plain::plain(&arrival.raw_headers, &arrival.body, limit) else {
        return verified;
    };
    // It is verified; what is asked for here is what it says.
    let settings = Settings { accept_unsigned: true, ..Settings::default() };
    let request = Request { body: &plain, ..*request };
    let provider = &arrival.source.provider;
    match provider::verify(provider, &settings, &request, arrival.at.as_seconds()) {
        Ok(read) => merged(verified, read),
        Err(_) => verified,
    }
}

/// What was verified, with what its body says; a unique id of either identifies it.
fn merged(verified: Verified, read: Verified) -> Verified {
    let event_type = verified.event_type.or(read.event_type);
    if read.event_id_is_unique && !verified.event_id_is_unique {
        return Verified { event_type, secret: verified.secret, signed: verified.signed, ..read };
    }
    Verified {
        event_type,
        event_id: verified.event_id.or(read.event_id),
        identity: verified.identity.or(read.identity),
        ..verified
    }
}

/// Keeps a secret that the provider hands over, if the source has none: who knows the URL could
/// otherwise put theirs in its place.
async fn capture(
    context: &Context,
    arrival: &Arrival,
    secret: Zeroizing<String>,
) -> Result<(), Denied> {
    let application = arrival.source.source.application;
    let _exclusive = context.exclusive(application).await;
    let mut source = newest(context, arrival).await?;
    if !source.secrets.is_empty() {
        return holds(context, &source, &secret);
    }
    let mut nonce = [0; 24];
    context.engine.clock().random(&mut nonce);
    let sealed = context.engine.vault().seal_text(&secret, nonce);
    source.secrets.push(SourceSecret { secret: sealed, until: None });
    source.updated_at = arrival.at;
    let record = Record::Source(Box::new(source));
    context.engine.store().save(record, false).await?;
    context.engine.changed(application).await?;
    // Another node may have taken over another secret at the same moment; one of them stays.
    holds(context, &newest(context, arrival).await?, &secret)
}

async fn newest(context: &Context, arrival: &Arrival) -> Result<Source, ApiError> {
    let digest = arrival.source.source.token_digest;
    let source = context.engine.store().source_by_token(digest).await?;
    source.ok_or(ApiError::NotFound("source"))
}

/// Whether the source has this very secret.
fn holds(context: &Context, source: &Source, secret: &str) -> Result<(), Denied> {
    let expected = Sha256::digest(secret);
    let is_it = |it: &SourceSecret| {
        let opened = context.engine.vault().open_text(&it.secret);
        opened.is_ok_and(|opened| Sha256::digest(opened.as_bytes()) == expected)
    };
    if source.secrets.iter().any(is_it) {
        return Ok(());
    }
    Err(Rejected::Handshake("the source has another secret already".to_owned()).into())
}
