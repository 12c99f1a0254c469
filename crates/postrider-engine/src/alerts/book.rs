//! The alerts in the store.

use std::{collections::BTreeMap, sync::Arc};

use postrider::{OrganizationId, Uid};
use postrider_core::{
    alert::Book,
    catalog::{Application, ApplicationMode},
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records, Store, StoreError, Version};

use crate::{clock::Clock, components::Components};

/// The uid of the application of the server whose metadata contains the alerts. The ids of
/// organizations begin with `org_`, so it is not an application for operational webhooks.
const UID: &str = "postrider.alerts";

/// The entry of the metadata, and of the record that has none.
const ENTRY: &str = "book";

/// How often a change is repeated because another node was faster.
const MAX_RACES: usize = 5;

/// Reads and changes the alerts.
#[derive(Debug)]
pub(super) struct StoredBook {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    /// The organization of the applications that the server creates.
    organization: OrganizationId,
}

impl StoredBook {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            store: Arc::clone(&components.store),
            clock: Arc::clone(&components.clock),
            organization: components.listeners.own().clone(),
        }
    }

    /// Changes the alerts, and stores them if that made a difference.
    pub(super) async fn update<T>(
        &self,
        mut change: impl FnMut(&mut Book) -> T,
    ) -> Result<T, StoreError> {
        let mut races = 0;
        loop {
            let (found, mut book) = self.read().await?;
            let before = book.clone();
            let result = change(&mut book);
            if book == before {
                return Ok(result);
            }
            match self.write(found, &book).await {
                Err(StoreError::VersionMismatch { .. } | StoreError::Conflict { .. })
                    if races < MAX_RACES =>
                {
                    races += 1;
                },
                Err(error) => return Err(error),
                Ok(()) => return Ok(result),
            }
        }
    }

    pub(super) async fn read(&self) -> Result<(Option<(Application, Version)>, Book), StoreError> {
        let key = IdOrUid::Uid(uid());
        let found = self.store.get_versioned::<Application>(&self.organization, &key).await?;
        let text = found.as_ref().and_then(|(application, _)| application.metadata.get(ENTRY));
        let book = text.map(|text| serde_json::from_str(text));
        // A later version may have written what this one does not understand. It begins again.
        let book = book.transpose().unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "stored alerts are ignored");
            None
        });
        Ok((found, book.unwrap_or_default()))
    }

    async fn write(
        &self,
        found: Option<(Application, Version)>,
        book: &Book,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (mut application, expected) = match found {
            Some((application, version)) => (application, Expected::Version(version)),
            None => (self.new_application(now), Expected::New),
        };
        let text = serde_json::to_string(book).expect("alerts are plain JSON");
        application.metadata.insert(ENTRY.to_owned(), text);
        application.updated_at = now;
        self.store.save(&application, expected).await.map(drop)
    }

    fn new_application(&self, now: Timestamp) -> Application {
        Application {
            id: self.clock.application_id(),
            organization: self.organization.clone(),
            uid: Some(uid()),
            name: "Alerts".to_owned(),
            metadata: BTreeMap::new(),
            throttle_rate: None,
            ended_tokens: Vec::new(),
            cutoffs: Vec::new(),
            integrations: Vec::new(),
            auto_configs: Vec::new(),
            settings: None,
            mode: ApplicationMode::Live,
            managed_by: None,
            created_at: now,
            updated_at: now,
        }
    }
}

fn uid() -> Uid {
    UID.parse().expect("it is a valid uid")
}
