//! Writing a part of the main database into an index that is being rebuilt.
//!
//! The index also gets the changes of new commits meanwhile. What it has of a delivery already comes
//! from those, and stays.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    batch::{INSERT_BY_ENDPOINT, INSERT_BY_MESSAGE, INSERT_MESSAGE},
    counts::Counts,
    delivery_state,
    indexer_error::IndexerError,
    part::{FoundAttempt, FoundMessage, Part},
};
use crate::embedded::{
    journal::DeliveryState,
    number::{AttemptSequence, DeliveryKey, EndpointNumber, MessageSequence},
    row::attempt::{AttemptRecord, Consequence},
};

/// Writes a part, inside the caller's transaction.
pub(super) struct PartWriter<'a> {
    pub(super) index: &'a Connection,
    pub(super) main: &'a Connection,
    /// The index has all messages from this sequence on.
    pub(super) end: u64,
    /// Counts what the index has not counted yet.
    pub(super) counts: &'a mut Counts,
}

impl PartWriter<'_> {
    pub(super) fn write(mut self, mut part: Part) -> Result<(), IndexerError> {
        // First, so that deliveries find them.
        self.write_attempts(&mut part.attempts)?;
        part.messages.sort_unstable_by_key(|it| (it.application, it.message));
        self.write_messages(&part.messages)?;
        self.write_deliveries(&part)
    }
}

/// An attempt whose id is older than that of its message, which is in the index without it.
const ADD_EARLIER: &str = "UPDATE deliveries
    SET attempts = attempts + 1,
      state = CASE WHEN attempts = 0 AND state = 3 THEN ?3 ELSE state END
    WHERE endpoint = ?1 AND message = ?2";

impl PartWriter<'_> {
    /// Counts only attempts that the index has not got from a commit.
    fn write_attempts(&mut self, attempts: &mut [FoundAttempt]) -> Result<(), IndexerError> {
        attempts.sort_unstable_by_key(|it| (it.key.message, it.attempt));
        let mut by_message = self.index.prepare_cached(INSERT_BY_MESSAGE)?;
        let mut add_earlier = self.index.prepare_cached(ADD_EARLIER)?;
        for FoundAttempt { attempt, key, consequence, fact, .. } in &*attempts {
            let DeliveryKey { message, endpoint } = *key;
            if by_message.execute(params![message, attempt, endpoint])? == 0 {
                continue;
            }
            self.counts.add_attempt(endpoint, *fact);
            if message.0 >= self.end {
                let (state, _) = delivery_state::columns(state_after(*consequence));
                add_earlier.execute(params![endpoint, message, state])?;
            }
        }
        attempts.sort_unstable_by_key(|it| (it.key.endpoint, it.attempt));
        let mut by_endpoint = self.index.prepare_cached(INSERT_BY_ENDPOINT)?;
        for FoundAttempt { attempt, key, status, .. } in &*attempts {
            by_endpoint.execute(params![key.endpoint, attempt, key.message, status])?;
        }
        Ok(())
    }

    fn write_messages(&mut self, messages: &[FoundMessage]) -> Result<(), IndexerError> {
        let mut insert = self.index.prepare_cached(INSERT_MESSAGE)?;
        for &FoundMessage { message, application, labels, is_filtered, .. } in messages {
            if insert.execute(params![application, message, labels])? > 0 {
                self.counts.add_message(message, application, is_filtered);
            }
        }
        Ok(())
    }
}

/// The state of a delivery that is not pending any more after its last attempt.
const fn state_after(consequence: Consequence) -> DeliveryState {
    match consequence {
        Consequence::Delivered => DeliveryState::Delivered,
        Consequence::Failed => DeliveryState::Failed,
        Consequence::Retried | Consequence::Ignored { .. } => DeliveryState::Cancelled,
    }
}

/// The row may exist because of a commit, whose state is newer. Its attempts are those of
/// commits alone.
const INSERT_DELIVERY: &str = "INSERT INTO deliveries (endpoint, message, state, at, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (endpoint, message) DO UPDATE SET attempts = excluded.attempts";

/// A row of `deliveries`.
struct DeliveryRow {
    key: DeliveryKey,
    state: DeliveryState,
    attempts: usize,
}

impl PartWriter<'_> {
    fn write_deliveries(&self, part: &Part) -> Result<(), IndexerError> {
        let known: HashMap<AttemptSequence, Consequence> =
            part.attempts.iter().map(|it| (it.attempt, it.consequence)).collect();
        let mut found = Vec::new();
        for message in &part.messages {
            let attempts = self.attempts_of(message.message)?;
            for &endpoint in &message.endpoints {
                let key = DeliveryKey { message: message.message, endpoint };
                let own = attempts.iter().filter(|it| it.1 == endpoint).map(|it| it.0);
                let own: Vec<AttemptSequence> = own.collect();
                let state = match part.pending.get(&key) {
                    Some(due_at) => DeliveryState::Pending(*due_at),
                    None if own.is_empty() && is_unpersisted(part, key) => {
                        DeliveryState::Pending(message.first_due)
                    },
                    None if part.cancelled.contains(&key) => DeliveryState::Cancelled,
                    None => self.ended_state(&own, &known)?,
                };
                found.push(DeliveryRow { key, state, attempts: own.len() });
            }
        }
        self.insert(found)
    }

    fn insert(&self, mut found: Vec<DeliveryRow>) -> Result<(), IndexerError> {
        found.sort_unstable_by_key(|it| (it.key.endpoint, it.key.message));
        let mut insert = self.index.prepare_cached(INSERT_DELIVERY)?;
        for DeliveryRow { key, state, attempts } in found {
            let (state, at) = delivery_state::columns(state);
            insert.execute(params![key.endpoint, key.message, state, at, attempts])?;
        }
        Ok(())
    }
}

/// Whether the delivery, which has no attempt and no row, is leased in memory only. Startup
/// decides the same.
fn is_unpersisted(part: &Part, key: DeliveryKey) -> bool {
    key.message >= part.low_water && !part.ended.contains(&key)
}

pub(in crate::embedded) const ATTEMPTS_OF: &str =
    "SELECT attempt, endpoint FROM attempts_by_message WHERE message = ?1 ORDER BY attempt DESC";

const RECORD: &str = "SELECT sequence, tail, record FROM attempts WHERE sequence = ?1";

impl PartWriter<'_> {
    /// The attempts for the message, the newest first.
    fn attempts_of(
        &self,
        message: MessageSequence,
    ) -> rusqlite::Result<Vec<(AttemptSequence, EndpointNumber)>> {
        let mut statement = self.index.prepare_cached(ATTEMPTS_OF)?;
        let found = statement.query_map([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found.collect()
    }

    /// The state of a delivery that is not pending. Attempts that came too late did not change it.
    fn ended_state(
        &self,
        attempts: &[AttemptSequence],
        known: &HashMap<AttemptSequence, Consequence>,
    ) -> Result<DeliveryState, IndexerError> {
        for attempt in attempts {
            let consequence = match known.get(attempt) {
                Some(known) => Some(*known),
                None => self.consequence(*attempt).map_err(IndexerError::Main)?,
            };
            match consequence {
                Some(Consequence::Ignored { .. }) | None => {},
                Some(consequence) => return Ok(state_after(consequence)),
            }
        }
        Ok(DeliveryState::Cancelled)
    }

    fn consequence(&self, attempt: AttemptSequence) -> rusqlite::Result<Option<Consequence>> {
        let mut statement = self.main.prepare_cached(RECORD)?;
        let found = statement
            .query_row([attempt], |row| Ok(AttemptRecord::intact(row)?.map(|it| it.consequence)));
        Ok(found.optional()?.flatten())
    }
}
