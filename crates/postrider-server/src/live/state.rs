//! What all streams of this node share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use postrider::EndpointId;
use postrider_core::{budget::Budget, live::Mark, time::Timestamp};
use postrider_engine::{Engine, LiveHub};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{channel::Channel, token::Verifier};
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
    /// Places of readers.
    readers: Mutex<Budget>,
    channels: Mutex<HashMap<EndpointId, Arc<Channel>>>,
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

    /// A mark that no window has had before, most likely.
    pub(super) fn mark(&self) -> Mark {
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

    pub(super) fn readers(&self) -> MutexGuard<'_, Budget> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn channels(&self) -> MutexGuard<'_, HashMap<EndpointId, Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
