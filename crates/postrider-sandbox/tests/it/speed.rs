//! Measures what runs cost, for `docs/decisions/sandbox.md`:
//! `cargo test --release -p postrider-sandbox --all-features speed -- --ignored --nocapture`

use postrider_sandbox::{Isolation, Sandbox, SandboxOptions};
use tokio::time::Instant;

use crate::fixtures::{handler, patient, run};

const RUNS: u32 = 2000;

/// Prints the mean time of runs one after the other, for owners that take turns.
#[expect(clippy::print_stdout, reason = "a measurement prints its result")]
async fn measure(what: &str, options: SandboxOptions, owners: u128) {
    let sandbox = Sandbox::new(options);
    let script = handler("input.payload.total = input.payload.items.length; return input;");
    let argument = r#"{"payload":{"items":[{"id":1,"name":"a"},{"id":2,"name":"b"}]},"env":{}}"#;
    sandbox.run(run(0, &script, argument)).await.unwrap();
    let started_at = Instant::now();
    for number in 0..RUNS {
        let owner = u128::from(number) % owners;
        sandbox.run(run(owner, &script, argument)).await.unwrap();
    }
    let mean = started_at.elapsed() / RUNS;
    println!("{what}: {mean:?} per run, {} processes", sandbox.counts().started);
    sandbox.shut_down().await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn runs_of_few_and_of_many_owners() {
    measure("one owner", patient(), 1).await;
    measure("ten owners in turn, a process for each", patient(), 10).await;
    let shared = SandboxOptions { isolation: Isolation::Runtime, ..patient() };
    measure("ten owners in turn, a shared process", shared, 10).await;
}
