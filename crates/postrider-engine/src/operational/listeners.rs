//! The applications that receive the operational messages about an organization.

use std::sync::Arc;

use postrider::OrganizationId;
use postrider_store::{IdOrUid, StoreError};

use crate::{
    cache::Cache,
    directory::{Directory, Entry},
};

/// The organization of the applications that the server creates for operational webhooks. Each
/// has the id of the organization that it listens to as its uid.
const OWN: &str = "org_internal";

/// Organizations without a listener that are remembered.
const REMEMBERED: usize = 10_000;

/// Finds the applications that receive the operational messages about an organization: the one
/// that its operational webhook endpoints belong to, and that of the operator. The uid of both is
/// the id of the organization.
#[derive(Debug)]
pub(crate) struct OperationalListeners {
    /// The organization that receives the messages about all others, if any.
    operator: Option<OrganizationId>,
    own: OrganizationId,
    directory: Arc<Directory>,
    /// Organizations without a listener of their own, each with the number of changes that the
    /// directory had seen then.
    absent: Cache<OrganizationId, u64>,
}

impl OperationalListeners {
    pub(crate) fn new(operator: Option<OrganizationId>, directory: Arc<Directory>) -> Self {
        let own = OWN.parse().expect("it is a valid name");
        Self { operator, own, directory, absent: Cache::new(REMEMBERED) }
    }

    /// The organization of the applications that the server creates for operational webhooks.
    pub(crate) const fn own(&self) -> &OrganizationId {
        &self.own
    }

    pub(crate) async fn of(
        &self,
        organization: &OrganizationId,
    ) -> Result<Vec<Arc<Entry>>, StoreError> {
        let Ok(uid) = organization.as_str().parse() else { return Ok(Vec::new()) };
        let named = IdOrUid::Uid(uid);
        let mut listeners = Vec::new();
        if let Some(operator) = &self.operator {
            listeners.extend(self.directory.find(operator, &named).await?);
        }
        let changes = self.directory.changes();
        if self.operator.as_ref() != Some(&self.own)
            && self.absent.get(organization) != Some(changes)
        {
            let found = self.directory.find(&self.own, &named).await?;
            if found.is_none() {
                self.absent.insert(organization.clone(), changes);
            }
            listeners.extend(found.filter(|entry| !entry.endpoints.is_empty()));
        }
        Ok(listeners)
    }
}
