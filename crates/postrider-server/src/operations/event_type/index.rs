//! A cache of what publishing has to know of an organization's event types, so that it does not
//! read them from the store.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postrider::{EventTypeName, OrganizationId, api::SchemaValidation};
use postrider_core::catalog::EventType;
use postrider_engine::{Cache, Engine};
use postrider_store::{Records, Scan, StoreError};

/// Event types that are read in one call.
const PAGE: usize = 250;

/// The event types of an organization, as far as publishing has to know them.
#[derive(Debug)]
pub(crate) struct EventTypeIndex {
    /// [`Engine::catalog_generation`] before it was read.
    generation: u64,
    archived: HashSet<EventTypeName>,
    /// The setting of the organization.
    validation: SchemaValidation,
    /// The event types with a setting of their own.
    validations: HashMap<EventTypeName, SchemaValidation>,
}

impl EventTypeIndex {
    pub(crate) fn is_archived(&self, name: &EventTypeName) -> bool {
        self.archived.contains(name)
    }

    /// What happens to payloads of the event type that do not match its schema.
    pub(crate) fn validation(&self, name: &EventTypeName) -> SchemaValidation {
        self.validations.get(name).copied().unwrap_or(self.validation)
    }
}

/// The indexes of organizations.
#[derive(Debug)]
pub(crate) struct EventTypeIndexes(Cache<OrganizationId, Arc<EventTypeIndex>>);

impl EventTypeIndexes {
    /// A cache for this many organizations.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// The index of the organization, as of its last change that this node knows of.
    pub(crate) async fn of(
        &self,
        engine: &Engine,
        organization: &OrganizationId,
    ) -> Result<Arc<EventTypeIndex>, StoreError> {
        let generation = engine.catalog_generation(organization);
        match self.0.get(organization) {
            Some(index) if index.generation == generation => return Ok(index),
            Some(_) => self.0.forget(organization),
            None => {},
        }
        // In a box, because it is rare and large, and every published message comes here.
        let load = load(engine, organization, generation);
        let index = Box::pin(self.0.get_or_load(organization, load)).await?;
        Ok(index.expect("an organization without event types has an index, too"))
    }
}

async fn load(
    engine: &Engine,
    organization: &OrganizationId,
    generation: u64,
) -> Result<Option<Arc<EventTypeIndex>>, StoreError> {
    let mut index = EventTypeIndex {
        generation,
        archived: HashSet::new(),
        validation: engine.organization_settings(organization).await?.schema_validation,
        validations: HashMap::new(),
    };
    let mut after = None;
    loop {
        let scan = Scan { after, ascending: true, limit: PAGE };
        let found = engine.store().list_with_hidden::<EventType>(organization, scan).await?;
        found.items.into_iter().for_each(|it| index.add(it));
        after = found.resume;
        if after.is_none() {
            return Ok(Some(Arc::new(index)));
        }
    }
}

impl EventTypeIndex {
    fn add(&mut self, event_type: EventType) {
        if let Some(validation) = event_type.schema_validation {
            self.validations.insert(event_type.name.clone(), validation);
        }
        if event_type.archived {
            self.archived.insert(event_type.name);
        }
    }
}
