//! The web console in a browser: Chromium shows pages of the real binary, which delivers to real
//! receivers. Each walk is a script for Node.js in `walks`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod budgets;
mod html;
mod prefix;
#[path = "../it/receiver.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod receiver;
mod receivers;
#[path = "../it/schema.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod schema;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod server;
mod walk;
mod walks;
