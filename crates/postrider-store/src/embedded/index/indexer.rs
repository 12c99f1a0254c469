//! The index thread: collects changes in a batch, and decides when to write it.

use std::{
    path::Path,
    sync::{Arc, mpsc::RecvTimeoutError},
    time::Duration,
};

use rusqlite::{Connection, Row};
use tokio::{sync::watch, time::Instant};

use super::{
    batch::{self, Batch},
    checkpoint::IndexCheckpoints,
    counts::Subjects,
    coverage::Coverage,
    feed::{Progress, Shared},
    indexer_error::IndexerError,
    place::{IndexPlace, Opened},
    rebuild::Rebuild,
    recent::Recent,
    rollups,
    updates::{Update, UpdateReceiver},
};
use crate::embedded::{
    checkpoint, database, journal::Change, loss, number::JournalPosition, row, state,
    sync_failure::SyncFailure,
};

/// How long changes are collected, if no reader waits for them.
const LINGER: Duration = Duration::from_secs(1);

/// The length of the index's log, in pages, at which it is copied into the file.
const LONG_LOG: usize = 16_384;

#[derive(Debug)]
pub(in crate::embedded) struct Indexer {
    place: IndexPlace,
    index: Connection,
    /// Reads the journal, and what a rebuild needs.
    main: Connection,
    batch: Batch,
    subjects: Subjects,
    recent: Recent,
    /// The position of the index file. Never ahead of `collected`.
    applied: JournalPosition,
    /// The position of the batch. A commit is collected only if it directly follows this one.
    collected: JournalPosition,
    /// Commits that follow were not queued, or not read yet: they are read from the journal.
    is_behind: bool,
    /// Batches written since the last checkpoint.
    batches: usize,
    /// The rebuild, if the index is not complete.
    rebuild: Option<Rebuild>,
    /// The position after the last step of the rebuild.
    stepped_at: JournalPosition,
    /// The index is damaged and was not replaced yet.
    is_damaged: bool,
    progress: watch::Sender<Progress>,
}

impl Indexer {
    pub(super) fn new(
        place: IndexPlace,
        main: Connection,
        subjects: Subjects,
        opened: Opened,
    ) -> Self {
        let Opened { index, applied, rebuild, recent } = opened;
        let coverage = rebuild.as_ref().map_or(Coverage::COMPLETE, Rebuild::coverage);
        Self {
            place,
            index,
            main,
            batch: Batch::default(),
            subjects,
            recent,
            applied,
            collected: applied,
            // An earlier process may have left some.
            is_behind: true,
            batches: 0,
            rebuild,
            stepped_at: applied,
            is_damaged: false,
            progress: watch::Sender::new(Progress::at(applied, coverage)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    pub(super) const fn applied(&self) -> JournalPosition {
        self.applied
    }

    pub(in crate::embedded) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Runs until all senders of updates are dropped.
    pub(super) fn run(
        mut self,
        (updates, shared): (&UpdateReceiver, &Shared),
        checkpoints: IndexCheckpoints,
        sync: &SyncFailure,
    ) {
        loop {
            let first = updates.recv_timeout(self.wait());
            let mut is_ending = matches!(first, Err(RecvTimeoutError::Disconnected));
            let is_idle = first.is_err();
            self.collect(first.ok(), updates);
            let worked = self.work(shared, &checkpoints, is_idle);
            is_ending &= worked.is_err() || !self.is_behind;
            if let Err(error) = worked {
                tracing::warn!(error = &error as &dyn std::error::Error, "the index fell behind");
                let (file, cause) = error.cause();
                let is_failed_sync = cause.is_some_and(|cause| sync.note(file, cause));
                self.is_damaged |= error.needs_rebuild();
                // Readers that wait receive the error rather than wait for the next attempt.
                let error = Some(Arc::new(error.into()));
                self.progress.send_modify(|progress| progress.error = error);
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

    /// How long to wait for updates.
    fn wait(&self) -> Duration {
        if self.is_behind {
            return Duration::ZERO;
        }
        self.rebuild.as_ref().map_or(LINGER, |it| it.wait().min(LINGER))
    }

    /// Does what is due.
    fn work(
        &mut self,
        shared: &Shared,
        checkpoints: &IndexCheckpoints,
        is_idle: bool,
    ) -> Result<(), IndexerError> {
        let generation = self.progress.borrow().generation;
        if self.is_damaged || shared.is_damaged(generation) {
            self.replace()?;
        }
        self.advance(shared, checkpoints, is_idle)?;
        self.add_up(shared, is_idle)?;
        if self.rebuild.as_ref().is_some_and(|it| it.wait().is_zero()) {
            self.rebuild_step()?;
            self.checkpoint(checkpoints, false)?;
        }
        Ok(())
    }

    /// Collects the updates that are queued.
    fn collect(&mut self, first: Option<Update>, updates: &UpdateReceiver) {
        let mut next = first;
        while let Some(update) = next {
            if let Update::Committed(position, changes) = update {
                if position == self.collected.next() {
                    self.add(position, changes);
                } else {
                    // After a gap, it is read from the journal together with the missing ones.
                    self.is_behind |= position > self.collected;
                }
            }
            if self.batch.is_full() {
                return;
            }
            next = updates.try_recv();
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
        is_idle: bool,
    ) -> Result<(), IndexerError> {
        let wanted = shared.wanted();
        self.is_behind |= wanted > self.collected || (is_idle && shared.offered() > self.collected);
        if self.is_behind {
            self.read_journal()?;
        }
        if is_idle || wanted > self.applied || self.batch.is_full() {
            self.write()?;
            rollups::expire(&self.index, &shared.kept())?;
            self.checkpoint(checkpoints, is_idle && !self.is_behind)?;
        }
        Ok(())
    }

    /// Adds statistics of earlier batches up. Readers that wait come first.
    fn add_up(&mut self, shared: &Shared, is_idle: bool) -> rusqlite::Result<()> {
        for _ in 0..self.recent.take_steps() {
            if shared.wanted() > self.applied || !self.recent.step(&self.index, is_idle)? {
                break;
            }
            self.batches += 1;
        }
        Ok(())
    }

    /// Collects commits that were not queued in time, or that an earlier process left, until the
    /// batch is full. A long journal takes many batches: in between, checkpoints let it be trimmed.
    fn read_journal(&mut self) -> Result<(), IndexerError> {
        self.is_behind = true;
        while !self.batch.is_full() {
            let found = self.next_in_journal()?;
            if found.is_empty() {
                self.is_behind = false;
                break;
            }
            for (position, changes) in found {
                self.add(position, changes);
            }
        }
        Ok(())
    }

    /// Writes everything that the journal has.
    fn write_journal(&mut self) -> Result<(), IndexerError> {
        loop {
            self.read_journal()?;
            self.write()?;
            if !self.is_behind {
                return Ok(());
            }
        }
    }
}

pub(in crate::embedded) const READ_JOURNAL: &str =
    "SELECT position, events FROM journal WHERE position > ?1 ORDER BY position";

/// Reads the columns `position, events`.
fn entry(row: &Row<'_>) -> rusqlite::Result<(JournalPosition, Vec<Change>)> {
    Ok((row.get(0)?, row::decode(row::blob_of(row, 1)?)?))
}

impl Indexer {
    /// The next commits, limited so that the batch does not become much larger than it should.
    fn next_in_journal(&self) -> Result<Vec<(JournalPosition, Vec<Change>)>, IndexerError> {
        let unreadable = IndexerError::Main;
        let mut statement = self.main.prepare_cached(READ_JOURNAL).map_err(unreadable)?;
        let mut rows = statement.query([self.collected]).map_err(unreadable)?;
        let mut found = Vec::new();
        let mut count = 0;
        while let Some(row) = rows.next().map_err(unreadable)? {
            let (position, changes) = entry(row).map_err(IndexerError::Journal)?;
            count += changes.len();
            found.push((position, changes));
            if count >= batch::FEWEST_CHANGES {
                break;
            }
        }
        Ok(found)
    }

    /// Writes the batch together with its position, so that a crash repeats or loses none of it.
    fn write(&mut self) -> Result<(), IndexerError> {
        if self.collected == self.applied {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        let counts = batch.take_counts();
        self.index.execute_batch("BEGIN IMMEDIATE")?;
        batch.write(&self.index)?;
        counts.write((&self.index, &self.main), &mut self.subjects, &mut self.recent)?;
        state::set(&self.index, state::APPLIED, &self.collected)?;
        self.index.execute_batch("COMMIT")?;
        self.applied = self.collected;
        self.batches += 1;
        let applied = self.applied;
        self.progress.send_modify(|progress| {
            progress.applied = applied;
            progress.error = None;
        });
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
        for db in [&self.index, &self.main] {
            if !db.is_autocommit() {
                drop(db.execute_batch("ROLLBACK"));
            }
        }
        if let Some(rebuild) = &mut self.rebuild {
            rebuild.postpone(LINGER);
        }
        self.batch = Batch::default();
        self.collected = self.applied;
        // Without a pause, a full queue would make it retry at once, again and again.
        std::thread::sleep(LINGER);
    }
}

impl Indexer {
    /// Does a step of the rebuild. It needs an index that has applied exactly what the
    /// transaction sees which the step reads in.
    pub(super) fn rebuild_step(&mut self) -> Result<(), IndexerError> {
        let Some(mut rebuild) = self.rebuild.take() else { return Ok(()) };
        let started = Instant::now();
        let stepped = self.step_in_transaction(&mut rebuild);
        let is_busy = self.applied != std::mem::replace(&mut self.stepped_at, self.applied);
        let coverage = rebuild.coverage();
        if coverage.is_complete() {
            if rebuild.found() > 0 {
                tracing::info!(messages = rebuild.found(), "the index is complete again");
            }
        } else {
            rebuild.plan(started, is_busy);
            self.rebuild = Some(rebuild);
        }
        stepped?;
        self.batches += 1;
        self.progress.send_modify(|progress| progress.coverage = coverage);
        Ok(())
    }

    fn step_in_transaction(&mut self, rebuild: &mut Rebuild) -> Result<(), IndexerError> {
        self.main.execute_batch("BEGIN").map_err(IndexerError::Main)?;
        self.write_journal()?;
        let counting = (&mut self.subjects, &mut self.recent);
        rebuild.step(&self.index, &self.main, counting)?;
        self.main.execute_batch("COMMIT").map_err(IndexerError::Main)
    }

    /// Puts an empty index in place of a damaged one. What was collected is in the main database.
    fn replace(&mut self) -> Result<(), IndexerError> {
        self.is_damaged = true;
        tracing::error!("index.db is damaged; it is rebuilt from postrider.db in the background");
        self.progress.send_modify(|progress| progress.coverage = Coverage::NOTHING);
        // The damaged file is closed without copying its log, which by then has another owner.
        let closed = Connection::open_in_memory().and_then(|empty| {
            loss::keep_log_on_close(&self.index, true)?;
            Ok(std::mem::replace(&mut self.index, empty))
        });
        drop(closed?);
        let opened = self.place.create_behind(&self.main)?;
        (self.index, self.recent) = (opened.index, opened.recent);
        (self.applied, self.collected) = (opened.applied, opened.applied);
        self.batch = Batch::default();
        self.rebuild = opened.rebuild;
        self.is_damaged = false;
        let coverage = self.rebuild.as_ref().map_or(Coverage::COMPLETE, Rebuild::coverage);
        let applied = self.applied;
        self.progress.send_modify(|progress| {
            *progress =
                Progress { generation: progress.generation + 1, ..Progress::at(applied, coverage) };
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use rusqlite::params;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::embedded::{
        folder::Folder,
        index::{self, position::IndexPosition, updates},
        number::MessageSequence,
        numbers::{Numbers, SharedNumbers},
        options::Options,
    };

    /// A main database, and an indexer that knows none of its commits.
    fn open(path: &Path) -> (Connection, Indexer) {
        let options = Options::default();
        let folder = Folder::open(path).unwrap();
        let inspection = loss::inspect(path, false).unwrap();
        let main = database::open_main(&folder.main(), &options, &inspection).unwrap();
        let numbers = SharedNumbers::new(Numbers::load(&main, MessageSequence::ZERO).unwrap());
        let origin = state::get(&main, state::ORIGIN).unwrap().unwrap();
        let position = IndexPosition { origin, applied: JournalPosition(0) };
        let indexer = index::open(&folder, position, &options, numbers).unwrap();
        (main, indexer)
    }

    fn commit(main: &Connection, positions: RangeInclusive<u64>) {
        let mut buffer = Vec::new();
        let changes = row::encode(&Vec::<Change>::new(), &mut buffer);
        for position in positions {
            let sql = "INSERT INTO journal (position, events, accepted) VALUES (?1, ?2, 0)";
            main.execute(sql, params![position, changes]).unwrap();
        }
    }

    fn update(position: u64) -> Update {
        Update::Committed(JournalPosition(position), Vec::new())
    }

    #[test]
    fn commits_that_did_not_fit_into_the_queue_are_read_while_others_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let (main, mut indexer) = open(folder.path());
        let shared = Arc::new(Shared::new(JournalPosition(0)));
        let sync = SyncFailure::new(folder.path());
        let ended = CancellationToken::new();
        let checkpoints = IndexCheckpoints::start(indexer.path(), &shared, &sync, &ended).unwrap();
        let (_sender, receiver) = updates::channel();
        commit(&main, 1..=9);
        indexer.collect(Some(update(8)), &receiver);
        indexer.advance(&shared, &checkpoints, false).unwrap();
        assert_eq!(indexer.collected, JournalPosition(9));
        indexer.collect(Some(update(9)), &receiver);
        assert!(!indexer.is_behind, "it is known from the journal");
        indexer.collect(Some(update(10)), &receiver);
        assert_eq!(indexer.collected, JournalPosition(10));
        assert!(!indexer.is_behind);
    }
}
