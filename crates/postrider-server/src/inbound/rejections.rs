//! Takes note of requests that were turned away, without letting them weigh on anything.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::message::Rejection;
use postrider_store::{Store, StoreError};

use crate::context::Context;

/// Most rejections that wait to be stored, and most bytes of them.
const MAX_WAITING: usize = 256;
const MAX_BYTES: usize = 4 << 20;

/// Time between two writes. However many requests are rejected, they cost the store no more.
const PAUSE: Duration = Duration::from_millis(200);

/// Rejections on their way into the store.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Rejection>,
    bytes: usize,
    /// A task writes, and will look for more when it is done.
    is_writing: bool,
}

impl Rejections {
    /// Keeps the rejection, unless too many wait already.
    pub(super) fn add(&self, context: &Arc<Context>, rejection: Rejection) {
        let mut queue = self.lock();
        let bytes = rejection.body.len();
        if queue.waiting.len() >= MAX_WAITING || queue.bytes + bytes > MAX_BYTES {
            context.metrics.inbound.dropped_rejections.inc();
            return;
        }
        queue.bytes += bytes;
        queue.waiting.push(rejection);
        if !std::mem::replace(&mut queue.is_writing, true) {
            context.tasks.spawn(write(Arc::clone(context)));
        }
    }

    /// What waits; or nothing, and the task that asked has ended.
    fn take(&self) -> Vec<Rejection> {
        let mut queue = self.lock();
        queue.bytes = 0;
        queue.is_writing = !queue.waiting.is_empty();
        std::mem::take(&mut queue.waiting)
    }

    /// Stores what waits, so that a reader of the log finds what was turned away just before.
    pub(super) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        let batch = {
            let mut queue = self.lock();
            queue.bytes = 0;
            std::mem::take(&mut queue.waiting)
        };
        if batch.is_empty() { Ok(()) } else { store.reject(batch).await }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes until nothing waits.
async fn write(context: Arc<Context>) {
    loop {
        let batch = context.intake.rejections.take();
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        if let Err(error) = context.engine.store().reject(batch).await {
            context.metrics.inbound.dropped_rejections.inc_by(count);
            tracing::debug!(error = &error as &dyn std::error::Error, "rejections are not kept");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
