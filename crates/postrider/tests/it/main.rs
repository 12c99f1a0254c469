//! The library as its users have it: the extractors, and the wire types against what the
//! clients of both lines send and insist on.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod listen;
#[cfg(feature = "providers")]
mod provider;
#[cfg(feature = "axum")]
mod receiver;
#[cfg(feature = "schema")]
mod schema;
mod wire;
