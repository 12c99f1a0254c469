//! The one writer: what it knows, and how a transaction begins and ends.
//!
//! Everything that writes runs here, on the commit thread, as work inside one transaction
//! with whatever else waits. The database and [`Holdings`] change together: work that is
//! refused is undone in both, and so is everything when the commit is refused.

mod append;
mod cancel;
mod claim;
mod erase;
mod expire;
mod import;
mod open;
mod records;
mod recover;
mod reserve;
mod rewrite;
mod settle;
mod sources;

pub(super) use self::{
    claim::Leased,
    erase::{Erasure, Remains},
    import::MARK,
    recover::Begun,
};
#[cfg(test)]
pub(super) use self::{
    claim::NEXT_OF_LANE,
    open::NEXT_LANE,
    sources::{FORGET, FORGET_OF, FORGET_OLD, FORGET_SURPLUS, REMOVE_OF},
};

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use postrider_core::{retry::RetryPlan, time::Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    holdings::{Fresh, Held, Holdings, Waiting},
    journal::Event,
    numbers::{Number, Numbers},
    room::Room,
    row, trouble,
};
use crate::StoreError;

/// How far the low-water mark may fall behind the newest message before the deliveries that
/// hold it back get rows: bounds what a start has to look through.
const FRESH_SPAN: u64 = 20_000;

#[derive(Debug)]
pub(super) struct Ledger {
    db: Connection,
    room: Room,
    holdings: Holdings,
    numbers: Arc<RwLock<Numbers>>,
    /// What this transaction changed, for the index.
    events: Vec<Event>,
    /// The last position of the journal: every commit that changed anything has one.
    position: u64,
    /// Messages that were ever accepted.
    accepted: u64,
    /// Rows that were changed before this transaction.
    changes: u64,
    /// The low-water mark as it is stored: no fresh delivery is of an older message.
    low_water: u64,
    /// The mark as this transaction stores it.
    low_water_next: Option<u64>,
    /// Messages appended since the mark moved last.
    since_mark: u64,
    /// The newest message when the mark moved the last times, oldest first.
    marks: [u64; 4],
    /// Spans of messages by the minute in which their bodies end.
    expiring: BTreeMap<u64, (u64, u64)>,
    /// Spans that this transaction widened.
    widened: Vec<u64>,
    /// Old messages were looked at up to here.
    swept: u64,
    /// The oldest message when event types were looked at last.
    oldest: u64,
    /// Endpoints that were removed were looked at up to here.
    retired: i64,
    /// Event types of messages that this transaction removes.
    let_go: Vec<u32>,
    /// Event types that no message may have any more.
    idle: Vec<u32>,
    /// Numbers that this transaction takes back.
    withdrawn: Vec<Number>,
    /// The journal may be cut off up to here.
    trim: u64,
    trimmed: u64,
    /// Bytes written since the transaction began, roughly.
    written: usize,
    buffer: Vec<u8>,
}

/// What a commit leaves for others.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) position: u64,
    pub(super) events: Vec<Event>,
    /// Bytes that the write-ahead log grew by, roughly.
    pub(super) bytes: usize,
}

const INSERT_PENDING: &str =
    "INSERT INTO pending (endpoint, free_at, message, attempt, flags, due_at, resume_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

pub(super) const DELETE_PENDING: &str =
    "DELETE FROM pending WHERE endpoint = ?1 AND free_at = ?2 AND message = ?3";

pub(super) const FIND_PENDING: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE message = ?1 AND endpoint = ?2";

pub(super) const FIRST_PENDING: &str = "SELECT free_at, message
    FROM pending
    WHERE endpoint = ?1 AND free_at < ?2
    ORDER BY free_at, message";

pub(super) const ORDER_OF_LANE: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2
    ORDER BY free_at, message";

/// Where places in orders begin; beyond all times. A message's place is this and its
/// sequence.
const ORDER: u64 = 1 << 62;

const INSERT_ENDED: &str = "INSERT OR IGNORE INTO ended (message, endpoint) VALUES (?1, ?2)";

const FORGET_ENDED: &str = "DELETE FROM ended WHERE message < ?1";

const SET_STATE: &str = "INSERT INTO state (key, value) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const INSERT_JOURNAL: &str = "INSERT INTO journal (position, events, accepted) VALUES (?1, ?2, ?3)";

const TRIM_JOURNAL: &str = "DELETE FROM journal WHERE position <= ?1";

/// As much as a common message.
const PROBE: &str = "INSERT INTO reservations (key, fingerprint, response, answered_at)
    VALUES (x'00', x'', zeroblob(65536), 0)";

const LOW_WATER: &str = "low_water";

const MANUAL: u8 = 1;
const REPORTED: u8 = 2;
/// The attempt was requested and is the only one.
const ONCE: u8 = 4;

const IS_DISABLED: &str = "SELECT json_extract(record, '$.disabled') FROM endpoints WHERE id = ?1";

impl Ledger {
    pub(super) fn numbers(&self) -> RwLockReadGuard<'_, Numbers> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn numbers_mut(&self) -> RwLockWriteGuard<'_, Numbers> {
        self.numbers.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        self.written = 0;
        self.changes = self.db.total_changes();
        Ok(self.db.prepare_cached("BEGIN")?.execute([]).map(drop)?)
    }

    /// Does a piece of work wholly or not at all.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.db.is_autocommit() {
            return Err(StoreError::Unavailable("the transaction was given up".into()));
        }
        let (mark, events) = (self.holdings.mark(), self.events.len());
        let (low_water_next, widened) = (self.low_water_next, self.widened.len());
        let (withdrawn, let_go) = (self.withdrawn.len(), self.let_go.len());
        self.db.prepare_cached("SAVEPOINT work")?.execute([])?;
        let result = work(self);
        if let Err(error) = &result {
            if matches!(error, StoreError::Full(_)) {
                self.room.note_refused(true);
            }
            self.holdings.undo_to(mark);
            self.events.truncate(events);
            self.low_water_next = low_water_next;
            self.forget_spans(widened);
            self.restore_numbers(withdrawn, let_go);
            if !self.db.is_autocommit() {
                self.db.prepare_cached("ROLLBACK TO work")?.execute([])?;
            }
        }
        if !self.db.is_autocommit() {
            self.db.prepare_cached("RELEASE work")?.execute([])?;
        }
        result
    }

    /// An error if there is no room for new messages.
    pub(super) fn require_room(&mut self) -> Result<(), StoreError> {
        self.room.require(&self.db)
    }

    /// An error if new messages are refused. After a refusal, a write that is undone tells
    /// whether there is room again.
    pub(super) fn check_writable(&mut self) -> Result<(), StoreError> {
        self.room.look(&self.db)?;
        if !self.room.is_refused() {
            return Ok(());
        }
        let probed = self.attempt(|ledger| {
            ledger.db.prepare_cached(PROBE)?.execute([])?;
            Err::<(), _>(StoreError::Conflict { what: "room" })
        });
        if let Err(error @ StoreError::Full(_)) = probed {
            return Err(error);
        }
        self.room.note_refused(false);
        Ok(())
    }

    /// Whether a log that is cut off may make room now.
    pub(super) const fn takes_cut(&mut self) -> bool {
        self.room.takes_cut()
    }

    /// How many deliveries wait that nobody holds, and since when the first of them is due.
    pub(super) fn waiting_now(&self) -> (u64, Option<u64>) {
        let waiting = self.holdings.rows().saturating_sub(self.holdings.held_count());
        (waiting, self.holdings.due().next().map(|(next, _)| next))
    }

    /// Ends the transaction: all that was done in it is durable, or none of it was done.
    pub(super) fn commit(&mut self) -> Result<Committed, StoreError> {
        match self.try_commit() {
            Ok(accepted) => {
                self.holdings.keep();
                self.widened.clear();
                self.low_water = self.low_water_next.take().unwrap_or(self.low_water);
                self.room.written(self.written);
                if let Some(accepted) = accepted {
                    if accepted > self.accepted {
                        self.room.note_refused(false);
                    }
                    self.position += 1;
                    self.accepted = accepted;
                }
                self.numbers_mut().saved();
                self.forget_numbers();
                self.trimmed = self.trim;
                let events = std::mem::take(&mut self.events);
                Ok(Committed { position: self.position, events, bytes: self.written })
            },
            Err(error) => {
                if !self.db.is_autocommit() {
                    drop(self.db.execute_batch("ROLLBACK"));
                }
                if matches!(error, StoreError::Full(_)) {
                    self.room.note_refused(true);
                }
                self.holdings.undo_to(0);
                self.events.clear();
                self.low_water_next = None;
                self.forget_spans(0);
                self.restore_numbers(0, 0);
                Err(error)
            },
        }
    }

    /// A span that was not stored is noted again by the next message.
    fn forget_spans(&mut self, mark: usize) {
        for minute in self.widened.drain(mark..) {
            self.expiring.remove(&minute);
        }
    }

    fn low_water(&self) -> u64 {
        self.low_water_next.unwrap_or(self.low_water)
    }

    /// Commits; if anything changed, how many messages were ever accepted.
    fn try_commit(&mut self) -> Result<Option<u64>, StoreError> {
        if self.db.is_autocommit() {
            return Err(StoreError::Full("the transaction was given up".into()));
        }
        if self.since_mark >= FRESH_SPAN / 4 {
            self.advance_low_water()?;
        }
        if self.numbers().has_unsaved() {
            self.numbers().save(&self.db)?;
        }
        let changed = !self.events.is_empty() || self.db.total_changes() != self.changes;
        let accepted = changed.then(|| self.accepted + accepted_in(&self.events));
        if accepted.is_some() {
            let blob = row::encode(&self.events, &mut self.buffer);
            let values = params![self.position + 1, blob, accepted];
            self.db.prepare_cached(INSERT_JOURNAL)?.execute(values)?;
            if self.trim > self.trimmed {
                self.db.prepare_cached(TRIM_JOURNAL)?.execute([self.trim])?;
            }
            self.written += self.buffer.len();
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(accepted)
    }

    /// The index has everything up to this position for good.
    pub(super) const fn let_go_of_journal(&mut self, position: u64) {
        self.trim = position;
    }

    /// Helps the low-water mark on if it lags behind, and moves it.
    fn advance_low_water(&mut self) -> Result<(), StoreError> {
        self.since_mark = 0;
        self.marks.rotate_left(1);
        self.marks[3] = self.newest()?;
        self.give_rows(self.marks[0])?;
        self.move_low_water()
    }

    /// Moves the low-water mark as far as it goes.
    fn move_low_water(&mut self) -> Result<(), StoreError> {
        let target = match self.holdings.oldest_fresh() {
            Some(oldest) => oldest,
            None => self.newest()?.max(self.low_water()),
        };
        self.store_low_water(target)
    }

    /// Gives rows to what is still fresh, so that the next start has nothing to look for.
    pub(super) fn retire(&mut self) {
        let retired = self
            .begin()
            .and_then(|()| self.attempt(Self::give_all_rows))
            .and_then(|()| self.commit().map(drop));
        if let Err(error) = retired {
            // The next start looks for it then.
            tracing::warn!(error = &error as &dyn std::error::Error, "the store ends untidily");
        }
    }

    fn give_all_rows(&mut self) -> Result<(), StoreError> {
        self.give_rows(u64::MAX)?;
        let newest = self.newest()?;
        self.store_low_water(newest.max(self.low_water()))
    }

    /// Gives rows to fresh deliveries of messages before this one; who holds them does so on.
    fn give_rows(&mut self, before: u64) -> Result<(), StoreError> {
        let old: Vec<_> = self
            .holdings
            .all_fresh()
            .map(|(key, _)| key)
            .take_while(|&(message, _)| message < before)
            .collect();
        old.into_iter().try_for_each(|(message, endpoint)| self.give_row(message, endpoint))
    }

    /// Gives a fresh delivery a row; who holds it does so on.
    fn give_row(&mut self, message: u64, endpoint: u32) -> Result<(), StoreError> {
        let Some(Fresh { until, due_at }) = self.holdings.fresh(message, endpoint) else {
            return Ok(());
        };
        self.holdings.set_fresh((message, endpoint), None);
        self.hold_row(Waiting::first(message, endpoint, due_at), until)
    }

    /// Gives a delivery a row that somebody holds.
    fn hold_row(&mut self, waiting: Waiting, until: u64) -> Result<(), StoreError> {
        self.insert_row(waiting)?;
        self.holdings.set_held((waiting.endpoint, waiting.message), Some(Held { until, waiting }));
        if waiting.in_order { self.look_for_head(waiting.endpoint) } else { Ok(()) }
    }

    fn store_low_water(&mut self, target: u64) -> Result<(), StoreError> {
        if target == self.low_water() {
            return Ok(());
        }
        self.db.prepare_cached(SET_STATE)?.execute(params![LOW_WATER, target])?;
        self.db.prepare_cached(FORGET_ENDED)?.execute([target])?;
        self.low_water_next = Some(target);
        Ok(())
    }

    /// Behind the newest message.
    fn newest(&self) -> Result<u64, StoreError> {
        let newest: Option<u64> = self
            .db
            .prepare_cached("SELECT max(sequence) FROM messages")?
            .query_row([], |row| row.get(0))?;
        Ok(newest.map_or(0, |newest| newest + 1))
    }

    pub(super) fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
        let flags: u8 = row.get(4)?;
        let due_at: Option<u64> = row.get(5)?;
        let resume_at: Option<u64> = row.get(6)?;
        let retry_plan = match resume_at {
            _ if flags & ONCE != 0 => RetryPlan::Once,
            Some(at) => RetryPlan::Resume(Timestamp::from_millis(at)),
            None => RetryPlan::Schedule,
        };
        Ok(Waiting {
            endpoint: row.get(0)?,
            free_at: due_at.map_or_else(|| row.get(1), Ok)?,
            message: row.get(2)?,
            attempt: row.get(3)?,
            manual: flags & MANUAL != 0,
            retry_plan,
            reported: flags & REPORTED != 0,
            in_order: due_at.is_some(),
        })
    }

    /// Gives a delivery a row, which nobody holds.
    fn wait(&mut self, waiting: Waiting) -> Result<(), StoreError> {
        self.insert_row(waiting)?;
        self.offer(waiting)
    }

    /// Takes note of a row that nobody holds any more.
    fn offer(&mut self, waiting: Waiting) -> Result<(), StoreError> {
        if waiting.in_order {
            return self.look_for_head(waiting.endpoint);
        }
        self.holdings.hasten(waiting.endpoint, waiting.free_at);
        Ok(())
    }

    fn insert_row(&mut self, waiting: Waiting) -> Result<(), StoreError> {
        let Waiting { endpoint, free_at, message, attempt, in_order, .. } = waiting;
        let due_at = in_order.then_some(free_at);
        let resume_at = match waiting.retry_plan {
            RetryPlan::Resume(at) => Some(at.as_millis()),
            RetryPlan::Schedule | RetryPlan::Once => None,
        };
        self.db.prepare_cached(INSERT_PENDING)?.execute(params![
            endpoint,
            place(waiting),
            message,
            attempt,
            flags(waiting),
            due_at,
            resume_at
        ])?;
        self.holdings.set_rows(self.holdings.rows() + 1);
        self.written += 256;
        if self.holdings.knows_lane(endpoint) { Ok(()) } else { self.add_lane(endpoint) }
    }

    /// Makes a lane that has nothing yet.
    fn add_lane(&mut self, endpoint: u32) -> Result<(), StoreError> {
        let (id, application) = {
            let numbers = self.numbers();
            (numbers.endpoint(endpoint)?, numbers.application_of(endpoint)?)
        };
        self.holdings.add_lane(endpoint, id, application);
        let is_disabled = {
            let mut statement = self.db.prepare_cached(IS_DISABLED)?;
            statement.query_row([row::blob(id.as_u128())], |row| row.get(0)).optional()?
        };
        self.holdings.set_paused(endpoint, is_disabled.unwrap_or(false));
        Ok(())
    }

    /// Takes the delivery's row away, whoever holds it.
    fn leave(&mut self, waiting: Waiting) -> Result<(), StoreError> {
        let Waiting { endpoint, free_at, message, in_order, .. } = waiting;
        let key = params![endpoint, place(waiting), message];
        self.db.prepare_cached(DELETE_PENDING)?.execute(key)?;
        self.holdings.set_rows(self.holdings.rows().saturating_sub(1));
        self.written += 128;
        let was_held = self.holdings.held(endpoint, message).is_some();
        if was_held {
            self.holdings.set_held((endpoint, message), None);
        }
        if in_order {
            self.look_for_head(endpoint)?;
        } else if !was_held && self.holdings.next(endpoint) == Some(free_at) {
            self.look_for_next(endpoint)?;
        }
        Ok(())
    }

    /// Finds out anew when the lane is due.
    fn look_for_next(&mut self, endpoint: u32) -> Result<(), StoreError> {
        let next = {
            let mut statement = self.db.prepare_cached(FIRST_PENDING)?;
            let mut rows = statement.query(params![endpoint, ORDER])?;
            loop {
                let Some(row) = rows.next()? else { break None };
                let (free_at, message) = (row.get(0)?, row.get(1)?);
                if self.holdings.held(endpoint, message).is_none() {
                    break Some(free_at);
                }
            }
        };
        self.holdings.set_next(endpoint, next);
        Ok(())
    }

    /// Finds out anew when the first of the lane's order is due.
    fn look_for_head(&mut self, endpoint: u32) -> Result<(), StoreError> {
        let first = {
            let mut statement = self.db.prepare_cached(ORDER_OF_LANE)?;
            statement.query_row(params![endpoint, ORDER], Self::waiting).optional()?
        };
        let is_free = |it: &Waiting| self.holdings.held(endpoint, it.message).is_none();
        let head = first.filter(is_free).map(|it| it.free_at);
        self.holdings.set_head(endpoint, head);
        Ok(())
    }

    fn find_waiting(&self, message: u64, endpoint: u32) -> Result<Option<Waiting>, StoreError> {
        let mut statement = self.db.prepare_cached(FIND_PENDING)?;
        Ok(statement.query_row([message, endpoint.into()], Self::waiting).optional()?)
    }

    /// A fresh delivery gets a row, since it outlives its first lease.
    fn stay(&mut self, message: u64, endpoint: u32, fresh: Fresh) -> Result<(), StoreError> {
        self.holdings.set_fresh((message, endpoint), None);
        self.wait(Waiting::first(message, endpoint, fresh.due_at))
    }

    /// Notes that a delivery which might count as fresh after a restart has ended.
    fn note_ended(&mut self, message: u64, endpoint: u32) -> Result<(), StoreError> {
        if message >= self.low_water() {
            self.db.prepare_cached(INSERT_ENDED)?.execute([message, endpoint.into()])?;
        }
        Ok(())
    }

    fn number_of(&self, endpoint: postrider::EndpointId) -> Option<u32> {
        self.numbers().number_of_endpoint(endpoint)
    }
}

fn accepted_in(events: &[Event]) -> u64 {
    events.iter().filter(|it| matches!(it, Event::Accepted { .. })).count() as u64
}

fn flags(waiting: Waiting) -> u8 {
    let once = u8::from(waiting.retry_plan == RetryPlan::Once) * ONCE;
    u8::from(waiting.manual) * MANUAL + u8::from(waiting.reported) * REPORTED + once
}

/// Where a row stands among those of its lane.
const fn place(waiting: Waiting) -> u64 {
    if waiting.in_order { ORDER + waiting.message } else { waiting.free_at }
}

/// A record of the catalog does not decode.
fn damaged(error: serde_json::Error) -> rusqlite::Error {
    trouble::undecodable(error)
}
