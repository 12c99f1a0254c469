//! What the worker process cannot do, even if a script took control of it.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
};

use postrider_sandbox::{Launch, RunErrorKind, Sandbox, SandboxOptions, confinement};

use crate::fixtures::{WORKER, end, failed, handler, options, program, returned, text};

/// A signal's number on the platforms that are supported.
const SIGSYS: i32 = 31;

fn attempt(what: &str) -> ExitStatus {
    let mut worker = Command::new(WORKER);
    worker.arg(what).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    worker.status().unwrap()
}

#[test]
fn the_platform_can_confine_workers() {
    assert_eq!(confinement(), Ok(()));
    assert!(attempt("nothing").success());
}

#[test]
fn a_worker_that_calls_the_operating_system_is_killed() {
    for what in [
        "read-file",
        "write-file",
        "list-folder",
        "stat-file",
        "connect",
        "start-program",
        "start-thread",
        "kill-parent",
        "write-stderr",
        "raise-limit",
    ] {
        let status = attempt(what);
        assert_eq!(status.signal(), Some(SIGSYS), "{what}: {status}");
    }
}

#[tokio::test]
async fn a_worker_has_no_environment_and_the_time_zone_of_no_place() {
    let sandbox = Sandbox::new(options());
    let script = handler(
        "const names = Object.getOwnPropertyNames(globalThis);
        return {
            found: ['process', 'require', 'std', 'os', 'fetch', 'XMLHttpRequest', 'WebAssembly',
                'setTimeout', 'scriptArgs', 'print', 'load', 'Deno', 'bjson', 'Worker']
                .filter(name => names.includes(name)),
            offsets: [new Date(2020, 0).getTimezoneOffset(), new Date(2020, 6).getTimezoneOffset()],
            local: new Date(0).toString(),
        };",
    );
    let returned = returned(&sandbox, &script, "{}").await;
    let expected = r#"{"found":[],"offsets":[0,0],"local":"Thu Jan 01 1970 00:00:00 GMT+0000"}"#;
    assert_eq!(text(&returned), expected);
    sandbox.shut_down().await;
}

#[tokio::test]
async fn programs_that_are_no_workers_are_reported() {
    for (launch, expected) in [
        (program("/does/not/exist", &[]), "No such file"),
        (program("/bin/true", &[]), "is not a worker"),
        // Sends the request back.
        (program("/bin/cat", &[]), "is not a worker"),
        // Endless zeros are empty frames.
        (program("/bin/cat", &["/dev/zero"]), "is not a worker"),
        (program("/usr/bin/yes", &[]), "is not a worker"),
        // A program of tests.
        (Launch::this_program(), "is not a worker"),
    ] {
        let sandbox = Sandbox::new(SandboxOptions { launch, ..options() });
        let error = failed(&sandbox, &handler("return 1;")).await;
        assert_eq!(error.kind, RunErrorKind::Unavailable);
        assert!(error.message.contains(expected), "{}", error.message);
        assert!(sandbox.counts().start_failures >= 1);
        sandbox.shut_down().await;
    }
}

/// A worker that reports that it is ready, and then does something else than running scripts.
async fn impostor(then: &str) -> (RunErrorKind, u64) {
    // The first byte arrives with the whole first request.
    let script = format!("head -c 1 >/dev/null; printf '\\001\\000\\000\\000\\020'; {then}");
    let launch = program("/bin/sh", &["-c", &script]);
    let sandbox = Sandbox::new(SandboxOptions { launch, warm: 0, ..options() });
    let error = failed(&sandbox, &handler("return 1;")).await;
    end(&sandbox).await;
    (error.kind, sandbox.counts().crashed)
}

#[tokio::test]
async fn workers_that_violate_the_protocol_are_stopped() {
    for then in [
        "exit 0",
        "kill -SEGV $$",
        // An endless stream of empty frames, of frames that are too long, and of nothing.
        "exec cat /dev/zero",
        "exec yes",
        "printf '\\377\\377\\377\\177'; exec cat /dev/zero",
        // A frame that is cut off.
        "printf '\\144\\000\\000\\000abc'; exit 0",
        // Ready again; a kind that does not exist; a console that is no text.
        "printf '\\001\\000\\000\\000\\020'; exec sleep 1000",
        "printf '\\001\\000\\000\\000\\001'; exec sleep 1000",
        "printf '\\006\\000\\000\\000\\022\\001\\000\\000\\000\\377'; exec sleep 1000",
    ] {
        assert_eq!(impostor(then).await, (RunErrorKind::Crashed, 1), "{then}");
    }
    // A value that is no JSON concerns only the caller.
    let not_json = "printf '\\006\\000\\000\\000\\022\\000\\000\\000\\000{'; exec sleep 1000";
    assert_eq!(impostor(not_json).await, (RunErrorKind::Crashed, 0));
    assert_eq!(impostor("exec sleep 1000").await, (RunErrorKind::Timeout, 0));
}
