//! Applications: the customers whose endpoints receive webhooks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        Metadata,
        field::{Field, Patch, or_default, present},
        renamed::ThrottleRate,
    },
    id::ApplicationId,
    name::Uid,
};

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 4] = ["id", "createdAt", "updatedAt", "managedBy"];

/// Whether the messages of an application are sent. A Postrider extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ApplicationMode {
    /// Messages are delivered.
    #[default]
    Live,
    /// Messages are filtered, transformed and signed, and the attempts are recorded, but nothing is
    /// sent.
    Shadow,
}

impl ApplicationMode {
    /// Whether messages are delivered.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }
}

/// Creates an application, or replaces one (`PUT`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct ApplicationIn {
    /// The name for people; must not be empty.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub name: String,
    /// Your own identifier, unique in the organization. It can be used wherever the id can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// Maximum number of attempts per second to all endpoints of the application together; at least
    /// 1.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether messages are sent. If absent, a new application is `live`, and an existing one
    /// keeps its mode. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ApplicationMode>,
    /// Custom key-value pairs.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApplicationOut {
    /// The identifier that the server assigned.
    pub id: ApplicationId,
    /// The name for people.
    pub name: String,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// Maximum number of attempts per second to all endpoints of the application together.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether messages are sent; `live` if absent.
    #[serde(default, skip_serializing_if = "ApplicationMode::is_live")]
    pub mode: ApplicationMode,
    /// Custom key-value pairs. Clients require the field even if it is empty.
    pub metadata: Metadata,
    /// When the application was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
    /// The set of declared records that it belongs to, if it was applied from files: applying them
    /// again undoes other changes. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
}

/// Changes some fields of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct ApplicationPatch {
    /// The name for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1)))]
    pub name: Option<String>,
    /// Your own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Patch<String>,
    /// Maximum number of attempts per second; `null` removes the limit.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Patch<u16>>,
    /// Whether messages are sent from now on.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ApplicationMode"))]
    pub mode: Option<ApplicationMode>,
    /// Replaces all metadata.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Metadata"))]
    pub metadata: Option<Metadata>,
}
