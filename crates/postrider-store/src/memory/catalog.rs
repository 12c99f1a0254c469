//! Records, found by scanning.

use async_trait::async_trait;
use postrider::{ApplicationId, ConsumerId, EndpointId};
use postrider_core::time::Timestamp;

use super::{
    MemoryStore,
    state::{RecordKey, State},
};
use crate::{
    contract::{
        catalog::{
            Catalog, Expected, MAX_DEAD_LETTERS, Parent, RecordId, RecordKind, RecordRange,
            RecordRow, Selector, StoredRecord, UniqueKey, Version, too_many_dead_letters,
        },
        deliveries::Scope,
    },
    error::StoreError,
};

#[async_trait]
impl Catalog for MemoryStore {
    async fn get_record(
        &self,
        kind: RecordKind,
        selector: Selector,
    ) -> Result<Option<StoredRecord>, StoreError> {
        self.transact(|state| Ok(state.find_record(kind, &selector)))
    }

    async fn list_records(
        &self,
        kind: RecordKind,
        range: RecordRange,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.transact(|state| Ok(state.list_records(kind, &range)))
    }

    async fn save_record(
        &self,
        record: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        self.transact(|state| state.save_record(record, expected))
    }

    async fn remove_record(
        &self,
        kind: RecordKind,
        parent: Parent,
        id: RecordId,
    ) -> Result<bool, StoreError> {
        self.transact(|state| Ok(state.remove_record(&key(kind, &parent, id), &parent)))
    }

    async fn consumers(
        &self,
        after: Option<ConsumerId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.transact(|state| Ok(state.consumers(after, limit)))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        self.transact(|state| Ok(state.failing(application)))
    }
}

impl State {
    fn find_record(&self, kind: RecordKind, selector: &Selector) -> Option<StoredRecord> {
        let mut all = self.records.values().filter(|(_, row)| row.kind == kind);
        let found = match selector {
            Selector::Id(parent, id) => self
                .records
                .get(&key(kind, parent, id.clone()))
                .filter(|(_, row)| row.parent == *parent),
            Selector::Uid(parent, uid) => {
                all.find(|(_, row)| row.parent == *parent && row.uid.as_ref() == Some(uid))
            },
            Selector::Unique(UniqueKey::Id(id)) => {
                all.find(|(_, row)| row.id == RecordId::Uuid(*id))
            },
            Selector::Unique(UniqueKey::Digest(digest)) => {
                all.find(|(_, row)| row.digest == Some(*digest))
            },
        };
        found.map(stored)
    }

    fn list_records(&self, kind: RecordKind, range: &RecordRange) -> Vec<StoredRecord> {
        let is_wanted = |row: &&(Version, RecordRow)| {
            let (_, row) = row;
            let is_behind = match &range.after {
                None => true,
                Some(after) if range.ascending => row.id > *after,
                Some(after) => row.id < *after,
            };
            row.kind == kind
                && row.parent == range.parent
                && (range.with_hidden || !row.is_hidden)
                && is_behind
        };
        let found = self.records.values().filter(is_wanted);
        if range.ascending {
            found.take(range.limit).map(stored).collect()
        } else {
            found.rev().take(range.limit).map(stored).collect()
        }
    }

    pub(super) fn save_record(
        &mut self,
        row: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        let key = key(row.kind, &row.parent, row.id.clone());
        let current = self.records.get(&key).map(|(version, _)| *version);
        let version = expected.next(row.kind, current)?;
        self.check_unique(&key, &row)?;
        if row.kind == RecordKind::DeadLetter && current.is_none() {
            self.check_room(&row.parent)?;
        }
        if row.kind == RecordKind::Endpoint && row.is_disabled {
            self.failing.remove(&endpoint_id(&row.id));
        }
        self.records.insert(key, (version, row));
        Ok(version)
    }

    fn consumers(&self, after: Option<ConsumerId>, limit: usize) -> Vec<StoredRecord> {
        let after = after.map(RecordId::from);
        let all = self.records.values().filter(|(_, row)| row.kind == RecordKind::Consumer);
        let behind = all.filter(|(_, row)| after.as_ref().is_none_or(|after| row.id > *after));
        behind.take(limit).map(stored).collect()
    }

    fn check_room(&self, consumer: &Parent) -> Result<(), StoreError> {
        let letters = self.records.values().filter(|(_, row)| row.kind == RecordKind::DeadLetter);
        if letters.filter(|(_, row)| row.parent == *consumer).count() < MAX_DEAD_LETTERS {
            return Ok(());
        }
        Err(too_many_dead_letters())
    }

    fn check_unique(&self, key: &RecordKey, row: &RecordRow) -> Result<(), StoreError> {
        let others = || {
            let of_kind = self.records.iter().filter(|(_, (_, other))| other.kind == row.kind);
            of_kind.filter(|(other, _)| *other != key).map(|(_, (_, other))| other)
        };
        let same_uid = |other: &RecordRow| other.parent == row.parent && other.uid == row.uid;
        if row.uid.is_some() && others().any(same_uid) {
            return Err(StoreError::Conflict { what: "uid" });
        }
        if row.digest.is_some() && others().any(|other| other.digest == row.digest) {
            return Err(StoreError::Conflict { what: "token" });
        }
        Ok(())
    }

    pub(super) fn remove_record(&mut self, key: &RecordKey, parent: &Parent) -> bool {
        match (key, parent) {
            ((RecordKind::Application, _, RecordId::Uuid(id)), _) => {
                self.remove_parts_of(ApplicationId::from_u128(*id));
            },
            ((RecordKind::Endpoint, _, id), Parent::Application(application)) => {
                let endpoint = endpoint_id(id);
                self.cancel(Scope::Endpoint(*application, endpoint));
                self.remove_log(endpoint);
                self.failing.remove(&endpoint);
            },
            _ if self.records.get(key).is_none_or(|(_, row)| row.parent != *parent) => {
                return false;
            },
            ((RecordKind::Source, _, RecordId::Uuid(id)), _) => {
                self.rejections.retain(|(source, _), _| source.as_u128() != *id);
            },
            ((RecordKind::Consumer, _, RecordId::Uuid(id)), _) => {
                let consumer = Parent::Consumer(ConsumerId::from_u128(*id));
                self.records.retain(|_, (_, row)| row.parent != consumer);
            },
            ((RecordKind::EventType, organization, id), _) => {
                let report = (RecordKind::SchemaReport, organization.clone(), id.clone());
                self.records.remove(&report);
            },
            ((RecordKind::ApiKey, _, id), _) => {
                self.records.remove(&(RecordKind::ApiKeyUse, None, id.clone()));
            },
            _ => {},
        }
        self.records.remove(key).is_some()
    }

    /// Removes what belongs to an application; its messages are erased later.
    fn remove_parts_of(&mut self, application: ApplicationId) {
        self.cancel(Scope::Application(application));
        self.records.retain(|_, (_, row)| {
            row.kind == RecordKind::Application || row.application != Some(application)
        });
        self.remove_logs_of(application);
        let Self { records, failing, rejections, .. } = self;
        let is_kept = |kind, id| records.contains_key(&(kind, None, RecordId::Uuid(id)));
        failing.retain(|endpoint, _| is_kept(RecordKind::Endpoint, endpoint.as_u128()));
        rejections.retain(|(source, _), _| is_kept(RecordKind::Source, source.as_u128()));
        self.erasures.insert(application, Timestamp::from_millis(0));
    }

    fn failing(&self, application: ApplicationId) -> Vec<(EndpointId, Timestamp)> {
        let parent = Parent::Application(application);
        let is_of = |id: &EndpointId| {
            let record = self.record(RecordKind::Endpoint, id.as_u128());
            record.is_some_and(|row| row.parent == parent)
        };
        let failing = self.failing.iter().filter(|(id, _)| is_of(id));
        failing.map(|(&id, &since)| (id, since)).collect()
    }

    /// Records since when the endpoint has been failing, or that it no longer does.
    pub(super) fn set_failing(&mut self, endpoint: EndpointId, since: Option<Timestamp>) {
        let exists = self.record(RecordKind::Endpoint, endpoint.as_u128()).is_some();
        match since.filter(|_| exists) {
            Some(since) => self.failing.insert(endpoint, since),
            None => self.failing.remove(&endpoint),
        };
    }
}

pub(super) fn key(kind: RecordKind, parent: &Parent, id: RecordId) -> RecordKey {
    let organization = match (kind, parent) {
        (kind, Parent::Organization(organization)) if kind.has_names() => {
            Some(organization.clone())
        },
        _ => None,
    };
    (kind, organization, id)
}

fn endpoint_id(id: &RecordId) -> EndpointId {
    match id {
        RecordId::Uuid(id) => EndpointId::from_u128(*id),
        RecordId::Name(_) => unreachable!("an endpoint's id is no name"),
    }
}

fn stored((version, row): &(Version, RecordRow)) -> StoredRecord {
    StoredRecord { version: *version, json: row.json.clone() }
}
