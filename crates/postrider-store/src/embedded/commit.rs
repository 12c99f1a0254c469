//! The commit thread: all work that waits becomes one transaction.
//!
//! While a commit is being synced, the work of the next transaction accumulates. So a busy store
//! commits hundreds of messages at the price of one, and an idle one waits for nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    checkpoint::{self, Checkpoints},
    error,
    index::feed::IndexFeed,
    ledger::{Committed, Ledger},
    loss::MarkWriter,
    number::JournalPosition,
    thread,
};
use crate::error::{BoxError, StoreError};

/// Pieces of work that wait; beyond that, callers wait to queue theirs.
const QUEUE: usize = 1_024;

/// The limit of pieces of work in one transaction.
const GROUP: usize = 256;

/// Sends the caller its result, once the commit is done.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Work inside a transaction; the error is why there is none.
type Work = Box<dyn FnOnce(Result<&mut Ledger, StoreError>) -> Finish + Send>;

/// The callers' side: where work is queued.
#[derive(Debug)]
pub(super) struct CommitQueue {
    queue: mpsc::Sender<Job>,
    acknowledged: Arc<AtomicU64>,
}

struct Job(Work);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) ledger: Ledger,
    pub(super) checkpoints: Checkpoints,
    pub(super) index: IndexFeed,
    pub(super) mark: MarkWriter,
}

impl CommitQueue {
    pub(super) fn start(
        committer: Committer,
        ended: &CancellationToken,
    ) -> Result<(Self, JoinHandle<()>), BoxError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let acknowledged = Arc::new(AtomicU64::new(committer.ledger.position().0));
        let position = Arc::clone(&acknowledged);
        let thread = thread::start("store-commit", ended, move || committer.run(jobs, &position))?;
        Ok((Self { queue, acknowledged }, thread))
    }

    /// The position in the journal of the last commit that was acknowledged.
    pub(super) fn position(&self) -> JournalPosition {
        JournalPosition(self.acknowledged.load(Ordering::Acquire))
    }

    /// Does the work in a transaction; it is durable when this returns.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (result_tx, result_rx) = oneshot::channel();
        let job = Job(Box::new(move |ledger| {
            let result = ledger.and_then(|ledger| ledger.attempt(work));
            Box::new(move |committed: Result<(), StoreError>| {
                // The caller may have stopped waiting; the work is committed all the same.
                drop(result_tx.send(committed.and(result)));
            })
        }));
        self.queue.send(job).await.map_err(|_| error::closed())?;
        result_rx.await.map_err(|_| error::closed())?
    }
}

impl Committer {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>, acknowledged: &AtomicU64) {
        while let Some(first) = jobs.blocking_recv() {
            // Another thread may have found out meanwhile.
            if self.ledger.sync.has_occurred() {
                break;
            }
            let mut group = vec![first];
            while group.len() < GROUP {
                let Ok(job) = jobs.try_recv() else { break };
                group.push(job);
            }
            self.commit(group, acknowledged);
            if self.ledger.sync.has_occurred() {
                break;
            }
        }
        if self.ledger.sync.has_occurred() {
            // The jobs that still wait fail, because their channels close.
            let sync = self.ledger.sync.clone();
            return sync.close(self.ledger);
        }
        self.ledger.persist_before_close();
        self.mark.note_commit(self.ledger.position(), self.ledger.accepted());
        self.mark.finish(self.checkpoints.finish(self.ledger.db()));
    }

    fn commit(&mut self, group: Vec<Job>, acknowledged: &AtomicU64) {
        self.ledger.release_journal(self.index.durable());
        if let Err(error) = self.ledger.begin() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the store cannot start a transaction"
            );
            let error = Arc::new(error);
            for Job(work) in group {
                work(Err(error::repeat(&error)))(Ok(()));
            }
            return;
        }
        let finishes: Vec<Finish> =
            group.into_iter().map(|Job(work)| work(Ok(&mut self.ledger))).collect();
        match self.ledger.commit() {
            Ok(committed) => self.acknowledge(committed, finishes, acknowledged),
            Err(error) => self.refuse(error, finishes),
        }
    }

    fn acknowledge(
        &mut self,
        Committed { position, changes, bytes }: Committed,
        finishes: Vec<Finish>,
        acknowledged: &AtomicU64,
    ) {
        // Before any caller learns of it: data that was acknowledged cannot be lost unnoticed.
        self.mark.note_commit(position, self.ledger.accepted());
        // Before that as well: a caller that lists afterwards waits for the index to
        // reach this position.
        let has_moved = acknowledged.swap(position.0, Ordering::AcqRel) != position.0;
        for finish in finishes {
            finish(Ok(()));
        }
        // After that, since no caller needs to wait for the index or for a checkpoint.
        if has_moved {
            self.index.offer(position, changes);
        }
        let is_truncated = self.ledger.take_truncation()
            && checkpoint::free_space(self.ledger.db(), &self.ledger.sync);
        if is_truncated || self.checkpoints.note_committed(bytes, self.ledger.db()) {
            self.mark.note_complete();
        }
    }

    fn refuse(&mut self, error: StoreError, finishes: Vec<Finish>) {
        let error = Arc::new(error);
        for finish in finishes {
            finish(Err(error::repeat(&error)));
        }
        // The disk may be full of a log that is long since copied.
        if checkpoint::free_space(self.ledger.db(), &self.ledger.sync) {
            self.mark.note_complete();
        }
    }
}
