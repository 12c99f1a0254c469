//! A cache of the archived event types, so that publishing does not read them from the store.

use std::{collections::HashSet, sync::Arc};

use postrider::{EventTypeName, OrganizationId};
use postrider_core::catalog::EventType;
use postrider_engine::Cache;
use postrider_store::{Records, Scan, Store, StoreError};

/// Event types that are read in one call.
const PAGE: usize = 250;

type Names = Arc<HashSet<EventTypeName>>;

/// The archived event types of organizations.
#[derive(Debug)]
pub(crate) struct ArchivedEventTypes(Cache<OrganizationId, Names>);

impl ArchivedEventTypes {
    /// A cache for this many organizations.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(crate) async fn contains(
        &self,
        store: &dyn Store,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<bool, StoreError> {
        if let Some(names) = self.0.get(organization) {
            return Ok(names.contains(name));
        }
        // In a box, because it is rare and large, and every published message comes here.
        let names = Box::pin(self.0.get_or_load(organization, load(store, organization))).await?;
        Ok(names.is_some_and(|names| names.contains(name)))
    }

    /// Must be called after each change of the organization's event types.
    pub(crate) fn forget(&self, organization: &OrganizationId) {
        self.0.forget(organization);
    }
}

async fn load(
    store: &dyn Store,
    organization: &OrganizationId,
) -> Result<Option<Names>, StoreError> {
    let mut names = HashSet::new();
    let mut after = None;
    loop {
        let scan = Scan { after, ascending: true, limit: PAGE };
        let found = store.list_with_hidden::<EventType>(organization, scan).await?;
        names.extend(found.items.into_iter().filter(|it| it.archived).map(|it| it.name));
        after = found.resume;
        if after.is_none() {
            return Ok(Some(Names::new(names)));
        }
    }
}
