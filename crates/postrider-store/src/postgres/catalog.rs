//! Records, in one table per kind; other nodes are notified when a change is committed.

mod key;
mod read;
pub(super) mod remove;
pub(super) mod save;
mod table;

use async_trait::async_trait;
use postrider::{ApplicationId, ConsumerId, EndpointId};
use postrider_core::time::Timestamp;

#[cfg(test)]
pub(super) use self::{
    read::OPEN_TASKS,
    remove::{REMOVE_REJECTIONS, REMOVE_REJECTIONS_OF, REMOVE_SOURCES},
    save::COUNT_DEAD_LETTERS,
    table::{API_KEY_BY_DIGEST, SOURCE_BY_TOKEN},
};
pub(super) use self::{
    read::{open_tasks, version},
    save::write,
};
use super::store::{PostgresStore, with_session};
use crate::{
    contract::{
        catalog::{
            Catalog, Expected, Parent, RecordId, RecordKind, RecordRange, RecordRow, Selector,
            StoredRecord, Version, too_many_dead_letters,
        },
        deliveries::{Deliveries, Scope},
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
        if record.kind == RecordKind::DeadLetter && !self.has_room(&record.parent).await? {
            return Err(too_many_dead_letters());
        }
        with_session!(self.node.api_session(), |session| save::save(session, &record, expected))
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
        with_session!(self.node.api_session(), |session| remove::remove(
            session, kind, &parent, &id
        ))
    }

    async fn consumers(
        &self,
        after: Option<ConsumerId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        with_session!(self.node.api_session(), |session| read::consumers(session, after, limit))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        with_session!(self.node.api_session(), |session| read::failing(session, application))
    }
}

impl PostgresStore {
    /// Whether the consumer may have one more dead letter.
    pub(super) async fn has_room(&self, consumer: &Parent) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| save::has_room(session, consumer))
    }
}
