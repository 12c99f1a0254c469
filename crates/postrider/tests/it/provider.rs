//! The providers: their published signatures, and what is signed as they would.

mod coded;
mod coded_round_trip;
mod details;
mod identity;
mod model;
mod profiles;
mod round_trip;
mod samples;
mod tokens;
mod vectors;
mod work;

use postrider::provider::{
    Headers, Provider, Request, Settings, SignedRequest, Verified, VerifyError, verify,
};

/// Verifies a request as it would arrive.
pub(super) fn receive(
    provider: &Provider,
    settings: &Settings,
    signed: &SignedRequest,
    now_seconds: u64,
) -> Result<Verified, VerifyError> {
    with_request(signed, |it| verify(provider, settings, it, now_seconds))
}

/// The request as a receiver sees it.
pub(super) fn with_request<T>(signed: &SignedRequest, read: impl FnOnce(&Request<'_>) -> T) -> T {
    let headers: Vec<_> =
        signed.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
    read(&Request {
        method: &signed.method,
        url: &signed.url,
        headers: Headers(&headers),
        body: &signed.body,
    })
}
