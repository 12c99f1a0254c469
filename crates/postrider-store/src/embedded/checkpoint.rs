//! Moving what was committed from the write-ahead log into the database.
//!
//! A thread of its own copies while commits go on, since a checkpoint in the committing
//! thread holds everybody up for tens of milliseconds. But a log is only begun anew when all
//! of it was copied, which never happens while commits go on: so once the log is long, and
//! the thread has just copied all but the last few pages, the commit thread copies those.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use super::{Options, folder, ledger::Ledger, thread};
use crate::BoxError;

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
}

/// Pages in the log, and how many of them are copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) logged: i64,
    pub(super) copied: i64,
}

impl Progress {
    /// Nothing is left in the log alone. A log that is locked or off has negative numbers.
    const fn is_whole(self) -> bool {
        self.logged >= 0 && self.logged == self.copied
    }
}

const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

pub(super) fn passive(db: &Connection) -> rusqlite::Result<Progress> {
    checkpoint(db, PASSIVE)
}

pub(super) fn truncate(db: &Connection) -> rusqlite::Result<Progress> {
    checkpoint(db, TRUNCATE)
}

fn checkpoint(db: &Connection, statement: &str) -> rusqlite::Result<Progress> {
    db.query_row(statement, [], |row| Ok(Progress { logged: row.get(1)?, copied: row.get(2)? }))
}

impl Checkpoints {
    pub(super) fn start(
        truth: &Path,
        options: &Options,
        ended: &CancellationToken,
    ) -> Result<Self, BoxError> {
        let (wake, woken) = mpsc::sync_channel(1);
        let nearly_done = Arc::new(AtomicBool::new(false));
        let copier = Copier {
            truth: truth.to_owned(),
            nearly_done: Arc::clone(&nearly_done),
            long: i64::try_from(options.wal_bytes / folder::PAGE_BYTES).unwrap_or(i64::MAX),
        };
        let thread = thread::start("store-checkpoint", ended, move || copier.run(&woken))?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
            nearly_done,
            grown: 0,
            options: options.clone(),
        })
    }

    /// So much was committed. `true` if the file is whole now, and durable.
    pub(super) fn grown(&mut self, bytes: usize, ledger: &Ledger) -> bool {
        self.grown += bytes + folder::PAGE_BYTES;
        if self.nearly_done.swap(false, Ordering::AcqRel) {
            // Copies the last few pages, so that the next commit starts the log from the beginning.
            return copy_all(ledger);
        }
        if self.grown >= self.options.checkpoint_bytes {
            self.grown = 0;
            self.wake();
        }
        false
    }

    fn wake(&self) {
        // A full channel means that the thread is about to look anyway.
        self.wake.as_ref().map(|wake| wake.try_send(()));
    }

    /// The disk is full: a log that is copied and cut off may be what is needed. `true` if the
    /// file is whole now, and durable.
    pub(super) fn make_room(ledger: &Ledger) -> bool {
        truncate(ledger.db()).is_ok_and(Progress::is_whole)
    }

    /// Copies everything and ends. `true` if the file is whole now, and durable.
    pub(super) fn finish(&mut self, ledger: &Ledger) -> bool {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        is_whole(truncate(ledger.db()))
    }
}

/// Copies what is in the log; `true` if that was all of it, which is durable then. Only the
/// thread that commits can tell: nothing is added meanwhile.
pub(super) fn copy_all(ledger: &Ledger) -> bool {
    is_whole(passive(ledger.db()))
}

fn is_whole(copied: rusqlite::Result<Progress>) -> bool {
    match copied {
        Ok(progress) => progress.is_whole(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint failed");
            false
        },
    }
}

/// The thread's side.
struct Copier {
    truth: PathBuf,
    nearly_done: Arc<AtomicBool>,
    /// Pages that make a log long.
    long: i64,
}

impl Copier {
    fn run(self, woken: &mpsc::Receiver<()>) {
        while let Ok(()) = woken.recv() {
            match self.copy() {
                Ok(progress) if progress.logged >= self.long => {
                    self.nearly_done.store(true, Ordering::Release);
                },
                Ok(_) => {},
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint failed");
                },
            }
        }
    }

    fn copy(&self) -> rusqlite::Result<Progress> {
        let db = folder::open_copier(&self.truth)?;
        passive(&db)
    }
}
