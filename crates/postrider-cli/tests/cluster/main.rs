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
mod invariants;
mod load;
mod node;
mod postgres;
mod process;
mod receiver;
mod replication;

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Maximum wait for anything; a test that waits longer has failed.
const MAX_WAIT: Duration = Duration::from_secs(60);

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
        pass(Duration::from_millis(10)).await;
    }
}

/// Prints a result, such as the number of duplicates.
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

/// Sends a signal to those of the processes that still exist. Uses the `kill` of a shell, because
/// not every machine has it as a program.
fn signal(name: &str, processes: &[u32]) {
    let processes: Vec<_> = processes.iter().map(u32::to_string).collect();
    let line = format!("kill -s {name} {} 2>&1", processes.join(" "));
    drop(Command::new("sh").args(["-c", &line]).output());
}
