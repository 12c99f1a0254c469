//! The dispatcher with a small store and hostile receivers, under a simulated clock.
//!
//! The harness interprets actions as the driver does. That no endpoint can delay another one is
//! proven by [`dead_endpoints_with_endless_backlogs_delay_no_other_endpoint`].

mod decisions;
mod order;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use postrider::{AttemptId, MessageId};
use proptest::prelude::*;

use super::*;
use crate::{
    breaker,
    delivery::{DeliveryId, DeliveryOrder},
    limiter,
    outcome::{Failure, Outcome},
    retry::{Reason, Schedule},
};

const SECOND: Duration = Duration::from_secs(1);

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    Responds {
        millis: u64,
    },
    Refuses,
    TimesOut,
    /// Fails, times out, is overloaded or succeeds, at random.
    Flaky,
}

/// A small deterministic generator: one seed gives one history.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % sides
    }
}

/// What happened: when, to which delivery, at which attempt, and with which success.
type History = Vec<(u64, DeliveryId, u16, bool)>;

/// The dispatcher with its store and receivers, and a small driver.
struct World {
    now: Timestamp,
    dice: Dice,
    dispatcher: Dispatcher<(), ()>,
    receivers: BTreeMap<EndpointId, (Receiver, Option<u32>)>,
    /// Deliveries that are not held, in the order in which they fall due.
    store: BTreeMap<EndpointId, BTreeMap<(Timestamp, MessageId), Delivery>>,
    calls: BTreeMap<(Timestamp, u64), (Delivery, Outcome)>,
    sequence: u64,
    accepted: BTreeMap<DeliveryId, Timestamp>,
    first_sent: BTreeMap<DeliveryId, Timestamp>,
    done: BTreeSet<DeliveryId>,
    history: History,
}

const CONFIG: Config = Config {
    held: 400,
    held_bytes: usize::MAX,
    held_per_endpoint: 80,
    in_flight: 50,
    patience: Duration::from_secs(60),
    claim_interval: SECOND,
    settle_batch: 1,
    settle_linger: Duration::ZERO,
    unsettled: usize::MAX,
};

const LEASE: Lease = Lease { epoch: 1, valid_until: Timestamp::MAX };

/// The record of a call that ended.
fn attempt(delivery: &Delivery, outcome: Outcome) -> Attempt {
    Attempt {
        id: AttemptId::from_u128(1),
        delivery: delivery.id,
        number: delivery.attempt,
        trigger: delivery.trigger,
        at: Timestamp::default(),
        duration: Duration::ZERO,
        url: String::new(),
        address: None,
        outcome,
        response: None,
    }
}

impl World {
    fn new(seed: u64, receivers: &[(Receiver, Option<u32>)]) -> Self {
        let receivers = receivers.iter().enumerate();
        let named = receivers.map(|(index, &it)| (EndpointId::from_u128(index as u128), it));
        Self {
            now: Timestamp::from_millis(1_000_000),
            dice: Dice(seed),
            dispatcher: Dispatcher::new(CONFIG, LEASE),
            receivers: named.collect(),
            store: BTreeMap::new(),
            calls: BTreeMap::new(),
            sequence: 0,
            accepted: BTreeMap::new(),
            first_sent: BTreeMap::new(),
            done: BTreeSet::new(),
            history: History::new(),
        }
    }

    fn policy(&self, endpoint: EndpointId) -> Policy {
        Policy {
            application: ApplicationId::from_u128(1),
            max_in_flight: 8,
            max_rest: crate::concurrency::MAX_REST,
            rate: self.receivers[&endpoint].1,
            order: DeliveryOrder::Any,
            breaker: breaker::Policy { threshold: 5, rest: SECOND, rest_max: 30 * SECOND },
            schedule: Schedule::new(&[5 * SECOND; 12], 0.2),
            disable_after: Duration::MAX,
            retry_requested_at: None,
            batch: None,
        }
    }

    fn handle(&mut self, input: Input<'_, (), ()>) {
        self.dispatcher.handle(input, self.now);
    }

    fn configure(&mut self, endpoint: EndpointId) {
        if self.dispatcher.open_route(endpoint).is_none() {
            let policy = self.policy(endpoint);
            let setup = LaneSetup { endpoint, policy, route: (), failing_since: None };
            self.handle(Input::Configure(Box::new(setup)));
        }
    }

    fn publish(&mut self, endpoint: EndpointId) {
        self.configure(endpoint);
        self.sequence += 1;
        let id = DeliveryId { endpoint, message: MessageId::from_u128(self.sequence.into()) };
        let delivery = Delivery::first(id, ApplicationId::from_u128(1));
        self.accepted.insert(id, self.now);
        if self.dispatcher.reserve(endpoint, self.now) {
            let new = NewDelivery { delivery, payload: (), bytes: 1, epoch: LEASE.epoch };
            self.handle(Input::Appended(new));
        } else {
            self.keep(delivery, self.now);
            self.handle(Input::DueAt(self.now));
        }
    }

    fn keep(&mut self, delivery: Delivery, due_at: Timestamp) {
        let lane = self.store.entry(delivery.id.endpoint).or_default();
        lane.insert((due_at, delivery.id.message), delivery);
    }

    /// Carries out all actions; the store does so at once.
    fn act(&mut self) {
        while let Some(action) = self.dispatcher.poll(self.now) {
            match action {
                Action::Send(call) => self.send(call.delivery),
                Action::Settle(batch) => self.settle(&batch.settlements),
                Action::Release(batch) => {
                    for (delivery, due_at) in batch {
                        self.keep(delivery, due_at);
                    }
                    self.handle(Input::Released);
                },
                Action::Claim(request) => self.claim(&request),
                Action::RetrySettle | Action::Disable(_) => unreachable!("nothing fails"),
            }
        }
        assert!(self.dispatcher.held() <= CONFIG.held, "holds more than it may");
        assert!(self.dispatcher.in_flight() <= CONFIG.in_flight);
    }

    fn claim(&mut self, request: &ClaimRequest) {
        let mut claimed = Vec::new();
        for (&endpoint, lane) in &mut self.store {
            let capacity = request.capacities.get(&endpoint).copied();
            let capacity = capacity.unwrap_or(request.per_endpoint);
            let due: Vec<_> = lane
                .range(..(self.now + Duration::from_millis(1), MessageId::from_u128(0)))
                .take(capacity.min(request.limit - claimed.len()))
                .map(|(key, delivery)| (*key, *delivery))
                .collect();
            for (key, delivery) in due {
                lane.remove(&key);
                claimed.push(delivery);
            }
        }
        for delivery in &claimed {
            self.configure(delivery.id.endpoint);
        }
        let deliveries = claimed.into_iter().map(|delivery| ClaimedDelivery {
            delivery,
            payload: (),
            bytes: 1,
            release_until: None,
        });
        let next_due = self.store.values().filter_map(|lane| Some(lane.first_key_value()?.0.0));
        let result = ClaimResult { deliveries: deliveries.collect(), next_due: next_due.min() };
        self.handle(Input::Claimed(result));
    }

    fn send(&mut self, delivery: Delivery) {
        let (millis, outcome) = self.call(delivery.id.endpoint);
        self.sequence += 1;
        let ends = self.now + Duration::from_millis(millis);
        self.calls.insert((ends, self.sequence), (delivery, outcome));
        self.first_sent.entry(delivery.id).or_insert(self.now);
        let entry = (self.now.as_millis(), delivery.id, delivery.attempt, outcome.delivered());
        self.history.push(entry);
        assert!(!self.done.contains(&delivery.id), "sent after it was settled");
    }

    fn settle(&mut self, settlements: &[Settlement]) {
        for settlement in settlements {
            match settlement.verdict {
                Verdict::RetryAt(at) => self.keep(settlement.delivery.after_failure(), at),
                Verdict::Delivered | Verdict::GiveUp(_) => {
                    self.done.insert(settlement.delivery.id);
                },
            }
        }
        self.handle(Input::Settled { settlements, has_messages: false });
    }

    fn call(&mut self, endpoint: EndpointId) -> (u64, Outcome) {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        match self.receivers[&endpoint].0 {
            Receiver::Responds { millis } => (millis, answered(200)),
            Receiver::Refuses => (1, Outcome::Unanswered(Failure::Connect)),
            Receiver::TimesOut => (15_000, Outcome::Unanswered(Failure::Timeout)),
            Receiver::Flaky => {
                let outcome = match self.dice.roll(10) {
                    0..=3 => answered(500),
                    4 => Outcome::Unanswered(Failure::Timeout),
                    5 => Outcome::Answered { status: 429, retry_after: Some(5 * SECOND) },
                    _ => answered(200),
                };
                (self.dice.roll(3_000), outcome)
            },
        }
    }

    /// Ends the calls that end now.
    fn end_calls(&mut self) {
        while let Some(entry) = self.calls.first_entry()
            && entry.key().0 <= self.now
        {
            let (delivery, outcome) = entry.remove();
            let jitter = f64::from(u16::try_from(self.dice.roll(1_000)).unwrap()) / 1_000.0;
            let (attempt, jitter) = (attempt(&delivery, outcome), JitterSample(jitter));
            self.handle(Input::CallEnded { attempt, jitter });
        }
    }

    /// Runs for `time` in steps of ten milliseconds; `publish` is called in each.
    fn run(&mut self, time: Duration, mut publish: impl FnMut(&mut Self)) {
        let until = self.now + time;
        while self.now < until {
            publish(self);
            self.end_calls();
            self.act();
            self.now = self.now + Duration::from_millis(10);
        }
    }

    fn waiting(&self) -> usize {
        self.store.values().map(BTreeMap::len).sum()
    }
}

/// The longest time that a delivery to this endpoint waited for its first attempt.
fn worst_wait(world: &World, endpoint: EndpointId) -> Duration {
    let waits = world
        .accepted
        .iter()
        .filter(|(id, _)| id.endpoint == endpoint)
        .map(|(id, accepted)| world.first_sent.get(id).unwrap_or(&world.now).since(*accepted));
    waits.max().expect("the endpoint got something")
}

/// Many dead endpoints, each with a backlog far larger than the memory, and one that works.
#[test]
fn dead_endpoints_with_endless_backlogs_delay_no_other_endpoint() {
    for dead in [Receiver::Refuses, Receiver::TimesOut] {
        let mut receivers = vec![(dead, None); 20];
        receivers.push((Receiver::Responds { millis: 20 }, None));
        let mut world = World::new(1, &receivers);
        let live = EndpointId::from_u128(20);
        let mut step = 0;
        world.run(90 * SECOND, |world| {
            step += 1;
            for dead in 0..20 {
                world.publish(EndpointId::from_u128(dead));
            }
            if step % 2 == 0 {
                world.publish(live);
            }
        });
        assert!(world.waiting() > 100_000, "the backlog lives in the store");
        let wait = worst_wait(&world, live);
        assert!(wait <= Duration::from_millis(100), "{dead:?}: {wait:?}");
        let to_dead = world.history.iter().filter(|it| it.1.endpoint != live).count();
        assert!(to_dead < 20 * 60, "{dead:?}: a dead endpoint costs nearly nothing, {to_dead}");
    }
}

#[test]
fn a_lane_returns_to_full_speed_when_its_endpoint_does() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Refuses, None)]);
    let mut published = 0;
    world.run(20 * SECOND, |world| {
        published += 1;
        world.publish(endpoint);
    });
    world.receivers.insert(endpoint, (Receiver::Responds { millis: 5 }, None));
    world.run(120 * SECOND, |_| ());
    assert_eq!(world.done.len(), published, "the backlog drains");
}

#[test]
fn a_burst_beyond_the_lane_drains_at_once() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Responds { millis: 10 }, None)]);
    for _ in 0..2_000 {
        world.publish(endpoint);
    }
    assert!(world.waiting() > 1_900);
    world.run(10 * SECOND, |_| ());
    assert_eq!(world.done.len(), 2_000, "claims follow the lane, not only the clock");
}

#[test]
fn everything_accepted_is_settled_whatever_the_receivers_do() {
    for seed in 0..200 {
        let receivers = [
            (Receiver::Flaky, None),
            (Receiver::Flaky, Some(5)),
            (Receiver::Responds { millis: 50 }, Some(20)),
            (Receiver::Responds { millis: 900 }, None),
        ];
        let mut world = World::new(seed, &receivers);
        let mut published = 0;
        world.run(3 * SECOND, |world| {
            published += 1;
            let endpoint = EndpointId::from_u128(u128::from(world.dice.roll(4)));
            world.publish(endpoint);
        });
        world.run(1_000 * SECOND, |_| ());
        assert_eq!(world.done.len(), published, "seed {seed}");
        assert_eq!(world.dispatcher.held(), 0, "seed {seed}");
    }
}

#[test]
fn rates_are_kept() {
    let receivers = [(Receiver::Responds { millis: 5 }, Some(30)), (Receiver::Flaky, Some(7))];
    for seed in 0..20 {
        let mut world = World::new(seed, &receivers);
        world.run(20 * SECOND, |world| {
            world.publish(EndpointId::from_u128(0));
            world.publish(EndpointId::from_u128(1));
        });
        for (endpoint, (_, rate)) in &world.receivers {
            let sent = world.history.iter().filter(|it| it.1.endpoint == *endpoint).count();
            let most = limiter::at_most(rate.expect("it has one"), 20 * SECOND);
            assert!(sent as u64 <= most, "seed {seed}: {sent} > {most}");
        }
        let sent = world.history.iter().filter(|it| it.1.endpoint.as_u128() == 0).count();
        assert!(sent >= 30 * 19, "seed {seed}: the rate is used, {sent}");
    }
}

#[test]
fn an_application_shares_its_rate() {
    let receivers = [(Receiver::Responds { millis: 5 }, None); 4];
    let mut world = World::new(1, &receivers);
    let application = ApplicationId::from_u128(1);
    world.handle(Input::LimitApplication { application, rate: Some(40) });
    world.run(10 * SECOND, |world| {
        let endpoint = EndpointId::from_u128(u128::from(world.dice.roll(4)));
        world.publish(endpoint);
    });
    let sent = world.history.len() as u64;
    assert!(sent <= limiter::at_most(40, 10 * SECOND) && sent >= 380, "{sent}");
}

#[test]
fn a_closed_lane_releases_what_waits_and_ends_its_calls() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Responds { millis: 500 }, None)]);
    for _ in 0..15 {
        world.publish(endpoint);
    }
    world.act();
    let held = world.dispatcher.held();
    world.handle(Input::Close(endpoint));
    assert_eq!(world.dispatcher.held(), 2, "only the calls in flight remain");
    let Some(Action::Release(released)) = world.dispatcher.poll(world.now) else { panic!() };
    assert_eq!(released.len(), held - 2, "the others are released");
    world.handle(Input::Released);
    world.store.clear();
    world.run(SECOND, |_| ());
    assert_eq!((world.dispatcher.held(), world.done.len()), (0, 2));
}

#[test]
fn a_forgotten_message_is_not_sent() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Responds { millis: 10 }, Some(5))]);
    for _ in 0..10 {
        world.publish(endpoint);
    }
    world.handle(Input::Forget(DeliveryId { endpoint, message: MessageId::from_u128(7) }));
    assert_eq!(world.dispatcher.held(), 9);
    world.run(10 * SECOND, |_| ());
    assert_eq!(world.done.len(), 9);
    assert!(world.done.iter().all(|it| it.message != MessageId::from_u128(7)));
}

#[test]
fn one_seed_gives_one_history() {
    let history = |seed| {
        let mut world = World::new(seed, &[(Receiver::Flaky, Some(9)), (Receiver::Flaky, None)]);
        world.run(30 * SECOND, |world| {
            let endpoint = EndpointId::from_u128(u128::from(world.dice.roll(2)));
            world.publish(endpoint);
        });
        world.history
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8));
}

proptest! {
    #[test]
    fn every_reserved_place_is_filled_or_freed(
        steps in prop::collection::vec((0_u8..5, 0_u128..6), 0..400),
    ) {
        let mut world = World::new(3, &[(Receiver::Flaky, None); 6]);
        for (step, endpoint) in steps {
            let endpoint = EndpointId::from_u128(endpoint);
            match step {
                0 => world.publish(endpoint),
                1 => {
                    world.configure(endpoint);
                    if world.dispatcher.reserve(endpoint, world.now) {
                        world.handle(Input::NotAppended(endpoint));
                    }
                },
                2 => world.act(),
                3 => world.handle(Input::Close(endpoint)),
                _ => world.run(SECOND, |_| ()),
            }
            prop_assert!(world.dispatcher.held() <= CONFIG.held);
        }
        world.store.clear();
        world.run(600 * SECOND, |world| world.store.clear());
        prop_assert_eq!(world.dispatcher.held(), 0);
    }
}
