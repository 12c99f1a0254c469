//! The index thread.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::sync::watch;

use super::{News, Progress, Shared, batch::Batch, copier::Copier, rebuild};
use crate::{
    StoreError,
    embedded::{
        Options, checkpoint,
        folder::{self, Folder},
        journal::Event,
        row, trouble,
    },
};

/// The layout of the index; a file with another one is made anew.
const VERSION: usize = 1;

/// Rows that are written at once, if nobody waits for fewer.
const ROWS: usize = 32_768;

/// How long changes are gathered, if nobody waits for them.
const LINGER: Duration = Duration::from_secs(1);

/// Pages of the index's log after which it is copied into the file.
const LONG_LOG: usize = 16_384;

const APPLIED: &str = "SELECT value FROM state WHERE key = 'applied'";

const ORIGIN: &str = "SELECT value FROM state WHERE key = 'origin'";

const SET_APPLIED: &str = "INSERT INTO state (key, value) VALUES ('applied', ?1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const SET_ORIGIN: &str = "INSERT INTO state (key, value) VALUES ('origin', ?1)";

pub(in crate::embedded) const JOURNAL: &str =
    "SELECT position, events FROM journal WHERE position > ?1 ORDER BY position";

const FIRST_POSITION: &str = "SELECT min(position) FROM journal";

#[derive(Debug)]
pub(in crate::embedded) struct Keeper {
    path: PathBuf,
    index: Connection,
    /// For the journal.
    truth: Connection,
    batch: Batch,
    /// The position that the index has.
    applied: u64,
    /// The position that the batch has.
    gathered: u64,
    /// Batches since the log was copied.
    batches: usize,
}

/// Opens the index, or makes it anew from the truth, whose last position is given.
pub(in crate::embedded) fn open(
    folder: &Folder,
    position: u64,
    origin: i64,
    options: &Options,
) -> Result<Keeper, StoreError> {
    let truth = folder::open_reader(&folder.truth(), 1 << 20)?;
    let path = folder.index();
    let found = match open_known(&path, origin, options) {
        Ok(found) => found,
        Err(error) if trouble::is_damage(&error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index is damaged");
            None
        },
        Err(error) => return Err(trouble::of_index(error)),
    };
    let first: Option<u64> = truth.query_row(FIRST_POSITION, [], |row| row.get(0))?;
    // The journal has to go on where the index ends.
    let usable =
        |applied: u64| applied <= position && first.is_none_or(|first| first <= applied + 1);
    let (index, applied) = match found.filter(|&(_, applied)| usable(applied)) {
        Some(known) => known,
        None => (make(&path, &truth, position, origin, options)?, position),
    };
    let batch = Batch::default();
    Ok(Keeper { index, truth, batch, applied, gathered: applied, batches: 0, path })
}

/// The index and its position, if there is one that belongs to the truth.
fn open_known(
    path: &Path,
    origin: i64,
    options: &Options,
) -> rusqlite::Result<Option<(Connection, u64)>> {
    let db = folder::open_index(path, options)?;
    let version: usize = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        return Ok(None);
    }
    let applied = db.query_row(APPLIED, [], |row| row.get(0)).optional()?;
    let of = db.query_row(ORIGIN, [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(applied.filter(|_| of == Some(origin)).map(|applied| (db, applied)))
}

/// The origin and the position of the index in a file, if it can be told.
pub(in crate::embedded) fn position_in(path: &Path) -> Option<(i64, u64)> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    let value = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).ok();
    Some((value(ORIGIN)?, value(APPLIED)?.try_into().ok()?))
}

/// Makes the index anew from the truth as it stands, before anybody writes to it.
fn make(
    path: &Path,
    truth: &Connection,
    position: u64,
    origin: i64,
    options: &Options,
) -> Result<Connection, StoreError> {
    folder::remove_database(path)?;
    let db = folder::open_index(path, options).map_err(trouble::of_index)?;
    let fill = || -> rusqlite::Result<()> {
        // The version comes last: a file that is not whole is made anew again.
        db.pragma_update(None, "synchronous", "OFF")?;
        db.execute_batch(include_str!("../schema/index.sql"))?;
        rebuild::fill(&db, truth)?;
        db.execute(SET_APPLIED, [position])?;
        db.execute(SET_ORIGIN, [origin])?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        checkpoint::truncate(&db)?;
        db.pragma_update(None, "user_version", VERSION)?;
        checkpoint::truncate(&db).map(drop)
    };
    fill().map_err(trouble::of_index)?;
    Ok(db)
}

impl Keeper {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::embedded) const fn applied(&self) -> u64 {
        self.applied
    }

    pub(super) fn run(
        mut self,
        news: &Receiver<News>,
        (shared, copier): (&Shared, Copier),
        published: &watch::Sender<Progress>,
    ) {
        loop {
            let heard = news.recv_timeout(LINGER);
            let ending = matches!(heard, Err(RecvTimeoutError::Disconnected));
            let idle = heard.is_err();
            self.listen(heard.ok(), news);
            let result = self.keep_up((shared, &copier), published, idle);
            if let Err(error) = result {
                tracing::warn!(error = &error as &dyn std::error::Error, "the index fell behind");
                let trouble = Some(Arc::new(trouble::of_index(error)));
                published.send_replace(Progress { applied: self.applied, trouble });
                self.start_over();
            }
            if ending {
                break;
            }
        }
        drop(copier);
        drop(checkpoint::truncate(&self.index));
    }

    /// Gathers what is there.
    fn listen(&mut self, first: Option<News>, news: &Receiver<News>) {
        let mut next = first;
        while let Some(it) = next {
            if let News::Committed(position, events) = it
                && position == self.gathered + 1
            {
                self.gather(position, events);
            }
            if self.batch.len() >= ROWS {
                return;
            }
            next = news.try_recv().ok();
        }
    }

    fn gather(&mut self, position: u64, events: Vec<Event>) {
        self.gathered = position;
        for event in events {
            self.batch.gather(event);
        }
    }

    /// Writes if there is reason to.
    fn keep_up(
        &mut self,
        (shared, copier): (&Shared, &Copier),
        published: &watch::Sender<Progress>,
        idle: bool,
    ) -> rusqlite::Result<()> {
        let wanted = shared.wanted.load(Ordering::Acquire);
        let offered = shared.offered.load(Ordering::Acquire);
        let missing = wanted > self.gathered || (idle && offered > self.gathered);
        if missing {
            self.read_journal(published)?;
        }
        let waited_for = wanted > self.applied;
        if idle || waited_for || self.batch.len() >= ROWS {
            self.write(published)?;
            self.copy_log(copier, idle)?;
        }
        Ok(())
    }

    /// Gathers what was not taken in time, or what the last process left behind.
    fn read_journal(&mut self, published: &watch::Sender<Progress>) -> rusqlite::Result<()> {
        loop {
            if self.batch.len() >= ROWS {
                self.write(published)?;
            }
            let found = self.next_in_journal()?;
            if found.is_empty() {
                return Ok(());
            }
            for (position, events) in found {
                self.gather(position, events);
            }
        }
    }

    fn next_in_journal(&self) -> rusqlite::Result<Vec<(u64, Vec<Event>)>> {
        let mut statement = self.truth.prepare_cached(JOURNAL)?;
        let mut rows = statement.query([self.gathered])?;
        let mut found = Vec::new();
        let mut changes = 0;
        while let Some(it) = rows.next()? {
            let events: Vec<Event> = row::decode(row::blob_of(it, 1)?)?;
            changes += events.len();
            found.push((it.get(0)?, events));
            if changes >= ROWS / 4 {
                break;
            }
        }
        Ok(found)
    }

    fn write(&mut self, published: &watch::Sender<Progress>) -> rusqlite::Result<()> {
        if self.gathered == self.applied {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.index.execute_batch("BEGIN IMMEDIATE")?;
        batch.write(&self.index)?;
        self.index.prepare_cached(SET_APPLIED)?.execute([self.gathered])?;
        self.index.execute_batch("COMMIT")?;
        self.applied = self.gathered;
        self.batches += 1;
        published.send_replace(Progress { applied: self.applied, trouble: None });
        Ok(())
    }

    /// Has the index's log copied into its file now and then.
    fn copy_log(&mut self, copier: &Copier, idle: bool) -> rusqlite::Result<()> {
        let pages = folder::log_pages(&self.index);
        if pages >= 2 * LONG_LOG && copier.is_done() {
            // It never gets to the end while this goes on: the rest is copied here, so that
            // the log begins anew.
            checkpoint::passive(&self.index)?;
        }
        let long = self.batches >= 4 && pages >= LONG_LOG;
        if long || (idle && self.batches > 0) {
            self.batches = 0;
            copier.copy(self.applied);
        }
        Ok(())
    }

    /// After an error: begin again from what the index has.
    fn start_over(&mut self) {
        if !self.index.is_autocommit() {
            drop(self.index.execute_batch("ROLLBACK"));
        }
        self.batch = Batch::default();
        self.gathered = self.applied;
        // The queue keeps its own time; this keeps a full disk from being asked all the time.
        std::thread::sleep(LINGER);
    }
}
