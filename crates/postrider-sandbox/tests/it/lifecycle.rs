//! Workers start, die, are replaced, and end.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use postrider_sandbox::{Launch, RunErrorKind, Sandbox, SandboxOptions};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::{
    WORKER, end, eventually, failed, handler, is_kind, lives, options, patient, returned, run, text,
};

/// CPU time that a process has used, in ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn no_process_is_started_before_it_is_needed_and_none_is_left_over() {
    let sandbox = Sandbox::new(patient());
    assert!(sandbox.processes().is_empty());
    returned(&sandbox, &handler("return 1;"), "{}").await;
    eventually("one worker is kept warm", || sandbox.counts().workers == 2).await;
    assert!(sandbox.processes().len() == 2 && sandbox.processes().into_iter().all(lives));
    end(&sandbox).await;
    let error = failed(&sandbox, &handler("return 1;")).await;
    assert_eq!(error.kind, RunErrorKind::Unavailable);
    sandbox.shut_down().await;
}

#[tokio::test]
async fn a_sandbox_that_was_never_used_shuts_down() {
    let sandbox = Sandbox::new(options());
    sandbox.shut_down().await;
    assert_eq!(failed(&sandbox, "").await.kind, RunErrorKind::Unavailable);
    assert!(sandbox.processes().is_empty());
}

#[tokio::test]
async fn workers_end_with_the_last_handle() {
    let sandbox = Sandbox::new(patient());
    returned(&sandbox, &handler("return 1;"), "{}").await;
    drop(sandbox.clone());
    returned(&sandbox, &handler("return 1;"), "{}").await;
    let workers = sandbox.processes();
    drop(sandbox);
    eventually("all workers end", || !workers.iter().any(|worker| lives(*worker))).await;
}

#[tokio::test]
async fn a_killed_worker_is_replaced() {
    let sandbox = Sandbox::new(SandboxOptions { warm: 0, ..patient() });
    returned(&sandbox, &handler("return 1;"), "{}").await;
    for _ in 0..3 {
        let [worker] = sandbox.processes()[..] else { panic!("not one process") };
        kill(worker);
        eventually("the worker is dead", || !lives(worker)).await;
        assert_eq!(text(&returned(&sandbox, &handler("return 2;"), "{}").await), "2");
    }
    assert_eq!(sandbox.counts().started, 4);
    sandbox.shut_down().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_during_a_run_is_reported() {
    let sandbox = Sandbox::new(SandboxOptions { warm: 0, ..patient() });
    let endless = handler("for (;;) {}");
    let running = sandbox.run(run(1, &endless, "{}"));
    let killing = async {
        let is_running = |pid: &u32| cpu_ticks(*pid) >= 20;
        eventually("the script runs", || sandbox.processes().iter().any(is_running)).await;
        sandbox.processes().into_iter().for_each(kill);
    };
    let (result, ()) = tokio::join!(running, killing);
    assert!(is_kind(&result, RunErrorKind::Crashed), "{result:?}");
    assert_eq!(sandbox.counts().crashed, 1);
    assert_eq!(text(&returned(&sandbox, &handler("return 2;"), "{}").await), "2");
    end(&sandbox).await;
}

#[tokio::test]
async fn abandoned_runs_leave_no_worker_behind() {
    let sandbox = Sandbox::new(SandboxOptions { warm: 0, ..options() });
    let endless = handler("for (;;) {}");
    for _ in 0..3 {
        let running = sandbox.run(run(1, &endless, "{}"));
        let begun = eventually("the run begins", || {
            let counts = sandbox.counts();
            counts.queued == 0 && counts.workers == 1
        });
        tokio::select! {
            result = running => assert!(is_kind(&result, RunErrorKind::Timeout), "{result:?}"),
            () = begun => {},
        }
    }
    let sandbox_works = sandbox.run(run(1, &handler("return 1;"), "{}")).await;
    assert_eq!(text(&sandbox_works.unwrap()), "1");
    assert!(sandbox.processes().len() <= 2);
    end(&sandbox).await;
}

#[tokio::test]
async fn shutting_down_ends_runs_and_rejects_those_that_wait() {
    let sandbox = Sandbox::new(SandboxOptions { workers: 1, ..options() });
    let endless = handler("for (;;) {}");
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (sandbox, endless) = (sandbox.clone(), endless.clone());
        set.spawn(async move { sandbox.run(run(1, &endless, "{}")).await });
    }
    eventually("runs wait", || sandbox.counts().queued >= 3).await;
    end(&sandbox).await;
    let results = set.join_all().await;
    assert!(results.iter().all(|it| {
        is_kind(it, RunErrorKind::Unavailable) || is_kind(it, RunErrorKind::Timeout)
    }));
    assert!(results.iter().filter(|it| is_kind(it, RunErrorKind::Unavailable)).count() >= 2);
}

#[tokio::test]
async fn workers_in_threads_serve_tests() {
    let launch = Launch::Thread;
    let sandbox = Sandbox::new(SandboxOptions { launch, ..patient() });
    assert_eq!(text(&returned(&sandbox, &handler("return input;"), "[1]").await), "[1]");
    let short = SandboxOptions { launch: Launch::Thread, ..options() };
    let impatient = Sandbox::new(SandboxOptions { kill_after: Duration::from_secs(60), ..short });
    let error = failed(&impatient, &handler("for (;;) {}")).await;
    assert_eq!(error.kind, RunErrorKind::Timeout);
    assert!(sandbox.processes().is_empty());
    impatient.shut_down().await;
    sandbox.shut_down().await;
}

#[tokio::test]
async fn a_worker_ends_with_its_parent_even_during_a_run() {
    let mut parent = Command::new(WORKER).arg("parent").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let worker = line.trim().parse().unwrap();
    assert!(lives(worker));
    kill(parent.id());
    parent.wait().unwrap();
    eventually("the worker ends", || !lives(worker)).await;
}
