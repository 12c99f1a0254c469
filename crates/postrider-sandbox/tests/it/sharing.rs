//! How workers are shared among owners.

use std::{collections::BTreeSet, time::Duration};

use postrider_sandbox::{Isolation, RunErrorKind, Sandbox, SandboxOptions};
use tokio::task::JoinSet;

use crate::fixtures::{eventually, handler, is_kind, options, patient, run, text};

/// Runs one script for each of the owners in turn, and returns how many processes were started.
async fn started(options: SandboxOptions, owners: &[u128]) -> u64 {
    let sandbox = Sandbox::new(SandboxOptions { warm: 0, ..options });
    for owner in owners {
        sandbox.run(run(*owner, &handler("return 1;"), "{}")).await.unwrap();
    }
    sandbox.shut_down().await;
    sandbox.counts().started
}

#[tokio::test]
async fn a_process_serves_one_owner() {
    assert_eq!(started(patient(), &[1, 1, 1, 1]).await, 1);
    assert_eq!(started(patient(), &[1, 2, 1, 2]).await, 2);
    assert_eq!(started(patient(), &[1, 2, 3, 1]).await, 4);
}

#[tokio::test]
async fn a_process_serves_any_owner_if_that_is_allowed() {
    let options = SandboxOptions { isolation: Isolation::Runtime, ..patient() };
    assert_eq!(started(options, &[1, 2, 3, 1]).await, 1);
}

#[tokio::test]
async fn checks_share_no_process() {
    let sandbox = Sandbox::new(SandboxOptions { warm: 0, ..patient() });
    for _ in 0..3 {
        sandbox.check(postrider_sandbox::Script::new("function handler() {}")).await.unwrap();
    }
    assert_eq!(sandbox.counts().started, 3);
    assert_eq!(sandbox.counts().workers, 0);
    sandbox.shut_down().await;
}

#[tokio::test]
async fn no_run_sees_another_one() {
    let sandbox = Sandbox::new(patient());
    let script = handler(
        "const seen = [globalThis.left, Object.prototype.left, Array.prototype.map === 1,
            typeof later, Symbol.for('left').left];
        globalThis.left = Object.prototype.left = 1;
        Array.prototype.map = 1;
        JSON.parse = () => 'forged';
        Promise.resolve().then(() => { globalThis.later = 1; });
        return seen;",
    );
    for _ in 0..3 {
        let returned = sandbox.run(run(1, &script, "{}")).await.unwrap();
        assert_eq!(text(&returned), r#"[null,null,false,"undefined",null]"#);
    }
    sandbox.shut_down().await;
}

#[tokio::test]
async fn an_owner_with_many_slow_runs_delays_no_other() {
    // A machine that is busy with other tests may delay the short runs.
    let sandbox = Sandbox::new(SandboxOptions { kill_after: Duration::from_secs(5), ..options() });
    let mut slow = JoinSet::new();
    for _ in 0..20 {
        let sandbox = sandbox.clone();
        slow.spawn(async move { sandbox.run(run(1, &handler("for (;;) {}"), "{}")).await });
    }
    eventually("slow runs wait", || sandbox.counts().queued > 10).await;
    for _ in 0..20 {
        sandbox.run(run(2, &handler("return 1;"), "{}")).await.unwrap();
    }
    // The slow ones need two seconds, so most of them wait until now.
    assert!(sandbox.counts().queued > 0);
    slow.abort_all();
    sandbox.shut_down().await;
}

#[tokio::test]
async fn runs_beyond_the_queue_are_rejected() {
    let limits = SandboxOptions { queued: 8, workers: 1, ..options() };
    let sandbox = Sandbox::new(limits);
    let mut runs = JoinSet::new();
    for _ in 0..20 {
        let sandbox = sandbox.clone();
        runs.spawn(async move { sandbox.run(run(1, &handler("for (;;) {}"), "{}")).await });
    }
    let rejected = async {
        while sandbox.counts().rejected < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), rejected).await.unwrap();
    // Half of the queue is left for others.
    let other = sandbox.run(run(2, &handler("return 1;"), "{}")).await;
    assert_eq!(text(&other.unwrap()), "1");
    let results = runs.join_all().await;
    assert!(results.iter().any(|it| is_kind(it, RunErrorKind::Busy)));
    sandbox.shut_down().await;
}

#[tokio::test]
async fn a_run_that_waited_too_long_is_rejected() {
    let sandbox = Sandbox::new(SandboxOptions { workers: 1, wait: Duration::ZERO, ..options() });
    let error = sandbox.run(run(1, &handler("return 1;"), "{}")).await.unwrap_err();
    assert_eq!(error.kind, RunErrorKind::Busy);
    sandbox.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_worker_is_not_measured_by_the_clock_of_the_caller() {
    let limits = SandboxOptions {
        interrupt_after: Duration::from_secs(1),
        kill_after: Duration::from_secs(60),
        wait: Duration::from_millis(500),
        ..options()
    };
    let sandbox = Sandbox::new(limits);
    let slow = sandbox.run(run(1, &handler("for (;;);"), "{}")).await;
    assert!(is_kind(&slow, RunErrorKind::Timeout), "{slow:?}");
    // The clock of this runtime is now a second behind.
    let next = sandbox.run(run(1, &handler("return 1;"), "{}")).await;
    assert_eq!(next.map(|it| text(&it).to_owned()), Ok("1".to_owned()));
    sandbox.shut_down().await;
}

#[tokio::test]
async fn many_owners_get_their_own_results() {
    let sandbox = Sandbox::new(patient());
    let mut runs = JoinSet::new();
    for number in 0..200_u128 {
        let sandbox = sandbox.clone();
        let argument = format!("{{\"number\":{number}}}");
        runs.spawn(async move {
            let script = handler("return input.number;");
            let returned = sandbox.run(run(number % 7, &script, &argument)).await.unwrap();
            (number.to_string(), text(&returned).to_owned())
        });
    }
    let results = runs.join_all().await;
    assert!(results.iter().all(|(number, returned)| number == returned));
    assert_eq!(results.into_iter().collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(sandbox.counts().runs, 200);
    sandbox.shut_down().await;
}
