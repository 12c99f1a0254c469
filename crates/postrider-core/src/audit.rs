//! The audit log: who changed what, when, from where, and with which operation.

mod changes;

use std::net::IpAddr;

use postrider::{
    ApplicationId, AuditId, OrganizationId,
    api::{AuditChange, PrincipalKind},
};
use serde::{Deserialize, Serialize};

pub use self::changes::{changes, parameters};
use crate::time::Timestamp;

/// One change, as the audit log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub id: AuditId,
    pub organization: OrganizationId,
    pub actor: Actor,
    /// The address of the client; none if the change did not come over the network.
    pub address: Option<IpAddr>,
    /// The id of the operation, such as `v1.endpoint.update`.
    pub operation: String,
    pub record: AuditedRecord,
    pub changes: Vec<AuditChange>,
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: PrincipalKind,
    /// The id of the API key, the subject of the token or of the user, or `postrider` for the
    /// installation itself.
    pub id: String,
    pub name: Option<String>,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedRecord {
    /// The kind of the record, such as `endpoint`.
    pub kind: String,
    pub id: String,
    /// The application that the record belongs to.
    pub application: Option<ApplicationId>,
}

impl AuditEntry {
    /// When the change was made.
    pub const fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }
}

impl Actor {
    /// The installation itself: its configuration, its engine or its command line.
    pub fn installation() -> Self {
        Self { kind: PrincipalKind::Installation, id: "postrider".to_owned(), name: None }
    }
}
