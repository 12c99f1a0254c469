//! Lanes in order, with a store that responds late and sometimes fails.

use std::collections::BTreeMap;

use super::*;

/// A delivery as the store knows it.
#[derive(Clone, Copy, Debug)]
struct Row {
    delivery: Delivery,
    due_at: Timestamp,
    held_until: Option<Timestamp>,
}

/// A store call in flight.
#[derive(Debug)]
enum Commit {
    Append(Delivery),
    Settle(Vec<Settlement>),
    Release(Vec<(Delivery, Timestamp)>),
    /// The deliveries of a claim arrive.
    Claim(Vec<Delivery>),
}

struct World {
    now: Timestamp,
    dice: Dice,
    dispatcher: Dispatcher<(), ()>,
    rows: BTreeMap<DeliveryId, Row>,
    calls: BTreeMap<(Timestamp, u64), (Vec<Delivery>, Outcome)>,
    commits: BTreeMap<(Timestamp, u64), Commit>,
    /// A batch that the store did not write.
    failed: Option<Vec<Settlement>>,
    sequence: u64,
    /// Whether each delivery has ended.
    ended: BTreeMap<DeliveryId, bool>,
    /// Of ten calls, how many fail.
    failures: u64,
    is_strict: bool,
    /// Longest time that a store call takes, in milliseconds.
    latency: u64,
    /// The store never fails.
    is_reliable: bool,
    batch: Option<Batch>,
    /// When each call was made, with the number of its deliveries.
    sizes: Vec<(Timestamp, usize)>,
    /// Every so many messages one is damaged.
    damages: Option<u128>,
    /// Damaged messages that were given up.
    given_up: usize,
}

const LARGE: Config = Config { settle_batch: 4, held: 5_000, held_per_endpoint: 1_000, ..CONFIG };

/// How long a claim holds a delivery.
const CLAIM_LEASE: Duration = Duration::from_secs(120);

impl World {
    fn new(seed: u64, failures: u64) -> Self {
        let mut dice = Dice(seed);
        Self {
            now: Timestamp::from_millis(1_000_000),
            latency: 1 + dice.roll(60),
            dice,
            dispatcher: Dispatcher::new(LARGE, LEASE),
            rows: BTreeMap::new(),
            calls: BTreeMap::new(),
            commits: BTreeMap::new(),
            failed: None,
            sequence: 0,
            ended: BTreeMap::new(),
            failures,
            is_strict: true,
            is_reliable: false,
            batch: None,
            sizes: Vec::new(),
            damages: None,
            given_up: 0,
        }
    }

    fn is_damaged(&self, id: DeliveryId) -> bool {
        self.damages.is_some_and(|one_in| id.message.as_u128().is_multiple_of(one_in))
    }

    /// Gives the lanes batches, or none, at random.
    fn batched_at_random(mut self) -> Self {
        let size = [1, 2, 7, 30][usize::try_from(self.dice.roll(4)).unwrap()];
        let max_wait =
            Duration::from_millis([0, 20, 500][usize::try_from(self.dice.roll(3)).unwrap()]);
        self.batch = (self.dice.roll(3) > 0).then_some(Batch { size, max_wait });
        self
    }

    fn handle(&mut self, input: Input<'_, (), ()>) {
        self.dispatcher.handle(input, self.now);
    }

    fn configure(&mut self, endpoint: EndpointId, order: DeliveryOrder) {
        let policy = Policy {
            application: ApplicationId::from_u128(1),
            max_in_flight: 8,
            max_rest: crate::concurrency::MAX_REST,
            rate: None,
            order,
            breaker: breaker::Policy { threshold: 4, rest: SECOND, rest_max: 4 * SECOND },
            schedule: Schedule::new(&[2 * SECOND; 3], 0.2),
            disable_after: Duration::MAX,
            retry_requested_at: None,
            batch: self.batch,
        };
        let setup = LaneSetup { endpoint, policy, route: (), failing_since: None };
        self.handle(Input::Configure(Box::new(setup)));
    }

    fn publish(&mut self, endpoint: u128) {
        let endpoint = EndpointId::from_u128(endpoint);
        if self.dispatcher.open_route(endpoint).is_none() {
            self.configure(endpoint, DeliveryOrder::InOrder);
        }
        assert!(!self.dispatcher.reserve(endpoint, self.now), "the store is the queue");
        self.sequence += 1;
        let id = DeliveryId { endpoint, message: self.message_id() };
        let delivery = Delivery::first(id, ApplicationId::from_u128(1));
        self.ended.insert(id, false);
        // Appends are made one after the other.
        self.commits.insert((self.now, self.sequence), Commit::Append(delivery));
    }

    /// The next message id, with the time in it.
    fn message_id(&self) -> MessageId {
        MessageId::from_u128(u128::from(self.now.as_millis()) << 80 | u128::from(self.sequence))
    }

    fn later(&mut self, commit: Commit) {
        let at = self.now + Duration::from_millis(self.dice.roll(self.latency));
        self.sequence += 1;
        self.commits.insert((at, self.sequence), commit);
    }

    fn step(&mut self) {
        self.commit();
        self.end_calls();
        self.act();
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
                    self.handle(Input::DueAt(self.now));
                    if self.dispatcher.counts_stored(delivery.id.endpoint) {
                        self.handle(Input::Stored(delivery.id.endpoint));
                    }
                },
                Commit::Settle(settlements) => self.settle(settlements),
                Commit::Release(batch) => self.release(&batch),
                Commit::Claim(claimed) => self.claimed(claimed),
            }
        }
    }

    fn settle(&mut self, settlements: Vec<Settlement>) {
        if self.dice.roll(20) == 0 && !self.is_reliable {
            self.failed = Some(settlements);
            return self.handle(Input::SettleFailed);
        }
        for settlement in &settlements {
            let id = settlement.delivery.id;
            if self.is_damaged(id) {
                assert_eq!(settlement.verdict, Verdict::GiveUp(Reason::Rejected), "it is not sent");
                self.given_up += 1;
            }
            match settlement.verdict {
                Verdict::RetryAt(due_at) => {
                    let delivery = settlement.delivery.after_failure();
                    self.rows.insert(id, Row { delivery, due_at, held_until: None });
                },
                Verdict::Delivered | Verdict::GiveUp(_) => {
                    self.rows.remove(&id);
                },
            }
        }
        self.handle(Input::Settled { settlements: &settlements, has_messages: false });
    }

    fn release(&mut self, batch: &[(Delivery, Timestamp)]) {
        // Of ten releases one is lost on its way, and one succeeds without a reply.
        let luck = if self.is_reliable { 9 } else { self.dice.roll(10) };
        for (delivery, _) in batch.iter().filter(|_| luck > 0) {
            // Rarely the store misses one, and its lease has to end.
            if self.is_reliable || self.dice.roll(50) > 0 {
                let row = self.rows.get_mut(&delivery.id).expect("it has not ended");
                (row.due_at, row.held_until) = (self.now, None);
            }
        }
        self.handle(if luck > 1 { Input::Released } else { Input::ReleaseFailed });
    }

    /// Holds the first deliveries of each order, as a store does.
    fn claim(&mut self, request: &ClaimRequest) {
        let mut claimed: Vec<Delivery> = Vec::new();
        let mut blocked: Option<EndpointId> = None;
        for (id, row) in &mut self.rows {
            let endpoint = id.endpoint;
            let capacity = request.capacities.get(&endpoint).copied();
            let capacity = capacity.unwrap_or(request.per_endpoint);
            let count = claimed.iter().filter(|it| it.id.endpoint == endpoint).count();
            let is_held = row.held_until.is_some_and(|until| until > self.now);
            let is_full = count == capacity;
            if blocked == Some(endpoint) || is_held || row.due_at > self.now || is_full {
                blocked = Some(endpoint);
                continue;
            }
            row.held_until = Some(self.now + CLAIM_LEASE);
            claimed.push(row.delivery);
        }
        self.later(Commit::Claim(claimed));
    }

    fn claimed(&mut self, claimed: Vec<Delivery>) {
        for delivery in &claimed {
            if self.dispatcher.open_route(delivery.id.endpoint).is_none() {
                self.configure(delivery.id.endpoint, DeliveryOrder::InOrder);
            }
        }
        let deliveries = claimed.into_iter().map(|delivery| ClaimedDelivery {
            delivery,
            payload: (),
            bytes: 1,
            release_until: None,
        });
        let deliveries = deliveries.collect();
        self.handle(Input::Claimed(ClaimResult { deliveries, next_due: None }));
    }

    fn act(&mut self) {
        while let Some(action) = self.dispatcher.poll(self.now) {
            match action {
                Action::Send(call) => {
                    let others = call.others.into_iter().map(|(delivery, ())| delivery);
                    self.send(std::iter::once(call.delivery).chain(others).collect());
                },
                Action::Settle(batch) => self.later(Commit::Settle(batch.settlements)),
                Action::RetrySettle => {
                    let failed = self.failed.take().expect("a settle failed");
                    self.later(Commit::Settle(failed));
                },
                Action::Release(batch) => self.later(Commit::Release(batch)),
                Action::Claim(request) => self.claim(&request),
                Action::Disable(_) => unreachable!("endpoints are never disabled"),
            }
        }
    }

    fn send(&mut self, deliveries: Vec<Delivery>) {
        let fails = self.dice.roll(10) < self.failures;
        let status = if fails { 500 } else { 200 };
        let outcome = Outcome::Answered { status, retry_after: None };
        let ends = self.now + Duration::from_millis(self.dice.roll(40));
        self.sequence += 1;
        let ids: Vec<_> = deliveries.iter().map(|it| it.id).collect();
        self.sizes.push((self.now, ids.len()));
        self.calls.insert((ends, self.sequence), (deliveries, outcome));
        if !self.is_strict {
            return;
        }
        let (first, last) = (ids[0], ids[ids.len() - 1]);
        assert!(ids.len() <= self.batch.map_or(1, |it| it.size), "the batch is too large");
        let before = self.ended.range(..=last).filter(|(it, _)| it.endpoint == first.endpoint);
        let open: Vec<_> = before.filter(|(_, ended)| !**ended).map(|(id, _)| *id).collect();
        assert_eq!(open, ids, "a call has the first deliveries that have not ended");
        let calls = self.calls.values().filter(|it| it.0[0].id.endpoint == first.endpoint);
        assert_eq!(calls.count(), 1, "one at a time");
    }

    fn end_calls(&mut self) {
        while let Some(entry) = self.calls.first_entry()
            && entry.key().0 <= self.now
        {
            let (deliveries, outcome) = entry.remove();
            let damaged = deliveries.iter().filter(|it| self.is_damaged(it.id)).count();
            let is_alone = deliveries.len() - damaged <= 1;
            let is_single = deliveries.len() == 1;
            let outcomes = deliveries.iter().map(|delivery| {
                let is_damaged = self.is_damaged(delivery.id);
                if is_damaged { Outcome::Unanswered(Failure::Damaged) } else { outcome }
            });
            let outcomes: Vec<_> = outcomes.collect();
            for (delivery, outcome) in deliveries.iter().zip(&outcomes) {
                let is_last = delivery.attempt > 3 && is_alone;
                let has_ended = outcome.delivered() || outcome.is_damaged() || is_last;
                self.ended.insert(delivery.id, has_ended);
            }
            let jitter = JitterSample(0.5);
            let attempts =
                deliveries.iter().zip(outcomes).map(|(it, outcome)| attempt(it, outcome));
            let mut attempts: Vec<_> = attempts.collect();
            match attempts.pop() {
                Some(attempt) if is_single => self.handle(Input::CallEnded { attempt, jitter }),
                last => {
                    attempts.extend(last);
                    self.handle(Input::BatchEnded { attempts, jitter });
                },
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.rows.is_empty()
            && self.commits.is_empty()
            && self.calls.is_empty()
            && self.failed.is_none()
    }
}

#[test]
fn an_order_is_kept_whatever_fails() {
    for seed in 0..300 {
        let failures = seed % 8;
        let mut world = World::new(seed, failures).batched_at_random();
        world.damages = (seed % 3 == 0).then_some(2 + u128::from(seed) % 5);
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
    world.latency = 5;
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

/// Deliveries that were appended before the change keep their order; this test only requires that
/// all of them end.
#[test]
fn an_endpoint_may_change_between_ordered_and_unordered() {
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

/// A world without failures in which `count` messages were published to a lane with a batch.
fn batched(batch: Batch, count: u64) -> World {
    let mut world = World { batch: Some(batch), latency: 5, is_reliable: true, ..World::new(1, 0) };
    for _ in 0..count {
        world.publish(0);
    }
    world
}

#[test]
fn a_damaged_message_costs_the_others_of_its_batch_no_attempt() {
    for one_in in [1, 2, 5] {
        let mut world = batched(Batch { size: 20, max_wait: SECOND }, 20);
        world.damages = Some(one_in);
        while !world.is_idle() {
            world.step();
        }
        let damaged = world.ended.keys().filter(|id| world.is_damaged(**id)).count();
        assert_eq!((world.sizes.len(), world.given_up), (1, damaged), "one in {one_in}");
        assert!(damaged > 0 && world.ended.values().all(|ended| *ended));
    }
}

#[test]
fn a_full_batch_is_sent_at_once() {
    let mut world = batched(Batch { size: 100, max_wait: 300 * SECOND }, 250);
    let begun = world.now;
    while world.sizes.len() < 2 || !world.calls.is_empty() || !world.commits.is_empty() {
        world.step();
        assert!(world.now.since(begun) < SECOND, "a full batch does not wait");
    }
    assert!(world.sizes.iter().all(|(_, size)| *size == 100), "{:?}", world.sizes);
    while !world.is_idle() {
        world.step();
    }
    let (at, size) = world.sizes[2];
    assert_eq!((world.sizes.len(), size), (3, 50));
    let wait = at.since(begun);
    assert!(wait >= 300 * SECOND && wait < 301 * SECOND, "{wait:?}");
}

#[test]
fn a_batch_becomes_full_while_its_first_message_waits() {
    let mut world = batched(Batch { size: 10, max_wait: 300 * SECOND }, 1);
    let begun = world.now;
    for _ in 0..9 {
        for _ in 0..100 {
            world.step();
        }
        assert!(world.sizes.is_empty(), "it is not full");
        world.publish(0);
    }
    while world.sizes.is_empty() {
        world.step();
        assert!(world.now.since(begun) < 10 * SECOND, "it is full");
    }
    assert_eq!(world.sizes[0].1, 10);
}

#[test]
fn what_comes_while_a_batch_waits_is_sent_with_it() {
    let mut world = batched(Batch { size: 1_000, max_wait: 5 * SECOND }, 1);
    let begun = world.now;
    while world.now.since(begun) < 60 * SECOND {
        world.step();
        if world.dice.roll(4) == 0 {
            world.publish(0);
        }
    }
    // A first message of each batch waits for five seconds.
    assert!((11..=13).contains(&world.sizes.len()), "{:?}", world.sizes);
    assert!(world.sizes.iter().all(|(_, size)| *size > 200), "{:?}", world.sizes);
}

/// The receiver cannot process one of the messages, and rejects every batch with it.
#[test]
fn a_message_that_keeps_failing_ends_up_alone_and_is_the_only_one_given_up() {
    let mut world = batched(Batch { size: 64, max_wait: Duration::ZERO }, 200);
    let poison = *world.ended.keys().nth(37).expect("there are two hundred");
    let mut given_up = Vec::new();
    while !world.is_idle() {
        for (deliveries, outcome) in world.calls.values_mut() {
            if deliveries.iter().any(|it| it.id == poison) {
                *outcome = Outcome::Answered { status: 422, retry_after: None };
            }
        }
        let alone = world.calls.values().filter(|(deliveries, outcome)| {
            deliveries.len() == 1 && deliveries[0].attempt > 3 && !outcome.delivered()
        });
        given_up.extend(alone.map(|(deliveries, _)| deliveries[0].id));
        world.step();
    }
    given_up.dedup();
    assert_eq!(given_up, [poison]);
    assert!(world.ended.values().all(|ended| *ended));
}
