//! Connectors: transformations that a platform offers to its customers.

use postrider::{ConnectorId, EventTypeName, OrganizationId, Uid, api::connector::ConnectorKind};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A transformation that an organization offers to the owners of endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    pub id: ConnectorId,
    pub organization: OrganizationId,
    pub uid: Option<Uid>,
    /// The set of declared records that it belongs to, if it was applied from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
    /// The service that it is for.
    pub kind: ConnectorKind,
    pub name: String,
    /// URL of an image.
    pub logo: Option<String>,
    pub description: String,
    /// Markdown for the owners of endpoints.
    pub instructions: String,
    /// Event types that an endpoint with this connector may get; `None` for all.
    pub allowed_event_types: Option<Vec<EventTypeName>>,
    /// JavaScript with a function `handler`.
    pub transformation: String,
    /// A token sees the connector only if it has one of these, when there are any.
    pub feature_flags: Option<Vec<String>>,
    /// For endpoints, or for streams.
    pub is_for_streams: bool,
    /// What an endpoint with this connector is configured with.
    #[serde(default)]
    pub options: Option<ConnectorOptions>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub transformation_updated_at: Timestamp,
}

/// What an endpoint with a connector of the kind `Custom` is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorOptions {
    /// How the service authenticates requests.
    pub authentication: Option<AuthenticationMethod>,
    pub default_url: Option<String>,
}

/// How a service authenticates requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthenticationMethod {
    Bearer,
    Basic,
}
