//! Copying the index's log into its file, on a thread of its own, since readers wait for the
//! index thread.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::{
    BoxError,
    embedded::{checkpoint, folder, thread},
};

/// The index thread's side.
#[derive(Debug)]
pub(super) struct Copier {
    /// Dropped to end the thread. Says which position the log has.
    wake: Option<mpsc::SyncSender<u64>>,
    thread: Option<JoinHandle<()>>,
    /// Something was copied since this was asked last.
    done: Arc<AtomicBool>,
}

impl Copier {
    pub(super) fn start(
        index: &Path,
        shared: &Arc<Shared>,
        ended: &CancellationToken,
    ) -> Result<Self, BoxError> {
        let (wake, woken) = mpsc::sync_channel(1);
        let (index, shared) = (index.to_owned(), Arc::clone(shared));
        let done = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&done);
        let thread = thread::start("store-index-copy", ended, move || {
            run(&index, &shared, &noted, &woken);
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread), done })
    }

    /// Has the log copied, which has everything up to this position.
    pub(super) fn copy(&self, applied: u64) {
        // A full channel means that the thread has enough to do.
        self.wake.as_ref().map(|wake| wake.try_send(applied));
    }

    /// Whether something was copied since this was asked last.
    pub(super) fn is_done(&self) -> bool {
        self.done.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(index: &Path, shared: &Shared, done: &AtomicBool, woken: &mpsc::Receiver<u64>) {
    while let Ok(applied) = woken.recv() {
        let copied = folder::open_copier(index).and_then(|db| checkpoint::passive(&db));
        done.store(true, Ordering::Release);
        match copied {
            Ok(progress) if progress.logged == progress.copied => {
                shared.durable.store(applied, Ordering::Release);
            },
            // Somebody reads from before; the next time will do.
            Ok(_) => {},
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "checkpoint failed");
            },
        }
    }
}
