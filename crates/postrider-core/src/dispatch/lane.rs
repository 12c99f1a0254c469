//! What waits for one endpoint, and what holds it back.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use postrider::{ApplicationId, MessageId};

use crate::{
    breaker::{self, Breaker},
    concurrency::ConcurrencyWindow,
    delivery::{Delivery, DeliveryOrder},
    health,
    limiter::Limiter,
    outcome::Outcome,
    retry::Schedule,
    time::Timestamp,
};

/// How an endpoint is to be treated.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub application: ApplicationId,
    pub max_in_flight: usize,
    /// Most calls per second.
    pub rate: Option<u32>,
    /// If not [`DeliveryOrder::Any`], all its deliveries come by way of the store; if in order, one
    /// at a time.
    pub order: DeliveryOrder,
    pub breaker: breaker::Policy,
    pub schedule: Schedule,
    /// An endpoint whose deliveries are exhausted over this time is to be disabled.
    pub disable_after: Duration,
}

/// A delivery in memory.
#[derive(Debug)]
pub(super) struct Held<C> {
    pub delivery: Delivery,
    pub cargo: C,
    pub bytes: usize,
    /// It goes back to the store if it still waits then.
    pub until: Timestamp,
}

/// Windows' worth of deliveries that a lane may hold. Memory follows proven speed: an
/// endpoint that has never answered holds little of it.
const WINDOWS_HELD: usize = 8;

/// When a lane's next delivery may leave.
#[derive(Debug)]
pub(super) enum Gate {
    At(Timestamp),
    /// Only an event can open it: a delivery comes, or a call ends.
    Closed,
}

#[derive(Debug)]
pub(super) struct Lane<C> {
    pub policy: Policy,
    pub failing_since: Option<Timestamp>,
    /// Places taken by deliveries that are being appended.
    pub reserved: usize,
    /// The store has deliveries of this lane that we do not hold.
    pub has_backlog: bool,
    /// It stands in the dispatcher's list of lanes to give a turn.
    pub is_ready: bool,
    pub timer_at: Option<Timestamp>,
    breaker: Breaker,
    limiter: Option<Limiter>,
    concurrency: ConcurrencyWindow,
    queue: VecDeque<Held<C>>,
    queued: HashSet<MessageId>,
    in_flight: HashMap<MessageId, (Delivery, usize)>,
    /// Deliveries in order that we do not hold any more, and that the store does not know
    /// about yet: it offers nothing behind them.
    unsettled: HashSet<MessageId>,
    is_closed: bool,
}

impl<C> Lane<C> {
    pub(super) fn new(policy: Policy, failing_since: Option<Timestamp>) -> Self {
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
            queued: HashSet::new(),
            in_flight: HashMap::new(),
            unsettled: HashSet::new(),
            is_closed: false,
            policy,
        }
    }

    pub(super) fn configure(&mut self, policy: Policy) {
        self.limiter = match (self.limiter.take(), policy.rate) {
            (_, None) => None,
            (None, Some(rate)) => Some(Limiter::new(rate)),
            (Some(mut limiter), Some(rate)) => {
                limiter.set_rate(rate);
                Some(limiter)
            },
        };
        self.is_closed = false;
        self.policy = policy;
    }

    /// Takes in nothing more; how many reserved places that frees.
    pub(super) fn close(&mut self) -> usize {
        self.is_closed = true;
        self.failing_since = None;
        self.has_backlog = false;
        self.breaker = Breaker::new(self.policy.breaker);
        std::mem::take(&mut self.reserved)
    }

    /// Queues a delivery; `false` if it is here already.
    pub(super) fn push(&mut self, held: Held<C>) -> bool {
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

    /// When the next delivery may leave, with at most `share` calls in flight.
    pub(super) fn gate(&self, share: usize) -> Gate {
        let most = if self.is_in_order() { 1 } else { self.policy.max_in_flight };
        let slots = self.concurrency.window().min(most).min(share.max(1));
        if self.queue.is_empty() || self.in_flight.len() >= slots {
            return Gate::Closed;
        }
        let Some(breaker) = self.breaker.ready_at() else { return Gate::Closed };
        // A probe goes alone: stragglers from before the breaker opened end first.
        if self.breaker.is_open() && !self.in_flight.is_empty() {
            return Gate::Closed;
        }
        let limiter = self.limiter.as_ref().map_or(Timestamp::default(), Limiter::ready_at);
        Gate::At(breaker.max(limiter).max(self.concurrency.ready_at()))
    }

    pub(super) fn send(&mut self, now: Timestamp) -> (Delivery, C) {
        let held = self.queue.pop_front().expect("an open gate has something behind it");
        self.queued.remove(&held.delivery.id.message);
        if let Some(limiter) = &mut self.limiter {
            limiter.take(now);
        }
        self.breaker.sent();
        self.in_flight.insert(held.delivery.id.message, (held.delivery, held.bytes));
        (held.delivery, held.cargo)
    }

    pub(super) fn take_in_flight(&mut self, message: MessageId) -> (Delivery, usize) {
        self.in_flight.remove(&message).expect("only sent deliveries end")
    }

    /// Lets the endpoint's state follow an outcome. Since when it has been failing, if it is to
    /// be disabled.
    pub(super) fn record(
        &mut self,
        outcome: Outcome,
        is_exhausted: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        // A closed lane only waits for its calls to end; they say nothing about its successor.
        if self.is_closed {
            return None;
        }
        self.breaker.record(outcome.delivered(), now);
        self.concurrency.record(outcome, self.policy.max_in_flight, now);
        let after = self.policy.disable_after;
        let health = health::judge(self.failing_since, outcome, is_exhausted, after, now);
        self.failing_since = health.failing_since;
        health.disable
    }

    /// Whether nothing may leave now, not even a probe.
    pub(super) fn breaker_rests(&self, now: Timestamp) -> bool {
        self.breaker.ready_at().is_none_or(|at| at > now)
    }

    /// Deliveries that it could take, of at most `cap`.
    pub(super) fn room(&self, cap: usize, patience: Duration, now: Timestamp) -> usize {
        // The store offers nothing behind what is held of an order.
        let is_served = self.is_in_order() && (self.held() > 0 || !self.unsettled.is_empty());
        if self.is_closed || self.breaker_rests(now) || is_served {
            return 0;
        }
        let cap = if self.breaker.is_open() { 1 } else { cap.min(self.limit(patience)) };
        cap.saturating_sub(self.held())
    }

    pub(super) fn is_in_order(&self) -> bool {
        self.policy.order == DeliveryOrder::InOrder
    }

    /// The store is to be told about deliveries that we do not hold any more.
    pub(super) fn tell(&mut self, deliveries: &[Delivery]) {
        if self.is_in_order() {
            self.unsettled.extend(deliveries.iter().map(|it| it.id.message));
        }
    }

    /// The store was told; whether that was waited for.
    pub(super) fn told(&mut self, message: MessageId) -> bool {
        self.unsettled.remove(&message)
    }

    /// Deliveries reserved, waiting or in flight.
    pub(super) fn held(&self) -> usize {
        self.reserved + self.queue.len() + self.in_flight.len()
    }

    /// Several windows' worth, and no more than a rate lets through before it would have
    /// waited too long.
    fn limit(&self, patience: Duration) -> usize {
        let rate = self.policy.rate.map_or(usize::MAX, |rate| rate as usize);
        let seconds = usize::try_from(patience.as_secs() / 2).unwrap_or(usize::MAX);
        let windows = WINDOWS_HELD * self.concurrency.window().min(self.policy.max_in_flight);
        rate.saturating_mul(seconds.max(1)).min(windows).max(1)
    }

    /// Takes out everything that waits, with its size in bytes.
    pub(super) fn give_back(&mut self) -> (Vec<Delivery>, usize) {
        self.queued.clear();
        let bytes = self.queue.iter().map(|held| held.bytes).sum();
        (self.queue.drain(..).map(|held| held.delivery).collect(), bytes)
    }

    /// Takes out what waits of a message; its size in bytes.
    pub(super) fn forget(&mut self, message: MessageId) -> Option<usize> {
        if !self.queued.remove(&message) {
            return None;
        }
        let place = self.queue.iter().position(|held| held.delivery.id.message == message)?;
        self.queue.remove(place).map(|held| held.bytes)
    }

    /// Takes out what has waited too long, and of an order all that is behind it.
    pub(super) fn give_back_late(&mut self, now: Timestamp) -> (Vec<Delivery>, usize) {
        let (mut given_back, mut bytes) = (Vec::new(), 0);
        let late = self.queue.iter().take_while(|held| held.until <= now).count();
        let count = if self.is_in_order() && late > 0 { self.queue.len() } else { late };
        for held in self.queue.drain(..count) {
            self.queued.remove(&held.delivery.id.message);
            bytes += held.bytes;
            given_back.push(held.delivery);
        }
        (given_back, bytes)
    }

    /// Nothing waits or is under way, and a new lane would behave the same.
    pub(super) fn is_forgettable(&self, now: Timestamp) -> bool {
        let is_idle = self.held() == 0 && self.unsettled.is_empty();
        let is_clean = self.failing_since.is_none()
            && !self.breaker.is_open()
            && !self.has_backlog
            && self.limiter.as_ref().is_none_or(|it| it.ready_at() <= now)
            && self.concurrency.ready_at() <= now;
        is_idle && (is_clean || self.is_closed)
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn is_closed_and_empty(&self) -> bool {
        self.is_closed && self.in_flight.is_empty() && self.unsettled.is_empty()
    }
}
