//! Three nodes on one PostgreSQL: whatever of it dies, what was accepted is delivered.
//!
//! Every case has a server, three nodes and a receiver of its own, publishes through all nodes
//! while it breaks something, and then proves the same: everything accepted was taken by every
//! endpoint and is settled, the order and the rate that were promised were kept, nothing else
//! than 202 and 503 was answered, no node panicked. It prints how many duplicates there were.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod change;
mod clock;
mod cluster;
mod database;
mod load;
mod node;
mod postgres;
mod process;
mod proof;
mod receiver;

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Longest wait for anything; a case that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "the cases happen in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Lets the load go on for a while.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Waits for something that another process or thread does.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = now() + PATIENCE;
    while !is_so() {
        assert!(now() < deadline, "waited in vain until {what}");
        pass(Duration::from_millis(10)).await;
    }
}

/// Prints a result, such as how many duplicates there were.
#[expect(clippy::print_stdout, reason = "the results are for people")]
fn report(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

/// The binary, with none of the environment's settings.
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

/// Sends a signal to those of the processes that still are; every shell has `kill`, not every
/// machine has it as a program.
fn signal(name: &str, processes: &[u32]) {
    let processes: Vec<_> = processes.iter().map(u32::to_string).collect();
    let line = format!("kill -s {name} {} 2>&1", processes.join(" "));
    drop(Command::new("sh").args(["-c", &line]).output());
}
