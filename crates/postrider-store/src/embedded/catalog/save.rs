//! Saving records, and what follows for deliveries.

use postrider::{EndpointId, Uid};
use rusqlite::{OptionalExtension, ToSql, params, params_from_iter};

use super::{
    read::{id_value, parent_value},
    table::Table,
};
use crate::{
    contract::catalog::{
        Expected, MAX_DEAD_LETTERS, RecordId, RecordKind, RecordRow, Version, too_many_dead_letters,
    },
    embedded::{ledger::Ledger, row::blob},
    error::StoreError,
};

pub(in crate::embedded) const COUNT_DEAD_LETTERS: &str = "SELECT count(*)
    FROM (SELECT 1 FROM dead_letters WHERE consumer = ?1 LIMIT ?2)";

impl Ledger {
    pub(in crate::embedded) fn save_record(
        &mut self,
        row: &RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        let table = Table::of(row.kind);
        let current = self.version_of(table, row)?;
        let version = expected.next(row.kind, current)?;
        self.check_unique(table, row)?;
        if row.kind == RecordKind::DeadLetter && current.is_none() {
            self.check_room(row)?;
        }
        let (id, parent) = (id_value(&row.id), parent_value(&row.parent));
        let uid = row.uid.as_ref().map(Uid::as_str);
        let flag = row.is_disabled || row.is_hidden;
        let application = row.application.map(|it| blob(it.as_u128()));
        let values: [&dyn ToSql; 8] =
            [&id, &parent, &row.json, &version.0, &uid, &flag, &application, &row.digest];
        let mut statement = self.db.prepare_cached(table.save)?;
        let count = statement.parameter_count();
        statement.execute(params_from_iter(values.iter().take(count)))?;
        drop(statement);
        if let (RecordKind::Endpoint, RecordId::Uuid(id)) = (row.kind, &row.id) {
            self.set_paused(EndpointId::from_u128(*id), row.is_disabled);
        }
        Ok(version)
    }

    pub(in crate::embedded) fn version_of_record(
        &self,
        row: &RecordRow,
    ) -> Result<Option<Version>, StoreError> {
        self.version_of(Table::of(row.kind), row)
    }

    fn version_of(&self, table: &Table, row: &RecordRow) -> Result<Option<Version>, StoreError> {
        let mut statement = self.db.prepare_cached(table.version)?;
        let key = [id_value(&row.id), parent_value(&row.parent)];
        let count = statement.parameter_count();
        let found = statement
            .query_row(params_from_iter(key.iter().take(count)), |row| row.get(0))
            .optional()?;
        Ok(found.map(Version))
    }

    fn check_room(&mut self, row: &RecordRow) -> Result<(), StoreError> {
        self.require_space()?;
        let values = params![parent_value(&row.parent), MAX_DEAD_LETTERS];
        let count: usize =
            self.db.prepare_cached(COUNT_DEAD_LETTERS)?.query_row(values, |row| row.get(0))?;
        if count < MAX_DEAD_LETTERS { Ok(()) } else { Err(too_many_dead_letters()) }
    }

    fn check_unique(&self, table: &Table, row: &RecordRow) -> Result<(), StoreError> {
        let id = id_value(&row.id);
        if let (Some(sql), Some(uid)) = (table.uid_taken, &row.uid) {
            let values = params![parent_value(&row.parent), uid.as_str(), id];
            if self.db.prepare_cached(sql)?.exists(values)? {
                return Err(StoreError::Conflict { what: "uid" });
            }
        }
        if let (Some(sql), Some(digest)) = (table.digest_taken, row.digest)
            && self.db.prepare_cached(sql)?.exists(params![digest, id])?
        {
            return Err(StoreError::Conflict { what: "token" });
        }
        Ok(())
    }

    /// Pauses or continues the deliveries of the endpoint.
    pub(super) fn set_paused(&mut self, endpoint: EndpointId, is_paused: bool) {
        if let Some(number) = self.endpoint_number(endpoint)
            && self.leases.has_lane(number)
        {
            self.leases.set_paused(number, is_paused);
        }
    }
}
