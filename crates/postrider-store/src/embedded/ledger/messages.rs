//! Questions about stored messages that several contracts ask.

use postrider::MessageId;
use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::{
    embedded::{
        extras,
        number::{ApplicationNumber, DeliveryKey, IdTail, MessageSequence},
        row::message::{self, CheckedHead},
    },
    error::StoreError,
};

const NEWEST: &str = "SELECT max(sequence) FROM messages";

impl Ledger {
    /// The sequence after the newest message, or 0 if there is no message.
    pub(super) fn end_of_messages(&self) -> Result<MessageSequence, StoreError> {
        let newest: Option<MessageSequence> =
            self.db.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
        Ok(newest.map_or(MessageSequence::ZERO, MessageSequence::next))
    }
}

const IS_KNOWN: &str = "SELECT 1 FROM messages WHERE sequence = ?1 AND tail = ?2";

impl Ledger {
    pub(in crate::embedded) fn is_known(&self, id: MessageId) -> Result<bool, StoreError> {
        let values = params![MessageSequence::of(id), IdTail(id.tail())];
        Ok(self.db.prepare_cached(IS_KNOWN)?.exists(values)?)
    }
}

const OWNER_OF_BODY: &str = "SELECT application
    FROM messages
    WHERE sequence = ?1 AND tail = ?2 AND body IS NOT NULL";

impl Ledger {
    /// The application of the message, if the message is known and has a body.
    pub(in crate::embedded) fn owner_of_body(
        &self,
        id: MessageId,
    ) -> Result<Option<ApplicationNumber>, StoreError> {
        let values = params![MessageSequence::of(id), IdTail(id.tail())];
        let mut statement = self.db.prepare_cached(OWNER_OF_BODY)?;
        Ok(statement.query_row(values, |row| row.get(0)).optional()?)
    }
}

const HEAD: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence = ?1";

impl Ledger {
    /// Whether the message ever had a delivery to the endpoint.
    pub(in crate::embedded) fn has_delivery(&self, key: DeliveryKey) -> Result<bool, StoreError> {
        let mut statement = self.db.prepare_cached(HEAD)?;
        let mut rows = statement.query([key.message])?;
        let Some(found) = rows.next()? else { return Ok(false) };
        let head = message::head(found)?;
        Ok(head.targets.contains(&key.endpoint) || extras::contains(&self.db, key)?)
    }
}

const REPLACE_HEAD: &str = "UPDATE messages SET head = ?2 WHERE sequence = ?1";

impl Ledger {
    /// Replaces when the first attempts of a message are made, and when its body expires.
    pub(in crate::embedded) fn replace_schedule(
        &mut self,
        id: MessageId,
        deliver_at: Timestamp,
        body_until: Timestamp,
    ) -> Result<(), StoreError> {
        let message = MessageSequence::of(id);
        let head = {
            let mut statement = self.db.prepare_cached(HEAD)?;
            let mut rows = statement.query([message])?;
            let Some(found) = rows.next()? else { return Ok(()) };
            let mut checked = CheckedHead::from_row(found)?;
            checked.head.deliver_at = Some(deliver_at);
            checked.head.body_until = body_until;
            checked.encode(&mut Vec::new()).to_vec()
        };
        self.db.prepare_cached(REPLACE_HEAD)?.execute(params![message, head])?;
        self.expiry.add(&self.db, id, body_until)?;
        Ok(())
    }
}

const REMOVE_BODY: &str = "UPDATE messages SET body = NULL WHERE sequence = ?1";

impl Ledger {
    /// Removes the body of a message, and cancels the deliveries that would need it.
    pub(in crate::embedded) fn remove_body(
        &mut self,
        message: MessageSequence,
    ) -> Result<(), StoreError> {
        self.cancel_message(message)?;
        self.db.prepare_cached(REMOVE_BODY)?.execute([message])?;
        Ok(())
    }
}
