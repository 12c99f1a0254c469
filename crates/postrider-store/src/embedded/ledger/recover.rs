//! Recoveries, and what is found when the store is opened.

use postrider_core::catalog::Recovery;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, damaged};
use crate::StoreError;

/// A recovery and how far it got.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Begun {
    pub(in crate::embedded) number: i64,
    pub(in crate::embedded) recovery: Recovery,
    /// The last message dealt with.
    pub(in crate::embedded) done: u64,
}

pub(super) const INSERT_RECOVERY: &str = "INSERT INTO recoveries (record, done) VALUES (?1, 0)";

const OLDEST_RECOVERY: &str = "SELECT number, record, done FROM recoveries ORDER BY number LIMIT 1";

const ADVANCE_RECOVERY: &str = "UPDATE recoveries SET done = ?2 WHERE number = ?1";

const END_RECOVERY: &str = "DELETE FROM recoveries WHERE number = ?1";

impl Ledger {
    pub(in crate::embedded) fn begin_recovery(
        &mut self,
        recovery: &Recovery,
    ) -> Result<(), StoreError> {
        let record = serde_json::to_string(recovery).map_err(damaged)?;
        self.db.prepare_cached(INSERT_RECOVERY)?.execute([record])?;
        Ok(())
    }

    pub(in crate::embedded) fn oldest_recovery(&mut self) -> Result<Option<Begun>, StoreError> {
        let mut statement = self.db.prepare_cached(OLDEST_RECOVERY)?;
        let begun = statement.query_row([], |row| {
            let recovery = serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(damaged)?;
            Ok(Begun { number: row.get(0)?, recovery, done: row.get(2)? })
        });
        Ok(begun.optional()?)
    }

    /// Sends these deliveries again; how many. The recovery ends if it is whole.
    pub(in crate::embedded) fn advance_recovery(
        &mut self,
        begun: &Begun,
        failed: &[u64],
        whole: bool,
        now: u64,
    ) -> Result<usize, StoreError> {
        let mut again = 0;
        for &message in failed {
            again += usize::from(self.send_again(&begun.recovery, message, now)?);
        }
        match failed.last() {
            Some(&last) if !whole => {
                self.db.prepare_cached(ADVANCE_RECOVERY)?.execute(params![begun.number, last])?;
            },
            Some(_) | None => {
                self.db.prepare_cached(END_RECOVERY)?.execute([begun.number])?;
            },
        }
        Ok(again)
    }

    /// Somebody may have been faster: then it is left alone.
    fn send_again(
        &mut self,
        recovery: &Recovery,
        message: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        const HAS_BODY: &str = "SELECT 1 FROM messages WHERE sequence = ?1 AND body IS NOT NULL";
        let Some(endpoint) = self.number_of(recovery.endpoint) else { return Ok(false) };
        let pending = self.holdings.fresh(message, endpoint).is_some()
            || self.find_waiting(message, endpoint)?.is_some();
        if pending || !self.db.prepare_cached(HAS_BODY)?.exists([message])? {
            return Ok(false);
        }
        self.begin_again(message, endpoint, (recovery.mode, now))?;
        Ok(true)
    }
}
