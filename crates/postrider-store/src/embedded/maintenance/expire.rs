//! Expiry: removing what has outlived its retention, a bounded amount per call.

use std::time::Duration;

use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::{
    contract::{maintenance::Retention, tasks::TASK_RETENTION},
    embedded::{
        cancelled, extras,
        journal::Change,
        ledger::Ledger,
        number::{
            ApplicationNumber, AttemptSequence, DeliveryKey, EventTypeNumber, ExpiryMinute,
            MessageSequence,
        },
        numbers::AnyNumber,
        row::{
            self,
            attempt::AttemptRecord,
            message::{self, Head},
        },
    },
    error::StoreError,
};

/// Rows of one kind that one call looks at.
const ROWS: usize = 1_000;

/// Messages that one call looks at. Each takes several statements.
const MESSAGES: usize = 500;

/// Event types that one call frees.
const EVENT_TYPES: usize = 1_000;

/// Removes up to a number of rows of one kind; `true` if there may be more.
pub(in crate::embedded) type ExpiryStep =
    fn(&mut Ledger, Timestamp, Retention) -> Result<bool, StoreError>;

/// The kinds in their order. Each is a transaction, so that other commits do not wait for all of
/// them.
pub(in crate::embedded) const STEPS: [ExpiryStep; 11] = [
    |ledger, now, _| {
        // Attempts can be removed up to the mark only, so that comes first.
        ledger.move_low_water()?;
        ledger.expire_bodies(now)
    },
    |ledger, now, retention| ledger.expire_messages(first_kept_sequence(now, retention.rows)),
    |ledger, now, retention| {
        ledger.expire_attempts(AttemptSequence(first_kept_sequence(now, retention.rows).0))
    },
    |ledger, now, retention| ledger.expire_digests(first_kept_sequence(now, retention.digests)),
    |ledger, now, retention| ledger.expire_responses(now, retention.idempotency),
    |ledger, now, retention| ledger.expire_rejections(first_kept_time(now, retention.rejections)),
    |ledger, now, retention| ledger.expire_dead_letters(first_kept_time(now, retention.rows)),
    |ledger, now, retention| ledger.expire_audit_log(first_kept_time(now, retention.audit_log)),
    |ledger, now, _| ledger.expire_tasks(first_kept_time(now, TASK_RETENTION)),
    |ledger, now, retention| ledger.expire_logs(first_kept_sequence(now, retention.rows)),
    |ledger, _, _| ledger.free_event_types(),
];

const NEXT_SPAN: &str = "SELECT minute, lowest, highest
    FROM expiring
    WHERE minute < ?1
    ORDER BY minute
    LIMIT 1";

const NARROW_SPAN: &str = "UPDATE expiring SET lowest = ?2 WHERE minute = ?1";

const END_SPAN: &str = "DELETE FROM expiring WHERE minute = ?1";

impl Ledger {
    /// Removes the expired bodies within one span of messages. The span also contains messages
    /// whose bodies expire later; those have spans of their own.
    fn expire_bodies(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let span = self
            .db
            .prepare_cached(NEXT_SPAN)?
            .query_row([ExpiryMinute::of(now)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((minute, lowest, highest)) = span else { return Ok(false) };
        let bodies = self.bodies(lowest, highest)?;
        for &(message, body_until) in &bodies {
            if body_until <= now {
                self.remove_body(message)?;
            }
        }
        match bodies.last() {
            Some(&(last, _)) if bodies.len() == MESSAGES => {
                self.db.prepare_cached(NARROW_SPAN)?.execute(params![minute, last.next()])?;
            },
            Some(_) | None => {
                self.db.prepare_cached(END_SPAN)?.execute([minute])?;
                self.expiry.remove(minute);
            },
        }
        Ok(true)
    }
}

const BODIES: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence BETWEEN ?1 AND ?2 AND body IS NOT NULL
    ORDER BY sequence
    LIMIT ?3";

impl Ledger {
    /// Messages with bodies, and when those expire.
    fn bodies(
        &self,
        lowest: MessageSequence,
        highest: MessageSequence,
    ) -> Result<Vec<(MessageSequence, Timestamp)>, StoreError> {
        let mut statement = self.db.prepare_cached(BODIES)?;
        let found = statement.query_map(params![lowest, highest, MESSAGES], |row| {
            // A damaged row is removed as a whole, when its retention ends.
            let until = message::intact_head(row)?
                .map_or(Timestamp::from_millis(u64::MAX), |it| it.body_until);
            Ok((row.get(0)?, until))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

struct OldMessage {
    message: MessageSequence,
    application: ApplicationNumber,
    head: Head,
}

const OLD_MESSAGES: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence >= ?1 AND sequence < ?2
    ORDER BY sequence
    LIMIT ?3";

const IS_PENDING: &str = "SELECT 1 FROM pending WHERE message = ?1";

impl Ledger {
    /// Removes old messages without pending deliveries.
    fn expire_messages(&mut self, first_kept: MessageSequence) -> Result<bool, StoreError> {
        let old = self.old_messages(first_kept)?;
        // Messages that stay are skipped by the next calls, until all were looked at once.
        let is_last = old.len() < MESSAGES;
        self.cursors.old_message =
            if is_last { None } else { old.last().map(|old| old.message.next()) };
        for OldMessage { message, application, head } in old {
            self.cancel_paused(message)?;
            let is_pending = !self.leases.unpersisted_of(message).is_empty()
                || self.db.prepare_cached(IS_PENDING)?.exists([message])?;
            // A message with a pending delivery stays as long as that is retried.
            if !is_pending {
                self.remove_message(message, application, head)?;
            }
        }
        Ok(!is_last)
    }

    fn old_messages(&self, first_kept: MessageSequence) -> Result<Vec<OldMessage>, StoreError> {
        let first = self.cursors.old_message.unwrap_or(MessageSequence::ZERO);
        let mut statement = self.db.prepare_cached(OLD_MESSAGES)?;
        let found = statement.query_map(params![first, first_kept, MESSAGES], |row| {
            // A damaged row is removed like any other.
            let head = message::intact_head(row)?.unwrap_or_else(Head::unreadable);
            Ok(OldMessage { message: row.get(0)?, application: row.get(2)?, head })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Cancels the deliveries of an old message to disabled endpoints, which would keep it
    /// forever.
    fn cancel_paused(&mut self, message: MessageSequence) -> Result<(), StoreError> {
        for endpoint in self.endpoints_pending(message)? {
            let key = DeliveryKey { message, endpoint };
            if self.leases.is_paused(endpoint) && !self.leases.is_row_leased(key) {
                self.cancel_delivery(key)?;
            }
        }
        Ok(())
    }
}

const REMOVE_MESSAGE: &str = "DELETE FROM messages WHERE sequence = ?1";

const REMOVE_EVENT_ID: &str =
    "DELETE FROM event_ids WHERE application = ?1 AND event_id = ?2 AND message = ?3";

impl Ledger {
    /// Removes a message without pending deliveries. Its attempts are removed on their own.
    pub(super) fn remove_message(
        &mut self,
        message: MessageSequence,
        application: ApplicationNumber,
        head: Head,
    ) -> Result<(), StoreError> {
        let endpoints = extras::with_extras(&self.db, message, head.targets)?;
        if self.db.prepare_cached(REMOVE_MESSAGE)?.execute([message])? > 0 {
            self.freed.note_removed(head.event_type);
        }
        extras::remove(&self.db, message)?;
        cancelled::remove_all(&self.db, message)?;
        if let Some(event_id) = head.event_id {
            let values = params![application, event_id.as_str(), message];
            self.db.prepare_cached(REMOVE_EVENT_ID)?.execute(values)?;
        }
        self.changes.push(Change::MessageRemoved { message, application, endpoints });
        Ok(())
    }
}

const OLD_ATTEMPTS: &str = "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence < ?1
    ORDER BY sequence
    LIMIT ?2";

const REMOVE_ATTEMPTS: &str = "DELETE FROM attempts WHERE sequence <= ?1";

impl Ledger {
    /// Removes old attempts, up to the low-water mark: startup has to know the later ones.
    fn expire_attempts(&mut self, first_kept: AttemptSequence) -> Result<bool, StoreError> {
        let end = first_kept.0.min(self.low_water.current().0);
        let old = {
            let mut statement = self.db.prepare_cached(OLD_ATTEMPTS)?;
            let found = statement.query_map(params![end, ROWS], |row| {
                let record = AttemptRecord::intact(row)?;
                Ok((row.get::<_, AttemptSequence>(0)?, record.map(|record| record.key())))
            })?;
            found.collect::<Result<Vec<_>, _>>()?
        };
        let Some(&(last, _)) = old.last() else { return Ok(false) };
        // Also attempts of messages that a pending delivery keeps: those have outlived their
        // retention as well.
        self.db.prepare_cached(REMOVE_ATTEMPTS)?.execute([last])?;
        let more = old.len() == ROWS;
        // Nothing is known about a damaged one: lists skip what the index still has of it.
        let removed = |(attempt, key): (AttemptSequence, Option<DeliveryKey>)| {
            let DeliveryKey { message, endpoint } = key?;
            Some(Change::AttemptRemoved { attempt, message, endpoint })
        };
        self.changes.extend(old.into_iter().filter_map(removed));
        Ok(more)
    }
}

const REMOVE_DIGESTS: &str = "DELETE FROM idempotent
    WHERE digest IN (SELECT digest FROM idempotent WHERE message < ?1 ORDER BY message LIMIT ?2)";

const REMOVE_RESPONSES: &str = "DELETE FROM reservations
    WHERE key IN (
      SELECT key FROM reservations WHERE answered_at <= ?1 ORDER BY answered_at LIMIT ?2
    )";

impl Ledger {
    fn expire_digests(&self, first_kept: MessageSequence) -> Result<bool, StoreError> {
        let values = params![first_kept, ROWS];
        Ok(self.db.prepare_cached(REMOVE_DIGESTS)?.execute(values)? == ROWS)
    }

    fn expire_responses(&self, now: Timestamp, age: Duration) -> Result<bool, StoreError> {
        // None, if the epoch is not that long ago, compares as false with every time.
        let values = params![now.as_millis().checked_sub(millis(age)), ROWS];
        Ok(self.db.prepare_cached(REMOVE_RESPONSES)?.execute(values)? == ROWS)
    }
}

pub(in crate::embedded) const REMOVE_DEAD_LETTERS: &str = "DELETE FROM dead_letters
    WHERE id IN (SELECT id FROM dead_letters WHERE id < ?1 ORDER BY id LIMIT ?2)";

/// Dead letters that one call removes: each may have many pages.
const DEAD_LETTERS: usize = 100;

impl Ledger {
    fn expire_dead_letters(&self, first_kept: Timestamp) -> Result<bool, StoreError> {
        let values = params![row::first_id_at(first_kept), DEAD_LETTERS];
        Ok(self.db.prepare_cached(REMOVE_DEAD_LETTERS)?.execute(values)? == DEAD_LETTERS)
    }
}

pub(in crate::embedded) const REMOVE_TASKS: &str = "DELETE FROM tasks
    WHERE id IN (SELECT id FROM tasks WHERE id < ?1 AND ended = 1 ORDER BY id LIMIT ?2)";

impl Ledger {
    fn expire_tasks(&self, first_kept: Timestamp) -> Result<bool, StoreError> {
        let values = params![row::first_id_at(first_kept), ROWS];
        Ok(self.db.prepare_cached(REMOVE_TASKS)?.execute(values)? == ROWS)
    }
}

const OLDEST_MESSAGE: &str = "SELECT min(sequence) FROM messages";

const REMOVE_EVENT_TYPE: &str = "DELETE FROM event_type_numbers WHERE number = ?1";

impl Ledger {
    /// Frees the numbers of event types that no message has: those whose messages this process
    /// has counted, and those that were last used before the oldest message. `true` if there may
    /// be more.
    fn free_event_types(&mut self) -> Result<bool, StoreError> {
        let mut unused = self.freed.take_unused(EVENT_TYPES);
        unused.retain(|&number| self.numbers().is_event_type_unused(number));
        let oldest: Option<MessageSequence> =
            self.db.prepare_cached(OLDEST_MESSAGE)?.query_row([], |row| row.get(0))?;
        let oldest = oldest.unwrap_or(MessageSequence::MAX);
        let is_unchanged = self.cursors.oldest_message == Some(oldest);
        if !is_unchanged {
            let old = self.numbers().event_types_before(oldest, EVENT_TYPES);
            self.cursors.oldest_message = (old.len() < EVENT_TYPES).then_some(oldest);
            unused.extend(old);
        }
        for &number in &unused {
            self.free_event_type(number)?;
        }
        Ok(self.freed.has_unused() || self.cursors.oldest_message.is_none())
    }

    fn free_event_type(&mut self, number: EventTypeNumber) -> Result<(), StoreError> {
        self.db.prepare_cached(REMOVE_EVENT_TYPE)?.execute([number])?;
        self.free_number(AnyNumber::EventType(number));
        Ok(())
    }
}

/// The first message that is not older than `age`.
fn first_kept_sequence(now: Timestamp, age: Duration) -> MessageSequence {
    MessageSequence::first_at(first_kept_time(now, age))
}

/// The first time that is not `age` ago or longer; the epoch, if it is not that long ago.
fn first_kept_time(now: Timestamp, age: Duration) -> Timestamp {
    let last_removed = now.as_millis().checked_sub(millis(age));
    Timestamp::from_millis(last_removed.map_or(0, |last| last + 1))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
