//! The ends of logs.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    contract::polling::LogKey,
    embedded::{ledger::Ledger, row::blob},
    error::StoreError,
};

/// The end of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) number: i64,
    pub(super) last: u64,
    pub(super) last_at: u64,
}

pub(in crate::embedded) const HEAD: &str =
    "SELECT number, last, last_at FROM poll_logs WHERE endpoint = ?1 AND removed = 0";

pub(super) fn head(db: &Connection, log: LogKey) -> rusqlite::Result<Option<Head>> {
    let key = blob(log.endpoint.as_u128());
    let head = db.prepare_cached(HEAD)?.query_row([key], |row| {
        Ok(Head { number: row.get(0)?, last: row.get(1)?, last_at: row.get(2)? })
    });
    head.optional()
}

const IS_ENDPOINT: &str = "SELECT 1 FROM endpoints WHERE id = ?1 AND application = ?2";

const CREATE: &str = "INSERT INTO poll_logs (endpoint, application, last, last_at, removed)
    VALUES (?1, ?2, 0, 0, 0)
    ON CONFLICT (endpoint) DO NOTHING";

impl Ledger {
    /// The log of an endpoint, which is created with the first use; `None` if there is no such
    /// endpoint.
    pub(super) fn log(&self, log: LogKey) -> Result<Option<Head>, StoreError> {
        let key = params![blob(log.endpoint.as_u128()), blob(log.application.as_u128())];
        if !self.db.prepare_cached(IS_ENDPOINT)?.exists(key)? {
            return Ok(None);
        }
        if let Some(head) = head(&self.db, log)? {
            return Ok(Some(head));
        }
        self.db.prepare_cached(CREATE)?.execute(key)?;
        Ok(head(&self.db, log)?)
    }
}
