//! The result of receiving a request.

use zeroize::Zeroizing;

use crate::provider::{Reply, Verified};

/// The result of [`receive`](super::receive).
#[derive(Clone, Debug)]
pub enum Received {
    /// A verified webhook.
    Event(Verified),
    /// A handshake: send the reply. There is no event.
    Handshake(Reply),
    /// The provider hands over the secret that it will sign with: store it, then send the reply.
    Secret {
        /// The secret.
        secret: Zeroizing<String>,
        /// The reply to send.
        reply: Reply,
    },
    /// The provider asks for a call to this URL (`GET`, through the address guard): make it, then
    /// send the reply. The request was verified, and the host is on the provider's list.
    Confirm {
        /// The URL to call.
        url: String,
        /// The reply to send.
        reply: Reply,
    },
}
