//! Creates genuine requests, for tests and for testing receivers.

mod outgoing;
mod signature;

use self::outgoing::Outgoing;
use super::{Provider, Scheme, Settings, code, jwt, verify::Algorithm};

/// A request to be signed.
#[derive(Clone, Debug, Default)]
pub struct UnsignedRequest {
    /// The URL of the receiver.
    pub url: String,
    /// The event type, for providers that send it in a header.
    pub event_type: Option<String>,
    /// The event id, for providers that send it in a header.
    pub event_id: Option<String>,
    /// Further headers. The default content type depends on the body.
    pub headers: Vec<(String, String)>,
    /// The body. Signatures that belong into the body are added to it.
    pub body: Vec<u8>,
}

/// A request as the provider would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedRequest {
    /// `POST`.
    pub method: String,
    /// The URL, with the query that some providers add.
    pub url: String,
    /// All headers, including `content-type`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No secret is set.
    #[error("no secret is set")]
    NoSecret,
    /// The secret does not have the provider's format.
    #[error("the secret cannot be used: {0}")]
    Secret(String),
    /// A required parameter is not set.
    #[error("parameter {0} is not set")]
    Parameter(&'static str),
    /// The body is not valid for this provider.
    #[error("the body cannot be signed: {0}")]
    Body(String),
    /// Signing with this scheme is not supported.
    #[error("not supported, because {0}")]
    Unsupported(&'static str),
}

/// Signs a request as the provider would, with the first secret. For asymmetric schemes, this is a
/// private key (PKCS#8 PEM).
pub fn sign(
    provider: &Provider,
    settings: &Settings,
    draft: UnsignedRequest,
    now_seconds: u64,
) -> Result<SignedRequest, SignError> {
    let outgoing = Outgoing::new(&provider.model, &draft, now_seconds);
    let scheme = provider.model.verify.first().unwrap_or(&Scheme::None);
    match scheme {
        Scheme::Hmac(it) => signature::sign(it, Algorithm::Hmac, settings, outgoing, now_seconds),
        Scheme::Digest(it) => {
            signature::sign(it, Algorithm::Digest, settings, outgoing, now_seconds)
        },
        Scheme::Ed25519(it) => {
            signature::sign(it, Algorithm::Ed25519, settings, outgoing, now_seconds)
        },
        Scheme::Ecdsa(it) => signature::sign(it, Algorithm::Ecdsa, settings, outgoing, now_seconds),
        Scheme::Rsa(it) => signature::sign(it, Algorithm::Rsa, settings, outgoing, now_seconds),
        Scheme::SharedSecret(it) => signature::shared_secret(it, settings, outgoing),
        Scheme::Basic => signature::basic(settings, outgoing),
        Scheme::None => Ok(outgoing.request),
        Scheme::Jwt(it) => {
            let draft = outgoing.draft(draft);
            jwt::sign(it, settings, draft, now_seconds).map(|it| outgoing.complete(it))
        },
        Scheme::Code(it) => {
            let draft = outgoing.draft(draft);
            code::sign(it.code, settings, draft, now_seconds).map(|it| outgoing.complete(it))
        },
    }
}
