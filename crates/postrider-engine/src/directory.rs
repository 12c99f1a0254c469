//! What the engine knows of applications and endpoints without asking the store.

use std::sync::Arc;

use postrider::{ApplicationId, OrganizationId};
use postrider_core::catalog::{Application, Endpoint};
use postrider_store::{Named, StoreError};

/// One application with its endpoints, as of one moment.
#[derive(Debug)]
pub struct Entry {
    pub application: Application,
    /// All of them, the disabled ones too, by id.
    pub endpoints: Vec<Arc<Endpoint>>,
}

/// A bounded cache of entries.
#[derive(Debug)]
pub struct Directory {}

impl Directory {
    /// The application that a path names, from memory or the store.
    pub async fn find(
        &self,
        _organization: &OrganizationId,
        _named: &Named<ApplicationId>,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        todo!()
    }
}
