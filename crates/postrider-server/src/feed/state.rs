//! What all feeds of this node share.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use postrider::OrganizationId;
use postrider_core::{
    budget::{Budget, CallerKey},
    live::StreamEnd,
    time::Timestamp,
};
use postrider_engine::Engine;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{channel::Channel, follower::Follower};
use crate::{
    api::{error::ApiError, error_report::ErrorReporter},
    metrics::LiveMetrics,
    operations::{handle::Operations, resources::Resources},
};

/// Readers that read from the store at a time. After a restart all of them come back at once.
const STORE_READS: usize = 4;

/// What feeds need of the server.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) operations: Operations,
    pub(crate) errors: Arc<ErrorReporter>,
    pub(crate) metrics: LiveMetrics,
}

/// What all feeds of this node share.
#[derive(Debug)]
pub(crate) struct Feeds {
    pub(super) operations: Operations,
    pub(super) errors: Arc<ErrorReporter>,
    pub(super) metrics: LiveMetrics,
    store_reads: Semaphore,
    /// Places of readers.
    readers: Mutex<Budget>,
    channels: Mutex<HashMap<OrganizationId, Arc<Channel>>>,
}

impl Feeds {
    pub(crate) fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { operations, errors, metrics } = dependencies;
        let places = operations.resources().settings.limits.live_readers;
        Arc::new(Self {
            operations,
            errors,
            metrics,
            store_reads: Semaphore::new(STORE_READS),
            readers: Mutex::new(Budget::new(places)),
            channels: Mutex::default(),
        })
    }

    pub(super) fn resources(&self) -> &Resources {
        self.operations.resources()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.resources().engine
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engine().clock().now()
    }

    /// Permission to read from the store for a reader that comes back.
    pub(super) async fn store_read(&self) -> SemaphorePermit<'_> {
        self.store_reads.acquire().await.expect("the semaphore is never closed")
    }

    /// A place for a reader of the organization's feed.
    pub(super) fn place(
        self: &Arc<Self>,
        organization: &OrganizationId,
        caller: CallerKey,
    ) -> Result<Place, ApiError> {
        let holder = holder(caller);
        if !self.readers().take(holder, 1) {
            return Err(ApiError::Unavailable(
                "there are too many readers on this server (`limits.live_readers`)",
                None,
            ));
        }
        let channel = match self.channels().entry(organization.clone()) {
            Entry::Occupied(entry) if !entry.get().has_ended() => Arc::clone(entry.get()),
            entry => {
                let bytes = self.resources().settings.limits.live_window;
                let channel = Arc::new(Channel::new(organization.clone(), holder, bytes));
                let follower = Follower::new(Arc::clone(self), Arc::clone(&channel));
                self.resources().tasks.spawn(follower.run());
                entry.insert_entry(Arc::clone(&channel));
                channel
            },
        };
        channel.enter();
        self.metrics.readers.inc();
        Ok(Place { feeds: Arc::clone(self), channel, holder })
    }

    /// Removes a channel without readers; `false` if it has readers again.
    pub(super) fn remove(&self, channel: &Arc<Channel>) -> bool {
        let mut channels = self.channels();
        if channel.has_readers() {
            return false;
        }
        channel.end(StreamEnd::Reconnect);
        channels.remove(&channel.organization);
        true
    }

    fn readers(&self) -> MutexGuard<'_, Budget> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who holds a caller's readers and the entries that are kept for them. It is another one than for
/// the caller's requests, so that the two do not crowd each other out.
const fn holder(caller: CallerKey) -> CallerKey {
    caller ^ 1 << 127
}

/// A reader's place among those of this node. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    feeds: Arc<Feeds>,
    pub(super) channel: Arc<Channel>,
    holder: CallerKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.channel.leave();
        self.feeds.metrics.readers.dec();
        self.feeds.readers().release(self.holder, 1);
    }
}
