//! Hears what other nodes did, and follows the clock that they share.

use std::{collections::BTreeSet, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use postrider::ApplicationId;
use postrider_store::StoreEvent;
use tokio_util::sync::CancellationToken;

use crate::engine::Shared;

/// Time between two looks at the shared clock.
const FOLLOW: Duration = Duration::from_secs(2);

/// Time until changes are read again that could not be.
const PAUSE: Duration = Duration::from_secs(1);

/// StoreEvent that are taken in together.
const BURST: usize = 1_024;

/// Changes that wait to be read again; when there are more, everything is.
const PENDING: usize = 10_000;

/// Takes the store's news; [`Listener::run`] is its life.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
    /// Applications that changed and are not read yet.
    changed: BTreeSet<ApplicationId>,
    /// Anything may have changed.
    has_missed: bool,
}

impl Listener {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, changed: BTreeSet::new(), has_missed: false }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            () = stop.cancelled() => {},
            () = self.listen() => {},
            () = follow(&shared) => {},
        }
    }

    async fn listen(mut self) {
        loop {
            if self.changed.is_empty() && !self.has_missed {
                self.hear().await;
            } else {
                // Something could not be read; more may come meanwhile.
                drop(tokio::time::timeout(PAUSE, self.hear()).await);
            }
            self.read().await;
        }
    }

    /// Takes in what there is, and waits for something if there is nothing.
    async fn hear(&mut self) {
        let store = Arc::clone(&self.shared.store);
        let first = store.next_event().await;
        self.take(first);
        for _ in 1..BURST {
            let mut next = store.next_event();
            let ready = poll_fn(|ctx| match next.as_mut().poll(ctx) {
                Poll::Ready(news) => Poll::Ready(Some(news)),
                Poll::Pending => Poll::Ready(None),
            });
            let Some(news) = ready.await else { return };
            self.take(news);
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "news are taken")]
    fn take(&mut self, news: StoreEvent) {
        match news {
            StoreEvent::ApplicationChanged(application) => {
                self.changed.insert(application);
                if self.changed.len() > PENDING {
                    self.has_missed = true;
                    self.changed.clear();
                }
            },
            StoreEvent::EventsMissed => self.has_missed = true,
            StoreEvent::DeliveriesDue => self.shared.wake_all(),
            StoreEvent::DeliveriesTakenOver(count) => {
                self.shared.metrics.lease_steals.inc_by(count);
                self.shared.wake_all();
            },
        }
    }

    /// Reads what changed, and lets the drivers follow; what fails is left for the next time.
    async fn read(&mut self) {
        if self.has_missed {
            self.shared.directory.forget_all();
            // What has no lane is read when somebody asks for it.
            self.changed = self.shared.applications_with_lanes().await;
            self.has_missed = false;
            self.shared.wake_all();
        }
        while let Some(&application) = self.changed.first() {
            if let Err(error) = self.shared.changed(application).await {
                self.shared.store_failed("read changes", &error);
                return;
            }
            self.changed.pop_first();
        }
    }
}

/// Keeps the clock with the one that all nodes share.
async fn follow(shared: &Shared) {
    loop {
        tokio::time::sleep(FOLLOW).await;
        if let Err(error) = shared.clock.follow(&*shared.store).await {
            shared.store_failed("look at the clock", &error);
        }
    }
}
