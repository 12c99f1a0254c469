//! Changes on their way into the index: put together first, then written in order of keys.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, params};

use crate::embedded::journal::{Event, Standing};

pub(in crate::embedded) const DELIVERED: u8 = 0;
pub(in crate::embedded) const PENDING: u8 = 1;
pub(in crate::embedded) const FAILED: u8 = 2;
pub(in crate::embedded) const CANCELLED: u8 = 3;

/// What becomes of a row of `deliveries`.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The row is not there yet.
    new: bool,
    /// Where the delivery stands, if that changes.
    to: Option<Standing>,
    /// Attempts to add.
    attempts: u16,
}

#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Each up to where all deliveries of an endpoint ended: what comes after that must not
    /// end with them.
    closed: Vec<(Changes, u32)>,
    open: Changes,
    len: usize,
}

/// Changes whose order among each other does not matter any more.
#[derive(Debug, Default)]
struct Changes {
    messages: Vec<(u32, u64)>,
    deliveries: HashMap<(u32, u64), Change>,
    /// Endpoint, attempt, message, status.
    attempts: Vec<(u32, u64, u64, u16)>,
    forgotten: Vec<(u32, u64, Vec<u32>)>,
    attempts_forgotten: Vec<(u32, u64, u64)>,
}

const INSERT_MESSAGE: &str =
    "INSERT OR IGNORE INTO messages (application, message) VALUES (?1, ?2)";

const INSERT_DELIVERY: &str =
    "INSERT OR REPLACE INTO deliveries (endpoint, message, state, at, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const MOVE_DELIVERY: &str = "INSERT INTO deliveries (endpoint, message, state, at, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (endpoint, message) DO UPDATE
    SET state = excluded.state, at = excluded.at, attempts = attempts + excluded.attempts";

const COUNT_ATTEMPTS: &str =
    "UPDATE deliveries SET attempts = attempts + ?3 WHERE endpoint = ?1 AND message = ?2";

const INSERT_BY_ENDPOINT: &str =
    "INSERT OR IGNORE INTO attempts_by_endpoint (endpoint, attempt, message, status)
    VALUES (?1, ?2, ?3, ?4)";

const INSERT_BY_MESSAGE: &str =
    "INSERT OR IGNORE INTO attempts_by_message (message, attempt, endpoint) VALUES (?1, ?2, ?3)";

pub(in crate::embedded) const END_DELIVERIES: &str = "UPDATE deliveries INDEXED BY deliveries_open
    SET state = 3
    WHERE endpoint = ?1 AND state = 1 AND state > 0";

const FORGET_MESSAGE: &str = "DELETE FROM messages WHERE application = ?1 AND message = ?2";

const FORGET_DELIVERY: &str = "DELETE FROM deliveries WHERE endpoint = ?1 AND message = ?2";

const FORGET_BY_ENDPOINT: &str =
    "DELETE FROM attempts_by_endpoint WHERE endpoint = ?1 AND attempt = ?2";

const FORGET_BY_MESSAGE: &str =
    "DELETE FROM attempts_by_message WHERE message = ?1 AND attempt = ?2";

impl Batch {
    /// Changes that were gathered.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn gather(&mut self, event: Event) {
        self.len += 1;
        match event {
            Event::Ended { endpoint } => {
                self.closed.push((std::mem::take(&mut self.open), endpoint));
            },
            event @ (Event::Accepted { .. }
            | Event::Attempted { .. }
            | Event::Moved { .. }
            | Event::Forgotten { .. }
            | Event::AttemptForgotten { .. }) => self.open.gather(event),
        }
    }

    /// Writes everything, inside the caller's transaction.
    pub(super) fn write(self, db: &Connection) -> rusqlite::Result<()> {
        for (changes, endpoint) in self.closed {
            changes.write(db)?;
            db.prepare_cached(END_DELIVERIES)?.execute([endpoint])?;
        }
        self.open.write(db)
    }
}

impl Changes {
    fn gather(&mut self, event: Event) {
        match event {
            Event::Accepted { message, application, targets } => {
                self.messages.push((application, message));
                for (endpoint, due_at) in targets {
                    let to = Some(Standing::Pending(due_at));
                    let change = Change { new: true, to, attempts: 0 };
                    self.deliveries.insert((endpoint, message), change);
                }
            },
            Event::Attempted { attempt, message, endpoint, status, then } => {
                self.attempts.push((endpoint, attempt, message, status));
                self.change(endpoint, message, then, 1);
            },
            Event::Moved { message, endpoint, to } => self.change(endpoint, message, Some(to), 0),
            Event::Ended { .. } => {},
            Event::Forgotten { message, application, endpoints } => {
                self.forgotten.push((application, message, endpoints));
            },
            Event::AttemptForgotten { attempt, message, endpoint } => {
                self.attempts_forgotten.push((endpoint, attempt, message));
            },
        }
    }

    fn change(&mut self, endpoint: u32, message: u64, to: Option<Standing>, attempts: u16) {
        let unchanged = Change { new: false, to: None, attempts: 0 };
        let change = self.deliveries.entry((endpoint, message)).or_insert(unchanged);
        change.to = to.or(change.to);
        change.attempts = change.attempts.saturating_add(attempts);
    }

    fn write(mut self, db: &Connection) -> rusqlite::Result<()> {
        self.write_messages(db)?;
        self.write_deliveries(db)?;
        self.write_attempts(db)?;
        self.forget(db)
    }

    fn write_messages(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.messages.sort_unstable();
        let mut statement = db.prepare_cached(INSERT_MESSAGE)?;
        for (application, message) in &self.messages {
            statement.execute(params![application, message])?;
        }
        Ok(())
    }

    fn write_deliveries(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut deliveries: Vec<_> = self.deliveries.drain().collect();
        deliveries.sort_unstable_by_key(|(key, _)| *key);
        let mut insert = db.prepare_cached(INSERT_DELIVERY)?;
        let mut update = db.prepare_cached(MOVE_DELIVERY)?;
        let mut count = db.prepare_cached(COUNT_ATTEMPTS)?;
        for ((endpoint, message), Change { new, to, attempts }) in deliveries {
            let Some(to) = to else {
                count.execute(params![endpoint, message, attempts])?;
                continue;
            };
            let (state, at) = columns(to);
            let statement: &mut CachedStatement<'_> = if new { &mut insert } else { &mut update };
            statement.execute(params![endpoint, message, state, at, attempts])?;
        }
        Ok(())
    }

    fn write_attempts(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.attempts.sort_unstable();
        let mut statement = db.prepare_cached(INSERT_BY_ENDPOINT)?;
        for (endpoint, attempt, message, status) in &self.attempts {
            statement.execute(params![endpoint, attempt, message, status])?;
        }
        self.attempts.sort_unstable_by_key(|&(_, attempt, message, _)| (message, attempt));
        let mut statement = db.prepare_cached(INSERT_BY_MESSAGE)?;
        for (endpoint, attempt, message, _) in &self.attempts {
            statement.execute(params![message, attempt, endpoint])?;
        }
        Ok(())
    }

    fn forget(&self, db: &Connection) -> rusqlite::Result<()> {
        for (application, message, endpoints) in &self.forgotten {
            db.prepare_cached(FORGET_MESSAGE)?.execute(params![application, message])?;
            for endpoint in endpoints {
                db.prepare_cached(FORGET_DELIVERY)?.execute(params![endpoint, message])?;
            }
        }
        for (endpoint, attempt, message) in &self.attempts_forgotten {
            db.prepare_cached(FORGET_BY_ENDPOINT)?.execute(params![endpoint, attempt])?;
            db.prepare_cached(FORGET_BY_MESSAGE)?.execute(params![message, attempt])?;
        }
        Ok(())
    }
}

const fn columns(standing: Standing) -> (u8, u64) {
    match standing {
        Standing::Delivered => (DELIVERED, 0),
        Standing::Pending(at) => (PENDING, at),
        Standing::Failed => (FAILED, 0),
        Standing::Cancelled => (CANCELLED, 0),
    }
}
