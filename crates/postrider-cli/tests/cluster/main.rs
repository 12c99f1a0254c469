//! Three nodes on one PostgreSQL: whichever of them fails, every accepted message is delivered.
//!
//! Every test has its own database server, nodes and receiver. It publishes through all nodes while
//! it breaks something, and then checks the same invariants: every accepted message was delivered to
//! every endpoint and is settled, order and rate limits were kept, publishers got only 202 and 503,
//! and no node panicked. It prints the number of duplicates.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod changes;
mod clock;
mod cluster;
mod database;
mod harness;
mod invariants;
mod load;
mod node;
mod postgres;
mod process;
mod receiver;
mod replication;
mod setup;

use harness::{MAX_WAIT, now, pass, postrider, report, signal, until};
