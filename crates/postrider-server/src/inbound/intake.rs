//! What the requests to sources share.

use postrider_core::hops::Hops;
use postrider_store::{Store, StoreError};

use super::{apart::Apart, keys::Keys, rejections::Rejections};
use crate::settings::Limits;

/// What the requests to sources share.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(super) keys: Keys,
    pub(super) rejections: Rejections,
    pub(super) apart: Apart,
    pub(super) hops: Hops,
}

impl Intake {
    pub(crate) fn new(limits: &Limits, hop_key: &[u8; 32]) -> Self {
        Self {
            keys: Keys::new(limits.remembered_keys),
            rejections: Rejections::default(),
            apart: Apart::default(),
            hops: Hops::new(hop_key, limits.hops),
        }
    }

    /// Stores the entries of the sources' logs that wait to be stored.
    pub(crate) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.rejections.flush(store).await
    }
}
