//! Lanes in order, against a store that answers late and now and then not at all.

use std::collections::BTreeMap;

use super::*;

/// A delivery as the store knows it.
#[derive(Clone, Copy, Debug)]
struct Row {
    delivery: Delivery,
    due_at: Timestamp,
    held_until: Option<Timestamp>,
}

/// What the store is asked to do, and does later.
#[derive(Debug)]
enum Commit {
    Append(Delivery),
    Settle(Delivery, Verdict),
    Release(Delivery),
    /// The claim's deliveries arrive.
    Found(HashMap<EndpointId, usize>, Vec<Delivery>),
}

struct World {
    now: Timestamp,
    dice: Dice,
    dispatcher: Dispatcher<()>,
    rows: BTreeMap<DeliveryId, Row>,
    calls: BTreeMap<(Timestamp, u64), (DeliveryId, Outcome)>,
    commits: BTreeMap<(Timestamp, u64), Commit>,
    sequence: u64,
    is_claiming: bool,
    claim_at: Timestamp,
    /// How the calls for each delivery stand: `true` once it has ended.
    ended: BTreeMap<DeliveryId, bool>,
    sent: Vec<(Timestamp, DeliveryId)>,
    /// Of ten calls, how many fail.
    failures: u64,
    is_strict: bool,
    /// Longest that the store takes for anything, in milliseconds.
    sloth: u64,
}

const LEASE: Duration = Duration::from_secs(120);

impl World {
    fn new(seed: u64, failures: u64) -> Self {
        let mut dice = Dice(seed);
        Self {
            now: Timestamp::from_millis(1_000_000),
            sloth: 1 + dice.roll(60),
            dice,
            dispatcher: Dispatcher::new(LIMITS),
            rows: BTreeMap::new(),
            calls: BTreeMap::new(),
            commits: BTreeMap::new(),
            sequence: 0,
            is_claiming: false,
            claim_at: Timestamp::default(),
            ended: BTreeMap::new(),
            sent: Vec::new(),
            failures,
            is_strict: true,
        }
    }

    fn configure(&mut self, endpoint: EndpointId, order: DeliveryOrder) {
        let policy = Policy {
            application: ApplicationId::from_u128(1),
            max_in_flight: 8,
            rate: None,
            order,
            breaker: breaker::Policy { threshold: 4, rest: SECOND, rest_max: 4 * SECOND },
            schedule: Schedule::new(&[2 * SECOND; 3], 0.2),
            disable_after: Duration::MAX,
        };
        self.dispatcher.configure(endpoint, policy, None);
    }

    fn publish(&mut self, endpoint: u128) {
        let endpoint = EndpointId::from_u128(endpoint);
        if !self.dispatcher.has_lane(endpoint) {
            self.configure(endpoint, DeliveryOrder::InOrder);
        }
        assert!(!self.dispatcher.reserve(endpoint, self.now), "the store is the queue");
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
        self.ended.insert(id, false);
        // Appends are made one after the other.
        self.commits.insert((self.now, self.sequence), Commit::Append(delivery));
    }

    fn later(&mut self, commit: Commit) {
        let at = self.now + Duration::from_millis(self.dice.roll(self.sloth));
        self.sequence += 1;
        self.commits.insert((at, self.sequence), commit);
    }

    fn step(&mut self) {
        self.commit();
        self.end();
        self.send();
        if !self.is_claiming && (self.dispatcher.take_hunger() || self.claim_at <= self.now) {
            self.claim();
        }
        self.now = self.now + Duration::from_millis(1 + self.dice.roll(5));
    }

    fn commit(&mut self) {
        while let Some(entry) = self.commits.first_entry()
            && entry.key().0 <= self.now
        {
            match entry.remove() {
                Commit::Append(delivery) => {
                    let row = Row { delivery, due_at: self.now, held_until: None };
                    self.rows.insert(delivery.id, row);
                    self.claim_at = self.claim_at.min(self.now);
                },
                Commit::Settle(delivery, verdict) => self.settle(delivery, verdict),
                Commit::Release(delivery) => {
                    // Now and then the store does not hear of it, and the lease has to end.
                    if self.dice.roll(50) > 0 {
                        let row = self.rows.get_mut(&delivery.id).expect("it waits");
                        (row.due_at, row.held_until) = (self.now, None);
                    }
                    self.dispatcher.settled(delivery.id, self.now);
                },
                Commit::Found(rooms, found) => self.found(&rooms, found),
            }
        }
    }

    fn settle(&mut self, delivery: Delivery, verdict: Verdict) {
        match verdict {
            Verdict::RetryAt(due_at) => {
                let delivery = Delivery { attempt: delivery.attempt + 1, ..delivery };
                self.rows.insert(delivery.id, Row { delivery, due_at, held_until: None });
                self.claim_at = self.claim_at.min(due_at);
            },
            Verdict::Delivered | Verdict::GiveUp(_) => {
                self.rows.remove(&delivery.id);
            },
        }
        self.dispatcher.settled(delivery.id, self.now);
    }

    /// Holds the first ones of each order, as a store does.
    fn claim(&mut self) {
        let rooms = self.dispatcher.rooms(10, self.now);
        let mut found: Vec<Delivery> = Vec::new();
        let mut blocked: Option<EndpointId> = None;
        for (id, row) in &mut self.rows {
            let endpoint = id.endpoint;
            let room = rooms.get(&endpoint).copied().unwrap_or(10);
            let came = found.iter().filter(|it| it.id.endpoint == endpoint).count();
            let is_held = row.held_until.is_some_and(|until| until > self.now);
            if blocked == Some(endpoint) || is_held || row.due_at > self.now || came == room {
                blocked = Some(endpoint);
                continue;
            }
            row.held_until = Some(self.now + LEASE);
            found.push(row.delivery);
        }
        self.is_claiming = true;
        self.claim_at = self.now + SECOND;
        self.later(Commit::Found(rooms, found));
    }

    fn found(&mut self, rooms: &HashMap<EndpointId, usize>, found: Vec<Delivery>) {
        self.is_claiming = false;
        let mut counts = HashMap::new();
        for delivery in &found {
            *counts.entry(delivery.id.endpoint).or_default() += 1;
        }
        self.dispatcher.claimed(rooms, 10, &counts);
        for delivery in found {
            if !self.dispatcher.has_lane(delivery.id.endpoint) {
                self.configure(delivery.id.endpoint, DeliveryOrder::InOrder);
            }
            self.dispatcher.due(delivery, (), 1, self.now);
        }
    }

    fn send(&mut self) {
        while let Some((delivery, ())) = self.dispatcher.poll(self.now) {
            let id = delivery.id;
            let fails = self.dice.roll(10) < self.failures;
            let status = if fails { 500 } else { 200 };
            let outcome = Outcome::Answered { status, retry_after: None };
            let ends = self.now + Duration::from_millis(self.dice.roll(40));
            self.sequence += 1;
            self.calls.insert((ends, self.sequence), (id, outcome));
            self.sent.push((self.now, id));
            if !self.is_strict {
                continue;
            }
            let lane = self.ended.range(..id).filter(|(it, _)| it.endpoint == id.endpoint);
            let before: Vec<_> = lane.filter(|(_, ended)| !**ended).collect();
            assert!(before.is_empty(), "{id:?} was sent before {before:?}");
            let beside = self.calls.values().filter(|it| it.0.endpoint == id.endpoint).count();
            assert_eq!(beside, 1, "one at a time");
        }
        for delivery in self.dispatcher.returns(self.now) {
            self.later(Commit::Release(delivery));
        }
    }

    fn end(&mut self) {
        while let Some(entry) = self.calls.first_entry()
            && entry.key().0 <= self.now
        {
            let (id, outcome) = entry.remove();
            let ended = self.dispatcher.ended(id, outcome, self.now, JitterSample(0.5));
            let is_over = !matches!(ended.verdict, Verdict::RetryAt(_));
            self.ended.insert(id, is_over);
            self.later(Commit::Settle(ended.delivery, ended.verdict));
        }
    }

    fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.commits.is_empty() && self.calls.is_empty()
    }
}

#[test]
fn an_order_is_kept_whatever_fails_and_whoever_hears_of_it_first() {
    for seed in 0..300 {
        let failures = seed % 8;
        let mut world = World::new(seed, failures);
        let mut published = 0;
        while published < 60 {
            for _ in 0..world.dice.roll(4) {
                let endpoint = u128::from(world.dice.roll(3));
                world.publish(endpoint);
                published += 1;
            }
            for _ in 0..world.dice.roll(100) {
                world.step();
            }
        }
        let end = world.now + 3_000 * SECOND;
        while !world.is_idle() {
            world.step();
            assert!(world.now < end, "seed {seed}: everything ends");
        }
        assert!(world.ended.values().all(|ended| *ended), "seed {seed}");
        assert_eq!(world.dispatcher.held(), 0, "seed {seed}");
    }
}

#[test]
fn an_order_does_not_wait_for_the_clock() {
    let mut world = World::new(1, 0);
    world.sloth = 5;
    for _ in 0..1_000 {
        world.publish(0);
    }
    let begun = world.now;
    while !world.is_idle() {
        world.step();
    }
    // Half of forty milliseconds each, and little else.
    let took = world.now.since(begun);
    assert!(took < 30 * SECOND, "{took:?}");
}

/// What was appended before the change keeps its place; what matters here is that all of it
/// ends.
#[test]
fn an_order_may_come_and_go() {
    for seed in 0..50 {
        let mut world = World { is_strict: false, ..World::new(seed, seed % 8) };
        for round in 0..6 {
            for _ in 0..20 {
                world.publish(0);
            }
            for _ in 0..world.dice.roll(20) {
                world.step();
            }
            let order = if round % 2 == 0 { DeliveryOrder::Owned } else { DeliveryOrder::InOrder };
            world.configure(EndpointId::from_u128(0), order);
        }
        let end = world.now + 3_000 * SECOND;
        while !world.is_idle() {
            world.step();
            assert!(world.now < end, "seed {seed}: everything ends");
        }
    }
}
