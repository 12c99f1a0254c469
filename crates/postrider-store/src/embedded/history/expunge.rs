//! Expunging: removing the body of a message or the response of an attempt.

use postrider::{AttemptId, MessageId};
use rusqlite::params;

use crate::{
    embedded::{
        ledger::Ledger,
        number::{AttemptSequence, IdTail, MessageSequence},
        row::attempt::AttemptRecord,
    },
    error::StoreError,
};

impl Ledger {
    pub(in crate::embedded) fn expunge_message(
        &mut self,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        let is_known = self.is_known(id)?;
        if is_known {
            self.remove_body(MessageSequence::of(id))?;
        }
        Ok(is_known)
    }
}

const FIND_RECORD: &str = "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence = ?1 AND tail = ?2";

const REPLACE_RECORD: &str = "UPDATE attempts SET record = ?2 WHERE sequence = ?1";

impl Ledger {
    pub(in crate::embedded) fn expunge_attempt(
        &mut self,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        let sequence = AttemptSequence::of(id);
        let stripped = {
            let mut statement = self.db.prepare_cached(FIND_RECORD)?;
            let mut rows = statement.query(params![sequence, IdTail(id.tail())])?;
            let Some(found) = rows.next()? else { return Ok(false) };
            let mut record = AttemptRecord::from_row(found)?;
            if record.message != MessageSequence::of(message) {
                return Ok(false);
            }
            record.response = None;
            // Not into the ledger's buffer: the record borrows from the row, which keeps the
            // ledger borrowed.
            record.encode((sequence, IdTail(id.tail())), &mut Vec::new()).to_vec()
        };
        self.db.prepare_cached(REPLACE_RECORD)?.execute(params![sequence, stripped])?;
        Ok(true)
    }
}
