//! Whether a request is to be believed.

mod credential;
mod key;
mod secret;
mod signature;
mod time;

use super::{
    Expression, KeyRequest, Provider, Request, Scheme, Settings, code, expression, jwt,
    values::Values,
};

pub use self::secret::check_secret;
pub(super) use self::{key::hmac_key, signature::Algorithm};

/// A request that is to be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The kind of event, in the provider's words.
    pub event_type: Option<String>,
    /// The provider's id of the event or the delivery.
    pub event_id: Option<String>,
    /// Which of the secrets matched, if the scheme has secrets.
    pub secret: Option<usize>,
    /// Whether anything was verified; not if [`Settings::accept_unsigned`] is set.
    pub signed: bool,
}

/// What a scheme found out. Type and id are of schemes that carry them inside; the
/// expressions of the model find the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matched {
    pub secret: Option<usize>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
}

/// Why a request is not to be believed. For the log: outside all reasons get one answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
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
) -> Result<Verified, Rejected> {
    let values = Values::new(request);
    let matched = if settings.accept_unsigned {
        Matched::default()
    } else {
        any(provider, settings, &values, now_seconds)?
    };
    let model = &provider.model;
    let found = |expressions, separator| expression::evaluate(expressions, &values, separator);
    Ok(Verified {
        event_type: matched.event_type.or_else(|| found(&model.event_type, ".")),
        event_id: matched.event_id.or_else(|| found(&model.event_id, ":")),
        secret: matched.secret,
        signed: !settings.accept_unsigned,
    })
}

/// Tries the schemes in their order. If none verifies, the first that had something to look at
/// tells why, or else the first.
fn any(
    provider: &Provider,
    settings: &Settings,
    values: &Values<'_>,
    now_seconds: u64,
) -> Result<Matched, Rejected> {
    let mut rejected: Option<Rejected> = None;
    for scheme in &provider.model.verify {
        let reason = match one(scheme, settings, values, now_seconds) {
            Ok(matched) => return Ok(with_known_id(matched, scheme, provider)),
            // A weaker scheme must not take what a stronger one found to be a replay.
            Err(reason @ (Rejected::TooOld | Rejected::TooNew)) => return Err(reason),
            Err(reason) => reason,
        };
        if rejected.as_ref().is_none_or(|it| weight(&reason) > weight(it)) {
            rejected = Some(reason);
        }
    }
    Err(rejected.unwrap_or(Rejected::Unsigned))
}

/// An id that was signed counts before the same id in another header, which was not; but only
/// if the model takes it for the event's.
fn with_known_id(matched: Matched, scheme: &Scheme, provider: &Provider) -> Matched {
    let Some(source) = scheme.signature().and_then(|it| it.id.as_ref()) else { return matched };
    let is_source = |it: &Expression| it.terms == [source.clone()];
    let event_id = matched.event_id.filter(|_| provider.model.event_id.iter().any(is_source));
    Matched { event_id, ..matched }
}

/// How much a reason tells if there are others.
const fn weight(reason: &Rejected) -> u8 {
    match reason {
        Rejected::Missing(_) => 0,
        Rejected::Malformed(_) => 1,
        Rejected::NoSecret
        | Rejected::Unsigned
        | Rejected::TooOld
        | Rejected::TooNew
        | Rejected::Signature
        | Rejected::Secret { .. }
        | Rejected::Parameter(_)
        | Rejected::Method
        | Rejected::Handshake(_)
        | Rejected::Unsupported(_) => 2,
        Rejected::KeyNeeded(_) => 3,
    }
}

fn one(
    scheme: &Scheme,
    settings: &Settings,
    values: &Values<'_>,
    now_seconds: u64,
) -> Result<Matched, Rejected> {
    let signed = |it, algorithm| signature::verify(it, algorithm, settings, values, now_seconds);
    match scheme {
        Scheme::Hmac(signature) => signed(signature, Algorithm::Hmac),
        Scheme::Digest(signature) => signed(signature, Algorithm::Digest),
        Scheme::Ed25519(signature) => signed(signature, Algorithm::Ed25519),
        Scheme::Ecdsa(signature) => signed(signature, Algorithm::Ecdsa),
        Scheme::Rsa(signature) => signed(signature, Algorithm::Rsa),
        Scheme::SharedSecret(shared) => credential::shared_secret(shared, settings, values),
        Scheme::Basic => credential::basic(settings, values),
        Scheme::None => Err(Rejected::Unsigned),
        Scheme::Jwt(it) => jwt::verify(it, settings, values.request, now_seconds),
        Scheme::Code(it) => code::verify(it.code, settings, values.request, now_seconds),
    }
}
