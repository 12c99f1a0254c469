//! What users configure.

use postrider::{ApplicationId, EndpointId};
use postrider_core::catalog::{Application, Endpoint, EventType};
use rusqlite::params;

use super::Ledger;
use crate::{
    contract::{
        catalog::{Key, Record},
        deliveries::Scope,
    },
    embedded::{
        error,
        row::{self, blob},
    },
    error::StoreError,
};

const APPLICATION_EXISTS: &str = "SELECT 1 FROM applications WHERE id = ?1";

const ENDPOINT_EXISTS: &str = "SELECT 1 FROM endpoints WHERE id = ?1";

const EVENT_TYPE_EXISTS: &str = "SELECT 1 FROM event_types WHERE organization = ?1 AND name = ?2";

const APPLICATION_UID_TAKEN: &str =
    "SELECT 1 FROM applications WHERE organization = ?1 AND uid = ?2 AND id <> ?3";

const ENDPOINT_UID_TAKEN: &str =
    "SELECT 1 FROM endpoints WHERE application = ?1 AND uid = ?2 AND id <> ?3";

const SAVE_APPLICATION: &str = "INSERT INTO applications (id, organization, uid, record)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (id) DO UPDATE
    SET organization = excluded.organization, uid = excluded.uid, record = excluded.record";

const SAVE_ENDPOINT: &str = "INSERT INTO endpoints (id, application, uid, record)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (id) DO UPDATE
    SET application = excluded.application, uid = excluded.uid, record = excluded.record,
        failing_since = CASE WHEN ?5 THEN NULL ELSE failing_since END";

const SAVE_EVENT_TYPE: &str = "INSERT INTO event_types (organization, name, archived, record)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (organization, name) DO UPDATE
    SET archived = excluded.archived, record = excluded.record";

const ENDPOINTS_OF: &str = "SELECT id FROM endpoints WHERE application = ?1";

const REMOVE_APPLICATION: &str = "DELETE FROM applications WHERE id = ?1";

const REMOVE_ENDPOINTS: &str = "DELETE FROM endpoints WHERE application = ?1";

const REMOVE_ENDPOINT: &str = "DELETE FROM endpoints WHERE id = ?1";

const REMOVE_EVENT_TYPE: &str = "DELETE FROM event_types WHERE organization = ?1 AND name = ?2";

impl Ledger {
    pub(in crate::embedded) fn save(
        &mut self,
        record: &Record,
        create: bool,
    ) -> Result<(), StoreError> {
        match record {
            Record::Application(application) => self.save_application(application, create),
            Record::Endpoint(endpoint) => self.save_endpoint(endpoint, create),
            Record::EventType(event_type) => self.save_event_type(event_type, create),
            Record::Source(source) => self.save_source(source, create),
        }
    }

    fn save_application(&self, it: &Application, create: bool) -> Result<(), StoreError> {
        let id = blob(it.id.as_u128());
        let organization = it.organization.as_str();
        let uid = it.uid.as_ref().map(postrider::Uid::as_str);
        let exists = create && self.db.prepare_cached(APPLICATION_EXISTS)?.exists([id])?;
        refuse("application", exists)?;
        let mut taken = self.db.prepare_cached(APPLICATION_UID_TAKEN)?;
        refuse("uid", taken.exists(params![organization, uid, id])?)?;
        let record = serde_json::to_string(it).map_err(error::undecodable)?;
        let values = params![id, organization, uid, record];
        self.db.prepare_cached(SAVE_APPLICATION)?.execute(values)?;
        Ok(())
    }

    fn save_endpoint(&mut self, it: &Endpoint, create: bool) -> Result<(), StoreError> {
        let id = blob(it.id.as_u128());
        let application = blob(it.application.as_u128());
        let uid = it.uid.as_ref().map(postrider::Uid::as_str);
        let exists = create && self.db.prepare_cached(ENDPOINT_EXISTS)?.exists([id])?;
        refuse("endpoint", exists)?;
        let taken = params![application, uid, id];
        refuse("uid", self.db.prepare_cached(ENDPOINT_UID_TAKEN)?.exists(taken)?)?;
        let record = serde_json::to_string(it).map_err(error::undecodable)?;
        let values = params![id, application, uid, record, it.disabled];
        self.db.prepare_cached(SAVE_ENDPOINT)?.execute(values)?;
        self.pause(it.id, it.disabled);
        Ok(())
    }

    /// Pauses or continues what waits for the endpoint.
    fn pause(&mut self, endpoint: EndpointId, is_paused: bool) {
        if let Some(number) = self.endpoint_number(endpoint)
            && self.leases.has_lane(number)
        {
            self.leases.set_paused(number, is_paused);
        }
    }

    /// What still comes for endpoints that are gone is found by claims, and ended.
    fn continue_all(&mut self, application: ApplicationId) {
        let of_application =
            self.leases.lanes().filter(|(_, lane)| lane.application == application);
        let numbers: Vec<_> = of_application.map(|(number, _)| number).collect();
        for number in numbers {
            self.leases.set_paused(number, false);
        }
    }

    fn save_event_type(&self, it: &EventType, create: bool) -> Result<(), StoreError> {
        let key = params![it.organization.as_str(), it.name.as_str()];
        let exists = create && self.db.prepare_cached(EVENT_TYPE_EXISTS)?.exists(key)?;
        refuse("event type", exists)?;
        let record = serde_json::to_string(it).map_err(error::undecodable)?;
        let values = params![it.organization.as_str(), it.name.as_str(), it.archived, record];
        self.db.prepare_cached(SAVE_EVENT_TYPE)?.execute(values)?;
        Ok(())
    }

    pub(in crate::embedded) fn remove(&mut self, key: &Key) -> Result<bool, StoreError> {
        let removed = match key {
            Key::Application(id) => {
                self.cancel(Scope::Application(*id))?;
                self.remove_sources_of(*id)?;
                self.continue_all(*id);
                let endpoints = self.endpoints_of(*id)?;
                endpoints.into_iter().try_for_each(|endpoint| self.retire_endpoint(endpoint))?;
                self.begin_erasure(*id)?;
                let id = blob(id.as_u128());
                self.db.prepare_cached(REMOVE_ENDPOINTS)?.execute([id])?;
                self.db.prepare_cached(REMOVE_APPLICATION)?.execute([id])?
            },
            Key::Endpoint(application, id) => {
                self.cancel(Scope::Endpoint(*application, *id))?;
                self.pause(*id, false);
                self.retire_endpoint(*id)?;
                self.db.prepare_cached(REMOVE_ENDPOINT)?.execute([blob(id.as_u128())])?
            },
            Key::Source(organization, id) => self.remove_source(organization, *id)?,
            Key::EventType(organization, name) => {
                let values = [organization.as_str(), name.as_str()];
                self.db.prepare_cached(REMOVE_EVENT_TYPE)?.execute(values)?
            },
        };
        Ok(removed > 0)
    }
}

impl Ledger {
    fn endpoints_of(&self, application: ApplicationId) -> Result<Vec<EndpointId>, StoreError> {
        let mut statement = self.db.prepare_cached(ENDPOINTS_OF)?;
        let found = statement.query_map([blob(application.as_u128())], |row| {
            Ok(EndpointId::from_u128(row::id(row, 0)?))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

pub(super) const fn refuse(what: &'static str, taken: bool) -> Result<(), StoreError> {
    if taken { Err(StoreError::Conflict { what }) } else { Ok(()) }
}
