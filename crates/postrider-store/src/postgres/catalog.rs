//! Records, in one table per kind; other nodes are notified when a change is committed.

mod key;
mod read;
mod remove;
mod rewriting;
mod save;
mod table;

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;

pub(super) use self::rewriting::rewrite;
#[cfg(test)]
pub(super) use self::table::SOURCE_BY_TOKEN;
use super::{PostgresStore, store::transact};
use crate::{
    contract::catalog::{
        Catalog, Expected, Parent, RecordId, RecordKind, RecordRange, RecordRow, Selector,
        StoredRecord, Version,
    },
    error::StoreError,
};

#[async_trait]
impl Catalog for PostgresStore {
    async fn get_record(
        &self,
        kind: RecordKind,
        selector: Selector,
    ) -> Result<Option<StoredRecord>, StoreError> {
        transact!(self.call, |session| read::get(session, kind, &selector))
    }

    async fn list_records(
        &self,
        kind: RecordKind,
        range: RecordRange,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        transact!(self.call, |session| read::list(session, kind, &range))
    }

    async fn save_record(
        &self,
        record: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        transact!(self.call, |session| save::save(session, &record, expected))
    }

    async fn remove_record(
        &self,
        kind: RecordKind,
        parent: Parent,
        id: RecordId,
    ) -> Result<bool, StoreError> {
        transact!(self.call, |session| remove::remove(session, kind, &parent, &id))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        transact!(self.call, |session| read::failing(session, application))
    }
}
