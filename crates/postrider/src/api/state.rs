//! The state of endpoints, queues and nodes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ApplicationId, EndpointId, Uid, api::kind::EndpointKind};

/// The state of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointStateOut {
    /// The application that it belongs to.
    pub app_id: ApplicationId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Your own identifier of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_uid: Option<Uid>,
    /// Its URL, without credentials.
    pub url: String,
    /// What happens to messages.
    pub kind: EndpointKind,
    /// Whether it is disabled, why, by whom and since when; `null` if it is enabled.
    pub disabled: Option<DisabledOut>,
    /// Whether its messages wait until it is resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// When the first delivery failed for lack of attempts since the last success; `null` if the
    /// endpoint is not failing.
    pub failing_since: Option<Timestamp>,
    /// Deliveries that have not ended, counted up to 10,000.
    pub pending: u64,
    /// When the oldest of these deliveries was or is due.
    pub oldest_due_at: Option<Timestamp>,
    /// Attempts in progress, on all nodes.
    pub in_flight: u64,
    /// Its circuit breaker on each node that holds deliveries for it; none of them is open if the
    /// list is empty.
    pub breakers: Vec<BreakerOut>,
    /// Until when no attempt begins because of the rate limit, or because the receiver asked for a
    /// pause.
    pub throttled_until: Option<Timestamp>,
}

/// Why an endpoint is disabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DisabledOut {
    /// The reason.
    pub reason: DisabledReason,
    /// Who disabled it, if that was recorded: `organization`, `application` or `server`.
    pub by: Option<String>,
    /// When it was disabled, if that was recorded.
    pub at: Option<Timestamp>,
    /// Since when it had been failing, if that is the reason.
    pub failing_since: Option<Timestamp>,
}

/// A reason for which an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DisabledReason {
    /// A client asked for it.
    Requested,
    /// Its deliveries failed for too long.
    Failing,
    /// The receiver responded with 410.
    Gone,
    /// It was disabled by a version that recorded no reason.
    Unknown,
}

/// A circuit breaker that pauses an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BreakerOut {
    /// The node.
    pub node_id: u64,
    /// Since when it has been open.
    pub open_since: Timestamp,
    /// When the next delivery probes the endpoint; `null` while a probe is in progress.
    pub next_probe_at: Option<Timestamp>,
}

/// Whether a rate limit delays deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EndpointRateLimitStatus {
    /// It delays none.
    Ok,
    /// Deliveries wait for it.
    RateLimited,
}

/// Whether a rate limit delays an endpoint's deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointThrottleRateStatusOut {
    /// Whether it delays deliveries now.
    pub status: EndpointRateLimitStatus,
}

/// The state of an application's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStateOut {
    /// The application.
    pub app_id: ApplicationId,
    /// The number of endpoints.
    pub endpoints: u64,
    /// Endpoints that are disabled.
    pub disabled_endpoints: u64,
    /// Endpoints that are failing.
    pub failing_endpoints: u64,
    /// Deliveries that have not ended, counted up to 10,000 for each endpoint.
    pub pending: u64,
    /// When the oldest of these deliveries was or is due.
    pub oldest_due_at: Option<Timestamp>,
    /// Attempts in progress, on all nodes.
    pub in_flight: u64,
}

/// The state of the installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatusOut {
    /// The version of the node that responds.
    pub version: String,
    /// All nodes.
    pub nodes: Vec<NodeOut>,
    /// The store.
    pub store: StoreStatusOut,
    /// Deliveries in the store that no node holds. It counts those of all organizations.
    pub waiting: u64,
    /// When the oldest of these deliveries was due.
    pub oldest_due_at: Option<Timestamp>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NodeOut {
    /// Its number. It gets another one if its lease ends.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it began to use the store, if that is known.
    pub started_at: Option<Timestamp>,
    /// The end of its lease; `null` if it is the only node.
    pub lease_until: Option<Timestamp>,
    /// Whether it is the node that responds.
    pub current: bool,
}

/// How far a rebuild of the index is, which goes from the newest messages to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IndexRebuildOut {
    /// Lists, searches and statistics are complete from this time on.
    pub since: Timestamp,
    /// The part of the time of all messages that is done.
    pub percent: u8,
}

/// The state of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StoreStatusOut {
    /// Its size.
    pub bytes: u64,
    /// Free bytes on its disk; `null` if the node cannot know.
    pub free_bytes: Option<u64>,
    /// Commits that the index has not applied yet.
    pub index_lag: u64,
    /// The rebuild of the index, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_rebuild: Option<IndexRebuildOut>,
    /// Whether it accepts new messages.
    pub writable: bool,
}
