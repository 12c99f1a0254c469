//! Rebuilding the index from the main database, in steps between the batches of the index thread.
//!
//! The steps go from the newest rows to the oldest, so that the first pages of lists are there
//! first. A step runs when the index has applied exactly the journal that its reading transaction
//! sees. So the rows that it finds and the changes that follow never overlap, and what the index
//! has already is newer than what a step finds.

use std::time::Duration;

use postrider_core::pace::Pace;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::time::Instant;

use super::{
    counts::{Counts, Subjects},
    coverage::Coverage,
    indexer_error::IndexerError,
    part::PartReader,
    part_writer::PartWriter,
    recent::Recent,
    version::VERSION,
};
use crate::embedded::{number::MessageSequence, state};

/// Beyond all sequences, at the end of `SQLite`'s integers.
const END: u64 = u64::MAX >> 1;

/// The state of a rebuild. All of it that matters after a crash is in the index.
#[derive(Debug)]
pub(super) struct Rebuild {
    coverage: Coverage,
    pace: Pace,
    /// The same pace for each step.
    is_fixed: bool,
    /// When the next step is due.
    due_at: Instant,
    /// Messages that this process has found.
    found: u64,
}

impl Rebuild {
    /// A rebuild that has got as far as the coverage says.
    pub(super) fn new(coverage: Coverage, fixed: Option<Pace>) -> Self {
        Self {
            coverage,
            pace: fixed.unwrap_or(Pace::REBUILD),
            is_fixed: fixed.is_some(),
            due_at: Instant::now(),
            found: 0,
        }
    }

    pub(super) const fn coverage(&self) -> Coverage {
        self.coverage
    }

    pub(super) const fn found(&self) -> u64 {
        self.found
    }

    /// How long the index thread may wait before the next step.
    pub(super) fn wait(&self) -> Duration {
        self.due_at.saturating_duration_since(Instant::now())
    }

    /// Plans the next step after one that started then, on a store that was busy meanwhile or not.
    pub(super) fn plan(&mut self, started: Instant, is_busy: bool) {
        if !self.is_fixed {
            self.pace = self.pace.after_rebuilding(started.elapsed(), is_busy);
        }
        self.due_at = Instant::now() + self.pause();
    }

    /// Tries again after an error, a while later.
    pub(super) fn postpone(&mut self, wait: Duration) {
        self.due_at = Instant::now() + wait.max(self.pause());
    }

    fn pause(&self) -> Duration {
        // Longer pauses are for tests that need a rebuild that does not go on.
        self.pace.pause.min(Duration::from_secs(86_400))
    }
}

const OLDEST: &str = "SELECT min(sequence) FROM (
    SELECT min(sequence) AS sequence FROM messages
    UNION ALL
    SELECT min(sequence) FROM attempts
  )";

const NEWEST: &str = "SELECT max(sequence) FROM (
    SELECT max(sequence) AS sequence FROM messages
    UNION ALL
    SELECT max(sequence) FROM attempts
  )";

/// The coverage of a new index: none.
pub(super) fn start(main: &Connection) -> rusqlite::Result<Coverage> {
    let sequence = |sql| main.query_row(sql, [], |row| row.get::<_, Option<u64>>(0));
    let newest = sequence(NEWEST)?.unwrap_or(0);
    Ok(Coverage { first: END, oldest: sequence(OLDEST)?.unwrap_or(newest), newest })
}

/// The coverage of an index that is being rebuilt.
pub(super) fn resume(
    index: &Connection,
    main: &Connection,
) -> Result<Option<Coverage>, IndexerError> {
    let first: Option<u64> = state::get(index, state::COVERED_FROM)?;
    let newest: Option<u64> = state::get(index, state::NEWEST)?;
    let Some((first, newest)) = first.zip(newest) else { return Ok(None) };
    let started = start(main).map_err(IndexerError::Main)?;
    Ok(Some(Coverage { first, newest, oldest: started.oldest }))
}

/// Stores how far the rebuild is, inside the caller's transaction.
pub(super) fn store(index: &Connection, coverage: Coverage) -> rusqlite::Result<()> {
    if coverage.is_complete() {
        state::remove(index, state::COVERED_FROM)?;
        state::remove(index, state::NEWEST)?;
        return index.pragma_update(None, "user_version", VERSION);
    }
    state::set(index, state::COVERED_FROM, &coverage.first)?;
    state::set(index, state::NEWEST, &coverage.newest)
}

const FIRST_OF_MESSAGES: &str = "SELECT sequence
    FROM messages
    WHERE sequence < ?1
    ORDER BY sequence DESC
    LIMIT 1 OFFSET ?2";

const FIRST_OF_ATTEMPTS: &str = "SELECT sequence
    FROM attempts
    WHERE sequence < ?1
    ORDER BY sequence DESC
    LIMIT 1 OFFSET ?2";

impl Rebuild {
    /// Does a step. The index must have applied exactly what the transaction of the main database
    /// contains.
    pub(super) fn step(
        &mut self,
        index: &Connection,
        main: &Connection,
        (subjects, recent): (&mut Subjects, &mut Recent),
    ) -> Result<(), IndexerError> {
        let end = self.coverage.first;
        let first = self.next_first(main).map_err(IndexerError::Main)?;
        let coverage = Coverage { first, ..self.coverage };
        let part = PartReader { main, first, end }.read().map_err(IndexerError::Main)?;
        let found = part.messages.len() as u64;
        let mut counts = Counts::default();
        index.execute_batch("BEGIN IMMEDIATE")?;
        PartWriter { index, main, end, counts: &mut counts }.write(part)?;
        counts.write((index, main), subjects, recent)?;
        store(index, coverage)?;
        index.execute_batch("COMMIT")?;
        self.coverage = coverage;
        self.found += found;
        Ok(())
    }

    /// The first sequence of the next step: 0 if it is the last one.
    fn next_first(&self, main: &Connection) -> rusqlite::Result<u64> {
        let rows = self.pace.size.max(1) - 1;
        let nth = |sql| {
            let mut statement = main.prepare_cached(sql)?;
            let values = params![self.coverage.first, rows];
            let found = statement.query_row(values, |row| row.get::<_, MessageSequence>(0));
            Ok::<_, rusqlite::Error>(found.optional()?.map_or(0, |it| it.0))
        };
        Ok(nth(FIRST_OF_MESSAGES)?.max(nth(FIRST_OF_ATTEMPTS)?))
    }
}
