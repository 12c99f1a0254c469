//! The whole engine against hostile receivers, in virtual time.
//!
//! One seed gives one history. A failing run prints its seed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use postrider_core::{delivery::Status, limiter};
use postrider_store::{Deliveries, Scope};

use crate::{
    SECOND,
    coverage::Coverage,
    world::{Receiver, World},
};

/// Number of seeds for each property.
const SEEDS: u64 = 200;

/// Receivers that fail in all ways.
pub(crate) async fn failing_receivers(seed: u64) -> Arc<Coverage> {
    let mut world = World::new(seed, &[(Receiver::Flaky, None), (Receiver::Flaky, Some(4))]).await;
    world.start();
    for _ in 0..20 {
        world.publish().await;
    }
    world.drain().await;
    let delivered = world.successes();
    assert_eq!(delivered.len(), 40, "seed {seed}");
    assert!(delivered.values().all(|&times| times == 1), "seed {seed}");
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn every_message_arrives_once_and_nothing_is_sent_after_success() {
    for seed in 0..SEEDS {
        failing_receivers(seed).await;
    }
}

/// A node that is killed again and again.
pub(crate) async fn crashes(seed: u64) -> Arc<Coverage> {
    let mut world = World::new(seed, &[(Receiver::Flaky, None)]).await;
    // So that settlements take some time.
    world.store.set_latency(Duration::from_millis(world.dice.roll(400)));
    for _ in 0..4 {
        world.start();
        for _ in 0..5 {
            world.publish().await;
        }
        if world.dice.roll(4) == 0 {
            // Between a response and its settlement, which is rare at random times.
            world.wait_for_success(20 * SECOND).await;
        } else {
            tokio::time::sleep(Duration::from_millis(world.dice.roll(20_000))).await;
        }
        world.kill().await;
    }
    world.start();
    world.drain().await;
    assert_eq!(world.successes().len(), 20, "seed {seed}");
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_no_message() {
    for seed in 0..SEEDS {
        crashes(seed).await;
    }
}

/// A store that is unavailable for a while, again and again.
pub(crate) async fn store_outages(seed: u64) -> Arc<Coverage> {
    let mut world = World::new(seed, &[(Receiver::Flaky, None)]).await;
    world.start();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..30 {
        world.store.set_available(round % 3 != 1);
        match world.try_publish().await {
            Ok(()) => accepted += 1,
            Err(_) => refused += 1,
        }
        tokio::time::sleep(Duration::from_millis(world.dice.roll(2_000))).await;
    }
    world.store.set_available(true);
    world.drain().await;
    assert_eq!((accepted, refused), (20, 10), "seed {seed}: what fails is refused");
    assert_eq!(world.successes().len(), accepted, "seed {seed}");
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn a_store_outage_only_costs_time() {
    for seed in 0..50 {
        store_outages(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_delays_no_other() {
    for dead in [Receiver::TimesOut, Receiver::Refuses] {
        let mut world = World::new(1, &[(dead, None), (Receiver::Good, None)]).await;
        world.start();
        for _ in 0..3_000 {
            world.publish().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(SECOND).await;
        let live = world.endpoints[1];
        let delays = world.first_delays(live);
        assert_eq!(delays.len(), 3_000, "{dead:?}");
        let worst = delays.values().max().unwrap();
        assert!(*worst < Duration::from_millis(100), "{dead:?}: {worst:?}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rates_are_kept_by_endpoint_and_by_application() {
    let mut world = World::new(3, &[(Receiver::Good, Some(10)), (Receiver::Good, None)]).await;
    world.limit_application(Some(25)).await;
    world.start();
    let began = tokio::time::Instant::now();
    for _ in 0..400 {
        world.publish().await;
    }
    tokio::time::sleep(20 * SECOND).await;
    let calls = world.calls_by_endpoint();
    let elapsed = began.elapsed();
    assert!(calls[&world.endpoints[0]] <= limiter::at_most(10, elapsed), "{calls:?}");
    let all: u64 = calls.values().sum();
    assert!(all <= limiter::at_most(25, elapsed) && all >= 25 * 18, "{calls:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn gone_disables_the_endpoint_and_keeps_its_deliveries() {
    let mut world = World::new(4, &[(Receiver::GoneUntil(600 * SECOND), None)]).await;
    world.start();
    for _ in 0..50 {
        world.publish().await;
    }
    while !world.endpoint(0).await.disabled {
        tokio::time::sleep(SECOND).await;
    }
    tokio::time::sleep(SECOND).await;
    let calls = world.calls();
    world.publish().await;
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(world.calls(), calls, "a disabled endpoint is not called");
    let statuses = world.statuses(0).await;
    assert_eq!(statuses.len(), 50, "what is published meanwhile is not for it");
    let is_open = |it: &Status| matches!(it, Status::Pending(_) | Status::Sending(_));
    assert!(statuses.iter().all(is_open), "{statuses:?}");
    world.enable(0).await;
    world.drain().await;
    let delivered = world.successes();
    assert_eq!(delivered.len(), 50);
    assert!(delivered.values().all(|&times| times == 1));
    world.stop().await;
}

/// An endpoint is disabled under load, whenever the engine learns of it, and even if it is killed
/// meanwhile.
pub(crate) async fn disabled_endpoints(seed: u64) -> Arc<Coverage> {
    let mut world = World::new(seed, &[(Receiver::Flaky, None), (Receiver::Good, None)]).await;
    world.start();
    let mut wanted = BTreeSet::new();
    for _ in 0..8 {
        for _ in 0..5 {
            let is_enabled = world.look_up().await.endpoints.iter().all(|it| !it.disabled);
            world.publish().await;
            is_enabled.then(|| wanted.insert(world.last()));
        }
        pause(&world, 3_000).await;
        world.disable(0, true).await;
        pause(&world, 500).await;
        if world.dice.roll(4) == 0 {
            world.kill().await;
            world.start();
        } else {
            world.engine().changed(world.application).await.unwrap();
        }
        let held = world.calls_by_endpoint().get(&world.endpoints[0]).copied();
        pause(&world, 20_000).await;
        let later = world.calls_by_endpoint().get(&world.endpoints[0]).copied();
        let in_flight = later.unwrap_or(0) - held.unwrap_or(0);
        assert!(in_flight <= 16, "seed {seed}: {in_flight} calls to a disabled endpoint");
        if world.dice.roll(2) == 0 {
            world.publish().await;
        }
        world.enable(0).await;
    }
    world.drain().await;
    let mut delivered = world.successes();
    delivered.retain(|id, _| id.endpoint == world.endpoints[0]);
    let arrived: BTreeSet<_> = delivered.keys().map(|it| it.message).collect();
    assert_eq!(arrived, wanted, "seed {seed}");
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn disabling_an_endpoint_under_load_loses_no_delivery() {
    for seed in 0..50 {
        disabled_endpoints(seed).await;
    }
}

async fn pause(world: &World, most_millis: u64) {
    tokio::time::sleep(Duration::from_millis(world.dice.roll(most_millis))).await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_only_fails_is_disabled() {
    let mut world = World::new(5, &[(Receiver::Refuses, None)]).await;
    world.start();
    for _ in 0..200 {
        world.publish().await;
        tokio::time::sleep(60 * SECOND).await;
    }
    assert!(world.endpoint(0).await.disabled, "after two hours of failures");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn cancelled_deliveries_are_not_sent() {
    let mut world = World::new(6, &[(Receiver::Refuses, None)]).await;
    world.start();
    for _ in 0..10 {
        world.publish().await;
    }
    tokio::time::sleep(SECOND).await;
    world.store.cancel(Scope::Endpoint(world.application, world.endpoints[0])).await.unwrap();
    world.engine().changed(world.application).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let calls = world.calls();
    tokio::time::sleep(3_600 * SECOND).await;
    assert_eq!(world.calls(), calls);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_settles_what_is_in_flight_and_releases_the_rest() {
    let mut world = World::new(7, &[(Receiver::Slow, Some(5))]).await;
    world.start();
    for _ in 0..30 {
        world.publish().await;
    }
    tokio::time::sleep(SECOND).await;
    world.stop().await;
    let before = world.successes().len();
    assert!((1..30).contains(&before), "{before}");
    world.start();
    // Released deliveries are due at once, without waiting for a lease to expire.
    tokio::time::sleep(20 * SECOND).await;
    let delivered = world.successes();
    assert_eq!(delivered.len(), 30);
    assert!(delivered.values().all(|&times| times == 1), "nothing settled is sent again");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_one_history() {
    let history = async |seed| {
        let mut world =
            World::new(seed, &[(Receiver::Flaky, Some(9)), (Receiver::Flaky, None)]).await;
        world.start();
        for _ in 0..20 {
            world.publish().await;
            tokio::time::sleep(Duration::from_millis(world.dice.roll(500))).await;
        }
        world.drain().await;
        let history = world.history();
        world.stop().await;
        history
    };
    assert_eq!(history(7).await, history(7).await);
    assert_ne!(history(7).await, history(8).await);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_message_is_sent_when_it_is_due() {
    let mut world = World::new(9, &[(Receiver::Good, None)]).await;
    world.start();
    world.publish_later(90 * SECOND).await;
    tokio::time::sleep(89 * SECOND).await;
    assert_eq!(world.calls(), 0);
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(world.calls(), 1);
    world.stop().await;
}

/// Like an endpoint that another node disabled while this one was down.
#[tokio::test(start_paused = true)]
async fn the_deliveries_of_a_disabled_endpoint_are_kept_and_not_sent() {
    let mut world = World::new(10, &[(Receiver::Refuses, None)]).await;
    world.start();
    for _ in 0..3 {
        world.publish().await;
    }
    tokio::time::sleep(SECOND).await;
    world.kill().await;
    world.disable(0, true).await;
    let calls = world.calls();
    world.start();
    tokio::time::sleep(3_600 * SECOND).await;
    assert_eq!(world.calls(), calls);
    assert!(world.statuses(0).await.iter().all(|it| matches!(it, Status::Sending(_))));
    world.enable(0).await;
    tokio::time::sleep(SECOND).await;
    assert!(world.calls() > calls, "it is called again at once");
    world.stop().await;
}

/// A success on one node counts against the failures that another one sees.
#[tokio::test(start_paused = true)]
async fn a_success_on_another_node_resets_the_time_of_failing() {
    let mut world = World::new(13, &[(Receiver::Refuses, None)]).await;
    world.start();
    for _ in 0..200 {
        world.publish().await;
        world.succeed_elsewhere(0).await;
        tokio::time::sleep(60 * SECOND).await;
    }
    assert!(!world.endpoint(0).await.disabled);
    for _ in 0..200 {
        world.publish().await;
        tokio::time::sleep(60 * SECOND).await;
    }
    assert!(world.endpoint(0).await.disabled);
    world.stop().await;
}

/// Single failed attempts far apart are not a continuous failure.
#[tokio::test(start_paused = true)]
async fn single_failures_far_apart_disable_no_endpoint() {
    let mut world = World::new(12, &[(Receiver::Refuses, None)]).await;
    world.start();
    for _ in 0..20 {
        world.publish().await;
        tokio::time::sleep(SECOND).await;
        let scope = Scope::Message(world.application, world.last());
        world.store.cancel(scope).await.unwrap();
        world.engine().forget(world.application, world.last()).await;
        tokio::time::sleep(3_600 * SECOND).await;
    }
    assert!(!world.endpoint(0).await.disabled);
    world.stop().await;
}

/// A publisher may have looked up the application just before an endpoint was changed.
#[tokio::test(start_paused = true)]
async fn a_lane_follows_the_change_that_overtook_its_message() {
    let mut world = World::new(11, &[(Receiver::Good, None)]).await;
    world.start();
    let before = world.look_up().await;
    world.disable(0, true).await;
    world.engine().changed(world.application).await.unwrap();
    world.submit_to(before).await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.calls(), 0);
    world.stop().await;
}

/// The same, with so many applications that the state after the change is evicted.
#[tokio::test(start_paused = true)]
async fn a_change_is_not_lost_when_its_application_is_evicted() {
    let mut world = World::new(12, &[(Receiver::Good, None), (Receiver::Good, None)]).await;
    world.limits.remembered_applications = 16;
    world.disable(1, true).await;
    world.start();
    let before = world.look_up().await;
    world.move_to(0, 1).await;
    world.engine().changed(world.application).await.unwrap();
    world.look_up_others(18).await;
    world.submit_to(before).await;
    tokio::time::sleep(60 * SECOND).await;
    let reached = world.calls_by_endpoint();
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), [(world.endpoints[1], 1)]);
    world.look_up_others(18).await;
    world.publish().await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.calls(), 2);
    world.stop().await;
}
