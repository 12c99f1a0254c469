//! The lanes of all endpoints: which may hold what, and whose delivery is sent next.

mod ended;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use postrider::{ApplicationId, EndpointId};

use super::{
    action::OutgoingCall,
    claim::{ClaimInFlight, PER_ENDPOINT},
    config::Config,
    input::LaneSetup,
    lane::{Gate, HeldDelivery, Lane},
};
use crate::{
    delivery::{Delivery, DeliveryId, DeliveryOrder},
    hash::{FastMap, FastSet},
    lane_state::LaneState,
    limiter::Limiter,
    time::Timestamp,
};

pub(super) use self::ended::CallResult;

/// How often idle lanes are dropped, and deliveries that have waited too long released.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// Lanes that are kept until the next sweep, however little they know.
const KEPT: usize = 1_000;

/// The lanes of all endpoints. `R` is a lane's route, `P` a delivery's payload.
#[derive(Debug)]
pub(super) struct Lanes<R, P> {
    config: Config,
    by_endpoint: FastMap<EndpointId, Lane<R, P>>,
    /// The endpoints that have lanes. A change of one application must not visit the lanes of all
    /// others, which can be many.
    by_application: FastMap<ApplicationId, FastSet<EndpointId>>,
    /// The rate limits that the lanes of an application share.
    limiters: FastMap<ApplicationId, Limiter>,
    /// Deliveries reserved, waiting or in flight, of all lanes.
    held: usize,
    held_bytes: usize,
    in_flight: usize,
    /// Lanes that may have something to send now, in turn.
    ready: VecDeque<EndpointId>,
    timers: BinaryHeap<Reverse<(Timestamp, EndpointId)>>,
    /// Deliveries that have left their lanes and have to be released to the store.
    released: Vec<Delivery>,
    /// A lane with a backlog in the store has run low.
    wants_claim: bool,
    swept_at: Timestamp,
    /// Lanes whose last call has ended, while there are many lanes.
    ended: Vec<EndpointId>,
}

impl<R: Clone, P> Lanes<R, P> {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            by_endpoint: FastMap::default(),
            by_application: FastMap::default(),
            limiters: FastMap::default(),
            held: 0,
            held_bytes: 0,
            in_flight: 0,
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            released: Vec::new(),
            wants_claim: false,
            swept_at: Timestamp::default(),
            ended: Vec::new(),
        }
    }

    /// Creates a lane, or changes the existing one.
    pub(super) fn configure(&mut self, setup: LaneSetup<R>) {
        let LaneSetup { endpoint, policy, route, failing_since } = setup;
        if let Some(lane) = self.by_endpoint.get_mut(&endpoint) {
            if lane.configure(policy, route) {
                // Some of it may have been skipped, and all is due now.
                lane.has_backlog = true;
                self.release_waiting(endpoint);
                self.wants_claim = true;
            }
        } else {
            self.by_application.entry(policy.application).or_default().insert(endpoint);
            self.by_endpoint.insert(endpoint, Lane::new(policy, route, failing_since));
        }
        self.wake(endpoint);
    }

    /// Limits the rate of all lanes of an application together, or removes the limit.
    pub(super) fn limit_application(&mut self, id: ApplicationId, rate: Option<u32>) {
        match (self.limiters.get_mut(&id), rate) {
            (Some(limiter), Some(rate)) => limiter.set_rate(rate),
            (None, Some(rate)) => {
                self.limiters.insert(id, Limiter::new(rate));
            },
            (_, None) => {
                self.limiters.remove(&id);
            },
        }
    }

    /// The route of an endpoint whose lane takes deliveries.
    pub(super) fn open_route(&self, endpoint: EndpointId) -> Option<&R> {
        let lane = self.by_endpoint.get(&endpoint)?;
        (!lane.is_closed()).then_some(&lane.route)
    }

    /// The endpoints of an application that have lanes.
    pub(super) fn endpoints_of(&self, application: ApplicationId) -> Vec<EndpointId> {
        self.by_application.get(&application).into_iter().flatten().copied().collect()
    }

    /// The applications that have lanes.
    pub(super) fn applications(&self) -> HashSet<ApplicationId> {
        self.by_application.keys().copied().collect()
    }

    /// Takes nothing more for an endpoint that is disabled or gone, and releases what waits for
    /// it. Calls in flight end normally.
    pub(super) fn close(&mut self, endpoint: EndpointId) {
        if !self.by_endpoint.contains_key(&endpoint) {
            return;
        }
        self.release_waiting(endpoint);
        self.held -= self.lane_mut(endpoint).close();
        if self.by_endpoint.get(&endpoint).is_some_and(Lane::is_closed_and_empty)
            && let Some(lane) = self.by_endpoint.remove(&endpoint)
        {
            self.forget_endpoint(lane.policy.application, endpoint);
        }
    }

    /// The endpoint was not failing all the time.
    pub(super) fn clear_failing(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.by_endpoint.get_mut(&endpoint) {
            lane.failing_since = None;
        }
    }

    /// Drops a waiting delivery that has ended otherwise.
    pub(super) fn forget(&mut self, id: DeliveryId) {
        if let Some(lane) = self.by_endpoint.get_mut(&id.endpoint)
            && let Some(bytes) = lane.forget(id.message)
        {
            self.held -= 1;
            self.held_bytes -= bytes;
            self.wants_claim |= lane.has_backlog && lane.held() == 0;
        }
    }

    /// Reserves a place for a new delivery; `false` if it has to go to the store. The place is
    /// filled by [`Self::fill`] or freed by [`Self::unreserve`].
    ///
    /// While a lane has a backlog in the store, half of its capacity is kept for that, so that
    /// new deliveries do not overtake old ones forever. They get the other half: the way through
    /// the store takes longer, so if all of them had to take it, a short burst would slow the
    /// lane down permanently.
    pub(super) fn reserve(&mut self, endpoint: EndpointId, now: Timestamp) -> bool {
        let capacity = self.capacity(endpoint, now);
        let lane = self.lane_mut(endpoint);
        let kept_for_backlog = if lane.has_backlog { lane.held() } else { 0 };
        if capacity <= kept_for_backlog || lane.policy.order != DeliveryOrder::Any {
            lane.has_backlog = true;
            return false;
        }
        lane.reserved += 1;
        self.held += 1;
        true
    }

    /// Frees a reserved place; `false` if there is none, because the lane was closed since.
    pub(super) fn unreserve(&mut self, endpoint: EndpointId) -> bool {
        let lane = self.by_endpoint.get_mut(&endpoint).filter(|lane| lane.reserved > 0);
        let Some(lane) = lane else { return false };
        lane.reserved -= 1;
        self.held -= 1;
        true
    }

    /// Fills a reserved place; `false` if the lane was closed since.
    pub(super) fn fill(
        &mut self,
        delivery: Delivery,
        payload: P,
        bytes: usize,
        now: Timestamp,
    ) -> bool {
        let is_reserved = self.unreserve(delivery.id.endpoint);
        if is_reserved {
            self.push(delivery, payload, bytes, now);
        }
        is_reserved
    }

    /// Takes a due delivery that this node holds.
    ///
    /// It may be here already: its lease had expired, and this node claimed it again. The claim
    /// has renewed the lease, so nothing else has to happen.
    pub(super) fn push(&mut self, delivery: Delivery, payload: P, bytes: usize, now: Timestamp) {
        let until = now + self.config.patience;
        let endpoint = delivery.id.endpoint;
        let Some(lane) = self.by_endpoint.get_mut(&endpoint) else { return };
        if lane.push(HeldDelivery { delivery, payload, bytes, until }) {
            self.held += 1;
            self.held_bytes += bytes;
            // Only an empty claim shows that an order has no more deliveries.
            lane.has_backlog |= lane.is_in_order();
            if lane.is_resting(now) {
                self.release_waiting(endpoint);
            } else {
                self.wake(endpoint);
            }
        }
    }

    /// The next call to start, if any.
    pub(super) fn next_call(&mut self, now: Timestamp) -> Option<OutgoingCall<R, P>> {
        self.fire_timers(now);
        while self.in_flight < self.config.in_flight {
            let endpoint = self.ready.pop_front()?;
            if let Some(call) = self.next_call_of(endpoint, now) {
                self.in_flight += 1;
                return Some(call);
            }
        }
        None
    }

    /// When a lane that waits for the time may send.
    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// The route of an endpoint that has a lane, closed or not.
    pub(super) fn route(&self, endpoint: EndpointId) -> &R {
        &self.by_endpoint[&endpoint].route
    }

    /// The store knows how a call for the delivery ended, or has it back.
    pub(super) fn settled(&mut self, id: DeliveryId, now: Timestamp) {
        let lane = self.by_endpoint.get_mut(&id.endpoint);
        if lane.is_some_and(|lane| lane.settled(id.message)) {
            self.update_wants_claim(id.endpoint, now);
        }
    }

    /// Deliveries that left their lanes since the last call and have to be released.
    pub(super) fn take_released(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.released)
    }

    pub(super) const fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// Takes everything that waits out of the lanes; what is in flight stays.
    pub(super) fn drain(&mut self) -> Vec<Delivery> {
        let endpoints: Vec<_> = self.by_endpoint.keys().copied().collect();
        for endpoint in endpoints {
            self.release_waiting(endpoint);
        }
        self.take_released()
    }

    /// The capacities of lanes for a claim: of those with less than `per_endpoint`, and of those
    /// with more that have a backlog or send batches.
    pub(super) fn capacities(
        &self,
        per_endpoint: usize,
        now: Timestamp,
    ) -> HashMap<EndpointId, usize> {
        self.by_endpoint
            .iter()
            .map(|(&endpoint, lane)| {
                let is_known = lane.has_backlog || lane.is_batched();
                (endpoint, self.capacity(endpoint, now), is_known)
            })
            .filter(|&(_, capacity, is_known)| capacity < per_endpoint || is_known)
            .map(|(endpoint, capacity, _)| (endpoint, capacity))
            .collect()
    }

    /// A claim with these capacities begins.
    pub(super) fn claim_began(&mut self, capacities: &HashMap<EndpointId, usize>) {
        for (endpoint, lane) in self.by_endpoint.iter_mut().filter(|(_, lane)| lane.is_batched()) {
            if capacities.get(endpoint).is_some_and(|capacity| *capacity > 0) {
                lane.claim_began();
            }
        }
    }

    /// A delivery was appended that has to be claimed.
    pub(super) fn stored(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.by_endpoint.get_mut(&endpoint) {
            lane.stored();
            self.wake(endpoint);
        }
    }

    /// Whether the lane counts what is appended and has to be claimed.
    pub(super) fn counts_stored(&self, endpoint: EndpointId) -> bool {
        self.by_endpoint.get(&endpoint).is_some_and(|it| it.is_batched() && it.is_in_order())
    }

    /// Updates the lanes after a claim that returned `counts` deliveries: a lane that got less
    /// than it had capacity for has no backlog any more.
    pub(super) fn claim_ended(
        &mut self,
        claim: &ClaimInFlight,
        counts: &HashMap<EndpointId, usize>,
    ) {
        // A claim that was cut short has left deliveries of some lane in the store.
        let is_cut = counts.values().sum::<usize>() >= claim.limit;
        let lanes = self.by_endpoint.iter_mut();
        for (endpoint, lane) in lanes.filter(|(_, it)| it.has_backlog || it.is_batched()) {
            let capacity = claim.capacities.get(endpoint).copied().unwrap_or(PER_ENDPOINT);
            let count = counts.get(endpoint).copied().unwrap_or(0);
            lane.claim_ended(count, capacity, is_cut);
        }
    }

    /// Whether a lane with a backlog in the store has run low since the last call.
    pub(super) const fn take_wants_claim(&mut self) -> bool {
        std::mem::replace(&mut self.wants_claim, false)
    }

    /// Deliveries held in memory.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Most deliveries that a claim may return.
    pub(super) const fn free(&self) -> usize {
        self.config.held.saturating_sub(self.held)
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Deliveries that the lane can take.
    ///
    /// It gets at most half of what is free, and at least one. Many dead lanes together can
    /// press the others, but never shut them out.
    fn capacity(&self, endpoint: EndpointId, now: Timestamp) -> usize {
        if self.held_bytes >= self.config.held_bytes {
            return 0;
        }
        let share = (self.free() / 2).max(1);
        let cap = self.config.held_per_endpoint.min(share);
        match self.by_endpoint.get(&endpoint) {
            _ if self.held >= self.config.held => 0,
            Some(lane) => lane.capacity(cap, self.config.patience, now),
            None => cap,
        }
    }

    /// The lane's next call, if it may start one now; otherwise sets a timer if it waits for the
    /// time alone.
    fn next_call_of(&mut self, endpoint: EndpointId, now: Timestamp) -> Option<OutgoingCall<R, P>> {
        let share = ((self.config.in_flight - self.in_flight) / 2).max(1);
        let lane = self.by_endpoint.get_mut(&endpoint)?;
        lane.is_ready = false;
        let Gate::At(at) = lane.gate(share) else { return None };
        let limiter = self.limiters.get_mut(&lane.policy.application);
        let gate = limiter.as_ref().map_or(at, |it| it.ready_at().max(at));
        if gate > now {
            self.set_timer(endpoint, gate);
            return None;
        }
        if lane.begin_refill() {
            self.release_waiting(endpoint);
            return None;
        }
        let (delivery, payload, others) = lane.send(now);
        if let Some(limiter) = limiter {
            limiter.take(now);
        }
        let route = lane.route.clone();
        self.wake(endpoint);
        Some(OutgoingCall { delivery, route, payload, others })
    }

    /// Lets the lane try to send at the next poll.
    fn wake(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.by_endpoint.get_mut(&endpoint)
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
    fn fire_timers(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, endpoint))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            // A lane that set an earlier timer since has left this one behind.
            if let Some(lane) = self.by_endpoint.get_mut(&endpoint)
                && lane.timer_at == Some(at)
            {
                lane.timer_at = None;
                self.wake(endpoint);
            }
        }
    }

    fn update_wants_claim(&mut self, endpoint: EndpointId, now: Timestamp) {
        let lane = &self.by_endpoint[&endpoint];
        self.wants_claim |= lane.has_backlog && self.capacity(endpoint, now) >= lane.held().max(1);
    }

    fn release_waiting(&mut self, endpoint: EndpointId) {
        let lane = self.lane_mut(endpoint);
        let (deliveries, bytes) = lane.take_waiting();
        lane.has_backlog |= !deliveries.is_empty();
        lane.await_settle(deliveries.iter());
        self.held -= deliveries.len();
        self.held_bytes -= bytes;
        self.released.extend(deliveries);
    }

    /// A call has ended.
    fn note_ended(&mut self, endpoint: EndpointId) {
        if self.by_endpoint.len() > KEPT && self.by_endpoint[&endpoint].held() == 0 {
            self.ended.push(endpoint);
        }
    }

    /// If there are many lanes, drops those that are idle again and know little. If very many
    /// endpoints get a message now and then, the few lanes in use stay in the processor's cache, and
    /// nothing has to visit all of them.
    pub(super) fn drop_ended(&mut self, now: Timestamp) {
        while let Some(endpoint) = self.ended.pop() {
            let lane = self.by_endpoint.get(&endpoint);
            if lane.is_some_and(|lane| lane.is_forgettable_at_once(now))
                && let Some(lane) = self.by_endpoint.remove(&endpoint)
            {
                self.forget_endpoint(lane.policy.application, endpoint);
            }
        }
    }

    /// From time to time releases what has waited too long, and drops lanes that have nothing to
    /// remember.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if now.since(self.swept_at) < SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        for lane in self.by_endpoint.values_mut() {
            let (deliveries, bytes) = lane.take_late(now);
            lane.has_backlog |= !deliveries.is_empty();
            lane.await_settle(deliveries.iter());
            self.held -= deliveries.len();
            self.held_bytes -= bytes;
            self.released.extend(deliveries);
        }
        let dropped = self.by_endpoint.extract_if(|_, lane| lane.is_forgettable(now));
        let dropped: Vec<_> = dropped.map(|(id, lane)| (lane.policy.application, id)).collect();
        for (application, endpoint) in dropped {
            self.forget_endpoint(application, endpoint);
        }
        // A rate limit is kept until it no longer delays a call. Otherwise an application could
        // exceed its rate by letting its lanes be dropped.
        let by_application = &self.by_application;
        self.limiters.retain(|id, it| it.ready_at() > now || by_application.contains_key(id));
    }

    /// The states of the lanes of an application, or of all, that take deliveries.
    pub(super) fn states(
        &self,
        application: Option<ApplicationId>,
        now: Timestamp,
    ) -> Vec<LaneState> {
        let state = |(id, lane): (&EndpointId, &Lane<R, P>)| lane.state(*id, now);
        let Some(application) = application else {
            return self.by_endpoint.iter().filter(|(_, it)| !it.is_closed()).map(state).collect();
        };
        let endpoints = self.by_application.get(&application).into_iter().flatten();
        let lanes = endpoints.filter_map(|id| self.by_endpoint.get_key_value(id));
        lanes.filter(|(_, it)| !it.is_closed()).map(state).collect()
    }

    fn forget_endpoint(&mut self, application: ApplicationId, endpoint: EndpointId) {
        if let Some(endpoints) = self.by_application.get_mut(&application) {
            endpoints.remove(&endpoint);
            if endpoints.is_empty() {
                self.by_application.remove(&application);
            }
        }
    }

    fn lane_mut(&mut self, endpoint: EndpointId) -> &mut Lane<R, P> {
        self.by_endpoint.get_mut(&endpoint).expect("an endpoint is configured before it is used")
    }
}
