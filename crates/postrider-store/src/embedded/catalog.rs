//! Records, in one table per kind.

pub(super) mod read;
mod remove;
mod save;
mod table;

use async_trait::async_trait;
use postrider::{ApplicationId, ConsumerId, EndpointId};
use postrider_core::time::Timestamp;

#[cfg(test)]
pub(super) use self::{
    read::OPEN_TASKS,
    remove::REMOVE_SOURCES,
    save::COUNT_DEAD_LETTERS,
    table::{API_KEY_BY_DIGEST, SOURCE_BY_TOKEN},
};
use super::{deliveries::cancel, store::EmbeddedStore};
use crate::{
    contract::{
        catalog::{
            Catalog, Expected, Parent, RecordId, RecordKind, RecordRange, RecordRow, Selector,
            StoredRecord, Version,
        },
        deliveries::{Deliveries, Scope},
    },
    error::StoreError,
};

#[async_trait]
impl Catalog for EmbeddedStore {
    async fn get_record(
        &self,
        kind: RecordKind,
        selector: Selector,
    ) -> Result<Option<StoredRecord>, StoreError> {
        self.read(move |reader| Ok(read::get(&reader.main, kind, &selector)?)).await
    }

    async fn list_records(
        &self,
        kind: RecordKind,
        range: RecordRange,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.read(move |reader| Ok(read::list(&reader.main, kind, &range)?)).await
    }

    async fn save_record(
        &self,
        record: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        self.commit(move |ledger| ledger.save_record(&record, expected)).await
    }

    async fn remove_record(
        &self,
        kind: RecordKind,
        parent: Parent,
        id: RecordId,
    ) -> Result<bool, StoreError> {
        if let Some(scope) = Scope::of_removal(kind, &parent, &id) {
            self.cancel(scope).await?;
        }
        self.commit(move |ledger| ledger.remove_record(kind, &parent, &id, cancel::STEP)).await
    }

    async fn consumers(
        &self,
        after: Option<ConsumerId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.read(move |reader| Ok(read::consumers(&reader.main, after, limit)?)).await
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        self.read(move |reader| Ok(read::failing(&reader.main, application)?)).await
    }
}
