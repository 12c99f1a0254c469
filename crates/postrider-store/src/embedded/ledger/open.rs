//! What a start has to find out.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, RwLock},
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{LOW_WATER, Ledger};
use crate::{
    StoreError,
    embedded::{
        folder::MIGRATIONS,
        holdings::{Holdings, Waiting},
        numbers::Numbers,
        room::Room,
        row::{self, Head, Record},
    },
};

const GET_STATE: &str = "SELECT value FROM state WHERE key = ?1";

const LAST_COMMIT: &str = "SELECT position, coalesce(accepted, 0)
    FROM journal
    ORDER BY position DESC
    LIMIT 1";

const NEWEST: &str = "SELECT max(sequence) FROM messages";

const COUNT_PENDING: &str = "SELECT count(*) FROM pending";

/// The next lane: one seek for each endpoint, however long its lane is.
pub(in crate::embedded) const NEXT_LANE: &str = "SELECT endpoint
    FROM pending
    WHERE endpoint > ?1
    ORDER BY endpoint
    LIMIT 1";

const SPANS: &str = "SELECT minute, lowest, highest FROM expiring";

const MESSAGES_SINCE: &str = "SELECT sequence, head
    FROM messages
    WHERE sequence >= ?1 AND body IS NOT NULL";

const ATTEMPTS_SINCE: &str = "SELECT sequence, record FROM attempts WHERE sequence >= ?1";

const ENDED_SINCE: &str = "SELECT message, endpoint FROM ended WHERE message >= ?1";

impl Ledger {
    pub(in crate::embedded) fn open(db: Connection, room: Room) -> Result<Self, StoreError> {
        let newest: Option<u64> = db.query_row(NEWEST, [], |row| row.get(0))?;
        let numbers = Numbers::load(&db, newest.unwrap_or(0))?;
        let low_water = state(&db, LOW_WATER)?;
        let last = db.query_row(LAST_COMMIT, [], |row| Ok((row.get(0)?, row.get(1)?)));
        // The journal is never cut off up to its end.
        let (position, accepted) = last.optional()?.unwrap_or((0, 0));
        let mut ledger = Self {
            db,
            room,
            holdings: Holdings::default(),
            numbers: Arc::new(RwLock::new(numbers)),
            events: Vec::new(),
            position,
            accepted,
            changes: 0,
            low_water,
            low_water_next: None,
            since_mark: 0,
            marks: [0; 4],
            expiring: BTreeMap::new(),
            widened: Vec::new(),
            swept: 0,
            oldest: 0,
            retired: -1,
            let_go: Vec::new(),
            idle: Vec::new(),
            withdrawn: Vec::new(),
            trim: 0,
            trimmed: 0,
            written: 0,
            buffer: Vec::new(),
        };
        ledger.load_lanes()?;
        ledger.load_spans()?;
        ledger.begin()?;
        // Writes the first page of the file, whose counter then tells this start's file from
        // copies that were made before.
        ledger.db.pragma_update(None, "user_version", MIGRATIONS.len())?;
        ledger.revive()?;
        ledger.store_low_water(ledger.newest()?.max(low_water))?;
        ledger.commit()?;
        Ok(ledger)
    }

    pub(in crate::embedded) fn shared_numbers(&self) -> Arc<RwLock<Numbers>> {
        Arc::clone(&self.numbers)
    }

    pub(in crate::embedded) const fn position(&self) -> u64 {
        self.position
    }

    /// Messages that were ever accepted.
    pub(in crate::embedded) const fn accepted(&self) -> u64 {
        self.accepted
    }

    fn load_lanes(&mut self) -> Result<(), StoreError> {
        let mut last = -1_i64;
        while let Some(number) = self.next_lane(last)? {
            self.add_lane(number)?;
            self.look_for_next(number)?;
            self.look_for_head(number)?;
            last = number.into();
        }
        self.holdings.set_rows(self.db.query_row(COUNT_PENDING, [], |row| row.get(0))?);
        self.holdings.keep();
        Ok(())
    }

    fn next_lane(&self, after: i64) -> Result<Option<u32>, StoreError> {
        let mut statement = self.db.prepare_cached(NEXT_LANE)?;
        Ok(statement.query_row([after], |row| row.get(0)).optional()?)
    }

    fn load_spans(&mut self) -> Result<(), StoreError> {
        let mut statement = self.db.prepare(SPANS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.expiring.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
        }
        Ok(())
    }

    /// Gives a row to each delivery that was fresh when the process ended: one of a message
    /// from the low-water mark on that was never tried, never ended and has no row.
    fn revive(&mut self) -> Result<(), StoreError> {
        let known = self.tried_or_ended()?;
        let mut fresh = Vec::new();
        {
            let mut statement = self.db.prepare(MESSAGES_SINCE)?;
            let mut rows = statement.query([self.low_water])?;
            while let Some(row) = rows.next()? {
                let message = row::sequence(row, 0)?;
                let head = row::blob_of(row, 1)?;
                let head = row::decode_if_whole::<Head>("messages", message, head);
                let Some(head) = head else { continue };
                let free_at = head.first_due(message);
                let left = head.targets.iter().filter(|&&it| !known.contains(&(message, it)));
                fresh.extend(left.map(|&endpoint| (message, endpoint, free_at)));
            }
        }
        for (message, endpoint, free_at) in fresh {
            if self.find_waiting(message, endpoint)?.is_none() {
                self.wait(Waiting::first(message, endpoint, free_at))?;
            }
        }
        Ok(())
    }

    fn tried_or_ended(&self) -> Result<HashSet<(u64, u32)>, StoreError> {
        let mut known = HashSet::new();
        let mut statement = self.db.prepare(ATTEMPTS_SINCE)?;
        let mut rows = statement.query(params![self.low_water])?;
        while let Some(row) = rows.next()? {
            let record = row::blob_of(row, 1)?;
            let record =
                row::decode_if_whole::<Record<'_>>("attempts", row::sequence(row, 0)?, record);
            known.extend(record.map(|record| (record.message, record.endpoint)));
        }
        let mut statement = self.db.prepare(ENDED_SINCE)?;
        let mut rows = statement.query(params![self.low_water])?;
        while let Some(row) = rows.next()? {
            known.insert((row.get(0)?, row.get(1)?));
        }
        Ok(known)
    }
}

fn state(db: &Connection, key: &str) -> Result<u64, StoreError> {
    Ok(db.query_row(GET_STATE, [key], |row| row.get(0)).optional()?.unwrap_or(0))
}
