//! What providers ask before or between deliveries.

use zeroize::Zeroizing;

use super::{Provider, Rejected, Reply, Request, Settings, Verified, verify};

/// What a request to a source turns out to be.
#[derive(Clone, Debug)]
pub enum Received {
    /// A webhook that is to be believed.
    Event(Verified),
    /// A question that is answered from memory; there is no event.
    Handshake(Reply),
    /// The provider hands over the secret that it will sign with: keep it, then answer.
    Secret {
        /// The secret.
        secret: Zeroizing<String>,
        /// The answer.
        reply: Reply,
    },
    /// The provider wants this URL called (`GET`, through the address guard), then an answer.
    /// The request was verified, and the host is on the provider's list.
    Confirm {
        /// The URL to call.
        url: String,
        /// The answer.
        reply: Reply,
    },
}

/// Tells handshakes from webhooks, verifies, and says what to do. Handshakes that the provider
/// signs are verified first.
pub fn receive(
    provider: &Provider,
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Result<Received, Rejected> {
    verify(provider, settings, request, now_seconds).map(Received::Event)
}
