//! Attacks on the real binary by clients without a token, customers, receivers and damaged disks.
//!
//! Every case attacks a server while a [`neighbour::Neighbour`], another customer of the same
//! server, publishes steadily to a healthy endpoint. A case asserts three things: what the
//! attacker got, that the neighbour's deliveries all arrived without a lasting delay, and that
//! the server's memory stayed within a bound.
//!
//! The suite runs a few seconds for each case, on machines that do other things at the same
//! time, so its bound on delays is generous: it only catches a server that makes no progress.
//! `cargo xtask abuse` runs the same cases for longer, alone, with an optimized build, and with
//! strict bounds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod churn;
mod connections;
mod credentials;
mod damage;
mod loops;
mod memory;
mod neighbour;
mod quotas;
#[path = "../it/receiver.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod receiver;
mod receivers;
mod relay;
mod requests;
#[path = "../it/schema.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod schema;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod server;
mod transfers;

use std::time::Duration;

/// Whether `cargo xtask abuse` runs this: longer attacks, strict bounds.
#[expect(clippy::disallowed_methods, reason = "how a test is told what to do")]
fn is_long() -> bool {
    std::env::var("POSTRIDER_TEST_ABUSE").is_ok_and(|value| value == "long")
}

/// Duration of an attack that would otherwise not end.
fn attack_time() -> Duration {
    Duration::from_secs(if is_long() { 15 } else { 2 })
}
