//! Whether a request is to be believed.

mod coverage;
mod credential;
mod key;
mod secret;
mod signature;
mod strength;
mod time;

use super::{
    DuplicateRule, Expression, Identity, KeyRequest, Model, Provider, Request, Scheme, Settings,
    code, expression, identity::SignedMetadata, jwt, values::Values,
};

pub use self::secret::check_secret;
pub(super) use self::{key::hmac_key, signature::Algorithm};

/// A request that is to be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The kind of event, in the provider's words.
    pub event_type: Option<String>,
    /// The provider's id of the event, the delivery or what it is about.
    pub event_id: Option<String>,
    /// Whether the provider documents that no other event has this id.
    pub event_id_is_unique: bool,
    /// What the event has in common with its repetitions and with no other event; nothing, if
    /// nothing tells a repetition from another event. To act on each event once, remember this.
    pub identity: Option<Identity>,
    /// A digest of what was signed, if the event's id was not. A request with the same one is the
    /// same event whatever id it claims to have; it may have been recorded and sent again. Only a
    /// provider that repeats nothing by itself sends it with the same id because someone asked
    /// for that.
    pub signed_content: Option<Identity>,
    /// Which of the secrets matched, if the scheme has secrets.
    pub secret: Option<usize>,
    /// Whether anything was verified; not if [`Settings::accept_unsigned`] is set.
    pub signed: bool,
}

/// What a scheme found out. Type and id are of schemes that carry them inside; the
/// expressions of the model find the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SchemeMatch {
    pub secret: Option<usize>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
    /// Whether no other event has this id.
    pub event_id_is_unique: bool,
    pub metadata: Option<SignedMetadata>,
    /// What the body says, if the provider wraps it differently in each attempt, or if others can
    /// write it differently without touching what is signed.
    pub unwrapped: Option<Vec<u8>>,
}

impl Verified {
    /// The identity by the body, for a source whose owner knows that two events never have the
    /// same one.
    pub fn identity_by_body(&self, body: &[u8]) -> Identity {
        Identity::of_content(self.event_type.as_deref(), self.event_id.as_deref(), body, None)
    }
}

/// Why a request is not to be believed. For the log: outside all reasons get one answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No secret is configured, and the provider signs.
    #[error("no secret is configured")]
    NoSecret,
    /// The provider does not sign, and that it is to be believed nevertheless was not said.
    #[error("the provider does not sign, and unsigned requests are not accepted")]
    Unsigned,
    /// What carries the signature is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// What is there is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// The request was signed too long ago; it may be a replay.
    #[error("timestamp is too old")]
    TooOld,
    /// The request was signed in the future.
    #[error("timestamp is too new")]
    TooNew,
    /// No signature is one of ours: another secret, or another body.
    #[error("no signature matches")]
    Signature,
    /// A configured secret is not of the provider's form.
    #[error("secret {index} cannot be used: {reason}")]
    Secret {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A parameter that the provider needs is not configured.
    #[error("parameter {0} is not configured")]
    Parameter(&'static str),
    /// Events do not come by this method, and it asks for nothing that is answered: 405.
    #[error("no event and no handshake comes by this method")]
    Method,
    /// It is a handshake, but not one to answer.
    #[error("handshake: {0}")]
    Handshake(String),
    /// A key has to be fetched first.
    #[error("the key at {} is needed", .0.url)]
    KeyNeeded(KeyRequest),
    /// It would take more work than its length justifies: a model with many places or schemes,
    /// many secrets, and a request that was made for them.
    #[error("verifying would take too much work; use fewer secrets, schemes and places")]
    TooMuchWork,
    /// The provider's scheme is not one that can be verified.
    #[error("not supported, because {0}")]
    Unsupported(&'static str),
}

/// Whether the request is to be believed: it was made by one who has a secret, it covers these
/// very bytes, and it was made not long before `now_seconds`.
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
    /// By its terms, and the values of each.
    Unique(Vec<Vec<String>>),
    /// It may belong to other events too.
    Other(String),
    None,
}

/// An id that the scheme found counts first, then one that is unique.
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

/// What tells the event from others. A duplicate is better than a loss: where the provider does
/// not say that an id is unique, all that it signed has to be the same.
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

/// Whether a scheme of the model leaves the ids of events unsigned.
pub(super) fn has_unsigned_ids(model: &Model) -> bool {
    let may_count = |it: &&Scheme| coverage::signs(it) || model.repeats == DuplicateRule::Never;
    let mut schemes = model.verify.iter().filter(may_count);
    model.repeats != DuplicateRule::SameId && schemes.any(|it| coverage::has_unsigned_id(it, model))
}

/// What identifies an event whose id is not signed. A provider that repeats nothing by itself is
/// asked to by name of the id, so that there the id counts even if a secret is all that vouches
/// for it.
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

/// Tries the schemes in their order. If none verifies, the first that had something to look at
/// tells why, or else the first.
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
            // A weaker scheme must not take what a stronger one found to be a replay.
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

/// An id that was signed counts before the same id in another header, which was not; but only
/// if the model takes it for the event's.
fn with_known_id(matched: SchemeMatch, scheme: &Scheme, provider: &Provider) -> SchemeMatch {
    let Some(source) = scheme.signature().and_then(|it| it.id.as_ref()) else { return matched };
    let is_among =
        |all: &[Expression]| all.iter().any(|it| it.terms.iter().eq(std::iter::once(source)));
    let event_id_is_unique = is_among(&provider.model.unique_event_id);
    let is_known = event_id_is_unique || is_among(&provider.model.event_id);
    let event_id = matched.event_id.filter(|_| is_known);
    SchemeMatch { event_id, event_id_is_unique, ..matched }
}

/// How much a reason tells if there are others.
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
