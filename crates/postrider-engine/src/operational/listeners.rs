//! The applications that receive the operational messages about an organization, and the
//! settings of organizations.

use std::sync::Arc;

use postrider::OrganizationId;
use postrider_core::catalog::OrganizationSettings;
use postrider_store::{IdOrUid, StoreError};

use crate::{
    cache::Cache,
    directory::{Directory, Entry},
};

/// The organization of the applications that the server creates, one for each organization that
/// needs one. It has the organization's id as its uid, the endpoints of the operational webhooks,
/// and the settings.
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
        if self.operator.as_ref() != Some(&self.own) {
            let found = self.own_application(organization).await?;
            listeners.extend(found.filter(|entry| !entry.endpoints.is_empty()));
        }
        Ok(listeners)
    }

    /// The settings of an organization, which are those of its own application.
    pub(crate) async fn settings(
        &self,
        organization: &OrganizationId,
    ) -> Result<OrganizationSettings, StoreError> {
        let entry = self.own_application(organization).await?;
        Ok(entry.and_then(|entry| entry.application.settings.clone()).unwrap_or_default())
    }

    /// The application that the server created for the organization, if it did.
    async fn own_application(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        let changes = self.directory.changes();
        if self.absent.get(organization) == Some(changes) {
            return Ok(None);
        }
        let Ok(uid) = organization.as_str().parse() else { return Ok(None) };
        let found = self.directory.find(&self.own, &IdOrUid::Uid(uid)).await?;
        if found.is_none() {
            self.absent.insert(organization.clone(), changes);
        }
        Ok(found)
    }
}
