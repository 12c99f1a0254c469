//! Chooses which delivery leaves next.
//!
//! A [`Dispatcher`] is a state machine without I/O. The driver tells it what it holds with
//! [`Dispatcher::reserve`] and [`Dispatcher::due`], asks it what may leave with
//! [`Dispatcher::poll`], tells it how a call ended with [`Dispatcher::ended`], and sleeps
//! until [`Dispatcher::deadline`].
//!
//! Every endpoint has a lane, and no lane can take what another one needs:
//!
//! - A lane holds at most half of the memory that is still free, and always at least one
//!   delivery, so a crowd of dead lanes can press the others but never shut them out. The
//!   same rule shares the calls in flight.
//! - Within that, memory and calls follow proven speed: a lane starts with a small window
//!   of calls that grows with each success, and holds a few windows' worth.
//! - What does not fit is appended to the store without a lease and claimed when the lane
//!   has room ([`Dispatcher::rooms`]). While a lane has a backlog in the store, half of its
//!   room is kept for that, so that the old ones are not overtaken for ever. Fresh ones may
//!   have the other half: if all of them had to take the way through the store, which is the
//!   longer one, a burst that was too much for a moment would slow a lane down for good.
//! - A lane whose breaker opens gives back all that waits in it ([`Dispatcher::returns`])
//!   and claims one delivery at a time, for the probe. Its backlog, however long, then costs
//!   nothing but its place in the store.
//! - Lanes with something to send take turns, one delivery each.
//!
//! A lane in order ([`DeliveryOrder::InOrder`]) sends one at a time and holds nothing but what one
//! claim brought: the first ones of the order. When one of them is to be tried again, all
//! behind it go back to the store, which keeps the order; the lane claims again when the
//! store knows of all that it had ([`Dispatcher::settled`]).

mod lane;
#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use postrider::{ApplicationId, EndpointId, MessageId};

pub use self::lane::Policy;
use self::lane::{Gate, Held, Lane};
use crate::{
    delivery::{Delivery, DeliveryId, DeliveryOrder},
    health::{self, Notice},
    limiter::Limiter,
    outcome::Outcome,
    retry::{self, JitterSample, Verdict},
    time::Timestamp,
};

/// What all lanes together may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deliveries in memory, waiting or in flight.
    pub held: usize,
    /// Bytes of their messages.
    pub held_bytes: usize,
    /// Deliveries of one endpoint in memory.
    pub held_per_endpoint: usize,
    /// Calls in flight.
    pub in_flight: usize,
    /// How long a delivery may wait in memory before it goes back to the store.
    pub patience: Duration,
}

/// How an attempt ended, with all that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As it was sent, but for whether it is reported after this attempt.
    pub delivery: Delivery,
    pub verdict: Verdict,
    pub notice: Option<Notice>,
    /// When the first delivery was exhausted since the last success, if that changed.
    pub failing_since: Option<Option<Timestamp>>,
    /// The endpoint is to be disabled, failing since then.
    pub disable: Option<Timestamp>,
}

/// An application's rate, shared by its lanes.
#[derive(Debug)]
struct Group {
    limiter: Limiter,
}

/// Chooses which delivery leaves next. `C` is what a delivery carries: its message.
#[derive(Debug)]
pub struct Dispatcher<C> {
    limits: Limits,
    lanes: HashMap<EndpointId, Lane<C>>,
    groups: HashMap<ApplicationId, Group>,
    /// Deliveries reserved, waiting or in flight, of all lanes.
    held: usize,
    held_bytes: usize,
    in_flight: usize,
    /// Lanes that may have something to send now, in turn.
    ready: VecDeque<EndpointId>,
    timers: BinaryHeap<Reverse<(Timestamp, EndpointId)>>,
    returns: Vec<Delivery>,
    /// A lane with a backlog in the store has run low.
    is_hungry: bool,
    /// When lanes without anything to remember were last looked for.
    swept_at: Timestamp,
}

/// How often idle lanes are forgotten.
const SWEEP: Duration = Duration::from_secs(10);

impl<C> Dispatcher<C> {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            groups: HashMap::new(),
            held: 0,
            held_bytes: 0,
            in_flight: 0,
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            returns: Vec::new(),
            is_hungry: false,
            swept_at: Timestamp::default(),
        }
    }

    /// Makes a lane, or changes the policy of the one there is. `failing_since` is what the
    /// store knows; a lane that exists knows better.
    pub fn configure(
        &mut self,
        endpoint: EndpointId,
        policy: Policy,
        failing_since: Option<Timestamp>,
    ) {
        match self.lanes.get_mut(&endpoint) {
            Some(lane) => lane.configure(policy),
            None => {
                self.lanes.insert(endpoint, Lane::new(policy, failing_since));
            },
        }
        self.wake(endpoint);
    }

    /// Limits all lanes of an application together, or stops to.
    pub fn configure_group(&mut self, application: ApplicationId, rate: Option<u32>) {
        match (self.groups.get_mut(&application), rate) {
            (Some(group), Some(rate)) => group.limiter.set_rate(rate),
            (None, Some(rate)) => {
                self.groups.insert(application, Group { limiter: Limiter::new(rate) });
            },
            (_, None) => {
                self.groups.remove(&application);
            },
        }
    }

    pub fn has_lane(&self, endpoint: EndpointId) -> bool {
        self.lanes.contains_key(&endpoint)
    }

    /// Whether the endpoint has a lane that is not only waiting for its last calls to end.
    pub fn has_open_lane(&self, endpoint: EndpointId) -> bool {
        self.lanes.get(&endpoint).is_some_and(|lane| !lane.is_closed())
    }

    pub fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// Takes in nothing more for an endpoint that is disabled or gone, and gives back what
    /// waits for it; what is in flight ends as it will.
    pub fn close(&mut self, endpoint: EndpointId) {
        if !self.lanes.contains_key(&endpoint) {
            return;
        }
        self.give_back(endpoint);
        self.held -= self.lane_mut(endpoint).close();
        self.sweep_lane(endpoint);
    }

    /// Forgets since when an endpoint has been failing: it was not.
    pub fn forget_failing(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.failing_since = None;
        }
    }

    /// Forgets what waits of a message for an endpoint, as the delivery has ended otherwise.
    pub fn forget(&mut self, endpoint: EndpointId, message: MessageId) {
        if let Some(lane) = self.lanes.get_mut(&endpoint)
            && let Some(bytes) = lane.forget(message)
        {
            self.held -= 1;
            self.held_bytes -= bytes;
            self.is_hungry |= lane.has_backlog && lane.held() == 0;
        }
    }

    /// Takes a place in the lane for a fresh delivery; `false` if it belongs in the store.
    /// The place is filled by [`Self::due`] or given up by [`Self::unreserve`].
    pub fn reserve(&mut self, endpoint: EndpointId, now: Timestamp) -> bool {
        let room = self.room(endpoint, now);
        let lane = self.lane_mut(endpoint);
        let kept = if lane.has_backlog { lane.held() } else { 0 };
        if room <= kept || lane.policy.order != DeliveryOrder::Any {
            lane.has_backlog = true;
            return false;
        }
        lane.reserved += 1;
        self.held += 1;
        true
    }

    pub fn unreserve(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.lanes.get_mut(&endpoint)
            && lane.reserved > 0
        {
            lane.reserved -= 1;
            self.held -= 1;
        }
    }

    /// Fills a reserved place. A lane that was closed since has none any more: `false`.
    pub fn fill(&mut self, delivery: Delivery, cargo: C, bytes: usize, now: Timestamp) -> bool {
        let endpoint = delivery.id.endpoint;
        match self.lanes.get(&endpoint) {
            Some(lane) if lane.reserved > 0 => self.unreserve(endpoint),
            Some(_) | None => return false,
        }
        self.due(delivery, cargo, bytes, now);
        true
    }

    /// Takes a due delivery that we hold the lease of. One that is here already comes again
    /// when its lease ran out and we claimed it ourselves; the claim renewed the lease, so
    /// there is nothing else to do.
    pub fn due(&mut self, delivery: Delivery, cargo: C, bytes: usize, now: Timestamp) {
        let until = now + self.limits.patience;
        let endpoint = delivery.id.endpoint;
        let Some(lane) = self.lanes.get_mut(&endpoint) else { return };
        if lane.push(Held { delivery, cargo, bytes, until }) {
            self.held += 1;
            self.held_bytes += bytes;
            // Only an empty claim shows that an order is at its end.
            lane.has_backlog |= lane.is_in_order();
            if lane.breaker_rests(now) {
                self.give_back(endpoint);
            } else {
                self.wake(endpoint);
            }
        }
    }

    /// Next delivery to send at `now`, if any.
    pub fn poll(&mut self, now: Timestamp) -> Option<(Delivery, C)> {
        self.ring(now);
        while self.in_flight < self.limits.in_flight {
            let endpoint = self.ready.pop_front()?;
            if let Some(sent) = self.turn(endpoint, now) {
                self.in_flight += 1;
                return Some(sent);
            }
        }
        None
    }

    /// When to poll again if nothing happens before.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes note of how a call ended.
    ///
    /// # Panics
    ///
    /// If the delivery was not sent.
    pub fn ended(
        &mut self,
        id: DeliveryId,
        outcome: Outcome,
        now: Timestamp,
        jitter: JitterSample,
    ) -> Ended {
        let lane = self.lanes.get_mut(&id.endpoint).expect("a lane outlives its calls");
        let (delivery, bytes) = lane.take_in_flight(id.message);
        self.held -= 1;
        self.held_bytes -= bytes;
        self.in_flight -= 1;
        let schedule = &lane.policy.schedule;
        let planned = retry::decide(schedule, delivery.attempt, outcome, now, jitter);
        let verdict = delivery.retry_plan.follow(planned, outcome, now);
        let is_exhausted = health::is_exhausted(&delivery, verdict, schedule.span(), now);
        let before = lane.failing_since;
        let disable = lane.record(outcome, is_exhausted, now);
        let after = lane.failing_since;
        lane.tell(&[delivery]);
        let holds_up = lane.is_in_order() && matches!(verdict, Verdict::RetryAt(_));
        if holds_up || lane.breaker_rests(now) {
            self.give_back(id.endpoint);
        }
        self.notice_hunger(id.endpoint, now);
        self.wake(id.endpoint);
        Ended {
            delivery: Delivery { reported: health::reported(&delivery, verdict), ..delivery },
            verdict,
            notice: health::notice(&delivery, verdict),
            failing_since: (before != after).then_some(after),
            disable,
        }
    }

    /// Takes note that the store knows how a call for the delivery ended, or has it back.
    pub fn settled(&mut self, id: DeliveryId, now: Timestamp) {
        if self.lanes.get_mut(&id.endpoint).is_some_and(|lane| lane.told(id.message)) {
            self.notice_hunger(id.endpoint, now);
        }
    }

    /// Deliveries that are to be released to the store: their lane rests, or they have
    /// waited too long. They are not held any more.
    pub fn returns(&mut self, now: Timestamp) -> Vec<Delivery> {
        if now.since(self.swept_at) >= SWEEP {
            self.swept_at = now;
            self.sweep(now);
        }
        std::mem::take(&mut self.returns)
    }

    /// Gives everything that waits back, for a shutdown; what is in flight stays.
    pub fn drain(&mut self) -> Vec<Delivery> {
        let endpoints: Vec<_> = self.lanes.keys().copied().collect();
        for endpoint in endpoints {
            self.give_back(endpoint);
        }
        std::mem::take(&mut self.returns)
    }

    /// Lanes with less room than `per_endpoint`, and those with a backlog and more, for a
    /// claim.
    pub fn rooms(&self, per_endpoint: usize, now: Timestamp) -> HashMap<EndpointId, usize> {
        self.lanes
            .iter()
            .map(|(&endpoint, lane)| (endpoint, self.room(endpoint, now), lane.has_backlog))
            .filter(|&(_, room, has_backlog)| room < per_endpoint || has_backlog)
            .map(|(endpoint, room, _)| (endpoint, room))
            .collect()
    }

    /// Takes note of a claim's result before its deliveries are handed in: a lane that got
    /// less than it had room for has no backlog in the store any more. `rooms` and
    /// `per_endpoint` are what was asked for, `counts` what came for each lane.
    pub fn claimed(
        &mut self,
        rooms: &HashMap<EndpointId, usize>,
        per_endpoint: usize,
        counts: &HashMap<EndpointId, usize>,
    ) {
        for (endpoint, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.has_backlog) {
            let room = rooms.get(endpoint).copied().unwrap_or(per_endpoint);
            let came = counts.get(endpoint).copied().unwrap_or(0);
            lane.has_backlog = came >= room;
        }
    }

    /// Whether a lane with a backlog in the store has run low since this was last asked.
    pub const fn take_hunger(&mut self) -> bool {
        std::mem::replace(&mut self.is_hungry, false)
    }

    /// Deliveries held in memory.
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Most deliveries that a claim may bring.
    pub const fn free(&self) -> usize {
        self.limits.held.saturating_sub(self.held)
    }

    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Deliveries that the lane could take.
    fn room(&self, endpoint: EndpointId, now: Timestamp) -> usize {
        if self.held_bytes >= self.limits.held_bytes {
            return 0;
        }
        let share = (self.limits.held.saturating_sub(self.held) / 2).max(1);
        let cap = self.limits.held_per_endpoint.min(share);
        match self.lanes.get(&endpoint) {
            _ if self.held >= self.limits.held => 0,
            Some(lane) => lane.room(cap, self.limits.patience, now),
            None => cap,
        }
    }

    /// Lets a lane send one delivery if its gates are open, and sees to its next turn.
    fn turn(&mut self, endpoint: EndpointId, now: Timestamp) -> Option<(Delivery, C)> {
        let share = ((self.limits.in_flight - self.in_flight) / 2).max(1);
        let lane = self.lanes.get_mut(&endpoint)?;
        lane.is_ready = false;
        let gate = match lane.gate(share) {
            Gate::At(at) => group_ready_at(&self.groups, lane).max(at),
            Gate::Closed => return None,
        };
        if gate > now {
            self.set_timer(endpoint, gate);
            return None;
        }
        let group = self.groups.get_mut(&lane.policy.application);
        let sent = lane.send(now);
        if let Some(group) = group {
            group.limiter.take(now);
        }
        self.wake(endpoint);
        Some(sent)
    }

    /// Gives the lane a turn at the next poll.
    fn wake(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.lanes.get_mut(&endpoint)
            && !lane.is_ready
            && lane.has_waiting()
        {
            lane.is_ready = true;
            self.ready.push_back(endpoint);
        }
    }

    fn set_timer(&mut self, endpoint: EndpointId, at: Timestamp) {
        let lane = self.lane_mut(endpoint);
        if lane.timer_at.is_none_or(|timer| timer > at) {
            lane.timer_at = Some(at);
            self.timers.push(Reverse((at, endpoint)));
        }
    }

    /// Wakes the lanes whose timers have run out.
    fn ring(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, endpoint))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            if let Some(lane) = self.lanes.get_mut(&endpoint)
                && lane.timer_at == Some(at)
            {
                lane.timer_at = None;
                self.wake(endpoint);
            }
        }
    }

    fn notice_hunger(&mut self, endpoint: EndpointId, now: Timestamp) {
        let lane = &self.lanes[&endpoint];
        self.is_hungry |= lane.has_backlog && self.room(endpoint, now) >= lane.held().max(1);
    }

    fn give_back(&mut self, endpoint: EndpointId) {
        let lane = self.lane_mut(endpoint);
        let (deliveries, bytes) = lane.give_back();
        lane.has_backlog |= !deliveries.is_empty();
        lane.tell(&deliveries);
        self.held -= deliveries.len();
        self.held_bytes -= bytes;
        self.returns.extend(deliveries);
    }

    /// Returns what has waited too long and forgets lanes with nothing to remember.
    fn sweep(&mut self, now: Timestamp) {
        for lane in self.lanes.values_mut() {
            let (deliveries, bytes) = lane.give_back_late(now);
            lane.has_backlog |= !deliveries.is_empty();
            lane.tell(&deliveries);
            self.held -= deliveries.len();
            self.held_bytes -= bytes;
            self.returns.extend(deliveries);
        }
        self.lanes.retain(|_, lane| !lane.is_forgettable(now));
        if !self.groups.is_empty() {
            let used: HashSet<_> = self.lanes.values().map(|it| it.policy.application).collect();
            self.groups.retain(|id, group| group.limiter.ready_at() > now || used.contains(id));
        }
    }

    fn sweep_lane(&mut self, endpoint: EndpointId) {
        if self.lanes.get(&endpoint).is_some_and(Lane::is_closed_and_empty) {
            self.lanes.remove(&endpoint);
        }
    }

    fn lane_mut(&mut self, endpoint: EndpointId) -> &mut Lane<C> {
        self.lanes.get_mut(&endpoint).expect("an endpoint is configured before it is used")
    }
}

fn group_ready_at<C>(groups: &HashMap<ApplicationId, Group>, lane: &Lane<C>) -> Timestamp {
    groups
        .get(&lane.policy.application)
        .map_or(Timestamp::default(), |group| group.limiter.ready_at())
}
