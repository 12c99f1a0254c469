//! The table `recent`: numbers of large batches that are not in the rollups yet.
//!
//! A batch about very many subjects would change a row of the rollups for each subject and each
//! resolution, and the next batch most of these rows again. So a large batch is stored as it is, in
//! a few sorted rows. Several batches together are added to the rollups, in steps. A step is one
//! transaction, so a crash repeats or loses none of it. Readers add up both tables.

use std::time::Duration;

use postrider::ApplicationId;
use postrider_core::{
    statistics::{self, Counters, MinuteCounts, Resolution, Subject},
    time::Timestamp,
};
use rusqlite::{Connection, params};
use tokio::time::Instant;

use super::rollups;
use crate::embedded::{error::Inconsistency, row};

/// How long batches are collected.
const COLLECTED: Duration = Duration::from_secs(60);

/// How much is collected, and how much of it is added to the rollups at a time.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Sizes {
    /// A batch with fewer numbers is added to the rollups at once.
    pub(in crate::embedded) large: usize,
    /// Numbers in a row, or a few more: those of a subject are in one row.
    pub(in crate::embedded) row: usize,
    /// Rows that a step adds to the rollups. Searches that need the latest changes wait for it.
    pub(in crate::embedded) step: usize,
    /// Batches that are added to the rollups together. Readers look into each of them.
    pub(in crate::embedded) batches: usize,
}

impl Sizes {
    pub(in crate::embedded) const fn new(large: usize) -> Self {
        Self { large, row: 64, step: 128, batches: 64 }
    }
}

/// The batches of which some are in the table.
#[derive(Debug)]
pub(in crate::embedded) struct Recent {
    sizes: Sizes,
    /// The number of the next batch.
    batch: u64,
    /// Batches of this generation are collected; those of earlier ones are added to the rollups.
    generation: u64,
    /// Batches of this generation, and when the first of them came.
    collected: usize,
    since: Instant,
    /// There may be rows of earlier generations.
    is_adding: bool,
    /// Rows that came since [`Self::take_steps`] was called last.
    new: usize,
}

const NEWEST: &str = "SELECT (SELECT max(batch) FROM recent), (SELECT max(generation) FROM recent)";

impl Recent {
    /// What an earlier process has left is added to the rollups next.
    pub(in crate::embedded) fn open(index: &Connection, sizes: Sizes) -> rusqlite::Result<Self> {
        let (batch, generation): (Option<u64>, Option<u64>) =
            index.query_row(NEWEST, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            sizes,
            batch: batch.map_or(1, |it| it + 1),
            generation: generation.map_or(1, |it| it + 1),
            collected: 0,
            since: Instant::now(),
            is_adding: generation.is_some(),
            new: 0,
        })
    }
}

const INSERT: &str = "INSERT INTO recent (generation, batch, first, minutes)
    VALUES (?1, ?2, ?3, ?4)";

impl Recent {
    /// Adds a batch, in the order of its subjects, inside the caller's transaction.
    pub(in crate::embedded) fn add(
        &mut self,
        index: &Connection,
        minutes: Vec<MinuteCounts>,
    ) -> rusqlite::Result<()> {
        if minutes.len() < self.sizes.large {
            return rollups::add(index, &statistics::add_up(minutes));
        }
        let mut insert = index.prepare_cached(INSERT)?;
        let mut buffer = Vec::new();
        for part in rows(&minutes, self.sizes.row) {
            let first = part[0].subject.to_bytes();
            let blob = encode(part, &mut buffer);
            insert.execute(params![self.generation, self.batch, first, blob])?;
            self.new += 1;
        }
        if self.collected == 0 {
            self.since = Instant::now();
        }
        self.collected += 1;
        self.batch += 1;
        Ok(())
    }
}

/// Splits numbers into parts of about this many, each with all numbers of its subjects.
fn rows(mut minutes: &[MinuteCounts], about: usize) -> impl Iterator<Item = &[MinuteCounts]> {
    std::iter::from_fn(move || {
        let length = minutes.len().min(about);
        let last = minutes[..length].last()?;
        let more = minutes[length..].iter().take_while(|it| it.subject == last.subject).count();
        let (part, rest) = minutes.split_at(length + more);
        minutes = rest;
        Some(part)
    })
}

fn encode<'b>(minutes: &[MinuteCounts], buffer: &'b mut Vec<u8>) -> &'b [u8] {
    let stored = minutes.iter().map(|it| (it.subject.to_bytes(), number(it.start), &it.counters));
    row::encode(&stored.collect::<Vec<_>>(), buffer)
}

/// The number of a minute.
const fn number(start: Timestamp) -> u64 {
    start.as_millis() / Resolution::Minute.millis()
}

/// A number as it is stored: the bytes of the subject, the minute, and the counters.
type Stored<'a> = (&'a [u8], u64, Counters);

const fn minute(number: u64) -> Timestamp {
    Timestamp::from_millis(number.saturating_mul(Resolution::Minute.millis()))
}

fn decode(blob: &[u8]) -> rusqlite::Result<Vec<MinuteCounts>> {
    let stored: Vec<Stored<'_>> = row::decode(blob)?;
    let opened = |(subject, start, counters): Stored<'_>| -> rusqlite::Result<MinuteCounts> {
        let subject = Subject::from_bytes(subject).ok_or(Inconsistency::UnknownVersion)?;
        Ok(MinuteCounts { subject, start: minute(start), counters })
    };
    stored.into_iter().map(opened).collect()
}

pub(in crate::embedded) const NEXT_ROWS: &str = "SELECT id, minutes
    FROM recent
    WHERE generation < ?1
    ORDER BY generation, first
    LIMIT ?2";

const REMOVE: &str = "DELETE FROM recent WHERE id = ?1";

impl Recent {
    /// Adds the next rows to the rollups, if it is time; `true` if there are more. Rows next to
    /// each other have the same subjects, whose numbers are so added up before they are written.
    pub(in crate::embedded) fn step(
        &mut self,
        index: &Connection,
        is_idle: bool,
    ) -> rusqlite::Result<bool> {
        if !self.is_adding {
            if !self.is_due(self.since.elapsed(), is_idle) {
                return Ok(false);
            }
            self.generation += 1;
            self.collected = 0;
            self.is_adding = true;
        }
        index.execute_batch("BEGIN IMMEDIATE")?;
        let (ids, minutes) = self.next_rows(index)?;
        rollups::add(index, &statistics::add_up(minutes))?;
        let mut remove = index.prepare_cached(REMOVE)?;
        for id in &ids {
            remove.execute([id])?;
        }
        index.execute_batch("COMMIT")?;
        self.is_adding = ids.len() >= self.sizes.step;
        Ok(self.is_adding)
    }

    /// How many steps should follow each other now, so that rows are added to the rollups twice as
    /// fast as new ones come.
    pub(in crate::embedded) const fn take_steps(&mut self) -> usize {
        2 + 2 * std::mem::replace(&mut self.new, 0) / self.sizes.step
    }

    /// Whether it is time to add the collected batches, the first of which has this age.
    fn is_due(&self, age: Duration, is_idle: bool) -> bool {
        let is_old = is_idle || age >= COLLECTED;
        self.collected >= self.sizes.batches || (self.collected > 0 && is_old)
    }

    fn next_rows(&self, index: &Connection) -> rusqlite::Result<(Vec<i64>, Vec<MinuteCounts>)> {
        let (mut ids, mut minutes) = (Vec::new(), Vec::new());
        let mut statement = index.prepare_cached(NEXT_ROWS)?;
        let mut rows = statement.query(params![self.generation, self.sizes.step])?;
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
            minutes.append(&mut decode(row::blob_of(row, 1)?)?);
        }
        Ok((ids, minutes))
    }
}

pub(in crate::embedded) const NEXT_BATCH: &str = "SELECT min(batch) FROM recent WHERE batch >= ?1";

fn batches(index: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut statement = index.prepare_cached(NEXT_BATCH)?;
    let mut found = Vec::new();
    let mut from = 0_u64;
    while let Some(batch) = statement.query_row([from], |row| row.get::<_, Option<u64>>(0))? {
        found.push(batch);
        from = batch + 1;
    }
    Ok(found)
}

pub(in crate::embedded) const ROW_OF_SUBJECT: &str = "SELECT minutes
    FROM recent
    WHERE batch = ?1 AND first <= ?2
    ORDER BY first DESC
    LIMIT 1";

/// The numbers of a subject by minute, some minutes several times.
pub(in crate::embedded) fn of_subject(
    index: &Connection,
    subject: &Subject,
) -> rusqlite::Result<Vec<(Timestamp, Counters)>> {
    let bytes = subject.to_bytes();
    let mut statement = index.prepare_cached(ROW_OF_SUBJECT)?;
    let mut found = Vec::new();
    for batch in batches(index)? {
        let mut rows = statement.query(params![batch, bytes])?;
        let Some(row) = rows.next()? else { continue };
        let stored: Vec<Stored<'_>> = row::decode(row::blob_of(row, 0)?)?;
        let own = stored.into_iter().filter(|(subject, ..)| *subject == bytes);
        found.extend(own.map(|(_, start, counters)| (minute(start), counters)));
    }
    Ok(found)
}

const ALL: &str = "SELECT minutes FROM recent";

/// Visits all numbers, some subjects and minutes several times.
pub(in crate::embedded) fn visit(
    index: &Connection,
    mut visit: impl FnMut(MinuteCounts),
) -> rusqlite::Result<()> {
    let mut statement = index.prepare_cached(ALL)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        decode(row::blob_of(row, 0)?)?.into_iter().for_each(&mut visit);
    }
    Ok(())
}

pub(in crate::embedded) const ROWS_BETWEEN: &str = "SELECT id, minutes
    FROM recent
    WHERE batch = ?1 AND first >= ?2 AND first < ?3";

pub(in crate::embedded) const LAST_UNTIL: &str =
    "SELECT max(first) FROM recent WHERE batch = ?1 AND first <= ?2";

const REPLACE: &str = "UPDATE recent SET minutes = ?2 WHERE id = ?1";

/// Removes the numbers of an application and of everything that belongs to it.
pub(in crate::embedded) fn erase(
    index: &Connection,
    application: ApplicationId,
) -> rusqlite::Result<()> {
    // Every subject of the application starts with its id.
    let from = row::blob(application.as_u128());
    let end = row::blob(application.as_u128().saturating_add(1));
    for batch in batches(index)? {
        let mut statement = index.prepare_cached(LAST_UNTIL)?;
        let last: Option<Vec<u8>> = statement.query_row(params![batch, from], |row| row.get(0))?;
        let first = last.unwrap_or_else(|| from.to_vec());
        let mut statement = index.prepare_cached(ROWS_BETWEEN)?;
        let found = statement.query_map(params![batch, first, end], |row| {
            Ok((row.get::<_, i64>(0)?, decode(row::blob_of(row, 1)?)?))
        })?;
        for (id, minutes) in found.collect::<rusqlite::Result<Vec<_>>>()? {
            erase_from_row(index, (id, minutes), application)?;
        }
    }
    Ok(())
}

fn erase_from_row(
    index: &Connection,
    (id, mut minutes): (i64, Vec<MinuteCounts>),
    application: ApplicationId,
) -> rusqlite::Result<()> {
    minutes.retain(|it| it.subject.application() != Some(application));
    if minutes.is_empty() {
        return index.prepare_cached(REMOVE)?.execute([id]).map(drop);
    }
    let mut buffer = Vec::new();
    let blob = encode(&minutes, &mut buffer);
    index.prepare_cached(REPLACE)?.execute(params![id, blob]).map(drop)
}
