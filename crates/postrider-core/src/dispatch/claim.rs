//! When to claim due deliveries from the store.

use std::{collections::HashMap, time::Duration};

use postrider::EndpointId;

use super::action::ClaimRequest;
use crate::time::Timestamp;

/// Most deliveries of one claim.
const LIMIT: usize = 1_024;

/// Most deliveries that a claim takes of an endpoint whose lane does not limit it.
pub(super) const PER_ENDPOINT: usize = 64;

/// Shortest time between two claims when only the clock asks for one. Deliveries that fall due
/// one after the other would otherwise cost a claim each.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

/// Schedules claims. At most one is in flight.
#[derive(Debug, Default)]
pub(super) struct ClaimState {
    in_flight: Option<ClaimInFlight>,
    /// When the next claim is due; at once after a start.
    next_at: Timestamp,
}

/// What the claim in flight was made with.
#[derive(Debug)]
pub(super) struct ClaimInFlight {
    pub capacities: HashMap<EndpointId, usize>,
    /// The most deliveries that it may return.
    pub limit: usize,
    /// The lease's epoch when it began.
    pub epoch: u64,
}

impl ClaimState {
    pub(super) const fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// A delivery falls due at this time.
    pub(super) fn due_at(&mut self, at: Timestamp) {
        self.next_at = self.next_at.min(at);
    }

    /// The last claim saw that the next delivery falls due at this time.
    pub(super) fn next_due(&mut self, at: Timestamp, now: Timestamp) {
        self.due_at(at.max(now + MIN_INTERVAL));
    }

    pub(super) fn due_now(&mut self) {
        self.next_at = Timestamp::default();
    }

    pub(super) const fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// Begins a claim of at most `free` deliveries; the next one is due at `next_at`.
    pub(super) fn begin(
        &mut self,
        capacities: HashMap<EndpointId, usize>,
        free: usize,
        epoch: u64,
        next_at: Timestamp,
    ) -> ClaimRequest {
        self.next_at = next_at;
        let request = ClaimRequest {
            limit: LIMIT.min(free),
            per_endpoint: PER_ENDPOINT,
            capacities: capacities.clone(),
        };
        self.in_flight = Some(ClaimInFlight { capacities, limit: request.limit, epoch });
        request
    }

    pub(super) fn end(&mut self) -> ClaimInFlight {
        self.in_flight.take().expect("only a claim in flight ends")
    }
}
