//! Requests that the receiver got.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

/// A request that the receiver got.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was received.
    pub received_at: Timestamp,
    /// The event type, if the message is known.
    pub event_type: Option<String>,
    /// The id of the message; empty if the request has none.
    pub message_id: String,
    /// The status that the receiver responded with.
    pub status: StatusCode,
    /// Why the signature was rejected, if it was.
    pub verification: Result<(), String>,
    /// The time since the message was accepted.
    pub latency: Option<Duration>,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The body of the request.
    pub body: Bytes,
}
