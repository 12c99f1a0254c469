//! Verifies a request, including the I/O that some providers require: fetching keys, storing a
//! secret from a handshake, and calling a confirmation URL.

use std::{sync::Arc, time::Duration};

use postrider::provider::{self, FetchedKey, KeyRequest, Received, Request, Settings, Verified};
use postrider_core::catalog::{Source, SourceSecret};
use postrider_engine::FetchError;
use postrider_store::{Expected, Records, Version};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{context::Context, decompress::decompress, key_cache, request::InboundRequest};
use crate::{
    api::error::ApiError,
    auth::Principal,
    operations::audited::{AuditedStore, Origin},
    race,
};

/// Most keys that are fetched for one request. A key set may lead to a certificate, for example.
const MAX_FETCHES: usize = 4;

/// Least age of a cached key that is fetched again when a request does not verify with it. Without
/// it, every forged request would cause a fetch.
const MIN_REFETCH_AGE: Duration = Duration::from_secs(60);

/// Why a request is not received.
#[derive(Debug)]
pub(super) enum ReceiveError {
    /// It failed verification, or is malformed.
    Rejected(provider::VerifyError),
    /// A key cannot be fetched. The request may be genuine, so the provider should retry.
    Unreachable(String),
    /// The server failed.
    Internal(ApiError),
}

impl From<provider::VerifyError> for ReceiveError {
    fn from(rejected: provider::VerifyError) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<FetchError> for ReceiveError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Refused(reason) => Self::Rejected(provider::VerifyError::Malformed(reason)),
            FetchError::Unreachable(reason) => Self::Unreachable(reason),
        }
    }
}

impl<E: Into<ApiError>> From<E> for ReceiveError {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

/// Verifies the request, and completes a handshake except for its reply. Adds the keys that it
/// fetches to the settings.
pub(super) async fn receive(
    context: &Context,
    request: &Arc<InboundRequest>,
    settings: &mut Settings,
) -> Result<Received, ReceiveError> {
    match verify(context, request, settings).await? {
        Received::Secret { secret, reply } => {
            store_secret(context, request, secret).await?;
            Ok(Received::Handshake(reply))
        },
        Received::Confirm { url, reply } => {
            let request = KeyRequest { url, headers: Vec::new(), body: None };
            context.keys.fetch(&context.engine, &request).await.map_err(|error| match error {
                FetchError::Refused(reason) => {
                    FetchError::Refused(format!("confirmation: {reason}"))
                },
                FetchError::Unreachable(reason) => {
                    FetchError::Unreachable(format!("confirmation: {reason}"))
                },
            })?;
            Ok(Received::Handshake(reply))
        },
        received @ (Received::Event(_) | Received::Handshake(_)) => Ok(received),
    }
}

/// Verifies with cached keys. If that fails, verifies with new ones, because the provider may have
/// rotated its keys.
pub(super) async fn verify(
    context: &Context,
    request: &Arc<InboundRequest>,
    settings: &mut Settings,
) -> Result<Received, ReceiveError> {
    let first = verify_with_keys(context, request, settings, key_cache::LIFETIME).await;
    match first {
        Err(ReceiveError::Rejected(_)) if !settings.fetched.is_empty() => {
            settings.fetched.clear();
            verify_with_keys(context, request, settings, MIN_REFETCH_AGE).await
        },
        done => done,
    }
}

/// Verifies, and fetches the keys that this needs one after the other.
async fn verify_with_keys(
    context: &Context,
    request: &Arc<InboundRequest>,
    settings: &mut Settings,
    max_age: Duration,
) -> Result<Received, ReceiveError> {
    let limit = request.limit(&context.settings.limits).bytes;
    let offload = &context.offload;
    let mut fetches = 0;
    loop {
        let received = request.process(offload, settings, move |request, settings, content| {
            let provider = &request.source.provider;
            match provider::receive(provider, settings, content, request.at.as_seconds())? {
                Received::Event(verified) => {
                    Ok(Received::Event(complete(request, content, verified, limit)))
                },
                other @ (Received::Handshake(_)
                | Received::Secret { .. }
                | Received::Confirm { .. }) => Ok(other),
            }
        });
        let needed = match received.await? {
            Err(provider::VerifyError::KeyNeeded(needed)) if fetches < MAX_FETCHES => needed,
            done => return Ok(done?),
        };
        fetches += 1;
        let body = context.keys.get(&context.engine, &needed, max_age).await?;
        settings.fetched.push(FetchedKey { url: needed.url, body: body.to_vec() });
    }
}

/// The event with the type and the id from its body, if that is compressed.
fn complete(
    request: &InboundRequest,
    content: &Request<'_>,
    verified: Verified,
    limit: usize,
) -> Verified {
    let Some(decompressed) = decompress(&request.raw_headers, &request.body, limit) else {
        return verified;
    };
    // The signature has been verified, over the compressed body. This only reads the fields.
    let settings = Settings { accept_unsigned: true, ..Settings::default() };
    let content = Request { body: &decompressed, ..*content };
    let provider = &request.source.provider;
    match provider::verify(provider, &settings, &content, request.at.as_seconds()) {
        Ok(read) => merged(verified, read),
        Err(_) => verified,
    }
}

/// The verified event, with the fields of its body where it has none. A unique id takes precedence
/// over one that is not.
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

/// Stores the secret that a provider sends in its handshake, if the source has none. A source with
/// a secret keeps it: otherwise everyone who knows the URL could replace it.
async fn store_secret(
    context: &Context,
    request: &InboundRequest,
    secret: Zeroizing<String>,
) -> Result<(), ReceiveError> {
    // If another node changes the source at the same moment and stores another secret, the
    // handshake with this one must fail. The retry then finds the other secret.
    match race::retry(|| try_store_secret(context, request, &secret)).await? {
        None => Ok(()),
        Some(source) => check_secret(context, &source, &secret),
    }
}

/// Stores the secret. Changes nothing if the source has secrets, and returns the source then.
async fn try_store_secret(
    context: &Context,
    request: &InboundRequest,
    secret: &str,
) -> Result<Option<Source>, ApiError> {
    let application = request.source.source.application;
    let _lock = context.locks.application(application).await;
    let (mut source, version) = current_source(context, request).await?;
    if !source.secrets.is_empty() {
        return Ok(Some(source));
    }
    let mut nonce = [0; 24];
    context.engine.clock().random(&mut nonce);
    let sealed = context.engine.vault().seal_text(secret, nonce);
    source.secrets.push(SourceSecret { secret: sealed, until: None });
    source.updated_at = request.at;
    let installation = Principal::installation(source.organization.clone());
    let origin = Origin { operation: "inbound.handshake", address: None };
    let store = AuditedStore::new(&context.engine, &installation, origin);
    store.save(&source, Expected::Version(version)).await?;
    context.engine.changed(application).await?;
    Ok(None)
}

/// The source as it is stored now. That of the request is from a cache.
async fn current_source(
    context: &Context,
    request: &InboundRequest,
) -> Result<(Source, Version), ApiError> {
    let digest = request.source.source.token_digest;
    let source = context.engine.store().find_versioned::<Source>(digest).await?;
    source.ok_or(ApiError::NotFound("source"))
}

/// Checks that this is a secret of the source.
fn check_secret(context: &Context, source: &Source, secret: &str) -> Result<(), ReceiveError> {
    let expected = Sha256::digest(secret);
    let is_same = |known: &SourceSecret| {
        let opened = context.engine.vault().open_text(&known.secret);
        opened.is_ok_and(|opened| Sha256::digest(opened.as_bytes()) == expected)
    };
    if source.secrets.iter().any(is_same) {
        return Ok(());
    }
    Err(provider::VerifyError::Handshake("the source already has another secret".to_owned()).into())
}
