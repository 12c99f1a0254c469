//! What a dispatcher asks the driver to do.

use std::collections::HashMap;

use postrider::EndpointId;

use crate::{
    delivery::{Attempt, Delivery, Settlement},
    health::Notice,
    time::Timestamp,
};

/// An operation for the driver to start. Its result comes back as an
/// [`Input`](super::Input). At most one claim, one settle and one release are in flight.
#[derive(Debug)]
pub enum Action<R, P> {
    /// Call the endpoint.
    Send(OutgoingCall<R, P>),
    /// Write settlements to the store.
    Settle(SettlementBatch<R>),
    /// Write the batch of the settle that failed again.
    RetrySettle,
    /// Release deliveries to the store, each to be offered again at the given time.
    Release(Vec<(Delivery, Timestamp)>),
    /// Claim due deliveries.
    Claim(ClaimRequest),
    /// Disable an endpoint that keeps failing or asked for it.
    Disable(NoticeContext<R>),
}

/// A delivery to send, or a batch.
#[derive(Debug)]
pub struct OutgoingCall<R, P> {
    pub delivery: Delivery,
    pub route: R,
    pub payload: P,
    /// What follows the first delivery in the same call, in order. Empty unless the lane has a
    /// [`Batch`](super::Batch).
    pub others: Vec<(Delivery, P)>,
}

/// Settlements to write in one commit, and the notices that their attempts caused.
#[derive(Debug)]
pub struct SettlementBatch<R> {
    pub settlements: Vec<Settlement>,
    pub notices: Vec<NoticeContext<R>>,
}

/// A notice about an endpoint or one of its deliveries, with the attempt that caused it.
#[derive(Clone, Debug)]
pub struct NoticeContext<R> {
    pub notice: Notice,
    pub attempt: Attempt,
    pub route: R,
}

/// How many deliveries a claim may return.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    pub limit: usize,
    /// For endpoints that are not in `capacities`.
    pub per_endpoint: usize,
    pub capacities: HashMap<EndpointId, usize>,
}
