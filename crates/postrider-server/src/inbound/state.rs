//! What all requests to sources share.

use postrider_core::hops::Hops;

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
}
