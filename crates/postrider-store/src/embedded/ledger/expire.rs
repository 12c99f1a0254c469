//! What time takes away, a bounded amount at a time.

use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, append::MINUTE, cancel::ENDPOINTS_WAITING};
use crate::{
    Retention, StoreError,
    embedded::{
        journal::{Event, Standing},
        row::{self, Head, Record},
    },
};

/// Rows of one kind that one call looks at.
const STEP: usize = 1_000;

const NEXT_SPAN: &str = "SELECT minute, lowest, highest
    FROM expiring
    WHERE minute < ?1
    ORDER BY minute
    LIMIT 1";

const NARROW: &str = "UPDATE expiring SET lowest = ?2 WHERE minute = ?1";

const END_SPAN: &str = "DELETE FROM expiring WHERE minute = ?1";

const BODIES: &str = "SELECT sequence, head
    FROM messages
    WHERE sequence BETWEEN ?1 AND ?2 AND body IS NOT NULL
    ORDER BY sequence
    LIMIT ?3";

const OLD_MESSAGES: &str = "SELECT sequence, application, head
    FROM messages
    WHERE sequence >= ?1 AND sequence < ?2
    ORDER BY sequence
    LIMIT ?3";

const IS_PENDING: &str = "SELECT 1 FROM pending WHERE message = ?1";

const EXTRAS: &str = "SELECT endpoint FROM extras WHERE message = ?1";

const FORGET_MESSAGE: &str = "DELETE FROM messages WHERE sequence = ?1";

const FORGET_EXTRAS: &str = "DELETE FROM extras WHERE message = ?1";

const FORGET_EVENT_ID: &str =
    "DELETE FROM event_ids WHERE application = ?1 AND event_id = ?2 AND message = ?3";

const OLD_ATTEMPTS: &str = "SELECT sequence, record
    FROM attempts
    WHERE sequence < ?1
    ORDER BY sequence
    LIMIT ?2";

const FORGET_ATTEMPTS: &str = "DELETE FROM attempts WHERE sequence <= ?1";

const FORGET_DIGESTS: &str = "DELETE FROM idempotent
    WHERE digest IN (SELECT digest FROM idempotent WHERE message < ?1 ORDER BY message LIMIT ?2)";

const FORGET_ANSWERS: &str = "DELETE FROM reservations
    WHERE key IN (
      SELECT key FROM reservations WHERE answered_at <= ?1 ORDER BY answered_at LIMIT ?2
    )";

impl Ledger {
    /// `true` if there is more to do at once.
    pub(in crate::embedded) fn expire(
        &mut self,
        now: Timestamp,
        retention: Retention,
    ) -> Result<bool, StoreError> {
        let cutoff = before(now, retention.rows);
        self.move_low_water()?;
        let mut more = self.expire_bodies(now.as_millis())?;
        more |= self.expire_messages(cutoff)?;
        more |= self.expire_attempts(cutoff)?;
        let digests = params![before(now, retention.digests), STEP];
        more |= self.db.prepare_cached(FORGET_DIGESTS)?.execute(digests)? == STEP;
        let answered = now.as_millis().checked_sub(millis(retention.idempotency));
        let answers = params![answered, STEP];
        more |= self.db.prepare_cached(FORGET_ANSWERS)?.execute(answers)? == STEP;
        more |= self.expire_rejections(before(now, retention.rejections))?;
        more |= self.release_event_types()?;
        Ok(more)
    }

    /// Removes the bodies of a span of messages, as far as they have outlived their time.
    fn expire_bodies(&mut self, now: u64) -> Result<bool, StoreError> {
        let span = self
            .db
            .prepare_cached(NEXT_SPAN)?
            .query_row([now / MINUTE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((minute, lowest, highest)) = span else { return Ok(false) };
        let bodies = self.bodies(lowest, highest)?;
        for &(message, body_until) in &bodies {
            if body_until.as_millis() <= now {
                self.remove_body(message)?;
            }
        }
        match bodies.last() {
            Some(&(last, _)) if bodies.len() == STEP => {
                self.db.prepare_cached(NARROW)?.execute([minute, last + 1])?;
            },
            Some(_) | None => {
                self.db.prepare_cached(END_SPAN)?.execute([minute])?;
                self.expiring.remove(&minute);
            },
        }
        Ok(true)
    }

    fn bodies(&self, lowest: u64, highest: u64) -> Result<Vec<(u64, Timestamp)>, StoreError> {
        let mut statement = self.db.prepare_cached(BODIES)?;
        let found = statement.query_map(params![lowest, highest, STEP], |row| {
            let head: Head = row::decode(row::blob_of(row, 1)?)?;
            Ok((row::sequence(row, 0)?, head.body_until))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Removes old messages that nothing is pending for.
    fn expire_messages(&mut self, cutoff: u64) -> Result<bool, StoreError> {
        let old = {
            let mut statement = self.db.prepare_cached(OLD_MESSAGES)?;
            let found = statement.query_map(params![self.swept, cutoff, STEP], |row| {
                let head: Head = row::decode(row::blob_of(row, 2)?)?;
                Ok((row::sequence(row, 0)?, row.get(1)?, head))
            })?;
            found.collect::<Result<Vec<_>, _>>()?
        };
        // Those that stay are passed over until everything was looked at once.
        let whole = old.len() < STEP;
        self.swept = if whole { 0 } else { old.last().map_or(0, |(last, ..)| last + 1) };
        for (message, application, head) in old {
            self.end_paused(message)?;
            let pending = !self.holdings.fresh_of(message).is_empty()
                || self.db.prepare_cached(IS_PENDING)?.exists([message])?;
            if !pending {
                self.forget(message, application, head)?;
            }
        }
        Ok(!whole)
    }

    /// Ends what waits of an old message for disabled endpoints.
    fn end_paused(&mut self, message: u64) -> Result<(), StoreError> {
        let endpoints: Vec<u32> = {
            let mut statement = self.db.prepare_cached(ENDPOINTS_WAITING)?;
            let found = statement.query_map([message], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        for endpoint in endpoints {
            let is_held = self.holdings.held(endpoint, message).is_some();
            if self.holdings.is_paused(endpoint) && !is_held {
                self.end_one(message, endpoint)?;
                self.events.push(Event::Moved { message, endpoint, to: Standing::Cancelled });
            }
        }
        Ok(())
    }

    pub(super) fn forget(
        &mut self,
        message: u64,
        application: u32,
        head: Head,
    ) -> Result<(), StoreError> {
        let mut endpoints = head.targets;
        {
            let mut statement = self.db.prepare_cached(EXTRAS)?;
            let mut rows = statement.query([message])?;
            while let Some(row) = rows.next()? {
                endpoints.push(row.get(0)?);
            }
        }
        if self.db.prepare_cached(FORGET_MESSAGE)?.execute([message])? > 0 {
            self.let_go.push(head.event_type);
        }
        self.db.prepare_cached(FORGET_EXTRAS)?.execute([message])?;
        if let Some(event_id) = head.event_id {
            let values = params![application, event_id.as_str(), message];
            self.db.prepare_cached(FORGET_EVENT_ID)?.execute(values)?;
        }
        self.events.push(Event::Forgotten { message, application, endpoints });
        Ok(())
    }

    /// Removes old attempts, but none that a start may have to know of.
    fn expire_attempts(&mut self, cutoff: u64) -> Result<bool, StoreError> {
        let old = {
            let mut statement = self.db.prepare_cached(OLD_ATTEMPTS)?;
            let found =
                statement.query_map(params![cutoff.min(self.low_water()), STEP], |row| {
                    let record: Record<'_> = row::decode(row::blob_of(row, 1)?)?;
                    Ok((row::sequence(row, 0)?, record.message, record.endpoint))
                })?;
            found.collect::<Result<Vec<_>, _>>()?
        };
        let Some(&(last, ..)) = old.last() else { return Ok(false) };
        self.db.prepare_cached(FORGET_ATTEMPTS)?.execute([last])?;
        let more = old.len() == STEP;
        let gone =
            |(attempt, message, endpoint)| Event::AttemptForgotten { attempt, message, endpoint };
        self.events.extend(old.into_iter().map(gone));
        Ok(more)
    }
}

/// The first sequence that is younger than `age`.
fn before(now: Timestamp, age: std::time::Duration) -> u64 {
    let cutoff = now.as_millis().checked_sub(millis(age));
    cutoff.map_or(0, |cutoff| row::sequence_at(cutoff + 1))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
