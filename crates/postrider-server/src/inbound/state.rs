//! What all requests to sources share.

use postrider_core::hops::Hops;
use postrider_store::{Store, StoreError};

use super::{key_cache::KeyCache, offload::Offload, rejection_log::RejectionLog};
use crate::settings::Limits;

/// What all requests to sources share.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(super) keys: KeyCache,
    pub(super) rejections: RejectionLog,
    pub(super) offload: Offload,
    pub(super) hops: Hops,
}

impl Intake {
    pub(crate) fn new(limits: &Limits, hop_key: &[u8; 32], rejections: RejectionLog) -> Self {
        Self {
            keys: KeyCache::new(limits.remembered_keys),
            rejections,
            offload: Offload::default(),
            hops: Hops::new(hop_key, limits.hops),
        }
    }

    /// Stores the entries of the sources' logs that are still in memory.
    pub(crate) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.rejections.flush(store).await
    }
}
