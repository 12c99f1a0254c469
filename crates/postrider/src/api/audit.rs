//! The audit log: who changed what, when, from where, and with which operation.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ApplicationId, AuditId};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryOut {
    /// The identifier that the server assigned.
    pub id: AuditId,
    /// When the change was made.
    pub timestamp: Timestamp,
    /// Who made it.
    pub principal: AuditPrincipalOut,
    /// The address of the client; absent if the change did not come over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The id of the operation, such as `v1.endpoint.update`.
    pub operation: String,
    /// What was changed.
    pub record: AuditedRecordOut,
    /// The fields that differ between the state before and after the change.
    pub changes: Vec<AuditChange>,
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditPrincipalOut {
    /// What kind of principal it is.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// The id of the API key, the subject of the token or of the user, or `postrider` for the
    /// installation itself.
    pub id: String,
    /// The name of the API key or of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditedRecordOut {
    /// The kind of the record, such as `endpoint`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the record.
    pub id: String,
    /// The application that the record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ApplicationId>,
}

/// A field that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditChange {
    /// The name of the field. Fields of an object have the name of the object before theirs, with
    /// a dot in between.
    pub field: String,
    /// The value before the change; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The value after the change; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Why the values are not shown although the field has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
}

/// Why the values of a changed field are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Withheld {
    /// They are or may contain secrets.
    Secret,
    /// They are too large.
    Size,
}

/// A kind of principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PrincipalKind {
    /// An API key.
    ApiKey,
    /// A token of the organization.
    OrganizationToken,
    /// A token of an application.
    ApplicationToken,
    /// A user who signed in with single sign-on.
    User,
    /// The installation itself: its configuration, its engine or its command line.
    Installation,
}
