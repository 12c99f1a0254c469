//! What an operator asks about the whole installation: endpoints and their state, queues, nodes,
//! and the space on disk.

use std::fmt;

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, OrganizationId};
use postrider_core::{catalog::Endpoint, lane_state::LaneState, time::Timestamp};

use crate::{error::StoreError, index_rebuild::IndexRebuild};

/// The place of an endpoint among those of an organization: by application, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointPlace {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
}

/// An endpoint, and since when it has been failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    pub endpoint: Endpoint,
    /// The time of the first delivery that was exhausted since the last success.
    pub failing_since: Option<Timestamp>,
}

/// How many endpoints an organization has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointCounts {
    pub enabled: u64,
    pub disabled: u64,
    /// Applications with an endpoint.
    pub applications: u64,
    /// Applications with an endpoint that is enabled.
    pub active_applications: u64,
}

/// How many endpoints all organizations have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointTotals {
    pub enabled: u64,
    /// They are not disabled.
    pub paused: u64,
    pub disabled: u64,
}

/// The deliveries of an endpoint that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// Counted up to a limit.
    pub pending: u64,
    /// When the first of those that were counted is or was due.
    pub oldest_due: Option<Timestamp>,
}

/// A process that uses the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    pub id: u64,
    pub name: String,
    pub version: String,
    pub started_at: Option<Timestamp>,
    /// The end of its lease; none if it needs no lease.
    pub valid_until: Option<Timestamp>,
    /// This process.
    pub is_own: bool,
}

/// The space that the store uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    pub bytes: u64,
    /// Free bytes on its disk, as far as this process can know.
    pub free_bytes: Option<u64>,
    /// Commits that lists and statistics do not show yet, unless a reader waits for them.
    pub index_lag: u64,
    /// The rebuild of the index, if it is being rebuilt.
    pub index_rebuild: Option<IndexRebuild>,
}

/// Answers an operator's questions.
#[async_trait]
pub trait Overview: Send + Sync + fmt::Debug + 'static {
    /// Lists the endpoints of all applications of the organization in the order of their places:
    /// at most `limit`, after this one.
    async fn endpoints(
        &self,
        organization: OrganizationId,
        after: Option<EndpointPlace>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError>;

    async fn count_endpoints(
        &self,
        organization: OrganizationId,
    ) -> Result<EndpointCounts, StoreError>;

    /// Counts the endpoints of all organizations. It looks at every endpoint, so it is not for
    /// requests.
    async fn endpoint_totals(&self) -> Result<EndpointTotals, StoreError>;

    /// Counts the pending deliveries of each of these endpoints, up to `at_most` for each.
    async fn queued(
        &self,
        endpoints: Vec<EndpointPlace>,
        at_most: u64,
    ) -> Result<Vec<Queued>, StoreError>;

    /// Lists the nodes that are not known to have ended.
    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError>;

    async fn space(&self) -> Result<Space, StoreError>;

    /// Publishes the state of this node's lanes for other nodes, in place of what it published
    /// before. A store that belongs to one process ignores it.
    async fn publish_lanes(&self, lanes: Vec<LaneState>) -> Result<(), StoreError>;

    /// Returns what the other nodes published about these endpoints, with the nodes' numbers.
    async fn published_lanes(
        &self,
        endpoints: Vec<EndpointPlace>,
    ) -> Result<Vec<(u64, LaneState)>, StoreError>;
}

impl EndpointRow {
    pub const fn place(&self) -> EndpointPlace {
        EndpointPlace { application: self.endpoint.application, endpoint: self.endpoint.id }
    }
}

impl NodeRow {
    /// The only process that uses a store.
    pub(crate) fn own(id: u64, name: &str) -> Self {
        let (name, version) = (name.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { id, name, version, started_at: None, valid_until: None, is_own: true }
    }
}
