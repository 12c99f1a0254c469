//! Counts the requests to each source, and stores the numbers in the background.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::{
    catalog::Source,
    statistics::{Counted, CountedFor, Fact, FactKind, RequestResult},
    time::Timestamp,
};
use postrider_store::{Store, StoreError};
use tokio_util::task::TaskTracker;

/// Time between two writes.
const PAUSE: Duration = Duration::from_millis(500);

/// Most numbers in memory. A source has a handful in each minute.
const MAX_COUNTS: usize = 10_000;

/// Counts received requests.
#[derive(Clone, Debug)]
pub(crate) struct RequestCounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    counts: Mutex<Counts>,
    /// Held from before numbers are taken until they are stored, so that its holder finds all of
    /// them either in memory or in the store.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Counts {
    counted: HashMap<(CountedFor, Fact), Counted>,
    /// A task writes, and takes what is added meanwhile afterwards.
    is_writing: bool,
}

impl RequestCounts {
    pub(crate) fn new(store: Arc<dyn Store>, tasks: TaskTracker) -> Self {
        let (counts, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { store, tasks, counts, writing }))
    }

    pub(super) fn add(&self, source: &Source, at: Timestamp, result: RequestResult) {
        let of = CountedFor::Source(source.id);
        let fact = Fact::new(at, FactKind::Request(result));
        let mut counts = self.0.lock();
        if counts.counted.len() >= MAX_COUNTS && !counts.counted.contains_key(&(of, fact)) {
            // The store has been unavailable for long. Statistics must not take memory then.
            return;
        }
        let none = Counted { application: source.application, of, fact, count: 0 };
        counts.counted.entry((of, fact)).or_insert(none).count += 1;
        // Set under the lock that the task takes before it ends, so that nothing is left behind.
        if !std::mem::replace(&mut counts.is_writing, true) {
            self.0.tasks.spawn(write(Arc::clone(&self.0)));
        }
    }

    /// Stores the numbers at once, so that a reader finds what was received just before.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let _writing = self.0.writing.lock().await;
        let counted = std::mem::take(&mut self.0.lock().counted);
        self.0.store_or_keep(counted).await
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers; if there are none, the writing task counts as ended.
    fn take(&self) -> HashMap<(CountedFor, Fact), Counted> {
        let mut counts = self.lock();
        counts.is_writing = !counts.counted.is_empty();
        std::mem::take(&mut counts.counted)
    }

    async fn store_or_keep(
        &self,
        counted: HashMap<(CountedFor, Fact), Counted>,
    ) -> Result<(), StoreError> {
        if counted.is_empty() {
            return Ok(());
        }
        let stored = self.store.count(counted.values().copied().collect()).await;
        if stored.is_err() {
            let mut counts = self.lock();
            for (key, it) in counted {
                counts.counted.entry(key).or_insert(Counted { count: 0, ..it }).count += it.count;
            }
        }
        stored
    }
}

/// Writes until nothing is left.
async fn write(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let _writing = shared.writing.lock().await;
        let counted = shared.take();
        if counted.is_empty() {
            return;
        }
        if let Err(error) = shared.store_or_keep(counted).await {
            tracing::debug!(error = &error as &dyn Error, "request counts are not stored");
        }
    }
}
