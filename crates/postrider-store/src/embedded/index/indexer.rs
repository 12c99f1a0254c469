//! The index thread: collects changes in a batch, and decides when to write it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::watch;

use super::{
    batch::Batch,
    checkpoint::IndexCheckpoints,
    counts::Subjects,
    feed::{Progress, Shared, Update},
    rollups,
};
use crate::embedded::{
    checkpoint, database, error::IndexError, files, journal::Change, number::JournalPosition, row,
    state, sync_failure::SyncFailure,
};

/// Changes that are written at once, if no reader waits for fewer.
const ROWS: usize = 32_768;

/// How long changes are collected, if no reader waits for them.
const LINGER: Duration = Duration::from_secs(1);

/// The length of the index's log, in pages, at which it is copied into the file.
const LONG_LOG: usize = 16_384;

#[derive(Debug)]
pub(in crate::embedded) struct Indexer {
    path: PathBuf,
    index: Connection,
    /// Reads the journal.
    main: Connection,
    batch: Batch,
    subjects: Subjects,
    /// The position of the index file. Never ahead of `collected`.
    applied: JournalPosition,
    /// The position of the batch. A commit is collected only if it directly follows this one.
    collected: JournalPosition,
    /// Batches written since the last checkpoint.
    batches: usize,
}

impl Indexer {
    pub(super) fn new(
        path: PathBuf,
        index: Connection,
        main: Connection,
        (applied, subjects): (JournalPosition, Subjects),
    ) -> Self {
        let batch = Batch::default();
        Self { path, index, main, batch, subjects, applied, collected: applied, batches: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn applied(&self) -> JournalPosition {
        self.applied
    }

    /// Runs until all senders of updates are dropped.
    pub(super) fn run(
        mut self,
        (updates, shared): (&Receiver<Update>, &Shared),
        checkpoints: IndexCheckpoints,
        progress: &watch::Sender<Progress>,
        sync: &SyncFailure,
    ) {
        loop {
            let first = updates.recv_timeout(LINGER);
            let is_ending = matches!(first, Err(RecvTimeoutError::Disconnected));
            let is_idle = first.is_err();
            self.collect(first.ok(), updates);
            if let Err(error) = self.advance(shared, &checkpoints, progress, is_idle) {
                tracing::warn!(error = &error as &dyn std::error::Error, "the index fell behind");
                let is_failed_sync = sync.note(files::INDEX, &error);
                // Readers that wait receive the error rather than wait for the next attempt.
                let error = Some(Arc::new(IndexError(error).into()));
                progress.send_replace(Progress { applied: self.applied, error });
                if is_failed_sync {
                    break;
                }
                self.restart();
            }
            if is_ending || sync.has_occurred() {
                break;
            }
        }
        drop(checkpoints);
        if !sync.has_occurred() {
            drop(checkpoint::truncate(&self.index));
        }
        sync.close((self.index, self.main));
    }

    /// Collects the updates that are queued.
    fn collect(&mut self, first: Option<Update>, updates: &Receiver<Update>) {
        let mut next = first;
        while let Some(update) = next {
            // After a gap, the commit is read from the journal together with the missing ones.
            if let Update::Committed(position, changes) = update
                && position == self.collected.next()
            {
                self.add(position, changes);
            }
            if self.batch.len() >= ROWS {
                return;
            }
            next = updates.try_recv().ok();
        }
    }

    fn add(&mut self, position: JournalPosition, changes: Vec<Change>) {
        self.collected = position;
        for change in changes {
            self.batch.add(change);
        }
    }

    /// Writes the batch if a reader waits, if it is large, or if there is nothing else to do.
    fn advance(
        &mut self,
        shared: &Shared,
        checkpoints: &IndexCheckpoints,
        progress: &watch::Sender<Progress>,
        is_idle: bool,
    ) -> rusqlite::Result<()> {
        let wanted = shared.wanted();
        let has_gap = wanted > self.collected || (is_idle && shared.offered() > self.collected);
        if has_gap {
            self.read_journal(progress)?;
        }
        if is_idle || wanted > self.applied || self.batch.len() >= ROWS {
            self.write(progress)?;
            rollups::expire(&self.index, &shared.kept())?;
            self.checkpoint(checkpoints, is_idle)?;
        }
        Ok(())
    }

    /// Collects commits that were not queued in time, or that an earlier process left.
    fn read_journal(&mut self, progress: &watch::Sender<Progress>) -> rusqlite::Result<()> {
        loop {
            if self.batch.len() >= ROWS {
                self.write(progress)?;
            }
            let found = self.next_in_journal()?;
            if found.is_empty() {
                return Ok(());
            }
            for (position, changes) in found {
                self.add(position, changes);
            }
        }
    }
}

pub(in crate::embedded) const READ_JOURNAL: &str =
    "SELECT position, events FROM journal WHERE position > ?1 ORDER BY position";

impl Indexer {
    /// The next commits, limited so that the batch does not become much larger than [`ROWS`].
    fn next_in_journal(&self) -> rusqlite::Result<Vec<(JournalPosition, Vec<Change>)>> {
        let mut statement = self.main.prepare_cached(READ_JOURNAL)?;
        let mut rows = statement.query([self.collected])?;
        let mut found = Vec::new();
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let changes: Vec<Change> = row::decode(row::blob_of(row, 1)?)?;
            count += changes.len();
            found.push((row.get(0)?, changes));
            if count >= ROWS / 4 {
                break;
            }
        }
        Ok(found)
    }

    /// Writes the batch together with its position, so that a crash repeats or loses none of it.
    fn write(&mut self, progress: &watch::Sender<Progress>) -> rusqlite::Result<()> {
        if self.collected == self.applied {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        let counts = batch.take_counts();
        self.index.execute_batch("BEGIN IMMEDIATE")?;
        batch.write(&self.index)?;
        counts.write(&self.index, &self.main, &mut self.subjects)?;
        state::set(&self.index, state::APPLIED, &self.collected)?;
        self.index.execute_batch("COMMIT")?;
        self.applied = self.collected;
        self.batches += 1;
        progress.send_replace(Progress::at(self.applied));
        Ok(())
    }

    /// Requests a checkpoint now and then. Only a checkpoint makes a position durable, and so
    /// lets the journal be trimmed.
    fn checkpoint(
        &mut self,
        checkpoints: &IndexCheckpoints,
        is_idle: bool,
    ) -> rusqlite::Result<()> {
        let pages = database::log_pages(&self.index);
        if pages >= 2 * LONG_LOG && checkpoints.take_done() {
            // The other thread never reaches the end of a log that grows meanwhile. The rest is
            // copied here, so that the log is restarted.
            checkpoint::passive(&self.index)?;
        }
        let is_long = self.batches >= 4 && pages >= LONG_LOG;
        if is_long || (is_idle && self.batches > 0) {
            self.batches = 0;
            checkpoints.request(self.applied);
        }
        Ok(())
    }

    /// After an error, continues from the position of the index file.
    fn restart(&mut self) {
        if !self.index.is_autocommit() {
            drop(self.index.execute_batch("ROLLBACK"));
        }
        self.batch = Batch::default();
        self.collected = self.applied;
        // Without a pause, a full queue would make it retry at once, again and again.
        std::thread::sleep(LINGER);
    }
}
