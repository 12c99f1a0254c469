//! What all feeds of this node share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, Method, Uri};
use postrider::{
    OrganizationId,
    api::{Capability, Permission},
};
use postrider_core::{budget::Budget, live::StreamEnd, time::Timestamp};
use postrider_engine::Engine;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::channel::Channel;
use crate::{
    api::{access::Access, error::ApiError, error_report::ErrorReporter, operation::Declaration},
    auth::Principal,
    metrics::LiveMetrics,
    operations::{handle::Operations, resources::Resources},
    sso::{self, SingleSignOn},
};

/// Path of the feed.
pub(crate) const PATH: &str = "/api/v1/live";

/// Readers that read from the store at a time. After a restart all of them come back at once.
const STORE_READS: usize = 4;

/// What feeds need of the server.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) operations: Operations,
    pub(crate) errors: Arc<ErrorReporter>,
    pub(crate) metrics: LiveMetrics,
    pub(crate) sso: Option<Arc<SingleSignOn>>,
}

/// What a reader proves who it is with. It is checked again while the stream lasts.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

/// What all feeds of this node share.
#[derive(Debug)]
pub(crate) struct Feeds {
    pub(super) operations: Operations,
    pub(super) errors: Arc<ErrorReporter>,
    pub(super) metrics: LiveMetrics,
    sso: Option<Arc<SingleSignOn>>,
    /// Which principals may read a feed. A token of an application gets that part of it.
    declaration: Declaration,
    store_reads: Semaphore,
    /// Places of readers.
    readers: Mutex<Budget>,
    channels: Mutex<HashMap<OrganizationId, Arc<Channel>>>,
}

impl Feeds {
    pub(crate) fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { operations, errors, metrics, sso } = dependencies;
        let places = operations.resources().settings.limits.live_readers;
        Arc::new(Self {
            operations,
            errors,
            metrics,
            sso,
            declaration: declaration(),
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

    /// The principal of a reader, if it may read.
    pub(super) async fn admit(&self, of: &Credentials) -> Result<Arc<Principal>, ApiError> {
        let now = self.now();
        let authenticator = &self.resources().authenticator;
        let request = (&of.method, &of.uri, &of.headers);
        let principal = sso::authenticate(self.sso.as_deref(), authenticator, request, now).await?;
        self.operations.check_access(&self.declaration, &principal, now).await
    }

    /// Permission to read from the store for a reader that comes back.
    pub(super) async fn store_read(&self) -> SemaphorePermit<'_> {
        self.store_reads.acquire().await.expect("the semaphore is never closed")
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

    pub(super) fn readers(&self) -> MutexGuard<'_, Budget> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn channels(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn declaration() -> Declaration {
    let summary = "Follow what happens in the organization";
    Declaration::new(Method::GET, PATH, "v1.live", "Live", summary)
        .access(Access::Application(Capability::ViewBase))
        .needs(Permission::Read)
}
