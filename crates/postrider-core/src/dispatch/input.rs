//! What the driver tells a dispatcher.

use postrider::{ApplicationId, EndpointId};

use super::lane::Policy;
use crate::{
    delivery::{Attempt, Delivery, DeliveryId, Settlement},
    retry::JitterSample,
    time::Timestamp,
};

/// An event that the dispatcher reacts to. `R` is a lane's route, `P` a delivery's payload.
#[derive(Debug)]
pub enum Input<'a, R, P> {
    /// The node's lease, as the store knows it now.
    Lease(Lease),
    /// Creates an endpoint's lane, or changes the existing one.
    Configure(Box<LaneSetup<R>>),
    /// Limits the rate of all lanes of an application together, or removes the limit.
    LimitApplication {
        application: ApplicationId,
        rate: Option<u32>,
    },
    /// An endpoint was disabled or removed: its lane takes nothing more and releases what waits.
    /// Calls in flight end normally.
    Close(EndpointId),
    /// A delivery has ended in the store, so it must not be sent any more.
    Forget(DeliveryId),
    /// A delivery in the store falls due at this time.
    DueAt(Timestamp),
    /// Deliveries in the store are due now: claim without delay.
    DueNow,
    /// A delivery with a reserved place was appended.
    Appended(NewDelivery<P>),
    /// A delivery with a reserved place was not appended.
    NotAppended(EndpointId),
    /// A delivery was appended without a lease; it has to be claimed. Lanes that wait for a batch
    /// count these. Other lanes need only [`Input::DueAt`].
    Stored(EndpointId),
    /// A call ended. It must be in flight.
    CallEnded {
        attempt: Attempt,
        jitter: JitterSample,
    },
    /// A call with several deliveries ended. There is an attempt for each. All have the same
    /// outcome, except for those of damaged messages, which were not in the call.
    BatchEnded {
        attempts: Vec<Attempt>,
        jitter: JitterSample,
    },
    /// The result of [`Action::Claim`](super::Action::Claim).
    Claimed(ClaimResult<P>),
    ClaimFailed,
    /// The batch of [`Action::Settle`](super::Action::Settle) was written, together with
    /// operational messages if there were any.
    Settled {
        settlements: &'a [Settlement],
        has_messages: bool,
    },
    SettleFailed,
    /// The result of [`Action::Release`](super::Action::Release).
    Released,
    ReleaseFailed,
    /// The result of [`Action::Disable`](super::Action::Disable). It is refuted if another node
    /// has delivered to the endpoint, so that it was not failing all the time.
    DisableEnded {
        endpoint: EndpointId,
        is_refuted: bool,
    },
    /// The node shuts down: hold nothing more and release what waits.
    Stop,
}

/// The lease under which this node holds deliveries.
///
/// While it is valid, no other node takes what this one holds. Once it has expired, another node
/// may take it, so no call starts until the lease is renewed; what waits is kept, since usually
/// no other node took it. If the epoch changed, the store has freed all deliveries of the old
/// epoch: what waits is dropped, not released, because it belongs to the node that claims it next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub epoch: u64,
    pub valid_until: Timestamp,
}

/// What a lane is created with.
#[derive(Debug)]
pub struct LaneSetup<R> {
    pub endpoint: EndpointId,
    pub policy: Policy,
    pub route: R,
    /// Since when the endpoint has been failing, as the store knows it. An existing lane keeps
    /// its own, newer value.
    pub failing_since: Option<Timestamp>,
}

/// A delivery that was appended as held by this node.
#[derive(Debug)]
pub struct NewDelivery<P> {
    pub delivery: Delivery,
    pub payload: P,
    pub bytes: usize,
    /// The lease's epoch when the append began.
    pub epoch: u64,
}

/// What a claim returned.
#[derive(Debug)]
pub struct ClaimResult<P> {
    pub deliveries: Vec<ClaimedDelivery<P>>,
    /// When the next delivery in the store falls due.
    pub next_due: Option<Timestamp>,
}

/// A delivery that this node holds since a claim.
#[derive(Debug)]
pub struct ClaimedDelivery<P> {
    pub delivery: Delivery,
    pub payload: P,
    pub bytes: usize,
    /// The endpoint has no lane: release the delivery, to be offered again at this time.
    pub release_until: Option<Timestamp>,
}
