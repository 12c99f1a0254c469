//! Streams of `live` endpoints with the real binary: a browser, two nodes, thousands of readers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod browser;
mod live;
mod many;
mod nodes;
#[path = "../it/schema.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod schema;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod server;
mod stream;
