//! Records, in one table per kind; other nodes are notified when a change is committed.

mod key;
mod read;
mod remove;
mod save;
mod table;

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;

#[cfg(test)]
pub(super) use self::{
    remove::{REMOVE_REJECTIONS, REMOVE_REJECTIONS_OF, REMOVE_SOURCES},
    table::SOURCE_BY_TOKEN,
};
use super::store::{PostgresStore, with_session};
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
        with_session!(self.node.api_session(), |session| read::get(session, kind, &selector))
    }

    async fn list_records(
        &self,
        kind: RecordKind,
        range: RecordRange,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        with_session!(self.node.api_session(), |session| read::list(session, kind, &range))
    }

    async fn save_record(
        &self,
        record: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        with_session!(self.node.api_session(), |session| save::save(session, &record, expected))
    }

    async fn remove_record(
        &self,
        kind: RecordKind,
        parent: Parent,
        id: RecordId,
    ) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| remove::remove(
            session, kind, &parent, &id
        ))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        with_session!(self.node.api_session(), |session| read::failing(session, application))
    }
}
