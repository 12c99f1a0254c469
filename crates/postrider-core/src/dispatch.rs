//! Decides which delivery is sent next, and what is written to and read from the store.
//!
//! A [`Dispatcher`] is a state machine without I/O. The driver feeds it everything that happens
//! with [`Dispatcher::handle`], carries out the actions that [`Dispatcher::poll`] returns until
//! there are none, and then sleeps until something happens or [`Dispatcher::deadline`] has come.
//!
//! Every endpoint has a lane, and no lane can take what another one needs:
//!
//! - A lane holds at most half of the memory that is still free, and always at least one
//!   delivery. Many dead lanes can press the others but never shut them out. The same rule
//!   shares the calls in flight.
//! - Within that, memory and calls follow proven speed: a lane starts with a small window of
//!   calls that grows with each success, and holds a few windows' worth of deliveries.
//! - What does not fit is appended to the store without a lease and claimed when the lane has
//!   capacity. While a lane has a backlog in the store, half of its capacity is kept for that.
//! - A lane whose breaker opens releases all that waits in it, and claims one delivery at a time
//!   as a probe. However long its backlog is, it only costs space in the store.
//! - Lanes with something to send take turns, one delivery each.
//!
//! A lane in order ([`DeliveryOrder::InOrder`]) makes one call at a time and holds only what
//! one claim returned: the first deliveries of the order. If one of them has to be retried, all
//! behind it are released to the store, which keeps the order. The lane claims again when the
//! store has recorded everything that the lane had.
//!
//! A lane with a [`Batch`] makes several deliveries with one call, and waits for a batch to become
//! full. In order, it waits with what a claim returned; when this node has appended enough to fill
//! the batch, or the time is over, it releases what it holds and claims it again with the rest.
//!
//! [`DeliveryOrder::InOrder`]: crate::delivery::DeliveryOrder::InOrder

mod action;
mod batch;
mod claim;
mod config;
mod input;
mod lane;
mod lanes;
mod release;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use postrider::{ApplicationId, EndpointId};

use self::{
    claim::{ClaimState, PER_ENDPOINT},
    lanes::{CallResult, Lanes},
    release::{ReleaseContext, ReleaseState},
    settle::SettleState,
};
use crate::{
    delivery::{Attempt, Delivery, Settlement},
    health::Notice,
    lane_state::LaneState,
    retry::{JitterSample, Verdict},
    time::Timestamp,
};

pub use self::{
    action::{Action, ClaimRequest, NoticeContext, OutgoingCall, SettlementBatch},
    batch::{Batch, MAX_BATCH_BYTES},
    config::Config,
    input::{ClaimResult, ClaimedDelivery, Input, LaneSetup, Lease, NewDelivery},
    lane::Policy,
};

/// Decides which delivery is sent next. `R` is what an endpoint is called with, `P` what a
/// delivery carries: its message.
#[derive(Debug)]
pub struct Dispatcher<R, P> {
    config: Config,
    lease: Lease,
    lanes: Lanes<R, P>,
    claim: ClaimState,
    release: ReleaseState,
    settle: SettleState<R>,
    is_stopping: bool,
    counts: Counts,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts by what follows from them.
    pub delivered: u64,
    pub retried: u64,
    pub failed: u64,
    /// Deliveries that were dropped because the lease's epoch had changed.
    pub lost: u64,
}

impl<R: Clone, P> Dispatcher<R, P> {
    pub fn new(config: Config, lease: Lease) -> Self {
        Self {
            lanes: Lanes::new(config),
            config,
            lease,
            claim: ClaimState::default(),
            release: ReleaseState::default(),
            settle: SettleState::new(),
            is_stopping: false,
            counts: Counts::default(),
        }
    }

    /// Takes in something that happened.
    ///
    /// # Panics
    ///
    /// If it is the result of something that is not in flight, or about a call to an endpoint
    /// that was never configured.
    pub fn handle(&mut self, input: Input<'_, R, P>, now: Timestamp) {
        match input {
            Input::Lease(lease) => self.lease_read(lease, now),
            Input::Configure(setup) => self.lanes.configure(*setup),
            Input::LimitApplication { application, rate } => {
                self.lanes.limit_application(application, rate);
            },
            Input::Close(endpoint) => self.lanes.close(endpoint),
            Input::Forget(id) => self.lanes.forget(id),
            Input::DueAt(at) => self.claim.due_at(at),
            Input::DueNow => self.claim.due_now(),
            Input::Appended(new) => self.appended(new, now),
            Input::NotAppended(endpoint) => {
                self.lanes.unreserve(endpoint);
            },
            Input::Stored(endpoint) => self.lanes.stored(endpoint),
            Input::CallEnded { attempt, jitter } => self.call_ended(attempt, jitter, now),
            Input::BatchEnded { attempts, jitter } => {
                let results = self.lanes.batch_ended(&attempts, jitter, now);
                for (attempt, result) in attempts.into_iter().zip(results) {
                    self.attempt_ended(attempt, result, now);
                }
            },
            Input::Claimed(result) => self.claimed(result, now),
            Input::ClaimFailed => {
                self.claim.end();
            },
            Input::Settled { settlements, has_messages } => {
                self.settled(settlements, has_messages, now);
            },
            Input::SettleFailed => self.settle.fail(now),
            Input::Released => self.released(now),
            Input::ReleaseFailed => self.release_failed(now),
            Input::DisableEnded { endpoint, is_refuted } => {
                self.settle.disable_ended(endpoint);
                if is_refuted {
                    self.lanes.clear_failing(endpoint);
                }
            },
            Input::Stop => {
                self.is_stopping = true;
                self.release.extend(self.lanes.drain(), now);
            },
        }
    }

    /// The next action to start at `now`, if any.
    pub fn poll(&mut self, now: Timestamp) -> Option<Action<R, P>> {
        if self.may_send(now)
            && let Some(call) = self.lanes.next_call(now)
        {
            return Some(Action::Send(call));
        }
        self.poll_disable()
            .or_else(|| self.poll_settle(now))
            .or_else(|| self.poll_release(now))
            .or_else(|| self.poll_claim(now))
    }

    /// When to poll again if nothing happens before.
    pub fn deadline(&self, now: Timestamp) -> Timestamp {
        let send = self.lanes.next_timer().filter(|_| self.has_valid_lease(now));
        let settle = self.settle.deadline(self.config.settle_linger);
        let claim = self.may_claim(now).then(|| self.claim.next_at());
        let events = [send, settle, claim].into_iter().flatten();
        events.fold(now + self.config.claim_interval, Timestamp::min)
    }

    /// Whether a new delivery can be held by this node instead of going to the store.
    pub fn may_hold(&self, now: Timestamp) -> bool {
        !self.is_stopping && self.has_valid_lease(now)
    }

    /// Reserves a place for a new delivery to a configured endpoint; `false` if the delivery has
    /// to be appended without a lease. [`Input::Appended`] fills the place,
    /// [`Input::NotAppended`] frees it.
    pub fn reserve(&mut self, endpoint: EndpointId, now: Timestamp) -> bool {
        self.may_hold(now) && self.lanes.reserve(endpoint, now)
    }

    /// The route of an endpoint whose lane takes deliveries. An endpoint without one has to be
    /// configured before its deliveries are handed in.
    pub fn open_route(&self, endpoint: EndpointId) -> Option<&R> {
        self.lanes.open_route(endpoint)
    }

    /// Whether the endpoint's lane has to be told of deliveries that were appended without a
    /// lease; see [`Input::Stored`].
    pub fn counts_stored(&self, endpoint: EndpointId) -> bool {
        self.lanes.counts_stored(endpoint)
    }

    /// The endpoints of an application that have lanes.
    pub fn endpoints_of(&self, application: ApplicationId) -> Vec<EndpointId> {
        self.lanes.endpoints_of(application)
    }

    /// The applications that have lanes.
    pub fn applications(&self) -> HashSet<ApplicationId> {
        self.lanes.applications()
    }

    /// The states of the lanes of an application, or of all.
    pub fn lane_states(&self, of: Option<ApplicationId>, now: Timestamp) -> Vec<LaneState> {
        self.lanes.states(of, now)
    }

    /// The lease's epoch, for [`NewDelivery::epoch`].
    pub const fn epoch(&self) -> u64 {
        self.lease.epoch
    }

    /// Whether calls may start, and more deliveries may be taken.
    pub fn has_valid_lease(&self, now: Timestamp) -> bool {
        now < self.lease.valid_until
    }

    /// Deliveries held in memory.
    pub const fn held(&self) -> usize {
        self.lanes.held()
    }

    /// Calls in flight.
    pub const fn in_flight(&self) -> usize {
        self.lanes.in_flight()
    }

    /// Nothing is in flight, and nothing waits to be written.
    pub fn is_idle(&self) -> bool {
        self.lanes.in_flight() == 0
            && !self.lanes.has_released()
            && self.settle.is_idle()
            && self.release.is_idle()
    }

    /// What happened since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Drops what waits if the epoch has changed; see [`Lease`].
    fn lease_read(&mut self, lease: Lease, now: Timestamp) {
        let is_new_epoch = lease.epoch != self.lease.epoch;
        self.lease = lease;
        if !is_new_epoch {
            return;
        }
        let lost = self.lanes.drain();
        self.counts.lost += lost.len() as u64;
        for delivery in self.release.drop_all().into_iter().chain(lost) {
            // An order continues with whatever the store offers now.
            self.lanes.settled(delivery.id, now);
        }
        self.claim.due_now();
    }

    /// A delivery whose append began under an earlier epoch is dropped. It is stored as held
    /// under that epoch, so the node that next looks for such deliveries frees it. It must not be
    /// released: if the store had seen the new epoch already, a claim of this node may have taken
    /// it again, and the release would free it while it is held. In that case the end of its own
    /// lease frees it.
    fn appended(&mut self, new: NewDelivery<P>, now: Timestamp) {
        let NewDelivery { delivery, payload, bytes, epoch } = new;
        if epoch != self.lease.epoch {
            self.lanes.unreserve(delivery.id.endpoint);
            self.counts.lost += 1;
        } else if !self.lanes.fill(delivery, payload, bytes, now) {
            // The endpoint was disabled or removed meanwhile; the store knows what follows.
            self.release.push(delivery, now);
        }
    }

    fn call_ended(&mut self, attempt: Attempt, jitter: JitterSample, now: Timestamp) {
        let result = self.lanes.call_ended(&attempt, jitter, now);
        self.attempt_ended(attempt, result, now);
    }

    fn attempt_ended(&mut self, attempt: Attempt, result: CallResult, now: Timestamp) {
        let CallResult { delivery, verdict, notice, failing_since, disable } = result;
        match verdict {
            Verdict::Delivered => self.counts.delivered += 1,
            Verdict::RetryAt(_) => self.counts.retried += 1,
            Verdict::GiveUp(_) => self.counts.failed += 1,
        }
        let context = |notice| {
            let route = self.lanes.route(attempt.delivery.endpoint).clone();
            NoticeContext { notice, attempt: attempt.clone(), route }
        };
        if let Some(notice) = notice {
            self.settle.notify(context(notice));
        }
        if let Some(failing_since) = disable {
            let endpoint = attempt.delivery.endpoint;
            self.settle.disable(endpoint, || context(Notice::Disabled { failing_since }));
        }
        self.settle.push(Settlement { delivery, attempt, verdict, failing_since }, now);
    }

    fn claimed(&mut self, result: ClaimResult<P>, now: Timestamp) {
        let ClaimResult { deliveries, next_due } = result;
        let claim = self.claim.end();
        if let Some(next_due) = next_due {
            self.claim.next_due(next_due, now);
        }
        let mut counts = HashMap::new();
        for claimed in &deliveries {
            *counts.entry(claimed.delivery.id.endpoint).or_default() += 1;
        }
        self.lanes.claim_ended(&claim, &counts);
        // What was claimed under an earlier epoch is dropped, for the reasons given above.
        if claim.epoch != self.lease.epoch {
            self.counts.lost += deliveries.len() as u64;
            return;
        }
        for ClaimedDelivery { delivery, payload, bytes, release_until } in deliveries {
            if self.is_stopping {
                // Another node, or this one after its restart, takes it at once.
                self.release.push(delivery, now);
            } else if let Some(until) = release_until {
                self.release.push(delivery, until);
            } else {
                self.lanes.push(delivery, payload, bytes, now);
            }
        }
    }

    fn settled(&mut self, settlements: &[Settlement], has_messages: bool, now: Timestamp) {
        self.settle.succeed();
        for settlement in settlements {
            self.lanes.settled(settlement.delivery.id, now);
            if let Verdict::RetryAt(at) = settlement.verdict {
                self.claim.due_at(at);
            }
        }
        if has_messages {
            self.claim.due_at(now);
        }
    }

    fn released(&mut self, now: Timestamp) {
        for (delivery, _) in self.release.end() {
            self.lanes.settled(delivery.id, now);
        }
    }

    /// Repeats the release, except if that cannot help: during a shutdown, or when so much waits
    /// that memory is at stake. The leases of what was not released expire by themselves.
    fn release_failed(&mut self, now: Timestamp) {
        if self.is_stopping || self.release.waiting() >= self.config.held {
            self.released(now);
        } else {
            self.release.fail(now);
        }
    }

    fn may_send(&self, now: Timestamp) -> bool {
        self.has_valid_lease(now) && !self.settle.is_full(self.config.unsettled)
    }

    fn poll_disable(&mut self) -> Option<Action<R, P>> {
        self.settle.next_disable().map(Action::Disable)
    }

    fn poll_settle(&mut self, now: Timestamp) -> Option<Action<R, P>> {
        if self.settle.retry(now) {
            return Some(Action::RetrySettle);
        }
        self.settle.begin(&self.config, self.is_stopping, now).map(Action::Settle)
    }

    fn poll_release(&mut self, now: Timestamp) -> Option<Action<R, P>> {
        self.lanes.drop_ended(now);
        self.lanes.sweep(now);
        if self.lanes.has_released() {
            let released: Vec<Delivery> = self.lanes.take_released();
            self.release.extend(released, now);
        }
        let context = ReleaseContext {
            is_stopping: self.is_stopping,
            is_claim_in_flight: self.claim.is_in_flight(),
        };
        self.release.begin(context, now).map(Action::Release)
    }

    fn poll_claim(&mut self, now: Timestamp) -> Option<Action<R, P>> {
        if !self.may_claim(now) {
            return None;
        }
        let wants_claim = self.lanes.take_wants_claim();
        if !wants_claim && self.claim.next_at() > now {
            return None;
        }
        let capacities = self.lanes.capacities(PER_ENDPOINT, now);
        self.lanes.claim_began(&capacities);
        let next_at = now + self.config.claim_interval;
        let request = self.claim.begin(capacities, self.lanes.free(), self.lease.epoch, next_at);
        Some(Action::Claim(request))
    }

    fn may_claim(&self, now: Timestamp) -> bool {
        !self.is_stopping
            && self.has_valid_lease(now)
            && !self.claim.is_in_flight()
            && !self.release.is_in_doubt()
            && self.lanes.free() > 0
    }
}
