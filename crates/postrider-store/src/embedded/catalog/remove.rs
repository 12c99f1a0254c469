//! Removing records, with what belongs to them.

use postrider::{ApplicationId, EndpointId, SourceId};
use rusqlite::params;

use super::read::{id_value, parent_value};
use crate::{
    contract::{
        catalog::{Parent, RecordId, RecordKind},
        deliveries::Scope,
    },
    embedded::{
        ledger::Ledger,
        row::{self, blob},
    },
    error::StoreError,
};

const ENDPOINTS_OF: &str = "SELECT id FROM endpoints WHERE application = ?1";

const REMOVE_APPLICATION: &str = "DELETE FROM applications WHERE id = ?1";

const REMOVE_ENDPOINTS: &str = "DELETE FROM endpoints WHERE application = ?1";

const REMOVE_ENDPOINT: &str = "DELETE FROM endpoints WHERE id = ?1";

pub(in crate::embedded) const REMOVE_SOURCES: &str = "DELETE FROM sources WHERE application = ?1";

const REMOVE_EVENT_TYPE: &str = "DELETE FROM event_types WHERE organization = ?1 AND name = ?2";

const REMOVE_SCHEMA_REPORT: &str =
    "DELETE FROM schema_reports WHERE organization = ?1 AND name = ?2";

const REMOVE_SOURCE: &str = "DELETE FROM sources WHERE organization = ?1 AND id = ?2";

const REMOVE_CONSUMER: &str = "DELETE FROM consumers WHERE organization = ?1 AND id = ?2";

const REMOVE_PARTITIONS: &str = "DELETE FROM consumer_partitions WHERE consumer = ?1";

const REMOVE_DEAD_LETTERS: &str = "DELETE FROM dead_letters WHERE consumer = ?1";

const REMOVE_DEAD_LETTER: &str = "DELETE FROM dead_letters WHERE consumer = ?1 AND id = ?2";

const REMOVE_API_KEY: &str = "DELETE FROM api_keys WHERE organization = ?1 AND id = ?2";

const REMOVE_API_KEY_USE: &str = "DELETE FROM api_key_uses WHERE organization = ?1 AND id = ?2";

const REMOVE_TOKEN_POLICY: &str = "DELETE FROM token_policies WHERE organization = ?1";
const REMOVE_CONNECTOR: &str = "DELETE FROM connectors WHERE organization = ?1 AND id = ?2";

const REMOVE_TASK: &str = "DELETE FROM tasks WHERE organization = ?1 AND id = ?2";

impl Ledger {
    /// Removes a record, and cancels up to `limit` of its deliveries. The caller cancels the others.
    pub(in crate::embedded) fn remove_record(
        &mut self,
        kind: RecordKind,
        parent: &Parent,
        id: &RecordId,
        limit: usize,
    ) -> Result<bool, StoreError> {
        if let Some(scope) = Scope::of_removal(kind, parent, id) {
            self.cancel_up_to(scope, limit)?;
        }
        let removed = match (kind, parent, id) {
            (RecordKind::Application, _, RecordId::Uuid(id)) => {
                self.remove_application(ApplicationId::from_u128(*id))?
            },
            (RecordKind::Endpoint, Parent::Application(_), RecordId::Uuid(id)) => {
                self.remove_endpoint(EndpointId::from_u128(*id))?
            },
            (RecordKind::Source, _, RecordId::Uuid(source)) => {
                let values = params![parent_value(parent), id_value(id)];
                let removed = self.db.prepare_cached(REMOVE_SOURCE)?.execute(values)?;
                if removed > 0 {
                    self.remove_rejections(SourceId::from_u128(*source))?;
                }
                removed
            },
            (RecordKind::EventType, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                self.db.prepare_cached(REMOVE_SCHEMA_REPORT)?.execute(values)?;
                self.db.prepare_cached(REMOVE_EVENT_TYPE)?.execute(values)?
            },
            (RecordKind::SchemaReport, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                self.db.prepare_cached(REMOVE_SCHEMA_REPORT)?.execute(values)?
            },
            (RecordKind::Consumer, ..) => self.remove_consumer(parent, id)?,
            (RecordKind::Partitions, ..) => {
                self.db.prepare_cached(REMOVE_PARTITIONS)?.execute([id_value(id)])?
            },
            (RecordKind::DeadLetter, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                self.db.prepare_cached(REMOVE_DEAD_LETTER)?.execute(values)?
            },
            (RecordKind::ApiKey, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                let removed = self.db.prepare_cached(REMOVE_API_KEY)?.execute(values)?;
                self.db.prepare_cached(REMOVE_API_KEY_USE)?.execute(values)?;
                removed
            },
            (RecordKind::ApiKeyUse, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                self.db.prepare_cached(REMOVE_API_KEY_USE)?.execute(values)?
            },
            (RecordKind::TokenPolicy, ..) => {
                self.db.prepare_cached(REMOVE_TOKEN_POLICY)?.execute([parent_value(parent)])?
            },
            (RecordKind::Task, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                self.db.prepare_cached(REMOVE_TASK)?.execute(values)?
            },
            (RecordKind::Connector, ..) => {
                let values = params![parent_value(parent), id_value(id)];
                self.db.prepare_cached(REMOVE_CONNECTOR)?.execute(values)?
            },
            // No record has such a parent or id.
            (RecordKind::Application | RecordKind::Endpoint | RecordKind::Source, ..) => 0,
        };
        Ok(removed > 0)
    }

    fn remove_application(&mut self, id: ApplicationId) -> Result<usize, StoreError> {
        let key = [blob(id.as_u128())];
        self.remove_rejections_of(id)?;
        self.db.prepare_cached(REMOVE_SOURCES)?.execute(key)?;
        self.continue_lanes(id);
        let endpoints = self.endpoints_of(id)?;
        endpoints.into_iter().try_for_each(|endpoint| self.retire_endpoint(endpoint))?;
        self.remove_logs_of(id)?;
        self.begin_erasure(id)?;
        self.db.prepare_cached(REMOVE_ENDPOINTS)?.execute(key)?;
        Ok(self.db.prepare_cached(REMOVE_APPLICATION)?.execute(key)?)
    }

    fn remove_endpoint(&mut self, id: EndpointId) -> Result<usize, StoreError> {
        self.set_paused(id, false);
        self.retire_endpoint(id)?;
        self.remove_log(id)?;
        Ok(self.db.prepare_cached(REMOVE_ENDPOINT)?.execute([blob(id.as_u128())])?)
    }

    fn remove_consumer(&self, parent: &Parent, id: &RecordId) -> Result<usize, StoreError> {
        let values = params![parent_value(parent), id_value(id)];
        let removed = self.db.prepare_cached(REMOVE_CONSUMER)?.execute(values)?;
        if removed > 0 {
            self.db.prepare_cached(REMOVE_PARTITIONS)?.execute([id_value(id)])?;
            self.db.prepare_cached(REMOVE_DEAD_LETTERS)?.execute([id_value(id)])?;
        }
        Ok(removed)
    }

    /// Deliveries that are still appended for a removed endpoint must not stay paused: a claim
    /// finds them and cancels them.
    fn continue_lanes(&mut self, application: ApplicationId) {
        let of_application =
            self.leases.lanes().filter(|(_, lane)| lane.application == application);
        let numbers: Vec<_> = of_application.map(|(number, _)| number).collect();
        for number in numbers {
            self.leases.set_paused(number, false);
        }
    }

    fn endpoints_of(&self, application: ApplicationId) -> Result<Vec<EndpointId>, StoreError> {
        let mut statement = self.db.prepare_cached(ENDPOINTS_OF)?;
        let found = statement.query_map([blob(application.as_u128())], |row| {
            Ok(EndpointId::from_u128(row::id(row, 0)?))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}
