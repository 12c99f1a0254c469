//! Requests to sources that were rejected.

use async_trait::async_trait;
use postrider::{RejectionId, SourceId};
use postrider_core::message::Rejection;

use super::{MemoryStore, state::State};
use crate::{
    contract::{
        catalog::RecordKind,
        rejections::{MAX_REJECTIONS, Rejections},
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl Rejections for MemoryStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        self.transact(|state| {
            for it in rejections {
                state.reject(it);
            }
            Ok(())
        })
    }

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        self.transact(|state| Ok(state.list_rejections(source, &scan)))
    }
}

impl State {
    fn reject(&mut self, rejection: Rejection) {
        let source = rejection.source;
        if self.record(RecordKind::Source, source.as_u128()).is_none() {
            return;
        }
        self.rejections.entry((source, rejection.id)).or_insert(rejection);
        let ids: Vec<_> = self.rejections.keys().filter(|(of, _)| *of == source).copied().collect();
        let surplus = ids.len().saturating_sub(MAX_REJECTIONS);
        for key in ids.into_iter().take(surplus) {
            self.rejections.remove(&key);
        }
    }

    fn list_rejections(
        &self,
        source: SourceId,
        scan: &Scan<RejectionId>,
    ) -> ScanPage<Rejection, RejectionId> {
        let all = self.rejections.iter().filter(|((of, _), _)| *of == source);
        ScanPage::of(all.map(|((_, id), it)| (*id, it.clone())), scan)
    }
}
