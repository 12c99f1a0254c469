//! Ending deliveries before their time, and beginning them anew.

use postrider::{ApplicationId, MessageId};
use postrider_core::delivery::{DeliveryId, ResendMode};
use rusqlite::params;

use super::Ledger;
use crate::{
    Scope, StoreError,
    embedded::{
        holdings::Waiting,
        journal::{Event, Standing},
        row::{self, Record},
    },
};

pub(super) const ENDPOINTS_WAITING: &str = "SELECT endpoint FROM pending WHERE message = ?1";

const END_LANE: &str = "INSERT OR IGNORE INTO ended (message, endpoint)
    SELECT message, endpoint FROM pending WHERE endpoint = ?1 AND message >= ?2";

const DELETE_LANE: &str = "DELETE FROM pending WHERE endpoint = ?1";

const INSERT_EXTRA: &str = "INSERT OR IGNORE INTO extras (message, endpoint) VALUES (?1, ?2)";

const REMOVE_BODY: &str = "UPDATE messages SET body = NULL WHERE sequence = ?1";

const FIND_TAIL: &str = "SELECT 1 FROM messages WHERE sequence = ?1 AND tail = ?2";

const FIND_ATTEMPT: &str = "SELECT record FROM attempts WHERE sequence = ?1 AND tail = ?2";

const REPLACE_RECORD: &str = "UPDATE attempts SET record = ?2 WHERE sequence = ?1";

impl Ledger {
    pub(in crate::embedded) fn cancel(&mut self, scope: Scope) -> Result<u64, StoreError> {
        match scope {
            Scope::Message(_, id) => self.cancel_message(id.sequence()),
            Scope::Endpoint(_, id) => match self.number_of(id) {
                Some(endpoint) => self.cancel_endpoint(endpoint),
                None => Ok(0),
            },
            Scope::Application(id) => self.cancel_application(id),
        }
    }

    pub(super) fn cancel_message(&mut self, message: u64) -> Result<u64, StoreError> {
        let mut endpoints: Vec<u32> = {
            let mut statement = self.db.prepare_cached(ENDPOINTS_WAITING)?;
            let found = statement.query_map([message], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        endpoints.extend(self.holdings.fresh_of(message));
        for &endpoint in &endpoints {
            self.end_one(message, endpoint)?;
            self.events.push(Event::Moved { message, endpoint, to: Standing::Cancelled });
        }
        Ok(endpoints.len() as u64)
    }

    fn cancel_application(&mut self, id: ApplicationId) -> Result<u64, StoreError> {
        let mut endpoints: Vec<u32> = self
            .holdings
            .lanes()
            .filter(|(_, lane)| lane.application == id)
            .map(|(number, _)| number)
            .collect();
        {
            let numbers = self.numbers();
            for ((_, endpoint), _) in self.holdings.all_fresh() {
                if numbers.application_of(endpoint)? == id {
                    endpoints.push(endpoint);
                }
            }
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        let mut ended = 0;
        for endpoint in endpoints {
            ended += self.cancel_endpoint(endpoint)?;
        }
        Ok(ended)
    }

    pub(super) fn cancel_endpoint(&mut self, endpoint: u32) -> Result<u64, StoreError> {
        let fresh: Vec<_> = self
            .holdings
            .all_fresh()
            .map(|(key, _)| key)
            .filter(|&(_, it)| it == endpoint)
            .collect();
        for &(message, _) in &fresh {
            self.holdings.set_fresh((message, endpoint), None);
            self.note_ended(message, endpoint)?;
            self.events.push(Event::Moved { message, endpoint, to: Standing::Cancelled });
        }
        Ok(fresh.len() as u64 + self.cancel_lane(endpoint)?)
    }

    /// Ends all that have rows.
    fn cancel_lane(&mut self, endpoint: u32) -> Result<u64, StoreError> {
        if !self.holdings.knows_lane(endpoint) {
            return Ok(0);
        }
        self.db.prepare_cached(END_LANE)?.execute(params![endpoint, self.low_water()])?;
        let ended = self.db.prepare_cached(DELETE_LANE)?.execute([endpoint])? as u64;
        let held: Vec<_> = self.holdings.held_of(endpoint).collect();
        for it in held {
            self.holdings.set_held((endpoint, it.waiting.message), None);
        }
        self.holdings.set_rows(self.holdings.rows().saturating_sub(ended));
        self.holdings.set_next(endpoint, None);
        self.holdings.set_head(endpoint, None);
        if ended > 0 {
            self.events.push(Event::Ended { endpoint });
        }
        Ok(ended)
    }

    /// Takes one delivery away, fresh or not.
    pub(super) fn end_one(&mut self, message: u64, endpoint: u32) -> Result<(), StoreError> {
        if self.holdings.fresh(message, endpoint).is_some() {
            self.holdings.set_fresh((message, endpoint), None);
        } else if let Some(waiting) = self.find_waiting(message, endpoint)? {
            self.leave(waiting)?;
        }
        self.note_ended(message, endpoint)
    }

    pub(in crate::embedded) fn resend(
        &mut self,
        application: ApplicationId,
        id: DeliveryId,
        (mode, at): (ResendMode, u64),
    ) -> Result<bool, StoreError> {
        let message = id.message.sequence();
        let owner = self.body_owner(message, id.message.tail())?;
        let known = self.numbers().number_of_application(application);
        let Some(owner) = owner.filter(|owner| known == Some(*owner)) else { return Ok(false) };
        let endpoint = {
            let position = self.position + 1;
            self.numbers_mut().give_endpoint(id.endpoint, owner, position)
        };
        let leased = self.holdings.fresh(message, endpoint).is_some()
            || self.holdings.held(endpoint, message).is_some();
        if !leased {
            self.begin_again(message, endpoint, (mode, at))?;
        }
        Ok(true)
    }

    /// Makes a delivery without a holder due at a time, as requested.
    pub(super) fn begin_again(
        &mut self,
        message: u64,
        endpoint: u32,
        (mode, at): (ResendMode, u64),
    ) -> Result<(), StoreError> {
        let again = match self.find_waiting(message, endpoint)? {
            Some(waiting) => {
                self.leave(waiting)?;
                waiting.resent(mode, at)
            },
            None => Waiting::requested(message, endpoint, (mode, at)),
        };
        if !self.was_delivery(message, endpoint)? {
            self.db.prepare_cached(INSERT_EXTRA)?.execute([message, endpoint.into()])?;
        }
        self.wait(again)?;
        self.events.push(Event::Moved { message, endpoint, to: Standing::Pending(at) });
        Ok(())
    }

    pub(in crate::embedded) fn expunge_message(
        &mut self,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        let known = self.is_known(id)?;
        if known {
            self.remove_body(id.sequence())?;
        }
        Ok(known)
    }

    pub(super) fn is_known(&self, id: MessageId) -> Result<bool, StoreError> {
        let values = params![id.sequence(), id.tail().cast_signed()];
        Ok(self.db.prepare_cached(FIND_TAIL)?.exists(values)?)
    }

    pub(super) fn remove_body(&mut self, message: u64) -> Result<(), StoreError> {
        self.cancel_message(message)?;
        self.db.prepare_cached(REMOVE_BODY)?.execute([message])?;
        Ok(())
    }

    pub(in crate::embedded) fn expunge_attempt(
        &mut self,
        message: u64,
        id: postrider::AttemptId,
    ) -> Result<bool, StoreError> {
        let sequence = id.sequence();
        let stripped = {
            let mut statement = self.db.prepare_cached(FIND_ATTEMPT)?;
            let mut rows = statement.query(params![sequence, id.tail().cast_signed()])?;
            let Some(found) = rows.next()? else { return Ok(false) };
            let mut record: Record<'_> = row::decode(row::blob_of(found, 0)?)?;
            if record.message != message {
                return Ok(false);
            }
            record.response = None;
            row::encode(&record, &mut Vec::new()).to_vec()
        };
        self.db.prepare_cached(REPLACE_RECORD)?.execute(params![sequence, stripped])?;
        Ok(true)
    }
}
