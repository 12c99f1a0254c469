//! Consumers, and their progress.

use postrider_core::polling::PollConsumer;
use rusqlite::{Connection, OptionalExtension, params};

use super::head::head;
use crate::{
    contract::{
        catalog::Version,
        polling::{LogKey, SavedConsumer},
    },
    embedded::{error, ledger::Ledger},
    error::StoreError,
};

const FIND: &str = "SELECT record, version FROM poll_consumers WHERE log = ?1 AND id = ?2";

pub(super) fn find(
    db: &Connection,
    log: LogKey,
    id: &str,
) -> Result<Option<(PollConsumer, Version)>, StoreError> {
    let Some(head) = head(db, log)? else { return Ok(None) };
    let found = db.prepare_cached(FIND)?.query_row(params![head.number, id], |row| {
        Ok((row.get::<_, String>(0)?, Version(row.get(1)?)))
    });
    let Some((record, version)) = found.optional()? else { return Ok(None) };
    Ok(Some((decode(&record)?, version)))
}

fn decode(record: &str) -> Result<PollConsumer, StoreError> {
    Ok(serde_json::from_str(record).map_err(error::undecodable)?)
}

const LIST: &str = "SELECT record FROM poll_consumers WHERE log = ?1 ORDER BY id";

pub(super) fn list(db: &Connection, log: LogKey) -> Result<Vec<PollConsumer>, StoreError> {
    let Some(head) = head(db, log)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(LIST)?;
    let rows = statement.query_map([head.number], |row| row.get::<_, String>(0))?;
    rows.map(|record| decode(&record?)).collect()
}

const VERSION: &str = "SELECT version FROM poll_consumers WHERE log = ?1 AND id = ?2";

const COUNT: &str = "SELECT count(*) FROM poll_consumers WHERE log = ?1";

const SAVE: &str = "INSERT INTO poll_consumers (log, id, version, record)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (log, id) DO UPDATE SET version = excluded.version, record = excluded.record";

const REMOVE: &str = "DELETE FROM poll_consumers WHERE log = ?1 AND id = ?2";

impl Ledger {
    pub(super) fn save_poll_consumer(
        &mut self,
        log: LogKey,
        saved: &SavedConsumer,
    ) -> Result<bool, StoreError> {
        let Some(head) = self.log(log)? else { return Ok(false) };
        let (number, id) = (head.number, &saved.consumer.id);
        let current = self.version_of_consumer(number, id)?;
        let count = self.db.prepare_cached(COUNT)?.query_row([number], |row| row.get(0))?;
        let Version(version) = saved.next(current, count)?;
        let record = serde_json::to_string(&saved.consumer).map_err(error::undecodable)?;
        self.db.prepare_cached(SAVE)?.execute(params![number, id, version, record])?;
        self.written += record.len();
        Ok(true)
    }

    fn version_of_consumer(&self, log: i64, id: &str) -> Result<Option<Version>, StoreError> {
        let mut statement = self.db.prepare_cached(VERSION)?;
        let current = statement.query_row(params![log, id], |row| Ok(Version(row.get(0)?)));
        Ok(current.optional()?)
    }

    pub(super) fn remove_poll_consumer(
        &mut self,
        log: LogKey,
        id: &str,
    ) -> Result<bool, StoreError> {
        let Some(head) = head(&self.db, log)? else { return Ok(false) };
        Ok(self.db.prepare_cached(REMOVE)?.execute(params![head.number, id])? > 0)
    }
}
