//! Whether a request is to be believed.

use super::{KeyRequest, Provider, Request, Settings};

/// A request that is to be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The kind of event, in the provider's words.
    pub event_type: Option<String>,
    /// The provider's id of the event or the delivery.
    pub event_id: Option<String>,
    /// Which of the secrets matched, if the scheme has secrets.
    pub secret: Option<usize>,
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
    _provider: &Provider,
    _settings: &Settings,
    _request: &Request<'_>,
    _now_seconds: u64,
) -> Result<Verified, Rejected> {
    Err(Rejected::Unsupported("nothing is yet"))
}
