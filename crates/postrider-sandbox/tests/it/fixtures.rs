//! What the tests have in common.

use std::{ffi::OsString, fs, time::Duration};

use bytes::Bytes;
use postrider_sandbox::{
    Launch, Returned, Run, RunError, RunErrorKind, Sandbox, SandboxOptions, Script,
};

pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_postrider-sandbox-worker");

/// The fields that transformations cannot change.
pub(crate) const READ_ONLY: &[&str] = &["eventType", "env"];

pub(crate) fn options() -> SandboxOptions {
    SandboxOptions::new(Launch::Program { path: WORKER.into(), arguments: Vec::new() })
}

/// Options with time limits that a busy machine does not reach: for scripts that end by themselves.
pub(crate) fn patient() -> SandboxOptions {
    SandboxOptions {
        interrupt_after: Duration::from_secs(60),
        kill_after: Duration::from_secs(60),
        wait: Duration::from_secs(60),
        ..options()
    }
}

pub(crate) fn program(path: &str, arguments: &[&str]) -> Launch {
    let arguments = arguments.iter().map(OsString::from).collect();
    Launch::Program { path: path.into(), arguments }
}

pub(crate) fn run(owner: u128, script: &str, argument: &str) -> Run {
    Run {
        owner,
        script: Script::new(script),
        argument: Bytes::copy_from_slice(argument.as_bytes()),
        read_only: READ_ONLY,
    }
}

/// A handler with this body, which gets `input`.
pub(crate) fn handler(body: &str) -> String {
    format!("function handler(input) {{\n{body}\n}}")
}

pub(crate) async fn returned(sandbox: &Sandbox, script: &str, argument: &str) -> Returned {
    sandbox.run(run(1, script, argument)).await.unwrap()
}

pub(crate) async fn failed(sandbox: &Sandbox, script: &str) -> RunError {
    sandbox.run(run(1, script, "{}")).await.unwrap_err()
}

pub(crate) fn text(returned: &Returned) -> &str {
    std::str::from_utf8(&returned.value).unwrap()
}

/// The kind of a result, as the files of hostile scripts name it.
pub(crate) fn kind_of(result: &Result<Returned, RunError>) -> String {
    match result {
        Ok(returned) => format!("returns {}", text(returned)),
        Err(error) => format!("{:?}", error.kind),
    }
}

pub(crate) fn is_kind(result: &Result<Returned, RunError>, kind: RunErrorKind) -> bool {
    result.as_ref().is_err_and(|error| error.kind == kind)
}

/// Whether a process exists and has not ended, even if its parent does not know yet.
pub(crate) fn lives(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Shuts down, and checks that no process is left over, not even a zombie.
pub(crate) async fn end(sandbox: &Sandbox) {
    let processes = sandbox.processes();
    sandbox.shut_down().await;
    assert_eq!(sandbox.counts().workers, 0);
    assert!(sandbox.processes().is_empty());
    for pid in processes {
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "process {pid} is left over");
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect(what);
}
