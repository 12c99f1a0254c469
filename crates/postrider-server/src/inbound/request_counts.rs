//! Counts the requests to each source, and stores the numbers in the background.

use std::{
    collections::HashMap,
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

use crate::background_writer::{self, Collected, WriterState};

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
    writer: WriterState,
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
        if counts.writer.begin() {
            background_writer::start(&self.0.tasks, Arc::clone(&self.0));
        }
    }

    /// Stores the numbers at once, so that a reader finds what was received just before.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.0.write().await
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Collected for Shared {
    const NAME: &'static str = "request counts";
    const FIRST_PAUSE: Duration = PAUSE;
    const PAUSE: Duration = PAUSE;

    fn has_ended(&self) -> bool {
        let mut counts = self.lock();
        let is_empty = counts.counted.is_empty();
        counts.writer.has_ended(is_empty)
    }

    async fn write(&self) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let counted = std::mem::take(&mut self.lock().counted);
        self.store_or_keep(counted).await
    }
}
