//! The reading threads: a few connections, so that reads delay neither each other nor commits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLockReadGuard},
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    database, error,
    error::IndexError,
    folder::Folder,
    index::{coverage::Coverage, feed::Progress},
    loss,
    numbers::{Numbers, SharedNumbers},
    options::Options,
    thread,
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
    path: PathBuf,
    cache_bytes: u64,
    progress: watch::Receiver<Progress>,
    coverage: Coverage,
    /// The generation of the index that is open.
    generation: u64,
}

impl Reader {
    fn open(context: ReaderContext<'_>) -> Result<Self, StoreError> {
        let ReaderContext { folder, numbers, options, progress, .. } = context;
        let (path, cache_bytes) = (folder.index(), options.reader_cache_bytes);
        let index = open_index(&path, cache_bytes).map_err(IndexError)?;
        let main = database::open_reader(&folder.main(), cache_bytes)?;
        Ok(Self {
            main,
            index,
            numbers: numbers.clone(),
            path,
            cache_bytes,
            progress: progress.clone(),
            coverage: Coverage::NOTHING,
            generation: 0,
        })
    }

    /// What the index contains for the present query.
    pub(super) const fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// Before a query: learns what the index contains, and opens it again after it was replaced.
    fn refresh(&mut self) {
        let (coverage, generation) = {
            let progress = self.progress.borrow();
            (progress.coverage, progress.generation)
        };
        self.coverage = coverage;
        if self.generation == generation {
            return;
        }
        match open_index(&self.path, self.cache_bytes) {
            Ok(index) => (self.index, self.generation) = (index, generation),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the index is not read");
                self.coverage = Coverage::NOTHING;
            },
        }
    }

    pub(super) fn numbers(&self) -> RwLockReadGuard<'_, Numbers> {
        self.numbers.read()
    }
}

/// Opens the index. Its log is never removed when the connection is closed, which may happen after
/// the file was replaced.
fn open_index(path: &Path, cache_bytes: u64) -> rusqlite::Result<Connection> {
    let index = database::open_reader(path, cache_bytes)?;
    loss::keep_log_on_close(&index, true)?;
    Ok(index)
}

/// What all reading threads share.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReaderContext<'a> {
    pub(super) folder: &'a Folder,
    pub(super) numbers: &'a SharedNumbers,
    pub(super) options: &'a Options,
    /// How far the index is.
    pub(super) progress: &'a watch::Receiver<Progress>,
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
            let mut reader = Reader::open(context)?;
            let queue = Arc::clone(&queue);
            let name = format!("store-{}-{number}", pool.name());
            let thread = thread::start(&name, context.ended, move || {
                while let Some(Job(query)) = next(&queue) {
                    reader.refresh();
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
