//! The reading threads: a few connections, so that reads delay neither each other nor commits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, RwLockReadGuard},
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    database, error, error::IndexError, folder::Folder, numbers::Numbers, numbers::SharedNumbers,
    options::Options, thread,
};
use crate::error::{BoxError, StoreError};

/// Queries that wait; beyond that, callers wait to queue theirs.
const QUEUE: usize = 256;

/// The two pools of threads: what is found by its key does not wait behind long searches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pool {
    Fetch,
    Search,
}

impl Pool {
    const fn threads(self) -> usize {
        match self {
            Self::Fetch => 1,
            Self::Search => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Search => "search",
        }
    }
}

type Query = Box<dyn FnOnce(&mut Reader) + Send>;

/// A pool of reading threads.
#[derive(Debug)]
pub(super) struct Readers {
    queries: mpsc::Sender<Job>,
}

struct Job(Query);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The connections that a query reads from.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) main: Connection,
    pub(super) index: Connection,
    numbers: SharedNumbers,
}

impl Reader {
    fn open(
        folder: &Folder,
        numbers: &SharedNumbers,
        options: &Options,
    ) -> Result<Self, StoreError> {
        let cache_bytes = options.reader_cache_bytes;
        let index = database::open_reader(&folder.index(), cache_bytes).map_err(IndexError)?;
        let main = database::open_reader(&folder.main(), cache_bytes)?;
        Ok(Self { main, index, numbers: numbers.clone() })
    }

    pub(super) fn numbers(&self) -> RwLockReadGuard<'_, Numbers> {
        self.numbers.read()
    }
}

/// What all reading threads share.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReaderContext<'a> {
    pub(super) folder: &'a Folder,
    pub(super) numbers: &'a SharedNumbers,
    pub(super) options: &'a Options,
    /// Cancelled when a thread ends.
    pub(super) ended: &'a CancellationToken,
}

impl Readers {
    /// Starts the threads of a pool.
    pub(super) fn start(
        pool: Pool,
        context: ReaderContext<'_>,
    ) -> Result<(Self, Vec<JoinHandle<()>>), StoreError> {
        let (queries, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::new();
        for number in 1..=pool.threads() {
            let mut reader = Reader::open(context.folder, context.numbers, context.options)?;
            let queue = Arc::clone(&queue);
            let name = format!("store-{}-{number}", pool.name());
            let thread = thread::start(&name, context.ended, move || {
                while let Some(Job(query)) = next(&queue) {
                    run(query, &mut reader);
                }
            })
            .map_err(|error| StoreError::Unavailable(BoxError::from(error)))?;
            threads.push(thread);
        }
        Ok((Self { queries }, threads))
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (result_tx, result_rx) = oneshot::channel();
        let job = Job(Box::new(move |reader| drop(result_tx.send(query(reader)))));
        self.queries.send(job).await.map_err(|_| error::closed())?;
        result_rx.await.map_err(|_| error::closed())?
    }
}

/// Survives a panic of the query: a reader has no state that could be left inconsistent. The
/// caller learns of it because its channel closes.
fn run(query: Query, reader: &mut Reader) {
    if catch_unwind(AssertUnwindSafe(|| query(reader))).is_err() {
        tracing::error!("internal error: a read of the store panicked");
    }
}

/// One thread waits for a query; the others wait for the lock.
fn next(queue: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}
