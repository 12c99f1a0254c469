//! The deliveries of one endpoint in memory, and what delays them.

use std::{collections::VecDeque, time::Duration};

use postrider::{ApplicationId, EndpointId, MessageId};

use super::batch::{Batch, MAX_BATCH_BYTES};
use crate::{
    breaker::{self, Breaker},
    concurrency::{CallLimits, ConcurrencyWindow},
    delivery::{Attempt, Delivery, DeliveryOrder},
    hash::{FastMap, FastSet},
    health,
    lane_state::LaneState,
    limiter::Limiter,
    retry::Schedule,
    time::Timestamp,
};

/// How an endpoint is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub application: ApplicationId,
    pub max_in_flight: usize,
    /// Longest time for which a `Retry-After` pauses the endpoint.
    pub max_rest: Duration,
    /// Most calls per second.
    pub rate: Option<u32>,
    /// Unless [`DeliveryOrder::Any`], all its deliveries come from claims; in order, they are sent
    /// one at a time.
    pub order: DeliveryOrder,
    /// Whether several deliveries are made with one call. It counts as one for the limits.
    pub batch: Option<Batch>,
    pub breaker: breaker::Policy,
    pub schedule: Schedule,
    /// An endpoint is disabled when its deliveries have been exhausted for this long.
    pub disable_after: Duration,
    /// When somebody last asked that what waits is sent at once.
    pub retry_requested_at: Option<Timestamp>,
}

/// A delivery in memory.
#[derive(Debug)]
pub(super) struct HeldDelivery<P> {
    pub delivery: Delivery,
    pub payload: P,
    pub bytes: usize,
    /// It is released to the store if it still waits then.
    pub until: Timestamp,
}

/// Deliveries that a lane may hold, as a multiple of its window of calls. Memory follows proven
/// speed: an endpoint that has never responded holds little of it.
const WINDOWS_HELD: usize = 8;

/// When a lane may send its next delivery.
#[derive(Debug)]
pub(super) enum Gate {
    At(Timestamp),
    /// Only after an event: a delivery comes, or a call ends.
    Closed,
}

/// What is known of the next batch of a lane.
#[derive(Debug, Default)]
struct NextBatch {
    /// Deliveries that this node has appended for others of the batch to be claimed with.
    stored: usize,
    /// The last claim returned as many deliveries as it could, so the batch does not wait for more.
    is_claim_full: bool,
    /// What waited has been claimed again together with what was appended since.
    is_refilled: bool,
}

/// The state of one endpoint. `R` is its route, `P` a delivery's payload.
#[derive(Debug)]
pub(super) struct Lane<R, P> {
    pub policy: Policy,
    /// What the driver needs to call the endpoint.
    pub route: R,
    pub failing_since: Option<Timestamp>,
    /// Places for deliveries that are being appended.
    pub reserved: usize,
    /// The store has deliveries of this lane that this node does not hold.
    pub has_backlog: bool,
    /// It is in the list of lanes that are polled next.
    pub is_ready: bool,
    pub timer_at: Option<Timestamp>,
    breaker: Breaker,
    limiter: Option<Limiter>,
    concurrency: ConcurrencyWindow,
    queue: VecDeque<HeldDelivery<P>>,
    queued: FastSet<MessageId>,
    in_flight: FastMap<MessageId, (Delivery, usize)>,
    /// Calls in flight.
    calls: usize,
    next_batch: NextBatch,
    /// Deliveries in order that have left this lane while the store does not know it yet. The
    /// store offers nothing behind them until then.
    unsettled: FastSet<MessageId>,
    is_closed: bool,
}

impl<R, P> Lane<R, P> {
    pub(super) fn new(policy: Policy, route: R, failing_since: Option<Timestamp>) -> Self {
        Self {
            failing_since,
            reserved: 0,
            has_backlog: false,
            is_ready: false,
            timer_at: None,
            breaker: Breaker::new(policy.breaker),
            limiter: policy.rate.map(Limiter::new),
            concurrency: ConcurrencyWindow::new(policy.max_in_flight),
            queue: VecDeque::new(),
            queued: FastSet::default(),
            in_flight: FastMap::default(),
            calls: 0,
            next_batch: NextBatch::default(),
            unsettled: FastSet::default(),
            is_closed: false,
            policy,
            route,
        }
    }

    /// Changes the policy and the route. The rate limiter keeps its history, so that a change
    /// cannot be used to exceed the rate. Returns whether what waits has to be claimed again, because
    /// somebody asked for it since.
    pub(super) fn configure(&mut self, policy: Policy, route: R) -> bool {
        self.limiter = match (self.limiter.take(), policy.rate) {
            (_, None) => None,
            (None, Some(rate)) => Some(Limiter::new(rate)),
            (Some(mut limiter), Some(rate)) => {
                limiter.set_rate(rate);
                Some(limiter)
            },
        };
        self.is_closed = false;
        let retries = policy.retry_requested_at > self.policy.retry_requested_at;
        self.policy = policy;
        self.route = route;
        if retries {
            self.breaker.probe_now();
            self.concurrency.end_rest();
        }
        retries
    }

    /// Takes nothing more; returns the number of reserved places that this frees.
    pub(super) fn close(&mut self) -> usize {
        self.is_closed = true;
        self.failing_since = None;
        self.has_backlog = false;
        self.breaker = Breaker::new(self.policy.breaker);
        std::mem::take(&mut self.reserved)
    }

    /// Queues a delivery; `false` if it is held already.
    pub(super) fn push(&mut self, held: HeldDelivery<P>) -> bool {
        let message = held.delivery.id.message;
        let is_new = !self.in_flight.contains_key(&message) && self.queued.insert(message);
        if is_new {
            self.queue.push_back(held);
        }
        is_new
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// When the next delivery may be sent, with at most `share` calls in flight.
    pub(super) fn gate(&self, share: usize) -> Gate {
        let most = if self.is_in_order() { 1 } else { self.policy.max_in_flight };
        let slots = self.concurrency.window().min(most).min(share.max(1));
        if self.queue.is_empty() || self.calls >= slots {
            return Gate::Closed;
        }
        let Some(breaker) = self.breaker.ready_at() else { return Gate::Closed };
        // A probe is sent alone: calls from before the breaker opened have to end first.
        if self.breaker.is_open() && self.calls > 0 {
            return Gate::Closed;
        }
        let limiter = self.limiter.as_ref().map_or(Timestamp::default(), Limiter::ready_at);
        Gate::At(breaker.max(limiter).max(self.concurrency.ready_at()).max(self.batch_at()))
    }

    /// When the batch at the front of the queue is sent: at once if it is full.
    fn batch_at(&self) -> Timestamp {
        let Some(batch) = self.policy.batch else { return Timestamp::default() };
        if self.next_batch.is_claim_full || self.is_batch_full(batch) || self.can_refill(batch) {
            return Timestamp::default();
        }
        let due_at = self.queue.iter().map(|held| batch.due_at(&held.delivery));
        due_at.min().unwrap_or_default()
    }

    fn is_batch_full(&self, batch: Batch) -> bool {
        let limit = self.queue.front().map_or(1, |held| batch.limit(&held.delivery));
        self.queue.len() >= limit
            || self.queue.iter().map(|held| held.bytes).sum::<usize>() >= MAX_BATCH_BYTES
    }

    /// Whether this node has appended something that belongs to the batch since the last claim.
    fn has_more(&self, batch: Batch) -> bool {
        let waits = self.queue.front().is_some_and(|held| batch.waits(&held.delivery));
        self.is_in_order() && self.next_batch.stored > 0 && waits
    }

    /// Whether this node has appended enough to fill the batch since the last claim.
    fn can_refill(&self, batch: Batch) -> bool {
        self.has_more(batch) && self.queue.len() + self.next_batch.stored >= batch.size
    }

    /// Whether what waits has to go back to the store before it is sent, to be claimed again with
    /// what was appended since. In order, the store offers nothing behind what is held.
    pub(super) fn begin_refill(&mut self) -> bool {
        let Some(batch) = self.policy.batch else { return false };
        let is_small = !self.next_batch.is_claim_full && !self.is_batch_full(batch);
        let is_useful = is_small && self.has_more(batch);
        // The time is over for one claim more, unless there is a whole batch.
        let refills = is_useful && (!self.next_batch.is_refilled || self.can_refill(batch));
        self.next_batch.is_refilled |= refills;
        refills
    }

    /// A delivery was appended that has to be claimed.
    pub(super) const fn stored(&mut self) {
        self.next_batch.stored += 1;
    }

    pub(super) const fn is_batched(&self) -> bool {
        self.policy.batch.is_some()
    }

    /// A claim begins, and sees what was appended before.
    pub(super) const fn claim_began(&mut self) {
        self.next_batch.stored = 0;
    }

    /// A claim returned `count` deliveries of at most `capacity`. If it was cut short, the store may
    /// have more of them.
    pub(super) const fn claim_ended(&mut self, count: usize, capacity: usize, is_cut: bool) {
        self.has_backlog = self.has_backlog && count >= capacity;
        if capacity > 0 {
            self.next_batch.is_claim_full = count >= capacity || (is_cut && count > 0);
        }
    }

    /// Takes the next delivery for a call, and those that are made with it.
    pub(super) fn send(&mut self, now: Timestamp) -> (Delivery, P, Vec<(Delivery, P)>) {
        if let Some(limiter) = &mut self.limiter {
            limiter.take(now);
        }
        self.breaker.sent();
        self.calls += 1;
        let (first, payload, bytes) = self.take_next();
        let others = match self.policy.batch {
            Some(batch) => self.take_others(batch.limit(&first) - 1, bytes),
            None => Vec::new(),
        };
        (self.next_batch.is_claim_full, self.next_batch.is_refilled) = (false, false);
        (first, payload, others)
    }

    /// Takes what is sent with a first delivery of this size.
    fn take_others(&mut self, count: usize, first_bytes: usize) -> Vec<(Delivery, P)> {
        let (mut others, mut bytes) = (Vec::new(), first_bytes);
        while others.len() < count
            && let Some(next) = self.queue.front()
            && bytes + next.bytes <= MAX_BATCH_BYTES
        {
            let (delivery, payload, size) = self.take_next();
            bytes += size;
            others.push((delivery, payload));
        }
        others
    }

    fn take_next(&mut self) -> (Delivery, P, usize) {
        let held = self.queue.pop_front().expect("a lane with an open gate has a delivery");
        let HeldDelivery { delivery, payload, bytes, .. } = held;
        self.queued.remove(&delivery.id.message);
        self.in_flight.insert(delivery.id.message, (delivery, bytes));
        (delivery, payload, bytes)
    }

    pub(super) const fn call_ended(&mut self) {
        self.calls -= 1;
    }

    pub(super) fn take_in_flight(&mut self, message: MessageId) -> (Delivery, usize) {
        self.in_flight.remove(&message).expect("only sent deliveries end")
    }

    /// Updates the endpoint's state after a call. Returns since when it has been failing, if it
    /// has to be disabled.
    pub(super) fn record(
        &mut self,
        attempt: &Attempt,
        is_exhausted: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        // The calls of a closed lane say nothing about the endpoint after it is enabled again.
        if self.is_closed {
            return None;
        }
        let outcome = attempt.outcome;
        if attempt.is_neutral() {
            self.breaker.skip(now);
        } else {
            self.breaker.record(outcome.delivered(), now);
        }
        // Its outcome is a success, although the endpoint was not called.
        if attempt.is_unsent() {
            return None;
        }
        let Policy { max_in_flight: in_flight, max_rest: rest, .. } = self.policy;
        self.concurrency.record(outcome, CallLimits { in_flight, rest }, now);
        let after = self.policy.disable_after;
        let health = health::judge(self.failing_since, outcome, is_exhausted, after, now);
        self.failing_since = health.failing_since;
        health.disable
    }

    /// Whether nothing may be sent now, not even a probe.
    pub(super) fn is_resting(&self, now: Timestamp) -> bool {
        self.breaker.ready_at().is_none_or(|at| at > now)
    }

    /// Deliveries that the lane can take, up to `cap`.
    pub(super) fn capacity(&self, cap: usize, patience: Duration, now: Timestamp) -> usize {
        // In order, the store offers nothing behind the deliveries that are held.
        let is_blocked = self.is_in_order() && (self.held() > 0 || !self.unsettled.is_empty());
        if self.is_closed || self.is_resting(now) || is_blocked {
            return 0;
        }
        let cap = if self.breaker.is_open() { 1 } else { cap.min(self.limit(patience)) };
        cap.saturating_sub(self.held())
    }

    pub(super) fn is_in_order(&self) -> bool {
        self.policy.order == DeliveryOrder::InOrder
    }

    /// Deliveries have left the lane; in order, it claims again only when the store knows it.
    pub(super) fn await_settle<'a>(&mut self, deliveries: impl Iterator<Item = &'a Delivery>) {
        if self.is_in_order() {
            self.unsettled.extend(deliveries.map(|it| it.id.message));
        }
    }

    /// The store knows that the delivery has left the lane; whether the lane waited for that.
    pub(super) fn settled(&mut self, message: MessageId) -> bool {
        self.unsettled.remove(&message)
    }

    /// Deliveries reserved, waiting or in flight.
    pub(super) fn held(&self) -> usize {
        self.reserved + self.queue.len() + self.in_flight.len()
    }

    /// Several windows of calls, but no more than the rate limit lets through before the last
    /// delivery has waited too long.
    fn limit(&self, patience: Duration) -> usize {
        let rate = self.policy.rate.map_or(usize::MAX, |rate| rate as usize);
        let seconds = usize::try_from(patience.as_secs() / 2).unwrap_or(usize::MAX);
        let windows = WINDOWS_HELD * self.concurrency.window().min(self.policy.max_in_flight);
        // A batch is one call, whatever its size.
        let batch = self.policy.batch.map_or(1, |it| it.size);
        rate.saturating_mul(seconds.max(1)).min(windows).max(batch)
    }

    /// Removes everything that waits; returns it with its size in bytes.
    pub(super) fn take_waiting(&mut self) -> (Vec<Delivery>, usize) {
        self.queued.clear();
        let bytes = self.queue.iter().map(|held| held.bytes).sum();
        (self.queue.drain(..).map(|held| held.delivery).collect(), bytes)
    }

    /// Removes the waiting delivery of a message; returns its size in bytes.
    pub(super) fn forget(&mut self, message: MessageId) -> Option<usize> {
        if !self.queued.remove(&message) {
            return None;
        }
        let place = self.queue.iter().position(|held| held.delivery.id.message == message)?;
        self.queue.remove(place).map(|held| held.bytes)
    }

    /// Removes what has waited too long, and in order everything behind it.
    pub(super) fn take_late(&mut self, now: Timestamp) -> (Vec<Delivery>, usize) {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let late = self.queue.iter().take_while(|held| held.until <= now).count();
        let count = if self.is_in_order() && late > 0 { self.queue.len() } else { late };
        for held in self.queue.drain(..count) {
            self.queued.remove(&held.delivery.id.message);
            bytes += held.bytes;
            taken.push(held.delivery);
        }
        (taken, bytes)
    }

    /// The state of the lane, for people.
    pub(super) fn state(&self, endpoint: EndpointId, now: Timestamp) -> LaneState {
        let limiter = self.limiter.as_ref().map_or(Timestamp::default(), Limiter::ready_at);
        let ready_at = limiter.max(self.concurrency.ready_at());
        LaneState {
            application: self.policy.application,
            endpoint,
            breaker: self.breaker.state(),
            failing_since: self.failing_since,
            held: self.held(),
            in_flight: self.calls,
            throttled_until: (ready_at > now && self.has_waiting()).then_some(ready_at),
        }
    }

    /// Nothing waits or is in flight, and a new lane would behave the same.
    pub(super) fn is_forgettable(&self, now: Timestamp) -> bool {
        let is_idle = self.held() == 0 && self.unsettled.is_empty();
        let is_clean = self.failing_since.is_none()
            && !self.breaker.is_open()
            && !self.has_backlog
            && self.limiter.as_ref().is_none_or(|it| it.ready_at() <= now)
            && self.concurrency.ready_at() <= now;
        is_idle && (is_clean || self.is_closed)
    }

    /// The same, and a new lane would also call the endpoint about as much at a time.
    pub(super) fn is_forgettable_at_once(&self, now: Timestamp) -> bool {
        self.is_forgettable(now) && self.concurrency.has_learned_little(self.policy.max_in_flight)
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn is_closed_and_empty(&self) -> bool {
        self.is_closed && self.in_flight.is_empty() && self.unsettled.is_empty()
    }
}
