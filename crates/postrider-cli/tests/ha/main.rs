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

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Maximum wait for anything; a test that waits longer has failed.
const MAX_WAIT: Duration = Duration::from_secs(180);

#[expect(clippy::disallowed_methods, reason = "the cases happen in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Lets the load continue for some time.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Polls a condition that another process or thread fulfils.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = now() + MAX_WAIT;
    while !is_so() {
        assert!(now() < deadline, "timed out waiting until {what}");
        pass(Duration::from_millis(50)).await;
    }
}

/// Prints a result, such as the longest time without a 202.
#[expect(clippy::print_stdout, reason = "the results are for people")]
fn report(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

/// The binary, without the settings in the environment.
fn postrider(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POSTRIDER_") {
            command.env_remove(name);
        }
    }
    command
}

/// Sends a signal to those of the processes that still exist.
fn signal(name: &str, processes: &[u32]) {
    let processes: Vec<_> = processes.iter().map(u32::to_string).collect();
    let line = format!("kill -s {name} {} 2>&1", processes.join(" "));
    drop(Command::new("sh").args(["-c", &line]).output());
}
