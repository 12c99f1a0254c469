//! What tests with processes of the real binary need: time, conditions, processes and signals.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Maximum wait for anything; a test that waits longer has failed.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(180);

#[expect(clippy::disallowed_methods, reason = "the cases happen in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets the load continue for some time.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Polls a condition that another process or thread fulfils.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = now() + MAX_WAIT;
    while !is_so() {
        assert!(now() < deadline, "timed out waiting until {what}");
        pass(Duration::from_millis(10)).await;
    }
}

/// Prints a result, such as the number of duplicates.
#[expect(clippy::print_stdout, reason = "the results are for people")]
pub(crate) fn report(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

/// The binary, without the settings in the environment.
pub(crate) fn postrider(arguments: &[&str]) -> Command {
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
pub(crate) fn signal(name: &str, processes: &[u32]) {
    let processes: Vec<_> = processes.iter().map(u32::to_string).collect();
    let line = format!("kill -s {name} {} 2>&1", processes.join(" "));
    drop(Command::new("sh").args(["-c", &line]).output());
}
