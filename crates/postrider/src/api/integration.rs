//! Integrations: programs of others that may act for an application, each with a key of its own.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{api::field::or_default, id::IntegrationId};

/// Maximum number of integrations of an application.
pub const MAX_INTEGRATIONS: usize = 100;

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 3] = ["id", "createdAt", "updatedAt"];

/// Creates an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct IntegrationIn {
    /// A name for people.
    pub name: String,
    /// Event types with one of these flags are visible to the integration, in addition to those
    /// without flags.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub feature_flags: Vec<String>,
}

/// An integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IntegrationOut {
    /// The identifier that the server assigned.
    pub id: IntegrationId,
    /// A name for people.
    pub name: String,
    /// Event types with one of these flags are visible to the integration.
    #[serde(default)]
    pub feature_flags: Vec<String>,
    /// When the integration was created.
    pub created_at: Timestamp,
    /// When it was last updated, or its key rotated.
    pub updated_at: Timestamp,
}

/// The key of an integration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IntegrationKeyOut {
    /// A token for the application, which is valid until the key is rotated or the integration is
    /// deleted.
    pub key: String,
}

impl fmt::Debug for IntegrationKeyOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntegrationKeyOut").finish_non_exhaustive()
    }
}
