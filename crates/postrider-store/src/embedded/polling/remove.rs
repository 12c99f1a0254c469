//! Removing logs, a bounded amount per call.

use postrider::{ApplicationId, EndpointId};
use rusqlite::{OptionalExtension, params};

use crate::{
    embedded::{ledger::Ledger, number::MessageSequence, row::blob},
    error::StoreError,
};

/// Entries that one call removes.
const ROWS: usize = 1_000;

const REMOVE_CONSUMERS: &str = "DELETE FROM poll_consumers
    WHERE log IN (SELECT number FROM poll_logs WHERE endpoint = ?1)";

const MARK: &str = "UPDATE poll_logs SET removed = 1 WHERE endpoint = ?1";

const REMOVE_CONSUMERS_OF: &str = "DELETE FROM poll_consumers
    WHERE log IN (SELECT number FROM poll_logs WHERE application = ?1)";

const MARK_OF: &str = "UPDATE poll_logs SET removed = 1 WHERE application = ?1";

impl Ledger {
    /// Removes the log of an endpoint. Its entries follow.
    pub(in crate::embedded) fn remove_log(&mut self, id: EndpointId) -> Result<(), StoreError> {
        let key = [blob(id.as_u128())];
        self.db.prepare_cached(REMOVE_CONSUMERS)?.execute(key)?;
        self.db.prepare_cached(MARK)?.execute(key)?;
        Ok(())
    }

    /// Removes the logs of an application's endpoints. Their entries follow.
    pub(in crate::embedded) fn remove_logs_of(
        &mut self,
        id: ApplicationId,
    ) -> Result<(), StoreError> {
        let key = [blob(id.as_u128())];
        self.db.prepare_cached(REMOVE_CONSUMERS_OF)?.execute(key)?;
        self.db.prepare_cached(MARK_OF)?.execute(key)?;
        Ok(())
    }
}

const REMOVED: &str = "SELECT number FROM poll_logs WHERE removed = 1 LIMIT 1";

const REMOVE_ENTRIES_OF: &str = "DELETE FROM poll_entries
    WHERE (log, offset) IN (
      SELECT log, offset FROM poll_entries WHERE log = ?1 ORDER BY offset LIMIT ?2
    )";

const REMOVE_LOG: &str = "DELETE FROM poll_logs WHERE number = ?1";

pub(in crate::embedded) const REMOVE_OLD_ENTRIES: &str = "DELETE FROM poll_entries
    WHERE (log, offset) IN (
      SELECT log, offset FROM poll_entries WHERE message < ?1 ORDER BY message LIMIT ?2
    )";

impl Ledger {
    /// Removes entries of old messages and of removed endpoints; `true` if there may be more.
    pub(in crate::embedded) fn expire_logs(
        &mut self,
        first_kept: MessageSequence,
    ) -> Result<bool, StoreError> {
        let values = params![first_kept, ROWS];
        let more = self.db.prepare_cached(REMOVE_OLD_ENTRIES)?.execute(values)? == ROWS;
        let removed = self.removed_log()?;
        let Some(log) = removed else { return Ok(more) };
        if self.db.prepare_cached(REMOVE_ENTRIES_OF)?.execute(params![log, ROWS])? < ROWS {
            self.db.prepare_cached(REMOVE_LOG)?.execute([log])?;
        }
        Ok(true)
    }

    fn removed_log(&self) -> Result<Option<i64>, StoreError> {
        let mut statement = self.db.prepare_cached(REMOVED)?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }
}
