//! Verification of requests.

mod algorithm;
mod coverage;
mod credential;
mod error;
mod key;
mod secret;
mod signature;
mod strength;
mod time;
mod verified;

use super::{
    DuplicateRule, Expression, Identity, Model, Provider, Request, Scheme, Settings, code,
    expression, identity::SignedMetadata, jwt, values::Values,
};

pub use self::secret::check_secret;
pub(super) use self::{algorithm::Algorithm, key::hmac_key, verified::SchemeMatch};
pub use self::{error::VerifyError, verified::Verified};

/// Verifies a request: its signer has one of the secrets, the signature covers these exact bytes,
/// and it was made shortly before `now_seconds`.
pub fn verify(
    provider: &Provider,
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Result<Verified, VerifyError> {
    let values = Values::new(request);
    let (matched, scheme) = if settings.accept_unsigned {
        (SchemeMatch::default(), None)
    } else {
        any(provider, settings, &values, now_seconds)?
    };
    let model = &provider.model;
    let (signed, secret) = (!settings.accept_unsigned, matched.secret);
    let event_type = matched.event_type.clone();
    let event_type = event_type.or_else(|| expression::evaluate(&model.event_type, &values, "."));
    let id = id(model, &matched, &values);
    let identity = identity(model.repeats, event_type.as_deref(), &id, &matched, &values);
    let signed_content = signed_content(model, scheme, event_type.as_deref(), &matched, &values);
    if values.work.is_exhausted() {
        return Err(VerifyError::TooMuchWork);
    }
    let (event_id, event_id_is_unique) = match id {
        Id::Unique(terms) => (Some(joined(&terms)), true),
        Id::Other(it) => (Some(it), false),
        Id::None => (None, false),
    };
    Ok(Verified {
        event_type,
        event_id,
        event_id_is_unique,
        identity,
        signed_content,
        secret,
        signed,
    })
}

/// The id of an event.
enum Id {
    /// The values of each of its terms.
    Unique(Vec<Vec<String>>),
    /// Other events may have the same id.
    Other(String),
    None,
}

/// The id from the scheme takes precedence, then a unique id.
fn id(model: &Model, matched: &SchemeMatch, values: &Values<'_>) -> Id {
    if let Some(id) = matched.event_id.clone() {
        return if matched.event_id_is_unique { Id::Unique(vec![vec![id]]) } else { Id::Other(id) };
    }
    if let Some(terms) = expression::complete(&model.unique_event_id, values) {
        return Id::Unique(terms);
    }
    expression::evaluate(&model.event_id, values, ":").map_or(Id::None, Id::Other)
}

fn joined(terms: &[Vec<String>]) -> String {
    terms.iter().map(|it| it.join(",")).collect::<Vec<_>>().join(":")
}

/// The identity of the event. A duplicate is better than a lost event: unless the provider
/// documents that an id is unique, all signed content has to be the same.
fn identity(
    repeats: DuplicateRule,
    event_type: Option<&str>,
    id: &Id,
    matched: &SchemeMatch,
    values: &Values<'_>,
) -> Option<Identity> {
    let body = matched.unwrapped.as_deref().unwrap_or(values.request.body);
    let of_content = |id: Option<&str>, metadata: Option<&SignedMetadata>| {
        Identity::of_content(event_type, id, body, metadata)
    };
    let metadata = matched.metadata.as_ref();
    match (repeats, id) {
        (DuplicateRule::Never, _) | (DuplicateRule::SameId, Id::Other(_) | Id::None) => None,
        (_, Id::Unique(terms)) => Some(Identity::of_id(terms)),
        (DuplicateRule::SameBody, Id::Other(id)) => Some(of_content(Some(id), None)),
        (DuplicateRule::SameBody, Id::None) => Some(of_content(None, None)),
        (DuplicateRule::SameContent, Id::Other(id)) => Some(of_content(Some(id), metadata)),
        (DuplicateRule::SameContent, Id::None) => {
            metadata.filter(|it| it.distinguishes_events).map(|it| of_content(None, Some(it)))
        },
    }
}

/// The identity of an event whose id is not signed. A provider that repeats only on demand is asked
/// for a redelivery by the id, so there the id counts even if the request carries nothing but a
/// secret.
fn signed_content(
    model: &Model,
    scheme: Option<&Scheme>,
    event_type: Option<&str>,
    matched: &SchemeMatch,
    values: &Values<'_>,
) -> Option<Identity> {
    let scheme = scheme.filter(|_| matched.event_id.is_none())?;
    let is_open = coverage::has_unsigned_id(scheme, model);
    let counts = match model.repeats {
        DuplicateRule::SameContent | DuplicateRule::SameBody => coverage::signs(scheme) && is_open,
        DuplicateRule::Never => is_open,
        DuplicateRule::SameId => false,
    };
    let body = matched.unwrapped.as_deref().unwrap_or(values.request.body);
    let metadata = matched.metadata.as_ref().filter(|_| model.repeats != DuplicateRule::SameBody);
    let event_type = event_type.filter(|_| model.types_share_bodies);
    counts.then(|| Identity::of_signed(event_type, body, metadata))
}

/// Tries the schemes in order. If none verifies, the most informative error is returned, and the
/// first of several equal ones.
fn any<'p>(
    provider: &'p Provider,
    settings: &Settings,
    values: &Values<'_>,
    now_seconds: u64,
) -> Result<(SchemeMatch, Option<&'p Scheme>), VerifyError> {
    let all = &provider.model.verify;
    let mut rejected: Option<VerifyError> = None;
    for scheme in all.iter().filter(|it| !strength::is_outranked(it, all, values)) {
        let reason = match one(scheme, settings, values, now_seconds) {
            Ok(matched) => return Ok((with_known_id(matched, scheme, provider), Some(scheme))),
            // A weaker scheme must not accept what a stronger one identified as a replay.
            Err(reason @ (VerifyError::TooOld | VerifyError::TooNew)) => return Err(reason),
            Err(_) if values.work.is_exhausted() => return Err(VerifyError::TooMuchWork),
            Err(reason) => reason,
        };
        if rejected.as_ref().is_none_or(|it| weight(&reason) > weight(it)) {
            rejected = Some(reason);
        }
    }
    Err(rejected.unwrap_or(VerifyError::Unsigned))
}

/// A signed id takes precedence over the same id in an unsigned header, but only if the model uses
/// it as the event id.
fn with_known_id(matched: SchemeMatch, scheme: &Scheme, provider: &Provider) -> SchemeMatch {
    let Some(source) = scheme.signature().and_then(|it| it.id.as_ref()) else { return matched };
    let is_among =
        |all: &[Expression]| all.iter().any(|it| it.terms.iter().eq(std::iter::once(source)));
    let event_id_is_unique = is_among(&provider.model.unique_event_id);
    let is_known = event_id_is_unique || is_among(&provider.model.event_id);
    let event_id = matched.event_id.filter(|_| is_known);
    SchemeMatch { event_id, event_id_is_unique, ..matched }
}

/// How informative a reason is compared to others.
const fn weight(reason: &VerifyError) -> u8 {
    match reason {
        VerifyError::Missing(_) => 0,
        VerifyError::Malformed(_) => 1,
        VerifyError::NoSecret
        | VerifyError::Unsigned
        | VerifyError::TooOld
        | VerifyError::TooNew
        | VerifyError::Signature
        | VerifyError::Secret { .. }
        | VerifyError::Parameter(_)
        | VerifyError::Method
        | VerifyError::Handshake(_)
        | VerifyError::TooMuchWork
        | VerifyError::Unsupported(_) => 2,
        VerifyError::KeyNeeded(_) => 3,
    }
}

fn one(
    scheme: &Scheme,
    settings: &Settings,
    values: &Values<'_>,
    now_seconds: u64,
) -> Result<SchemeMatch, VerifyError> {
    let signed = |it, algorithm| signature::verify(it, algorithm, settings, values, now_seconds);
    match scheme {
        Scheme::Hmac(signature) => signed(signature, Algorithm::Hmac),
        Scheme::Digest(signature) => signed(signature, Algorithm::Digest),
        Scheme::Ed25519(signature) => signed(signature, Algorithm::Ed25519),
        Scheme::Ecdsa(signature) => signed(signature, Algorithm::Ecdsa),
        Scheme::Rsa(signature) => signed(signature, Algorithm::Rsa),
        Scheme::SharedSecret(shared) => credential::shared_secret(shared, settings, values),
        Scheme::Basic => credential::basic(settings, values),
        Scheme::None => Err(VerifyError::Unsigned),
        Scheme::Jwt(it) => jwt::verify(it, settings, values, now_seconds),
        Scheme::Code(it) => code::verify(it.code, settings, values.request, now_seconds),
    }
}
