//! Lets the engine follow changes of applications.

use std::sync::Arc;

use postrider::ApplicationId;
use postrider_store::StoreError;

use crate::{catalog_changes::CatalogChanges, directory::Directory, router::Router};

/// Lets the directory and the drivers follow changes of applications; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub directory: Arc<Directory>,
    pub router: Router,
    pub catalog: Arc<CatalogChanges>,
}

impl Changes {
    /// Reads a changed application again; its driver has followed when this returns.
    pub(crate) async fn apply(&self, application: ApplicationId) -> Result<(), StoreError> {
        let entry = self.directory.refresh(application).await?;
        if let Some(entry) = &entry {
            self.catalog.note_settings(&entry.application);
        }
        self.router.change(application, entry).await;
        Ok(())
    }
}
