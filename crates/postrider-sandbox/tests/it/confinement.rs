//! What the worker process cannot do, even if a script took control of it.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
};

use postrider_sandbox::{RunErrorKind, Sandbox, SandboxOptions, confinement};

use crate::fixtures::{WORKER, failed, handler, options, program, returned, text};

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
    ] {
        let sandbox = Sandbox::new(SandboxOptions { launch, ..options() });
        let error = failed(&sandbox, &handler("return 1;")).await;
        assert_eq!(error.kind, RunErrorKind::Unavailable);
        assert!(error.message.contains(expected), "{}", error.message);
        assert!(sandbox.counts().start_failures >= 1);
        sandbox.shut_down().await;
    }
}
