//! Follows what other nodes do, and the clock that they share.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use postrider::ApplicationId;
use postrider_store::{Store, StoreEvent};
use tokio_util::sync::CancellationToken;

use crate::{
    changes::Changes, clock::Clock, components::Components, metrics::Metrics,
    store_errors::StoreErrors,
};

/// Time between two readings of the shared clock.
const CLOCK_INTERVAL: Duration = Duration::from_secs(2);

/// Time before a change is read again that could not be read.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Most events that are taken in before the changes are read.
const BURST: usize = 1_024;

/// Changed applications that are remembered. If there are more, everything is read again.
const MAX_CHANGED: usize = 10_000;

/// Takes in the store's events.
#[derive(Debug)]
pub struct Listener {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    changes: Changes,
    metrics: Arc<Metrics>,
    errors: Arc<StoreErrors>,
    access_changes: Arc<AtomicU64>,
    /// Applications that changed and have not been read yet.
    changed: BTreeSet<ApplicationId>,
    /// Anything may have changed.
    has_missed: bool,
}

impl Listener {
    pub(crate) fn new(components: &Components) -> Self {
        Self {
            store: Arc::clone(&components.store),
            clock: Arc::clone(&components.clock),
            changes: components.changes.clone(),
            metrics: Arc::clone(&components.metrics),
            errors: Arc::clone(&components.errors),
            access_changes: Arc::clone(&components.access_changes),
            changed: BTreeSet::new(),
            has_missed: false,
        }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        let errors = Arc::clone(&self.errors);
        tokio::select! {
            () = stop.cancelled() => {},
            () = self.listen() => {},
            () = follow_clock(&*store, &clock, &errors) => {},
        }
    }

    async fn listen(mut self) {
        loop {
            if self.changed.is_empty() && !self.has_missed {
                self.receive().await;
            } else {
                // A change could not be read; it is tried again even if no event comes.
                drop(tokio::time::timeout(RETRY_PAUSE, self.receive()).await);
            }
            self.read_changes().await;
        }
    }

    /// Takes in the events that there are, or waits for one.
    async fn receive(&mut self) {
        let store = Arc::clone(&self.store);
        let first = store.next_event().await;
        self.take(first);
        for _ in 1..BURST {
            let mut next = store.next_event();
            let ready = poll_fn(|ctx| match next.as_mut().poll(ctx) {
                Poll::Ready(event) => Poll::Ready(Some(event)),
                Poll::Pending => Poll::Ready(None),
            });
            let Some(event) = ready.await else { return };
            self.take(event);
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "events are taken")]
    fn take(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::ApplicationChanged(application) => {
                self.changed.insert(application);
                if self.changed.len() > MAX_CHANGED {
                    self.has_missed = true;
                    self.changed.clear();
                }
            },
            StoreEvent::AccessChanged => self.note_access_change(),
            StoreEvent::EventTypesChanged(organization) => self.changes.catalog.note(organization),
            StoreEvent::EventsMissed => {
                self.has_missed = true;
                self.changes.catalog.note_all();
                self.note_access_change();
            },
            StoreEvent::DeliveriesDue => self.changes.router.wake_all(),
            StoreEvent::DeliveriesTakenOver(count) => {
                self.metrics.lease_steals.inc_by(count);
                self.changes.router.wake_all();
            },
        }
    }

    fn note_access_change(&self) {
        self.access_changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Reads what changed, and lets the drivers follow. What fails is left for the next time.
    async fn read_changes(&mut self) {
        if self.has_missed {
            self.changes.directory.forget_all();
            // Applications without a lane are read when they are asked for.
            self.changed = self.changes.router.applications_with_lanes().await;
            self.has_missed = false;
            self.changes.router.wake_all();
        }
        while let Some(&application) = self.changed.first() {
            if let Err(error) = self.changes.apply(application).await {
                self.errors.report("read changes", &error);
                return;
            }
            self.changed.pop_first();
        }
    }
}

/// Keeps the clock in step with the one that all nodes share.
async fn follow_clock(store: &dyn Store, clock: &Clock, errors: &StoreErrors) {
    loop {
        tokio::time::sleep(CLOCK_INTERVAL).await;
        if let Err(error) = clock.follow(store).await {
            errors.report("read the clock", &error);
        }
    }
}
