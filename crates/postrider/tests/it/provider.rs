//! The providers: their published signatures, and what is signed as they would.

mod coded;
mod details;
mod model;
mod round_trip;
mod vectors;

use postrider::provider::{
    Headers, Provider, Rejected, Request, Settings, Signed, Verified, verify,
};

/// Verifies a request as it would arrive.
pub(super) fn receive(
    provider: &Provider,
    settings: &Settings,
    signed: &Signed,
    now_seconds: u64,
) -> Result<Verified, Rejected> {
    let headers: Vec<_> =
        signed.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
    let request = Request {
        method: &signed.method,
        url: &signed.url,
        headers: Headers(&headers),
        body: &signed.body,
    };
    verify(provider, settings, &request, now_seconds)
}
