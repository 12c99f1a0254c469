//! Recoveries: resending all deliveries to an endpoint that failed in a period.

pub(in crate::embedded) mod search;

use postrider_core::{catalog::Recovery, time::Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::{
    embedded::{
        error,
        ledger::Ledger,
        number::{DeliveryKey, MessageSequence, RecoveryNumber},
    },
    error::StoreError,
};

/// A recovery and how far it is.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct StoredRecovery {
    number: RecoveryNumber,
    recovery: Recovery,
    /// The last message that was handled.
    done: MessageSequence,
}

const INSERT_RECOVERY: &str = "INSERT INTO recoveries (record, done) VALUES (?1, ?2)";

impl Ledger {
    pub(in crate::embedded) fn begin_recovery(
        &mut self,
        recovery: &Recovery,
    ) -> Result<(), StoreError> {
        self.insert_recovery(recovery, MessageSequence::ZERO)
    }

    /// Stores a recovery that has handled the messages up to this one.
    pub(in crate::embedded) fn insert_recovery(
        &mut self,
        recovery: &Recovery,
        done: MessageSequence,
    ) -> Result<(), StoreError> {
        let record = serde_json::to_string(recovery).map_err(error::undecodable)?;
        self.db.prepare_cached(INSERT_RECOVERY)?.execute(params![record, done])?;
        Ok(())
    }
}

const OLDEST_RECOVERY: &str = "SELECT number, record, done FROM recoveries ORDER BY number LIMIT 1";

impl Ledger {
    pub(in crate::embedded) fn oldest_recovery(
        &mut self,
    ) -> Result<Option<StoredRecovery>, StoreError> {
        let mut statement = self.db.prepare_cached(OLDEST_RECOVERY)?;
        let oldest = statement.query_row([], |row| {
            let record = row.get_ref(1)?.as_str()?;
            let recovery = serde_json::from_str(record).map_err(error::undecodable)?;
            Ok(StoredRecovery { number: row.get(0)?, recovery, done: row.get(2)? })
        });
        Ok(oldest.optional()?)
    }
}

const ADVANCE_RECOVERY: &str = "UPDATE recoveries SET done = ?2 WHERE number = ?1";

const END_RECOVERY: &str = "DELETE FROM recoveries WHERE number = ?1";

impl Ledger {
    /// Makes the deliveries of these messages due, and returns how many. The recovery ends if
    /// they are the last ones.
    pub(in crate::embedded) fn advance_recovery(
        &mut self,
        recovery: &StoredRecovery,
        messages: &[MessageSequence],
        is_last: bool,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for &message in messages {
            count += usize::from(self.recover_one(&recovery.recovery, message, now)?);
        }
        match messages.last() {
            Some(&done) if !is_last => {
                self.db
                    .prepare_cached(ADVANCE_RECOVERY)?
                    .execute(params![recovery.number, done])?;
            },
            Some(_) | None => {
                self.db.prepare_cached(END_RECOVERY)?.execute([recovery.number])?;
            },
        }
        Ok(count)
    }
}

const HAS_BODY: &str = "SELECT 1 FROM messages WHERE sequence = ?1 AND body IS NOT NULL";

impl Ledger {
    /// Makes one delivery due. Since the search found it, it may have been resent or may have
    /// lost its body; then it is left alone.
    fn recover_one(
        &mut self,
        recovery: &Recovery,
        message: MessageSequence,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(endpoint) = self.endpoint_number(recovery.endpoint) else { return Ok(false) };
        let key = DeliveryKey { message, endpoint };
        let is_pending = self.leases.unpersisted(key).is_some() || self.find_row(key)?.is_some();
        if is_pending || !self.db.prepare_cached(HAS_BODY)?.exists([message])? {
            return Ok(false);
        }
        self.send_again(key, now, recovery.mode)?;
        Ok(true)
    }
}
