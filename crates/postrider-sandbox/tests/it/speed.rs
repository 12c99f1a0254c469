//! Measures what runs cost, for `docs/decisions/sandbox.md`:
//! `cargo test --release -p postrider-sandbox --all-features speed -- --ignored --nocapture`

use std::{fs, time::Duration};

use postrider_sandbox::{Isolation, Sandbox, SandboxOptions};
use tokio::time::Instant;

use crate::fixtures::{handler, patient, run};

const RUNS: u32 = 2000;

/// A tick of the kernel's accounting of CPU time.
const TICK: Duration = Duration::from_millis(10);

/// Prints the mean cost of runs one after the other, for owners that take turns.
#[expect(clippy::print_stdout, reason = "a measurement prints its result")]
async fn measure(what: &str, options: SandboxOptions, owners: u128) {
    let sandbox = Sandbox::new(options);
    let script = handler("input.payload.total = input.payload.items.length; return input;");
    let argument = r#"{"payload":{"items":[{"id":1,"name":"a"},{"id":2,"name":"b"}]},"env":{}}"#;
    sandbox.run(run(0, &script, argument)).await.unwrap();
    let (started_at, used_before) = (Instant::now(), cpu_time());
    for number in 0..RUNS {
        let owner = u128::from(number) % owners;
        sandbox.run(run(owner, &script, argument)).await.unwrap();
    }
    let mean = started_at.elapsed() / RUNS;
    sandbox.shut_down().await;
    // The kernel adds that of processes that have ended.
    let cpu = cpu_time().saturating_sub(used_before) / RUNS;
    let started = sandbox.counts().started;
    println!("{what}: {mean:?} per run, {cpu:?} of CPU time, {started} processes");
}

/// CPU time of this process and of all that it started and that have ended.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(4).map(|it| it.parse::<u32>().unwrap());
    TICK * ticks.sum::<u32>()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn runs_of_few_and_of_many_owners() {
    measure("one owner", patient(), 1).await;
    measure("ten owners in turn, a process for each", patient(), 10).await;
    let shared = SandboxOptions { isolation: Isolation::Runtime, ..patient() };
    measure("ten owners in turn, a shared process", shared, 10).await;
}
