//! The cache of applications, endpoints and sources.

mod sources;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderValue;
use postrider::{ApplicationId, EndpointId, OrganizationId, Uid};
use postrider_core::{
    catalog::{Application, ApplicationMode, Endpoint, Source},
    filter::{self, Filter, FilterError, Mismatch, Subject},
    hash::FastMap,
    message::Message,
    request::SignatureHeaders,
    target::{Target, TargetError},
    time::Timestamp,
    vault::Vault,
};
use postrider_store::{IdOrUid, Records, Scan, Store, StoreError};
use quick_cache::Weighter;
use tokio::sync::Semaphore;

use self::sources::Sources;
use crate::{cache::Cache, limits::Limits};

pub use self::sources::OpenSource;

/// Endpoints read from the store in one call.
const PAGE: usize = 250;

/// Concurrent lookups of sources in the store. Clients can ask for any token, and must not use up
/// the store's capacity.
const LOOKUPS: usize = 4;

/// One application with its endpoints at one point in time.
#[derive(Debug)]
pub struct Entry {
    pub application: Application,
    /// All endpoints by id, including disabled ones.
    pub endpoints: Vec<Arc<Endpoint>>,
    pub(crate) routes: FastMap<EndpointId, Route>,
    /// The filters of the endpoints that have one.
    filters: HashMap<EndpointId, Result<Filter, FilterError>>,
    /// The number of changes that the directory had seen when it began to read this.
    changes: u64,
}

impl Entry {
    /// Where the endpoint's deliveries go; `None` if there is no such endpoint, or if what is stored
    /// about it is not usable.
    pub fn target(&self, endpoint: EndpointId) -> Option<&Arc<Target>> {
        self.routes.get(&endpoint).map(|route| &route.target)
    }

    /// Whether one of its endpoints gets the message, or the first reason why it does not.
    pub fn check(&self, endpoint: &Endpoint, subject: &Subject<'_>) -> Result<(), Mismatch> {
        filter::check(endpoint, self.filters.get(&endpoint.id), subject)
    }

    /// Whether an endpoint has a filter.
    pub(crate) fn has_filters(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The endpoints that get the message.
    pub(crate) fn targets(&self, message: &Message) -> Vec<&Arc<Endpoint>> {
        let subject = Subject::new(message, &self.application.metadata);
        self.endpoints.iter().filter(|it| self.check(it, &subject).is_ok()).collect()
    }

    /// Whether the endpoint exists and is disabled or paused.
    pub(crate) fn is_stopped(&self, endpoint: EndpointId) -> bool {
        self.routes.get(&endpoint).is_some_and(|route| route.endpoint.is_stopped())
    }
}

/// What is needed to call one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub endpoint: Arc<Endpoint>,
    pub target: Arc<Target>,
    /// Since when it has been failing, as of when the entry was read.
    pub failing_since: Option<Timestamp>,
}

/// Weighs an application by its endpoints.
#[derive(Clone, Debug)]
struct ByEndpoints {
    heaviest: u64,
}

impl Weighter<ApplicationId, Arc<Entry>> for ByEndpoints {
    fn weight(&self, _: &ApplicationId, entry: &Arc<Entry>) -> u64 {
        (1 + entry.endpoints.len() as u64).min(self.heaviest)
    }
}

/// A bounded cache of entries. It is refreshed after every change, and never returns anything older
/// than the last refresh.
#[derive(Debug)]
pub struct Directory {
    store: Arc<dyn Store>,
    vault: Vault,
    names: SignatureHeaders,
    user_agent: HeaderValue,
    entries: Cache<ApplicationId, Arc<Entry>, ByEndpoints>,
    /// The application that had a uid when it was looked up last, by a hash of the organization and
    /// the uid. Its entry has to be checked, so the key needs no copies of both texts.
    uids: Cache<u64, ApplicationId>,
    hashes: RandomState,
    sources: RwLock<Sources>,
    /// Counts the changes. A change is counted before entries are dropped for it, so whatever was
    /// read at the current count is not outdated.
    changes: AtomicU64,
    lookups: Semaphore,
}

impl Directory {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        vault: Vault,
        names: SignatureHeaders,
        user_agent: HeaderValue,
        limits: &Limits,
    ) -> Self {
        let capacity = limits.remembered_applications;
        let heaviest = Cache::<ApplicationId, Arc<Entry>, ByEndpoints>::heaviest(capacity);
        // Applications that are looked up usually have at least one endpoint.
        let count = capacity.div_ceil(2);
        Self {
            store,
            vault,
            names,
            user_agent,
            entries: Cache::weighted(capacity, count, ByEndpoints { heaviest }),
            uids: Cache::new(count),
            hashes: RandomState::new(),
            sources: RwLock::new(Sources::new(limits.remembered_sources)),
            changes: AtomicU64::default(),
            lookups: Semaphore::new(LOOKUPS),
        }
    }

    /// The source whose token has this digest, from memory or the store.
    pub async fn source(
        &self,
        token_digest: [u8; 32],
    ) -> Result<Option<Arc<OpenSource>>, StoreError> {
        if let Some(known) = self.known_source(&token_digest) {
            return Ok(Some(known));
        }
        let _permit = self.lookups.acquire().await.expect("the semaphore is never closed");
        // Another lookup may have found it while this one waited.
        if let Some(known) = self.known_source(&token_digest) {
            return Ok(Some(known));
        }
        let changes = self.changes();
        let Some(source) = self.store.find::<Source>(token_digest).await? else {
            return Ok(None);
        };
        let opened = Arc::new(OpenSource::new(source, &self.vault)?);
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes() == changes {
            sources.keep(&opened);
        }
        Ok(Some(opened))
    }

    fn known_source(&self, token_digest: &[u8; 32]) -> Option<Arc<OpenSource>> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).get(token_digest)
    }

    /// The application that a path names, from memory or the store.
    pub async fn find(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        let uid = match named {
            IdOrUid::Id(id) => {
                let entry = self.entry(*id).await?;
                return Ok(entry.filter(|it| it.application.organization == *organization));
            },
            IdOrUid::Uid(uid) => uid,
        };
        let key = self.hashes.hash_one((organization, uid));
        if let Some(id) = self.uids.get(&key)
            && let Some(entry) = self.entry(id).await?
            && entry.has(organization, uid)
        {
            return Ok(Some(entry));
        }
        let Some(application) = self.store.get::<Application>(organization, named).await? else {
            return Ok(None);
        };
        self.uids.insert(key, application.id);
        self.entry(application.id).await
    }

    /// Where the deliveries of an endpoint would go, which need not be stored.
    pub fn target(&self, endpoint: &Endpoint) -> Result<Target, TargetError> {
        Target::new(endpoint, &self.vault, self.names, &self.user_agent)
    }

    /// The application with this id, from memory or the store.
    pub async fn entry(&self, id: ApplicationId) -> Result<Option<Arc<Entry>>, StoreError> {
        match self.known(id) {
            Some(entry) => Ok(Some(entry)),
            // In a box, because the future is large and rarely needed, and every message comes
            // through here.
            None => Box::pin(self.entries.get_or_load(&id, self.read(id))).await,
        }
    }

    /// The application with this id, if it is in memory.
    pub(crate) fn known(&self, id: ApplicationId) -> Option<Arc<Entry>> {
        self.entries.get(&id)
    }

    /// The current state of an application of which the caller has looked up `entry` before.
    /// `None` if the entry may be outdated and nothing newer is in memory: there may have been a
    /// change in between, and what was read after it may have been evicted.
    pub(crate) fn current(&self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        self.known(entry.application.id)
            .or_else(|| (entry.changes == self.changes()).then(|| Arc::clone(entry)))
    }

    /// Reads the application from the store again.
    pub(crate) async fn refresh(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        // The old entry is dropped first, so that a failure leaves nothing stale behind.
        self.forget(id);
        self.entry(id).await
    }

    async fn read(&self, id: ApplicationId) -> Result<Option<Arc<Entry>>, StoreError> {
        let changes = self.changes();
        let Some(application) = self.store.find::<Application>(id).await? else { return Ok(None) };
        let mut endpoints = Vec::new();
        let mut scan = Scan { after: None, ascending: true, limit: PAGE };
        loop {
            let found = self.store.list::<Endpoint>(&id, scan.clone()).await?;
            endpoints.extend(found.items.into_iter().map(Arc::new));
            match found.resume {
                Some(after) => scan.after = Some(after),
                None => break,
            }
        }
        let failing = self.store.failing(id).await?.into_iter().collect();
        let mode = application.mode;
        let routes = endpoints.iter().filter_map(|it| self.route(it, mode, &failing)).collect();
        let filters = endpoints.iter().filter_map(|it| compiled(it)).collect();
        Ok(Some(Arc::new(Entry { application, endpoints, routes, filters, changes })))
    }

    fn route(
        &self,
        endpoint: &Arc<Endpoint>,
        mode: ApplicationMode,
        failing: &HashMap<EndpointId, Timestamp>,
    ) -> Option<(EndpointId, Route)> {
        match self.target(endpoint) {
            Ok(target) => {
                let target = target.in_mode(mode);
                let failing_since = failing.get(&endpoint.id).copied();
                let endpoint = Arc::clone(endpoint);
                let id = endpoint.id;
                Some((id, Route { endpoint, target: Arc::new(target), failing_since }))
            },
            Err(error) => {
                tracing::error!(
                    endpoint.id = %endpoint.id,
                    error = &error as &dyn std::error::Error,
                    "stored endpoint is not usable; its deliveries wait"
                );
                None
            },
        }
    }

    /// The number of changes so far. What was read at this number is not outdated.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Drops everything, because changes may have been missed.
    pub(crate) fn forget_all(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.entries.clear();
        self.uids.clear();
        self.sources.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn forget(&self, id: ApplicationId) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.entries.forget(&id);
        self.sources.write().unwrap_or_else(PoisonError::into_inner).forget(id);
    }
}

/// The endpoint's filter. One that is not valid was saved by another version of the server.
fn compiled(endpoint: &Endpoint) -> Option<(EndpointId, Result<Filter, FilterError>)> {
    let filter = Filter::new(endpoint.filter.as_deref()?);
    if let Err(error) = &filter {
        tracing::error!(
            endpoint.id = %endpoint.id,
            error = error as &dyn std::error::Error,
            "stored filter is not valid; the endpoint gets no messages until it is changed"
        );
    }
    Some((endpoint.id, filter))
}

impl Entry {
    fn has(&self, organization: &OrganizationId, uid: &Uid) -> bool {
        self.application.organization == *organization && self.application.uid.as_ref() == Some(uid)
    }
}
