//! What the requests to sources share.

use postrider_store::{Store, StoreError};

use super::{keys::Keys, rejections::Rejections};
use crate::settings::Limits;

/// What the requests to sources share.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(super) keys: Keys,
    pub(super) rejections: Rejections,
}

impl Intake {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { keys: Keys::new(limits.remembered_keys), rejections: Rejections::default() }
    }

    /// Stores the entries of the sources' logs that wait to be stored.
    pub(crate) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.rejections.flush(store).await
    }
}
