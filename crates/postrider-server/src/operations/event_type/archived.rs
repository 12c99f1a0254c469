//! Remembers which event types are archived, so that the way of a message does not read them.

use std::{collections::HashSet, sync::Arc};

use postrider::{EventTypeName, OrganizationId};
use postrider_engine::Cache;
use postrider_store::{Scan, Store, StoreError};

/// Event types that are read at once.
const CHUNK: usize = 250;

type Names = Arc<HashSet<EventTypeName>>;

/// The archived event types of organizations.
#[derive(Debug)]
pub(crate) struct Archived(Cache<OrganizationId, Names>);

impl Archived {
    /// Remembers those of so many organizations.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(crate) async fn holds(
        &self,
        store: &dyn Store,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<bool, StoreError> {
        if let Some(names) = self.0.get(organization) {
            return Ok(names.contains(name));
        }
        // In a box, because it is rare and large, and messages pass by here.
        let names = Box::pin(self.0.get_or_load(organization, read(store, organization))).await?;
        Ok(names.is_some_and(|it| it.contains(name)))
    }

    /// To be called after each change of the organization's event types.
    pub(crate) fn forget(&self, organization: &OrganizationId) {
        self.0.forget(organization);
    }
}

async fn read(
    store: &dyn Store,
    organization: &OrganizationId,
) -> Result<Option<Names>, StoreError> {
    let mut names = HashSet::new();
    let mut after = None;
    loop {
        let scan = Scan { after, ascending: true, limit: CHUNK };
        let found = store.event_types(organization, true, scan).await?;
        names.extend(found.items.into_iter().filter(|it| it.archived).map(|it| it.name));
        after = found.resume;
        if after.is_none() {
            return Ok(Some(Names::new(names)));
        }
    }
}
