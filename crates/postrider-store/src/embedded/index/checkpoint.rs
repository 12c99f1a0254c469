//! Checkpoints of the index, in a thread of their own, since readers wait for the index thread.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio_util::sync::CancellationToken;

use super::feed::Shared;
use crate::{
    embedded::{
        checkpoint, checkpoint::Progress, database, files, loss, number::JournalPosition,
        sync_failure::SyncFailure, thread,
    },
    error::BoxError,
};

/// The index thread's side.
#[derive(Debug)]
pub(super) struct IndexCheckpoints {
    /// Dropped to end the thread. Carries the position that the log has.
    wake: Option<mpsc::SyncSender<JournalPosition>>,
    thread: Option<JoinHandle<()>>,
    /// A checkpoint ran since [`Self::take_done`] was called last.
    done: Arc<AtomicBool>,
}

impl IndexCheckpoints {
    pub(super) fn start(
        index: &Path,
        shared: &Arc<Shared>,
        sync: &SyncFailure,
        ended: &CancellationToken,
    ) -> Result<Self, BoxError> {
        let (wake, woken) = mpsc::sync_channel(1);
        let copier =
            Copier { index: index.to_owned(), shared: Arc::clone(shared), sync: sync.clone() };
        let done = Arc::new(AtomicBool::new(false));
        let thread_done = Arc::clone(&done);
        let thread = thread::start("store-index-copy", ended, move || {
            copier.run(&thread_done, &woken);
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread), done })
    }

    /// Requests a checkpoint of a log that has everything up to this position.
    pub(super) fn request(&self, applied: JournalPosition) {
        // A full channel means that the thread is about to run anyway.
        self.wake.as_ref().map(|wake| wake.try_send(applied));
    }

    /// Whether a checkpoint ran since the last call.
    pub(super) fn take_done(&self) -> bool {
        self.done.swap(false, Ordering::AcqRel)
    }
}

impl Drop for IndexCheckpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The thread's side.
struct Copier {
    index: PathBuf,
    shared: Arc<Shared>,
    sync: SyncFailure,
}

impl Copier {
    fn run(self, done: &AtomicBool, woken: &mpsc::Receiver<JournalPosition>) {
        while let Ok(applied) = woken.recv() {
            let copied = self.copy();
            done.store(true, Ordering::Release);
            match copied {
                Ok(progress) if progress.is_complete() => self.shared.set_durable(applied),
                // A reader still uses an older state; a later checkpoint copies the rest.
                Ok(_) => {},
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint failed");
                    if self.sync.has_occurred() {
                        return;
                    }
                },
            }
        }
    }

    fn copy(&self) -> rusqlite::Result<Progress> {
        let db = database::open_for_checkpoint(&self.index)?;
        // The file may be replaced before this connection is closed.
        loss::keep_log_on_close(&db, true)?;
        checkpoint::copy_and_close(db, files::INDEX, &self.sync)
    }
}
