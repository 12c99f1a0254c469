//! The commit thread: all work that waits becomes one transaction.
//!
//! While a commit is on its way to the disk the next transaction's work gathers, so that a
//! busy store commits hundreds of messages at the price of one, and an idle one waits for
//! nothing.

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
    checkpoint::Checkpoints,
    index,
    ledger::{Committed, Ledger},
    thread, trouble,
    witness::Witness,
};
use crate::{BoxError, StoreError};

/// Pieces of work that wait before more have to wait for a place.
const QUEUE: usize = 1_024;

/// Pieces of work in one transaction.
const GROUP: usize = 256;

/// Tells the caller how it ended, once the commit has.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Work inside a transaction.
type Work = Box<dyn FnOnce(&mut Ledger) -> Finish + Send>;

/// Where work is handed in.
#[derive(Debug)]
pub(super) struct Commits {
    queue: mpsc::Sender<Job>,
    acknowledged: Arc<AtomicU64>,
}

struct Job(Work);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) ledger: Ledger,
    pub(super) checkpoints: Checkpoints,
    pub(super) index: index::Feed,
    pub(super) witness: Witness,
}

impl Commits {
    pub(super) fn start(
        committer: Committer,
        ended: &CancellationToken,
    ) -> Result<(Self, JoinHandle<()>), BoxError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let acknowledged = Arc::new(AtomicU64::new(committer.ledger.position()));
        let position = Arc::clone(&acknowledged);
        let thread = thread::start("store-commit", ended, move || committer.run(jobs, &position))?;
        Ok((Self { queue, acknowledged }, thread))
    }

    /// Everything that was acknowledged has a position in the journal up to this.
    pub(super) fn position(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Does the work in a transaction; durable when it returns.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job(Box::new(move |ledger| {
            let result = ledger.attempt(work);
            Box::new(move |committed: Result<(), StoreError>| {
                // Nobody may be waiting any more; that changes nothing.
                drop(answer.send(committed.and(result)));
            })
        }));
        self.queue.send(job).await.map_err(|_| trouble::closed())?;
        answered.await.map_err(|_| trouble::closed())?
    }
}

impl Committer {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>, acknowledged: &AtomicU64) {
        while let Some(first) = jobs.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP {
                let Ok(job) = jobs.try_recv() else { break };
                group.push(job);
            }
            self.commit(group, acknowledged);
        }
        self.ledger.retire();
        self.witness.note(self.ledger.position(), self.ledger.accepted());
        self.witness.end(self.checkpoints.finish(&self.ledger));
    }

    fn commit(&mut self, group: Vec<Job>, acknowledged: &AtomicU64) {
        self.ledger.let_go_of_journal(self.index.durable());
        let finishes: Vec<Finish>;
        let result = match self.ledger.begin() {
            Ok(()) => {
                finishes = group.into_iter().map(|Job(work)| work(&mut self.ledger)).collect();
                self.ledger.commit()
            },
            Err(error) => {
                tracing::warn!(error = %error, "the store cannot begin a transaction");
                // Their channels close, which callers take as unavailable.
                return;
            },
        };
        match result {
            Ok(Committed { position, events, bytes }) => {
                // Before anyone is told, so that nothing that was acknowledged can be lost
                // without notice.
                self.witness.note(position, self.ledger.accepted());
                let has_moved = acknowledged.swap(position, Ordering::AcqRel) != position;
                for finish in finishes {
                    finish(Ok(()));
                }
                if has_moved {
                    self.index.offer(position, events);
                }
                let is_cut = self.ledger.takes_cut() && Checkpoints::make_room(&self.ledger);
                if is_cut || self.checkpoints.grown(bytes, &self.ledger) {
                    self.witness.note_whole();
                }
            },
            Err(error) => {
                for finish in finishes {
                    finish(Err(trouble::repeat(&error)));
                }
                if Checkpoints::make_room(&self.ledger) {
                    self.witness.note_whole();
                }
            },
        }
    }
}
