//! Programs, as endpoints.

use std::{path::Path, sync::Arc, time::Duration};

use postrider::api::EndpointKind;
use postrider_core::{
    kind::command::{CommandRegistry, Program},
    outcome::{Failure, Outcome},
    target::Target,
};
use postrider_engine::{Call, CommandSender, Report, Sender};
use serde_json::{Value, json};

use crate::{
    SECOND,
    fixtures::{self, BODY, assert_delivered, assert_failed, said},
};

/// A sender that knows one program, and an endpoint that runs it.
fn endpoint(config: Value) -> (CommandSender, Arc<Target>) {
    let Value::Object(fields) = config else { panic!("{config} is not an object") };
    let mut registry = CommandRegistry::default();
    let stored = registry.add("test", Program::parse(&fields).unwrap());
    let target = fixtures::target(EndpointKind::Command, stored.into());
    (CommandSender::new(registry), target)
}

fn shell(script: &str) -> Value {
    json!({ "program": "/bin/sh", "args": ["-c", script] })
}

fn call(target: &Arc<Target>) -> Call {
    fixtures::call(target, 1, BODY)
}

async fn run(config: Value) -> Report {
    let (sender, target) = endpoint(config);
    sender.send(call(&target)).await
}

fn is_running(pid: &str) -> bool {
    // A process that has not been waited for yet has ended all the same.
    let state = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !state.is_empty() && !state.lines().any(|line| line.starts_with("State:\tZ"))
}

/// Waits for a process to end.
async fn assert_ends(pid: &str) {
    let deadline = tokio::time::Instant::now() + 10 * SECOND;
    while is_running(pid) {
        assert!(tokio::time::Instant::now() < deadline, "{pid} still runs");
        tokio::time::sleep(SECOND / 100).await;
    }
}

#[tokio::test]
async fn a_program_gets_the_body_and_its_output_is_recorded() {
    let report = run(shell("cat; echo; echo problem >&2")).await;
    assert_delivered(&report);
    let body = String::from_utf8_lossy(BODY);
    let said = said(&report);
    assert!(said.starts_with("exited with code 0\n") && said.contains(&*body), "{said}");
    assert!(said.contains("problem"), "{said}");
}

#[tokio::test]
async fn the_environment_is_clean() {
    let config = json!({
        "program": "/usr/bin/env",
        "env": { "TOKEN": "x y" },
        "cwd": "/tmp",
    });
    let (sender, target) = endpoint(config);
    let report = sender.send(call(&target)).await;
    assert_delivered(&report);
    let said = said(&report);
    let mut lines: Vec<_> = said.lines().skip(1).collect();
    lines.sort_unstable();
    let message = call(&target).message;
    assert_eq!(
        lines,
        [
            "PATH=/usr/local/bin:/usr/bin:/bin",
            &format!("POSTRIDER_APPLICATION_ID={}", target.application),
            &format!("POSTRIDER_ENDPOINT_ID={}", target.endpoint),
            "POSTRIDER_EVENT_TYPE=order.paid",
            &format!("POSTRIDER_MESSAGE_ID={}", message.id),
            "POSTRIDER_TIMESTAMP=2026-01-01T00:00:00Z",
            "TOKEN=x y",
        ]
    );
}

#[tokio::test]
async fn arguments_are_fixed_and_no_shell_reads_them() {
    let arguments = ["%s|", "$HOME", "`id`", "a b", "*"];
    let report = run(json!({ "program": "/usr/bin/printf", "args": arguments })).await;
    assert_eq!(said(&report), "exited with code 0\n$HOME|`id`|a b|*|");
}

#[tokio::test]
async fn exit_codes_decide_about_the_delivery() {
    for (code, failure) in [
        (1, Failure::Unavailable),
        (65, Failure::Rejected),
        (75, Failure::Unavailable),
        (78, Failure::Misconfigured),
    ] {
        let report = run(shell(&format!("echo why; exit {code}"))).await;
        assert_failed(&report, failure, &format!("exited with code {code}\nwhy"));
    }
    assert_failed(&run(shell("kill -9 $$")).await, Failure::Unavailable, "killed by signal 9");
}

#[tokio::test]
async fn what_cannot_be_started_is_misconfigured() {
    for program in ["/nonexistent/program", "/etc/passwd", "/tmp"] {
        let report = run(json!({ "program": program })).await;
        assert_failed(&report, Failure::Misconfigured, "cannot be started");
    }
    let folder = json!({ "program": "/bin/true", "cwd": "/nonexistent" });
    assert_failed(&run(folder).await, Failure::Misconfigured, "`cwd`");
    let target = fixtures::target(EndpointKind::Command, json!({ "command": "unknown" }));
    let report = CommandSender::new(CommandRegistry::default()).send(call(&target)).await;
    assert_failed(&report, Failure::Misconfigured, "defines no command unknown; add it");
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let large: &'static [u8] = vec![b'x'; 4 << 20].leak();
    let (sender, target) = endpoint(json!({ "program": "/bin/true" }));
    assert_delivered(&sender.send(fixtures::call(&target, 1, large)).await);
    let (sender, target) = endpoint(shell("wc -c"));
    let report = sender.send(fixtures::call(&target, 1, large)).await;
    assert!(said(&report).contains(&large.len().to_string()), "{}", said(&report));
}

#[tokio::test]
async fn of_long_output_the_beginning_is_recorded() {
    let report = run(shell("head -c 3000000 /dev/zero | tr '\\0' x; exit 3")).await;
    assert_failed(&report, Failure::Unavailable, "exited with code 3\nxxx");
    assert_eq!(said(&report).matches('x').count(), (16 << 10) + 1);
    let report = run(shell("printf '\\377ok'")).await;
    assert_eq!(said(&report), "exited with code 0\n\u{fffd}ok");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_with_its_children() {
    let mut config = shell("sleep 600 & echo $! $$; sleep 600");
    config["timeout"] = json!("300ms");
    let report = run(config).await;
    assert_failed(&report, Failure::Timeout, "killed because it ran for more than 300 ms");
    let said = said(&report);
    for pid in said.lines().last().unwrap().split(' ') {
        assert_ends(pid).await;
    }
}

#[tokio::test]
async fn children_that_keep_the_output_open_delay_nothing() {
    let began = tokio::time::Instant::now();
    let report = run(shell("sleep 600 & echo $!")).await;
    assert_delivered(&report);
    assert_ends(said(&report).lines().last().unwrap()).await;
    // In a session of its own, it is not killed, but not waited for either.
    let report = run(shell("setsid sleep 30 & echo $!")).await;
    assert_delivered(&report);
    assert!(began.elapsed() < 20 * SECOND);
}

#[tokio::test]
async fn a_delivery_that_is_dropped_kills_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let (sender, target) = endpoint(shell(&format!("echo $$ > {}; sleep 600", file.display())));
    let mut delivery = Box::pin(sender.send(call(&target)));
    let pid = tokio::select! {
        report = &mut delivery => panic!("{report:?}"),
        pid = content(&file) => pid,
    };
    drop(delivery);
    assert_ends(pid.trim()).await;
}

async fn content(file: &Path) -> String {
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            Ok(_) | Err(_) => tokio::time::sleep(SECOND / 100).await,
        }
    }
}

#[tokio::test]
async fn a_check_starts_nothing() {
    let (sender, target) = endpoint(shell("touch /nonexistent"));
    let report = sender.check(Arc::clone(&target)).await;
    assert_eq!(said(&report), "/bin/sh can be executed; it was not started");
    assert_eq!(report.outcome, Outcome::ACCEPTED);
    assert_eq!(sender.time_limit(&target), Some(Duration::from_secs(40)));
    let (sender, target) = endpoint(json!({ "program": "/etc/passwd" }));
    assert_failed(&sender.check(target).await, Failure::Misconfigured, "not an executable file");
}
