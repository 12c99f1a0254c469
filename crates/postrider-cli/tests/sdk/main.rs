//! The official clients against the real binary: the crate, and those of PyPI and npm in both
//! lines that are in use. Each does what a user does, and what arrives is verified with the
//! official libraries.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../it/schema.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod schema;
mod scripts;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod server;

use server::Server;

/// One retry, so that two failures end a delivery.
fn server() -> Server {
    Server::with(&[("POSTRIDER_RETRY_SCHEDULE", "50ms")])
}
