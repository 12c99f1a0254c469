//! The official Svix clients against the real binary: those of crates.io, and of PyPI and npm in both
//! major versions that are in use. Deliveries are verified with the official libraries. People sign
//! in at a real identity provider. Assistants use the Model Context Protocol.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod endpoint_tokens;
mod mcp;
#[path = "../it/schema.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod schema;
mod scripts;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod server;
mod sign_in;

use server::Server;

/// A server with one retry, so that a delivery fails after two attempts.
fn server() -> Server {
    Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "50ms")])
}
