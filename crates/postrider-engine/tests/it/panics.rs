//! Panics inside the engine: each is reported, and none loses a delivery.

use postrider_core::outcome::{Failure, Outcome};
use postrider_store::{AttemptFilter, AttemptsOf, History, Scan};
use tokio_util::sync::CancellationToken;

use crate::{
    SECOND,
    world::{Receiver, World},
};

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_sender_is_a_failed_attempt_that_is_retried() {
    let mut world = World::new(1, &[(Receiver::Buggy, None)]).await;
    world.start();
    for _ in 0..20 {
        world.publish().await;
    }
    world.drain().await;
    assert_eq!(world.successes().len(), 20);
    assert!(world.engine().is_running());
    let of = AttemptsOf::Endpoint(world.application, world.endpoints[0]);
    let scan = Scan { after: None, ascending: true, limit: 1_000 };
    let attempts = world.store.attempts(of, AttemptFilter::default(), scan).await.unwrap().items;
    let failed: Vec<_> = attempts.iter().filter(|(it, _)| !it.outcome.delivered()).collect();
    assert!(!failed.is_empty());
    for (attempt, _) in failed {
        assert_eq!(attempt.outcome, Outcome::Unanswered(Failure::Protocol));
        let said = attempt.response.clone().unwrap().body;
        assert!(said.starts_with(b"internal error"), "{said:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_task_that_panics_is_reported_and_the_engine_is_not_running() {
    let world = World::new(1, &[(Receiver::Good, None)]).await;
    let (engine, tasks) = world.open();
    let halt = CancellationToken::new();
    let mut running = tasks.start(&halt, SECOND).unwrap();
    assert!(engine.is_running());
    world.store.set_panicking(true);
    let stopped = running.failure().await.to_string();
    assert!(stopped.ends_with("stopped: the store was made to panic"), "{stopped}");
    assert!(!engine.is_running());
    halt.cancel();
    // The other tasks may have panicked too; all of them end.
    drop(running.end().await);
}

#[tokio::test]
async fn tasks_that_are_stopped_end_without_an_error() {
    let world = World::new(1, &[(Receiver::Good, None)]).await;
    let (engine, tasks) = world.open();
    let halt = CancellationToken::new();
    let running = tasks.start(&halt, SECOND).unwrap();
    halt.cancel();
    running.end().await.unwrap();
    assert!(!engine.is_running());
}
