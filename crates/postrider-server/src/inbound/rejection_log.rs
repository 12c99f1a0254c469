//! The log of rejected requests: written in the background, so that a flood of forged requests
//! costs the store one write per pause and delays nothing else.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::message::Rejection;
use postrider_store::{Store, StoreError};
use prometheus_client::metrics::counter::Counter;
use tokio_util::task::TaskTracker;

use crate::background_writer::{self, Collected, WriterState};

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
    writer: WriterState,
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
        if queue.writer.begin() {
            background_writer::start(&self.0.tasks, Arc::clone(&self.0));
        }
    }

    /// Stores the queue at once, so that a reader of the log finds what was rejected just before.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.0.write().await
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Rejection> {
        let mut queue = self.lock();
        queue.bytes = 0;
        std::mem::take(&mut queue.rejections)
    }
}

impl Collected for Shared {
    const NAME: &'static str = "rejections";
    // A write costs little until there is a flood.
    const FIRST_PAUSE: Duration = Duration::ZERO;
    const PAUSE: Duration = PAUSE;

    fn has_ended(&self) -> bool {
        let mut queue = self.lock();
        let is_empty = queue.rejections.is_empty();
        queue.writer.has_ended(is_empty)
    }

    async fn write(&self) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let batch = self.take();
        let count = batch.len() as u64;
        let stored = if batch.is_empty() { Ok(()) } else { self.store.reject(batch).await };
        if stored.is_err() {
            self.dropped.inc_by(count);
        }
        stored
    }
}
