//! Automatic configuration: a subscription whose receiver says where messages go.
//!
//! The owner of an application creates a subscription and gives its token to the receiver. With
//! the token, the receiver creates its endpoint, changes it later, and verifies messages.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{destination::DestinationId, endpoint_secret::EndpointSecretRotateIn},
    id::{AutoConfigId, EndpointId},
};

/// Maximum number of subscriptions of an application that configure themselves.
pub const MAX_SUBSCRIPTIONS: usize = 500;

/// Creates a subscription that its receiver configures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateAutoConfigSubscriptionIn {
    /// Event types with one of these flags are visible to the receiver. If absent or empty, those
    /// that the caller's token lists; it can list no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<Vec<String>>,
}

/// A subscription with its token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AutoConfigOut {
    /// The identifier that the server assigned.
    pub id: AutoConfigId,
    /// The token for the receiver. It is not shown again.
    pub token: String,
    /// When the subscription was created.
    pub created_at: Timestamp,
}

impl fmt::Debug for AutoConfigOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoConfigOut").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A subscription that its receiver configures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AutoConfigSubscriptionOut {
    /// The identifier that the server assigned.
    pub id: AutoConfigId,
    /// The end of the token.
    pub token_censored: String,
    /// The endpoint, if the receiver has created one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endp_id: Option<EndpointId>,
    /// The destination, if the receiver has created one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_id: Option<DestinationId>,
    /// Whether the receiver has created its endpoint or destination.
    pub status: AutoConfigStatus,
    /// When the subscription was created.
    pub created_at: Timestamp,
}

/// Whether the receiver of a subscription has configured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum AutoConfigStatus {
    /// There is no endpoint yet, or it was deleted.
    Pending,
    /// There is an endpoint or a destination.
    Active,
}

/// Replaces the token and the signing secret of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RotateSubscriptionIn {
    /// The new signing secret, and how long the old one signs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<EndpointSecretRotateIn>,
}
