//! Genuine requests, for tests and for trying receivers out.

mod outgoing;
mod signature;

use self::outgoing::Outgoing;
use super::{Provider, Scheme, Settings, code, jwt, verify::Algorithm};

/// What is to be sent.
#[derive(Clone, Debug, Default)]
pub struct UnsignedRequest {
    /// Where to.
    pub url: String,
    /// The kind of event; it goes where the provider has it, if that is a header.
    pub event_type: Option<String>,
    /// The id of the event; likewise.
    pub event_id: Option<String>,
    /// What else stands in headers; a content type takes the place of the one that the body
    /// looks like.
    pub headers: Vec<(String, String)>,
    /// The body; signatures that stand in the body are put into it.
    pub body: Vec<u8>,
}

/// A request as the provider would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedRequest {
    /// `POST`.
    pub method: String,
    /// With the query that the provider adds, if it does.
    pub url: String,
    /// All that the provider sends, `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why no genuine request can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No secret is given.
    #[error("no secret is given")]
    NoSecret,
    /// The secret is not of the provider's form.
    #[error("the secret cannot be used: {0}")]
    Secret(String),
    /// A parameter that the provider needs is not given.
    #[error("parameter {0} is not given")]
    Parameter(&'static str),
    /// The body is not one of this provider's.
    #[error("the body cannot be signed: {0}")]
    Body(String),
    /// The scheme cannot be signed here.
    #[error("not supported, because {0}")]
    Unsupported(&'static str),
}

/// Makes the request as the provider would: with the first secret, which for asymmetric schemes
/// is a private key (PKCS#8 PEM).
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
