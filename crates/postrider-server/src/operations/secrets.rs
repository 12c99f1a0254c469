//! Secrets of endpoints and sources: texts in the API, encrypted in the store.

use postrider::signature::{InvalidSecret, Kind, Secret};
use postrider_core::{
    catalog::{AtRest, Endpoint, MAX_RETIRED_SECRETS, RetiredSecret, SealedSecret},
    time::Timestamp,
    vault::NONCE,
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    api::{error::ApiError, problems::Problems},
    operations::call::Call,
};

/// The given secret, or a new one.
pub(crate) fn parse_or_generate(
    call: &Call,
    given: Option<&str>,
    field: &str,
    problems: &mut Problems<'_>,
) -> Secret {
    given.and_then(|text| parse(text, field, problems)).unwrap_or_else(|| generate(call))
}

/// The given secret, if it is valid.
pub(crate) fn parse(text: &str, field: &str, problems: &mut Problems<'_>) -> Option<Secret> {
    text.parse().map_err(|error: InvalidSecret| problems.add(&[field], error.to_string())).ok()
}

fn generate(call: &Call) -> Secret {
    let mut random = [0; 32];
    call.engine().clock().random(&mut random);
    Secret::generate(call.settings().default_signature, random)
}

pub(crate) fn seal(call: &Call, secret: &Secret) -> SealedSecret {
    call.engine().vault().seal(secret, nonce(call))
}

/// Seals a secret of a source, which can be any text. Surrounding white space, often pasted by
/// accident, is removed.
pub(crate) fn seal_text(call: &Call, text: &str) -> SealedSecret {
    call.engine().vault().seal_text(text.trim(), nonce(call))
}

/// Seals a text as it is.
pub(crate) fn seal_text_exactly(call: &Call, text: &str) -> SealedSecret {
    call.engine().vault().seal_text(text, nonce(call))
}

/// Seals a part of a record.
pub(crate) fn seal_at_rest<T: Serialize + Default + PartialEq>(call: &Call, it: &T) -> AtRest<T> {
    call.engine().vault().seal_at_rest(it, nonce(call))
}

pub(crate) fn open_at_rest<T: DeserializeOwned + Clone>(
    call: &Call,
    it: &AtRest<T>,
) -> Result<T, ApiError> {
    call.engine().vault().open_at_rest(it).map_err(|error| ApiError::Internal(error.into()))
}

fn nonce(call: &Call) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    call.engine().clock().random(&mut nonce);
    nonce
}

pub(crate) fn open_text(call: &Call, sealed: &SealedSecret) -> Result<Zeroizing<String>, ApiError> {
    call.engine().vault().open_text(sealed).map_err(|error| ApiError::Internal(error.into()))
}

pub(crate) fn open(call: &Call, sealed: &SealedSecret) -> Result<Secret, ApiError> {
    call.engine().vault().open(sealed).map_err(|error| ApiError::Internal(error.into()))
}

/// The key for receivers: the shared secret, or the public key.
pub(crate) fn key(secret: &Secret) -> String {
    match secret.kind() {
        Kind::Symmetric => secret.reveal(),
        Kind::Ed25519 => secret.public_key().unwrap_or_default(),
    }
}

/// Replaces the secret. Requests are signed with the old one as well until `until`.
pub(crate) fn rotate(
    endpoint: &mut Endpoint,
    new: SealedSecret,
    now: Timestamp,
    until: Timestamp,
) -> Result<(), ApiError> {
    let old = std::mem::replace(&mut endpoint.secret, new);
    let retired = &mut endpoint.retired_secrets;
    retired.retain(|it| it.until > now);
    if until > now {
        retired.insert(0, RetiredSecret { secret: old, until });
    }
    if retired.len() > MAX_RETIRED_SECRETS {
        return Err(ApiError::Bad {
            code: "too_many_keys",
            detail: format!(
                "{MAX_RETIRED_SECRETS} old secrets are still in use; wait until one of them expires"
            ),
        });
    }
    Ok(())
}
