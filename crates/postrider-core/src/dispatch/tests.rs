//! The dispatcher against a small store and hostile receivers, with a hand-written clock.
//!
//! This is where "no endpoint can delay another one" is settled: see
//! [`dead_endpoints_with_endless_backlogs_delay_nobody`].

mod order;

use std::collections::{BTreeMap, BTreeSet};

use postrider::MessageId;
use proptest::prelude::*;

use super::*;
use crate::{breaker, delivery::Trigger, limiter, outcome::Failure, retry::Schedule};

const SECOND: Duration = Duration::from_secs(1);

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    Answers {
        millis: u64,
    },
    Refuses,
    NeverAnswers,
    /// Wrong, late, busy or right, as the dice say.
    Moody,
}

/// A small deterministic generator; one seed, one history.
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

/// The dispatcher, its world, and a driver in miniature.
struct World {
    now: Timestamp,
    dice: Dice,
    limits: Limits,
    dispatcher: Dispatcher<()>,
    receivers: BTreeMap<EndpointId, (Receiver, Option<u32>)>,
    /// Deliveries that nobody holds, in the order in which they fall due.
    store: BTreeMap<EndpointId, BTreeMap<(Timestamp, MessageId), Delivery>>,
    calls: BTreeMap<(Timestamp, u64), (DeliveryId, Outcome)>,
    sequence: u64,
    accepted: BTreeMap<DeliveryId, Timestamp>,
    first_sent: BTreeMap<DeliveryId, Timestamp>,
    done: BTreeSet<DeliveryId>,
    history: History,
}

const LIMITS: Limits = Limits {
    held: 400,
    held_bytes: usize::MAX,
    held_per_endpoint: 80,
    in_flight: 50,
    patience: Duration::from_secs(60),
};

impl World {
    fn new(seed: u64, receivers: &[(Receiver, Option<u32>)]) -> Self {
        let receivers = receivers.iter().enumerate();
        let named = receivers.map(|(index, &it)| (EndpointId::from_u128(index as u128), it));
        Self {
            now: Timestamp::from_millis(1_000_000),
            dice: Dice(seed),
            limits: LIMITS,
            dispatcher: Dispatcher::new(LIMITS),
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
            rate: self.receivers[&endpoint].1,
            order: DeliveryOrder::Any,
            breaker: breaker::Policy { threshold: 5, rest: SECOND, rest_max: 30 * SECOND },
            schedule: Schedule::new(&[5 * SECOND; 12], 0.2),
            disable_after: Duration::MAX,
        }
    }

    fn configure(&mut self, endpoint: EndpointId) {
        if !self.dispatcher.has_lane(endpoint) {
            self.dispatcher.configure(endpoint, self.policy(endpoint), None);
        }
    }

    fn publish(&mut self, endpoint: EndpointId) {
        self.configure(endpoint);
        self.sequence += 1;
        let id = DeliveryId { endpoint, message: MessageId::from_u128(self.sequence.into()) };
        let application = ApplicationId::from_u128(1);
        let delivery = Delivery {
            id,
            application,
            attempt: 1,
            trigger: Trigger::Scheduled,
            retry_plan: retry::RetryPlan::Schedule,
            reported: false,
        };
        self.accepted.insert(id, self.now);
        if self.dispatcher.reserve(endpoint, self.now) {
            assert!(self.dispatcher.fill(delivery, (), 1, self.now));
        } else {
            self.keep(delivery, self.now);
        }
    }

    fn keep(&mut self, delivery: Delivery, free_at: Timestamp) {
        let lane = self.store.entry(delivery.id.endpoint).or_default();
        lane.insert((free_at, delivery.id.message), delivery);
    }

    fn claim(&mut self) {
        let rooms = self.dispatcher.rooms(10, self.now);
        let (mut found, mut counts) = (Vec::new(), HashMap::new());
        let mut limit = self.dispatcher.free();
        for (&endpoint, lane) in &mut self.store {
            let room = rooms.get(&endpoint).copied().unwrap_or(10).min(limit);
            let due: Vec<_> = lane
                .range(..(self.now + Duration::from_millis(1), MessageId::from_u128(0)))
                .take(room)
                .map(|(key, delivery)| (*key, *delivery))
                .collect();
            limit -= due.len();
            counts.insert(endpoint, due.len());
            for (key, delivery) in due {
                lane.remove(&key);
                found.push(delivery);
            }
        }
        self.dispatcher.claimed(&rooms, 10, &counts);
        for delivery in found {
            self.configure(delivery.id.endpoint);
            self.dispatcher.due(delivery, (), 1, self.now);
        }
    }

    fn send(&mut self) {
        while let Some((delivery, ())) = self.dispatcher.poll(self.now) {
            let (millis, outcome) = self.call(delivery.id.endpoint);
            self.sequence += 1;
            let ends = self.now + Duration::from_millis(millis);
            self.calls.insert((ends, self.sequence), (delivery.id, outcome));
            self.first_sent.entry(delivery.id).or_insert(self.now);
            let entry = (self.now.as_millis(), delivery.id, delivery.attempt, outcome.delivered());
            self.history.push(entry);
            assert!(!self.done.contains(&delivery.id), "sent after it was settled");
        }
        for delivery in self.dispatcher.returns(self.now) {
            self.keep(delivery, self.now);
        }
        assert!(self.dispatcher.held() <= self.limits.held, "holds more than it may");
        assert!(self.dispatcher.in_flight() <= self.limits.in_flight);
    }

    fn call(&mut self, endpoint: EndpointId) -> (u64, Outcome) {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        match self.receivers[&endpoint].0 {
            Receiver::Answers { millis } => (millis, answered(200)),
            Receiver::Refuses => (1, Outcome::Unanswered(Failure::Connect)),
            Receiver::NeverAnswers => (15_000, Outcome::Unanswered(Failure::Timeout)),
            Receiver::Moody => {
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

    /// Lets calls end that end now; true if any did.
    fn end(&mut self) {
        while let Some((&key, _)) = self.calls.first_key_value()
            && key.0 <= self.now
        {
            let (id, outcome) = self.calls.remove(&key).expect("it is the first");
            let draw =
                JitterSample(f64::from(u16::try_from(self.dice.roll(1_000)).unwrap()) / 1_000.0);
            let ended = self.dispatcher.ended(id, outcome, self.now, draw);
            match ended.verdict {
                Verdict::RetryAt(at) => {
                    let attempt = ended.delivery.attempt + 1;
                    self.keep(Delivery { attempt, ..ended.delivery }, at);
                },
                Verdict::Delivered | Verdict::GiveUp(_) => {
                    self.done.insert(id);
                },
            }
        }
    }

    /// Runs for `time` in steps of ten milliseconds; `publish` is called at each.
    fn run(&mut self, time: Duration, mut publish: impl FnMut(&mut Self)) {
        let until = self.now + time;
        while self.now < until {
            publish(self);
            self.end();
            self.send();
            if self.dispatcher.take_hunger() || self.now.as_millis().is_multiple_of(1_000) {
                self.claim();
                self.send();
            }
            self.now = self.now + Duration::from_millis(10);
        }
    }

    fn waiting(&self) -> usize {
        self.store.values().map(BTreeMap::len).sum()
    }
}

/// The longest that a delivery to this endpoint waited for its first attempt.
fn worst_wait(world: &World, endpoint: EndpointId) -> Duration {
    let waits = world
        .accepted
        .iter()
        .filter(|(id, _)| id.endpoint == endpoint)
        .map(|(id, accepted)| world.first_sent.get(id).unwrap_or(&world.now).since(*accepted));
    waits.max().expect("the endpoint got something")
}

/// The rule that the sketch left open: a crowd of dead endpoints, each with a backlog far
/// beyond the memory of all, and one that works.
#[test]
fn dead_endpoints_with_endless_backlogs_delay_nobody() {
    for dead in [Receiver::Refuses, Receiver::NeverAnswers] {
        let mut receivers = vec![(dead, None); 20];
        receivers.push((Receiver::Answers { millis: 20 }, None));
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
    world.receivers.insert(endpoint, (Receiver::Answers { millis: 5 }, None));
    world.run(120 * SECOND, |_| ());
    assert_eq!(world.done.len(), published, "the backlog drains");
}

#[test]
fn a_burst_beyond_the_lane_drains_at_once() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Answers { millis: 10 }, None)]);
    for _ in 0..2_000 {
        world.publish(endpoint);
    }
    assert!(world.waiting() > 1_900);
    world.run(10 * SECOND, |_| ());
    assert_eq!(world.done.len(), 2_000, "claims follow hunger, not only the clock");
}

#[test]
fn everything_accepted_is_settled_whatever_the_receivers_do() {
    for seed in 0..200 {
        let receivers = [
            (Receiver::Moody, None),
            (Receiver::Moody, Some(5)),
            (Receiver::Answers { millis: 50 }, Some(20)),
            (Receiver::Answers { millis: 900 }, None),
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
    let receivers = [(Receiver::Answers { millis: 5 }, Some(30)), (Receiver::Moody, Some(7))];
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
    let receivers = [(Receiver::Answers { millis: 5 }, None); 4];
    let mut world = World::new(1, &receivers);
    world.dispatcher.configure_group(ApplicationId::from_u128(1), Some(40));
    world.run(10 * SECOND, |world| {
        let endpoint = EndpointId::from_u128(u128::from(world.dice.roll(4)));
        world.publish(endpoint);
    });
    let sent = world.history.len() as u64;
    assert!(sent <= limiter::at_most(40, 10 * SECOND) && sent >= 380, "{sent}");
}

#[test]
fn a_closed_lane_gives_back_what_waits_and_ends_what_is_under_way() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Answers { millis: 500 }, None)]);
    for _ in 0..15 {
        world.publish(endpoint);
    }
    world.send();
    let held = world.dispatcher.held();
    world.dispatcher.close(endpoint);
    assert_eq!(world.dispatcher.held(), 2, "only the calls under way remain");
    let returned = world.dispatcher.returns(world.now);
    assert_eq!(returned.len(), held - 2, "the others are given back");
    world.store.clear();
    world.run(SECOND, |_| ());
    assert_eq!((world.dispatcher.held(), world.done.len()), (0, 2));
}

#[test]
fn a_forgotten_message_is_not_sent() {
    let endpoint = EndpointId::from_u128(0);
    let mut world = World::new(1, &[(Receiver::Answers { millis: 10 }, Some(5))]);
    for _ in 0..10 {
        world.publish(endpoint);
    }
    world.dispatcher.forget(endpoint, MessageId::from_u128(7));
    assert_eq!(world.dispatcher.held(), 9);
    world.run(10 * SECOND, |_| ());
    assert_eq!(world.done.len(), 9);
    assert!(world.done.iter().all(|it| it.message != MessageId::from_u128(7)));
}

#[test]
fn one_seed_gives_one_history() {
    let history = |seed| {
        let mut world = World::new(seed, &[(Receiver::Moody, Some(9)), (Receiver::Moody, None)]);
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
    fn places_balance_whatever_is_reserved_filled_and_given_up(
        steps in prop::collection::vec((0_u8..5, 0_u128..6), 0..400),
    ) {
        let mut world = World::new(3, &[(Receiver::Moody, None); 6]);
        for (step, endpoint) in steps {
            let endpoint = EndpointId::from_u128(endpoint);
            match step {
                0 => world.publish(endpoint),
                1 => {
                    world.configure(endpoint);
                    if world.dispatcher.reserve(endpoint, world.now) {
                        world.dispatcher.unreserve(endpoint);
                    }
                },
                2 => world.send(),
                3 => world.dispatcher.close(endpoint),
                _ => world.run(SECOND, |_| ()),
            }
            prop_assert!(world.dispatcher.held() <= world.limits.held);
        }
        world.store.clear();
        world.run(600 * SECOND, |world| world.store.clear());
        prop_assert_eq!(world.dispatcher.held(), 0);
    }
}
