//! What all streams of this node share.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use postrider::{ApplicationId, EndpointId};
use postrider_core::{
    budget::{Budget, CallerKey},
    live::Mark,
    time::Timestamp,
};
use postrider_engine::{Engine, LiveHub};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{channel::Channel, follower::Follower, token::Verifier};
use crate::{
    api::{error::ApiError, error_report::ErrorReporter},
    http::memory::MemoryBudget,
    metrics::LiveMetrics,
    settings::Settings,
};

/// Readers that read from the store at a time. After a restart all of them come back at once.
const STORE_READS: usize = 8;

/// What streams need of the server.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<Settings>,
    pub(crate) memory: MemoryBudget,
    pub(crate) errors: Arc<ErrorReporter>,
    pub(crate) metrics: LiveMetrics,
    /// The tasks that fill the channels, and those of readers over WebSocket.
    pub(crate) tasks: TaskTracker,
}

/// What all streams of this node share.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) engine: Engine,
    pub(super) settings: Arc<Settings>,
    pub(super) memory: MemoryBudget,
    pub(super) errors: Arc<ErrorReporter>,
    pub(super) metrics: LiveMetrics,
    pub(super) verifier: Verifier,
    pub(super) store_reads: Semaphore,
    pub(super) tasks: TaskTracker,
    readers: Mutex<Budget>,
    channels: Mutex<HashMap<EndpointId, Arc<Channel>>>,
}

/// A reader's place among those of this node. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    live: Arc<Live>,
    pub(super) channel: Arc<Channel>,
}

impl Live {
    pub(crate) fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { engine, settings, memory, errors, metrics, tasks } = dependencies;
        Arc::new(Self {
            verifier: Verifier::new(&settings.jwt_secret),
            store_reads: Semaphore::new(STORE_READS),
            readers: Mutex::new(Budget::new(settings.limits.live_readers)),
            channels: Mutex::default(),
            engine,
            settings,
            memory,
            errors,
            metrics,
            tasks,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// The engine's side; an error if this server cannot have streams.
    pub(super) fn hub(&self) -> Result<&Arc<LiveHub>, ApiError> {
        self.engine.live().ok_or(ApiError::NotFound("stream"))
    }

    /// A place for a reader of the endpoint, which may have `max_readers` on this node.
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    pub(super) fn place(
        self: &Arc<Self>,
        application: ApplicationId,
        endpoint: EndpointId,
        max_readers: Option<usize>,
    ) -> Result<Place, ApiError> {
        let hub = self.hub()?;
        let mut channels = self.channels();
        let known = channels.get(&endpoint).map_or(0, |it| it.readers.load(Ordering::Relaxed));
        if max_readers.is_some_and(|max| known >= max) {
            return Err(ApiError::Unavailable(
                "the endpoint has as many readers as it may have (`maxReaders`)",
                None,
            ));
        }
        if !lock(&self.readers).take(holder(application), 1) {
            return Err(ApiError::Unavailable(
                "there are too many readers on this server (`limits.live_readers`)",
                None,
            ));
        }
        let channel = match channels.entry(endpoint) {
            Entry::Occupied(entry) if !entry.get().has_ended() => Arc::clone(entry.get()),
            entry => {
                let window = self.settings.limits.live_window;
                let (mark, now) = (self.mark(), self.now());
                let channel = Channel::new(application, endpoint, window, mark, now);
                let channel = Arc::new(channel);
                let inbox = hub.listen(endpoint, Arc::clone(&channel.readers));
                let follower = Follower::new(Arc::clone(self), Arc::clone(&channel), inbox);
                self.tasks.spawn(follower.run());
                entry.insert_entry(Arc::clone(&channel));
                channel
            },
        };
        channel.readers.fetch_add(1, Ordering::Relaxed);
        self.metrics.readers.inc();
        Ok(Place { live: Arc::clone(self), channel })
    }

    /// A mark that no window has had before, most likely.
    fn mark(&self) -> Mark {
        let mut random = [0; 4];
        self.engine.clock().random(&mut random);
        Mark(u32::from_be_bytes(random))
    }

    /// Removes a channel that has ended, or that has no readers; `false` if it has readers again.
    pub(super) fn remove(&self, channel: &Arc<Channel>) -> bool {
        let mut channels = self.channels();
        if !channel.has_ended() && channel.readers.load(Ordering::Relaxed) > 0 {
            return false;
        }
        if channels.get(&channel.endpoint).is_some_and(|it| Arc::ptr_eq(it, channel)) {
            channels.remove(&channel.endpoint);
        }
        true
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<EndpointId, Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.channel.readers.fetch_sub(1, Ordering::Relaxed);
        self.live.metrics.readers.dec();
        lock(&self.live.readers).release(holder(self.channel.application), 1);
    }
}

/// Who holds an application's readers and the events that are kept for them. It is another one than
/// for the requests of the application, so that the two do not crowd each other out.
pub(super) const fn holder(application: ApplicationId) -> CallerKey {
    // The first bit of the time in an id is never set.
    application.as_u128() | 1 << 127
}

fn lock(readers: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}
