//! Three nodes on a PostgreSQL under Patroni: whatever happens to its machines, every accepted
//! message is delivered.
//!
//! The database is that of `docs/high-availability.md`: `scripts/patroni` starts it with the files
//! of `examples/high-availability`. Each test publishes through all nodes while it breaks
//! something, checks that every accepted message arrived, and in order at an endpoint in order, and
//! prints the longest time without a 202.
//!
//! The tests need root and take minutes, so they run only if asked for:
//! `cargo nextest run -p postrider-cli --all-features --test ha --run-ignored only --no-capture`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod cluster;
#[path = "../cluster/harness.rs"]
mod harness;
#[path = "../cluster/invariants.rs"]
mod invariants;
#[path = "../cluster/load.rs"]
#[expect(dead_code, reason = "nodes do not move here, and publish without keys")]
mod load;
#[path = "../cluster/node.rs"]
#[expect(dead_code, reason = "here only machines of the database fail")]
mod node;
mod patroni;
#[path = "../cluster/receiver.rs"]
#[expect(dead_code, reason = "the other cluster verifies signatures, too")]
mod receiver;
mod scenarios;
#[path = "../cluster/setup.rs"]
mod setup;

use harness::{MAX_WAIT, now, pass, postrider, report, signal, until};
