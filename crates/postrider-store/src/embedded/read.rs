//! The reading threads: a few connections, so that readers disturb neither each other nor
//! the commits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Options, folder, numbers::Numbers, thread, trouble};
use crate::{BoxError, StoreError};

/// Readers that wait before more have to wait for a place.
const QUEUE: usize = 256;

/// What threads read for. What is found by its key does not wait behind what takes a walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Fetch,
    Search,
}

impl Purpose {
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

type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// Where questions are asked.
#[derive(Debug)]
pub(super) struct Readers {
    questions: mpsc::Sender<Job>,
}

struct Job(Question);

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// What a question is answered from.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) truth: Connection,
    pub(super) index: Connection,
    numbers: Arc<RwLock<Numbers>>,
}

impl Reader {
    pub(super) fn numbers(&self) -> RwLockReadGuard<'_, Numbers> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    pub(super) fn start(
        folder: &folder::Folder,
        (numbers, ended): (&Arc<RwLock<Numbers>>, &CancellationToken),
        options: &Options,
        purpose: Purpose,
    ) -> Result<(Self, Vec<JoinHandle<()>>), StoreError> {
        let (questions, asked) = mpsc::channel(QUEUE);
        let asked = Arc::new(Mutex::new(asked));
        let mut threads = Vec::new();
        for number in 1..=purpose.threads() {
            let mut reader = Reader {
                truth: folder::open_reader(&folder.truth(), options.reader_cache_bytes)?,
                index: folder::open_reader(&folder.index(), options.reader_cache_bytes)
                    .map_err(trouble::of_index)?,
                numbers: Arc::clone(numbers),
            };
            let asked = Arc::clone(&asked);
            let name = format!("store-{}-{number}", purpose.name());
            let thread = thread::start(&name, ended, move || {
                while let Some(Job(question)) = next(&asked) {
                    answer(question, &mut reader);
                }
            })
            .map_err(|error| StoreError::Unavailable(BoxError::from(error)))?;
            threads.push(thread);
        }
        Ok((Self { questions }, threads))
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job(Box::new(move |reader| drop(answer.send(question(reader)))));
        self.questions.send(job).await.map_err(|_| trouble::closed())?;
        answered.await.map_err(|_| trouble::closed())?
    }
}

/// A reader holds nothing that a panic could leave half done, so the thread goes on; the caller
/// learns of it when its channel closes.
fn answer(question: Question, reader: &mut Reader) {
    if catch_unwind(AssertUnwindSafe(|| question(reader))).is_err() {
        tracing::error!("internal error: a read of the store panicked");
    }
}

/// One thread waits for a question while the others wait for their turn to wait.
fn next(asked: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    asked.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}
