//! Checkpoints: copying commits from the write-ahead log into the main database.
//!
//! A thread of its own copies while commits go on, since a checkpoint in the commit thread
//! delays all callers by tens of milliseconds. But a log is only restarted when all of it was
//! copied, which never happens while commits go on. So once the log is long, and the thread
//! has just copied all but the last few pages, the commit thread copies those.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use super::{
    database, files, main_file::MainFile, options::Options, sync_failure::SyncFailure, thread,
};
use crate::error::BoxError;

/// The commit thread's side.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Dropped to end the thread.
    wake: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The thread has copied nearly all of a long log.
    nearly_done: Arc<AtomicBool>,
    /// Bytes committed since the thread was woken.
    grown: usize,
    options: Options,
    sync: SyncFailure,
}

/// How much of a log is copied, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    logged: i64,
    copied: i64,
}

impl Progress {
    /// All of the log is copied. Both numbers are negative for a log that is locked or missing.
    pub(super) const fn is_complete(self) -> bool {
        self.logged >= 0 && self.logged == self.copied
    }
}

const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Copies as much as possible without waiting for readers or writers.
pub(super) fn passive(db: &Connection) -> rusqlite::Result<Progress> {
    checkpoint(db, PASSIVE)
}

/// Waits for readers, copies everything and empties the log.
pub(super) fn truncate(db: &Connection) -> rusqlite::Result<Progress> {
    checkpoint(db, TRUNCATE)
}

fn checkpoint(db: &Connection, statement: &str) -> rusqlite::Result<Progress> {
    db.query_row(statement, [], |row| Ok(Progress { logged: row.get(1)?, copied: row.get(2)? }))
}

impl Checkpoints {
    pub(super) fn start(
        main: MainFile,
        options: &Options,
        sync: &SyncFailure,
        ended: &CancellationToken,
    ) -> Result<Self, BoxError> {
        let (wake, woken) = mpsc::sync_channel(1);
        let nearly_done = Arc::new(AtomicBool::new(false));
        let checkpointer = Checkpointer {
            main,
            nearly_done: Arc::clone(&nearly_done),
            sync: sync.clone(),
            long_log: i64::try_from(options.wal_bytes / database::PAGE_BYTES).unwrap_or(i64::MAX),
        };
        let thread = thread::start("store-checkpoint", ended, move || checkpointer.run(&woken))?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
            nearly_done,
            grown: 0,
            options: options.clone(),
            sync: sync.clone(),
        })
    }

    /// Counts bytes that were committed. `true` if the file is complete now, and durable.
    pub(super) fn note_committed(&mut self, bytes: usize, db: &Connection) -> bool {
        // The smallest commit writes a page.
        self.grown += bytes + database::PAGE_BYTES;
        if self.nearly_done.swap(false, Ordering::AcqRel) {
            // Copies the last few pages, so that the next commit restarts the log.
            return copy_all(db, &self.sync);
        }
        if self.grown >= self.options.checkpoint_bytes {
            self.grown = 0;
            self.wake();
        }
        false
    }

    fn wake(&self) {
        // A full channel means that the thread is about to run anyway.
        self.wake.as_ref().map(|wake| wake.try_send(()));
    }

    /// Copies everything and ends. `true` if the file is complete now, and durable.
    pub(super) fn finish(&mut self, db: &Connection) -> bool {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        is_complete(truncate(db), &self.sync)
    }
}

/// Empties the log of a disk that is full. `true` if the file is complete now, and durable.
pub(super) fn free_space(db: &Connection, sync: &SyncFailure) -> bool {
    !sync.has_occurred() && is_complete(truncate(db), sync)
}

/// Copies the log; `true` if that was all of it, which is durable then. Only the commit thread
/// can tell, because nothing is added meanwhile.
pub(super) fn copy_all(db: &Connection, sync: &SyncFailure) -> bool {
    !sync.has_occurred() && is_complete(passive(db), sync)
}

/// Copies the log of the file, as far as readers allow, with a connection of its own.
pub(super) fn copy_and_close(
    db: Connection,
    file: &str,
    sync: &SyncFailure,
) -> rusqlite::Result<Progress> {
    let copied = passive(&db).inspect_err(|error| {
        sync.note(file, error);
    });
    sync.close(db);
    copied
}

fn is_complete(copied: rusqlite::Result<Progress>, sync: &SyncFailure) -> bool {
    match copied {
        Ok(progress) => progress.is_complete(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint failed");
            sync.note(files::MAIN, &error);
            false
        },
    }
}

/// The thread's side.
struct Checkpointer {
    main: MainFile,
    nearly_done: Arc<AtomicBool>,
    sync: SyncFailure,
    /// Pages that make a log long.
    long_log: i64,
}

impl Checkpointer {
    fn run(self, woken: &mpsc::Receiver<()>) {
        while let Ok(()) = woken.recv() {
            match self.copy() {
                Ok(progress) if progress.logged >= self.long_log => {
                    self.nearly_done.store(true, Ordering::Release);
                },
                Ok(_) => {},
                Err(error) => {
                    tracing::warn!(error = &*error as &dyn std::error::Error, "checkpoint failed");
                    if self.sync.has_occurred() {
                        return;
                    }
                },
            }
        }
    }

    /// A connection of its own each time: an idle one would keep the file from being removed.
    ///
    /// `SQLite` syncs the file only when nothing was committed meanwhile. Under load, that is when
    /// the commit thread copies the last pages, and then all callers would wait until everything
    /// that was copied since the log was restarted is on the disk.
    fn copy(&self) -> Result<Progress, BoxError> {
        let db = database::open_for_checkpoint(self.main.path())?;
        let progress = copy_and_close(db, files::MAIN, &self.sync)?;
        self.main.sync().inspect_err(|error| self.sync.note_failed(files::MAIN, error))?;
        Ok(progress)
    }
}
