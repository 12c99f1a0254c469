//! The state of an endpoint's lane, for people.

use postrider::{ApplicationId, EndpointId};

use crate::{breaker::BreakerState, time::Timestamp};

/// The state of an endpoint on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneState {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
    pub breaker: BreakerState,
    pub failing_since: Option<Timestamp>,
    /// Deliveries in memory, those in flight included.
    pub held: usize,
    pub in_flight: usize,
    /// No call begins before, because of the endpoint's or the application's rate, or because the
    /// receiver asked for a pause.
    pub throttled_until: Option<Timestamp>,
}

impl LaneState {
    /// Whether other nodes have nothing to learn from it.
    pub fn is_unremarkable(&self) -> bool {
        self.held == 0 && self.breaker == BreakerState::Closed && self.throttled_until.is_none()
    }
}
