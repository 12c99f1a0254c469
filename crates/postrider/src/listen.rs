//! The protocol between `postrider listen` and the relay of a server.
//!
//! A client opens a WebSocket at [`LISTEN_PATH`] and sends [`Start`]. The server responds with
//! [`Started`], then sends a [`RelayedRequest`] for each webhook; the client sends a
//! [`RelayedResponse`] for each of them. All messages are JSON objects with the members `type`,
//! `version` and `data`. A receiver ignores members that it does not know.
//!
//! The messages are those of the Svix CLI with additional members. Each of these is optional in
//! both directions, because the Svix CLI neither sends nor reads them.

mod close;
mod headers;
mod message;
mod token;

use std::time::Duration;

pub use self::{
    close::{CloseCode, IN_USE_REASON},
    headers::{append_header, is_hop_by_hop},
    message::{ClientMessage, RelayedRequest, RelayedResponse, ServerMessage, Start, Started},
    token::{
        KEYED_PREFIX, MAX_TOKEN_LENGTH, MIN_SHORT_TOKEN_LENGTH, MIN_TOKEN_LENGTH, SHORT_PREFIX,
        is_short_token, is_valid_token, token_from_key,
    },
};

/// Version of the protocol, in each message.
pub const VERSION: u16 = 1;

/// Path of the WebSocket; a slash may follow.
pub const LISTEN_PATH: &str = "/api/v1/listen";

/// Path at which senders reach a client; the client's token follows.
pub const RECEIVE_PATH: &str = "/api/v1/receive/";

/// Most bytes of a response's body if the server does not send a limit.
pub const DEFAULT_RESPONSE_BYTES: usize = 1 << 20;

/// Most bytes of a message in addition to the encoded body.
pub const ENVELOPE_BYTES: usize = 64 << 10;

/// Largest message that a client accepts.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// How long a client waits for a message or a ping before it reconnects. By default a server
/// pings every 20 seconds, so that two pings may be lost.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(50);
