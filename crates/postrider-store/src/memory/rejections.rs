//! Requests to sources that were rejected.

use std::collections::BTreeMap;

use async_trait::async_trait;
use postrider::{OrganizationId, RejectionId, SourceId};
use postrider_core::message::Rejection;

use super::{MemoryStore, state::State};
use crate::{
    contract::{
        catalog::{Parent, RecordKind},
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

    async fn rejections_of(
        &self,
        organization: &OrganizationId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        self.transact(|state| Ok(state.list_all_rejections(organization, &scan)))
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

    fn list_all_rejections(
        &self,
        organization: &OrganizationId,
        scan: &Scan<RejectionId>,
    ) -> ScanPage<Rejection, RejectionId> {
        let parent = Parent::Organization(organization.clone());
        let is_own = |source: &SourceId| {
            let record = self.record(RecordKind::Source, source.as_u128());
            record.is_some_and(|row| row.parent == parent)
        };
        let own = self.rejections.iter().filter(|((source, _), _)| is_own(source));
        let sorted: BTreeMap<_, _> = own.map(|((_, id), it)| (*id, it.clone())).collect();
        ScanPage::of(sorted.into_iter(), scan)
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
