//! Several nodes over one store: the node's lease, the shared clock, and changes by other nodes.

use std::fmt;

use async_trait::async_trait;
use postrider::ApplicationId;
use postrider_core::time::Timestamp;

use crate::error::StoreError;

/// A node's right to the deliveries that it holds. The store renews it in the background. If
/// that fails for too long, other nodes take the deliveries over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLease {
    /// A new epoch means that everything that was held under the previous one is lost: other
    /// nodes may hold it now.
    pub epoch: u64,
    /// No call may begin at or after this time, by [`Cluster::time`], until the lease is renewed.
    pub valid_until: Timestamp,
}

/// Something that another node did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// An application, or one of its endpoints or sources, was changed or removed.
    ApplicationChanged(ApplicationId),
    /// An API key was changed or removed, or tokens were expired.
    AccessChanged,
    /// An event type was changed or removed; its organization has this
    /// [digest](postrider_core::catalog::organization_digest).
    EventTypesChanged(u64),
    /// Events may have been lost: everything that was cached is out of date.
    EventsMissed,
    /// Deliveries fell due or were released.
    DeliveriesDue,
    /// This node found that another node died; this number of its deliveries is due again.
    DeliveriesTakenOver(u64),
}

/// Coordinates the nodes that use one store. The defaults are for a store that belongs to one
/// process.
#[async_trait]
pub trait Cluster: Send + Sync + fmt::Debug + 'static {
    /// Whether other processes may use the store at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// The time of the clock that all nodes share; `None` if the store belongs to this process,
    /// whose own clock is good enough.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// The lease under which this process holds deliveries. It is cheap to read; the engine
    /// reads it before every round of calls.
    fn node_lease(&self) -> NodeLease {
        NodeLease { epoch: 0, valid_until: Timestamp::MAX }
    }

    /// Waits for the next event that this process has not caused itself. Only one task may wait
    /// at a time.
    async fn next_event(&self) -> StoreEvent {
        std::future::pending().await
    }
}
