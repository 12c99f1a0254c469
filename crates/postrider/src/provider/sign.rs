//! Creates genuine requests, for tests and for testing receivers.

mod outgoing;
mod request;
mod signature;

use self::outgoing::Outgoing;
pub use self::request::{SignError, SignedRequest, UnsignedRequest};
use super::{Provider, Scheme, Settings, code, jwt, verify::Algorithm};

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
