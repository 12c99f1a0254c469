//! The log of rejected requests: written in the background, so that a flood of forged requests
//! costs the store one write per pause and delays nothing else.

use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::message::Rejection;
use postrider_store::{Store, StoreError};
use prometheus_client::metrics::counter::Counter;
use tokio_util::task::TaskTracker;

/// Most rejections in memory, and most bytes of their bodies.
const MAX_QUEUED: usize = 256;
const MAX_QUEUED_BYTES: usize = 4 << 20;

/// Time between two writes.
const PAUSE: Duration = Duration::from_millis(200);

/// The log of rejected requests.
#[derive(Clone, Debug)]
pub(crate) struct RejectionLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    dropped: Counter,
    queue: Mutex<Queue>,
    /// Held from before something is taken from the queue until it is stored, so that its holder
    /// finds everything either in the queue or in the store.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Queue {
    rejections: Vec<Rejection>,
    bytes: usize,
    /// A task writes, and takes what is added meanwhile afterwards.
    is_writing: bool,
}

impl RejectionLog {
    pub(crate) fn new(store: Arc<dyn Store>, tasks: TaskTracker, dropped: Counter) -> Self {
        let (queue, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { store, tasks, dropped, queue, writing }))
    }

    /// Adds a rejection, or drops it if the queue is full: the log helps to find errors, and must
    /// not take memory from requests that can be accepted.
    pub(super) fn add(&self, rejection: Rejection) {
        let mut queue = self.0.lock();
        let bytes = rejection.body.len();
        if queue.rejections.len() >= MAX_QUEUED || queue.bytes + bytes > MAX_QUEUED_BYTES {
            self.0.dropped.inc();
            return;
        }
        queue.bytes += bytes;
        queue.rejections.push(rejection);
        // Set under the lock that the task takes before it ends, so that none is left behind.
        if !std::mem::replace(&mut queue.is_writing, true) {
            self.0.tasks.spawn(write(Arc::clone(&self.0)));
        }
    }

    /// Stores the queue at once, so that a reader of the log finds what was rejected just before.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let _writing = self.0.writing.lock().await;
        let batch = {
            let mut queue = self.0.lock();
            queue.bytes = 0;
            std::mem::take(&mut queue.rejections)
        };
        if batch.is_empty() { Ok(()) } else { self.0.store.reject(batch).await }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue; if it is empty, the writing task counts as ended.
    fn take(&self) -> Vec<Rejection> {
        let mut queue = self.lock();
        queue.bytes = 0;
        queue.is_writing = !queue.rejections.is_empty();
        std::mem::take(&mut queue.rejections)
    }

    /// Stores the queue; whether there was something in it.
    async fn write_next(&self) -> bool {
        let _writing = self.writing.lock().await;
        let batch = self.take();
        if batch.is_empty() {
            return false;
        }
        let count = batch.len() as u64;
        if let Err(error) = self.store.reject(batch).await {
            self.dropped.inc_by(count);
            tracing::debug!(error = &error as &dyn Error, "rejections are not stored");
        }
        true
    }
}

/// Writes until the queue is empty.
async fn write(shared: Arc<Shared>) {
    while shared.write_next().await {
        tokio::time::sleep(PAUSE).await;
    }
}
