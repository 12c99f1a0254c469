//! Ordered endpoints in virtual time: whatever happens, no delivery overtakes another.

use std::{sync::Arc, time::Duration};

use postrider_core::{
    catalog::{BatchLimits, Ordering},
    limiter,
};

use crate::{
    SECOND,
    coverage::Coverage,
    world::{Receiver, World, random_batch},
};

const SEEDS: u64 = 100;

async fn ordered(seed: u64, receivers: &[(Receiver, Option<u32>)]) -> World {
    let world = World::new(seed, receivers).await;
    for index in 0..receivers.len() {
        world.order(index, Ordering::Fifo).await;
    }
    world
}

/// The same, with batches at random.
async fn batched(seed: u64, receivers: &[(Receiver, Option<u32>)]) -> World {
    let world = ordered(seed, receivers).await;
    for index in 0..receivers.len() {
        world.batch(index, random_batch(&world.dice)).await;
    }
    world
}

async fn pause(world: &World, most: Duration) {
    let millis = u64::try_from(most.as_millis()).unwrap();
    tokio::time::sleep(Duration::from_millis(world.dice.roll(millis))).await;
}

/// Ordered endpoints whose receivers fail.
pub(crate) async fn ordered_failures(seed: u64) -> Arc<Coverage> {
    let receivers = [(Receiver::Flaky, None), (Receiver::Good, None), (Receiver::Flaky, Some(3))];
    let mut world = batched(seed, &receivers).await;
    world.start();
    for _ in 0..15 {
        world.publish().await;
        pause(&world, SECOND).await;
    }
    world.drain().await;
    let successes = world.successes();
    assert_eq!(successes.len(), 45, "seed {seed}");
    assert!(successes.values().all(|&times| times == 1), "seed {seed}");
    (0..3).for_each(|index| world.check_order(index));
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn no_delivery_overtakes_one_that_fails() {
    for seed in 0..SEEDS {
        ordered_failures(seed).await;
    }
}

/// Ordered endpoints of a node that is killed or stopped.
pub(crate) async fn ordered_crashes(seed: u64) -> Arc<Coverage> {
    let mut world = batched(seed, &[(Receiver::Flaky, None), (Receiver::Slow, None)]).await;
    for round in 0..4 {
        world.start();
        for _ in 0..5 {
            world.publish().await;
        }
        pause(&world, 20 * SECOND).await;
        if round % 2 == 0 { world.kill().await } else { world.stop().await }
    }
    world.start();
    world.drain().await;
    assert_eq!(world.successes().len(), 40, "seed {seed}");
    (0..2).for_each(|index| world.check_order(index));
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn a_crash_keeps_the_order() {
    for seed in 0..SEEDS {
        ordered_crashes(seed).await;
    }
}

/// Ordered endpoints over a store that is unavailable for a while.
pub(crate) async fn ordered_outages(seed: u64) -> Arc<Coverage> {
    let mut world = batched(seed, &[(Receiver::Flaky, None), (Receiver::Good, None)]).await;
    world.start();
    let mut accepted = 0;
    for _ in 0..40 {
        world.store.set_available(world.dice.roll(3) > 0);
        accepted += usize::from(world.try_publish().await.is_ok());
        pause(&world, SECOND).await;
    }
    world.store.set_available(true);
    world.drain().await;
    assert_eq!(world.successes().len(), 2 * accepted, "seed {seed}");
    (0..2).for_each(|index| world.check_order(index));
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_keeps_the_order() {
    for seed in 0..SEEDS / 2 {
        ordered_outages(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_message_delays_no_other() {
    let mut world = ordered(1, &[(Receiver::Good, None)]).await;
    world.start();
    world.publish_later(90 * SECOND).await;
    for _ in 0..10 {
        world.publish().await;
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.successes().len(), 10);
    tokio::time::sleep(92 * SECOND).await;
    assert_eq!(world.successes().len(), 11);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ordered_endpoint_is_called_without_delay_and_within_its_rate() {
    let mut world = ordered(2, &[(Receiver::Good, None), (Receiver::Good, Some(20))]).await;
    world.start();
    for _ in 0..10 {
        world.publish().await;
        tokio::time::sleep(SECOND).await;
    }
    for endpoint in world.endpoints.clone() {
        let worst = world.first_delays(endpoint).into_values().max().unwrap();
        assert!(worst < Duration::from_millis(20), "an idle one is called at once: {worst:?}");
    }
    let began = tokio::time::Instant::now();
    let before = world.calls_by_endpoint();
    for _ in 0..2_000 {
        world.publish().await;
    }
    tokio::time::sleep(25 * SECOND).await;
    let calls = world.calls_by_endpoint();
    let made = |index: usize| calls[&world.endpoints[index]] - before[&world.endpoints[index]];
    // Each call takes ten milliseconds.
    assert!(made(0) >= 1_900, "{}", made(0));
    assert!(made(1) <= limiter::at_most(20, began.elapsed()) && made(1) >= 20 * 23, "{}", made(1));
    world.stop().await;
}

/// An endpoint changes its ordering; messages from before the change keep the ordering with which
/// they were accepted.
pub(crate) async fn changes_of_order(seed: u64) -> Arc<Coverage> {
    let mut world = World::new(seed, &[(Receiver::Flaky, None)]).await;
    world.start();
    for round in 0..6 {
        let ordering = if round % 2 == 0 { Ordering::Fifo } else { Ordering::Any };
        world.order(0, ordering).await;
        world.engine().changed(world.application).await.unwrap();
        for _ in 0..10 {
            world.publish().await;
        }
        pause(&world, 20 * SECOND).await;
    }
    world.drain().await;
    assert_eq!(world.successes().len(), 60, "seed {seed}");
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_may_change_between_ordered_and_unordered() {
    for seed in 0..50 {
        changes_of_order(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_call_when_it_is_full_or_its_first_message_has_waited() {
    let mut world = ordered(1, &[(Receiver::Good, None)]).await;
    world.batch(0, Some(BatchLimits { size: 10, max_wait_seconds: 60 })).await;
    world.start();
    for _ in 0..25 {
        world.publish().await;
        tokio::time::sleep(SECOND / 10).await;
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.call_sizes(), [10, 10], "full batches do not wait");
    tokio::time::sleep(57 * SECOND).await;
    assert_eq!(world.call_sizes(), [10, 10], "a batch waits for its time");
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(world.call_sizes(), [10, 10, 5]);
    world.check_order(0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_endpoint_is_not_called_until_it_is_resumed() {
    let mut world = ordered(3, &[(Receiver::Good, None)]).await;
    world.start();
    world.publish().await;
    tokio::time::sleep(SECOND).await;
    world.pause(0, true).await;
    world.engine().changed(world.application).await.unwrap();
    for _ in 0..5 {
        world.publish().await;
    }
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(world.successes().len(), 1, "what is paused is not called");
    world.pause(0, false).await;
    world.engine().changed(world.application).await.unwrap();
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(world.successes().len(), 6);
    world.check_order(0);
    world.stop().await;
}
