//! The wire types against what the clients of both lines send and insist on.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "schema")]
#[cfg(feature = "axum")]
mod receiver;
mod schema;
mod wire;
