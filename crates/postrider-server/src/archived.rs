//! Remembers which event types are archived, so that the way of a message does not read them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use postrider::{EventTypeName, OrganizationId};
use postrider_store::{Scan, Store, StoreError};

/// Organizations that are remembered at most.
const ORGANIZATIONS: usize = 1_000;

/// Event types that are read at once.
const CHUNK: usize = 250;

type Names = Arc<HashSet<EventTypeName>>;

/// The archived event types of organizations.
#[derive(Debug, Default)]
pub(crate) struct Archived(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    names: HashMap<OrganizationId, Names>,
    /// Counts the changes, so that what was read before one is not remembered after it.
    changes: u64,
}

impl Archived {
    pub(crate) async fn holds(
        &self,
        store: &dyn Store,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<bool, StoreError> {
        let known = self.lock().names.get(organization).map(|names| names.contains(name));
        match known {
            Some(holds) => Ok(holds),
            // In a box, because it is rare and large, and messages pass by here.
            None => Ok(Box::pin(self.read(store, organization)).await?.contains(name)),
        }
    }

    /// To be called after each change of the organization's event types.
    pub(crate) fn forget(&self, organization: &OrganizationId) {
        let mut known = self.lock();
        known.names.remove(organization);
        known.changes += 1;
    }

    async fn read(
        &self,
        store: &dyn Store,
        organization: &OrganizationId,
    ) -> Result<Names, StoreError> {
        let changes = self.lock().changes;
        let mut names = HashSet::new();
        let mut after = None;
        loop {
            let scan = Scan { after, ascending: true, limit: CHUNK };
            let found = store.event_types(organization, true, scan).await?;
            names.extend(found.items.into_iter().filter(|it| it.archived).map(|it| it.name));
            after = found.resume;
            if after.is_none() {
                break;
            }
        }
        let names = Names::new(names);
        let mut known = self.lock();
        if known.names.len() >= ORGANIZATIONS {
            known.names.clear();
        }
        if known.changes == changes {
            known.names.insert(organization.clone(), Arc::clone(&names));
        }
        Ok(names)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
