//! What the engine knows of applications, endpoints and sources without asking the store.

mod sources;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use http::HeaderValue;
use postrider::{ApplicationId, EndpointId, OrganizationId, Uid};
use postrider_core::{
    catalog::{Application, Endpoint},
    request::{Prepared, SignatureHeaders},
    time::Timestamp,
    vault::Vault,
};
use postrider_store::{Named, Scan, Store, StoreError};
use tokio::sync::Semaphore;

use self::sources::Sources;

pub use self::sources::OpenSource;

/// Applications kept in memory; beyond that all are forgotten and read again.
const CAPACITY: usize = 50_000;

/// Endpoints read from the store in one call.
const PAGE: usize = 250;

/// Sources that are looked for in the store at once. Anybody can ask for one, with any token;
/// who asks is not to take the store from others.
const LOOKUPS: usize = 4;

/// One application with its endpoints, as of one moment.
#[derive(Debug)]
pub struct Entry {
    pub application: Application,
    /// All of them, the disabled ones too, by id.
    pub endpoints: Vec<Arc<Endpoint>>,
    pub(crate) routes: HashMap<EndpointId, Route>,
}

impl Entry {
    /// Whether there is such an endpoint, and it is disabled.
    pub(crate) fn is_disabled(&self, endpoint: EndpointId) -> bool {
        self.routes.get(&endpoint).is_some_and(|route| route.endpoint.disabled)
    }
}

/// What sending to one endpoint takes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub endpoint: Arc<Endpoint>,
    pub prepared: Arc<Prepared>,
    /// Since when it has been failing, when the entry was read.
    pub failing_since: Option<Timestamp>,
}

/// A bounded cache of entries. What it holds is as new as the last `refresh`,
/// which follows every change.
#[derive(Debug)]
pub struct Directory {
    store: Arc<dyn Store>,
    vault: Vault,
    names: SignatureHeaders,
    user_agent: HeaderValue,
    cache: RwLock<Cache>,
    lookups: Semaphore,
}

#[derive(Debug, Default)]
struct Cache {
    sources: Sources,
    entries: HashMap<ApplicationId, Arc<Entry>>,
    uids: HashMap<(OrganizationId, Uid), ApplicationId>,
    /// Counts the changes, so that what was read before one is not kept after it.
    changes: u64,
}

impl Directory {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        vault: Vault,
        names: SignatureHeaders,
        user_agent: HeaderValue,
    ) -> Self {
        Self {
            store,
            vault,
            names,
            user_agent,
            cache: RwLock::default(),
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
        // While this one waited, another may have found it.
        if let Some(known) = self.known_source(&token_digest) {
            return Ok(Some(known));
        }
        let changes = self.changes();
        let Some(source) = self.store.source_by_token(token_digest).await? else {
            return Ok(None);
        };
        let opened = Arc::new(OpenSource::new(source, &self.vault)?);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.changes == changes {
            cache.sources.keep(&opened);
        }
        Ok(Some(opened))
    }

    fn known_source(&self, token_digest: &[u8; 32]) -> Option<Arc<OpenSource>> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).sources.get(token_digest)
    }

    /// The application that a path names, from memory or the store.
    pub async fn find(
        &self,
        organization: &OrganizationId,
        named: &Named<ApplicationId>,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        if let Some(entry) = self.cached(organization, named) {
            return Ok(Some(entry));
        }
        match self.store.application(organization, named).await? {
            Some(application) => self.read(application).await.map(Some),
            None => Ok(None),
        }
    }

    /// The application with this id, from memory or the store.
    pub async fn entry(&self, id: ApplicationId) -> Result<Option<Arc<Entry>>, StoreError> {
        match self.known(id) {
            Some(entry) => Ok(Some(entry)),
            None => self.refresh(id).await,
        }
    }

    /// The application with this id, if it is in memory.
    pub(crate) fn known(&self, id: ApplicationId) -> Option<Arc<Entry>> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).entries.get(&id).cloned()
    }

    /// Reads the application from the store again.
    pub(crate) async fn refresh(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Arc<Entry>>, StoreError> {
        // Forgetting first means that a failure on the way leaves nothing stale behind.
        self.forget(id);
        match self.store.application_by_id(id).await? {
            Some(application) => self.read(application).await.map(Some),
            None => Ok(None),
        }
    }

    fn cached(
        &self,
        organization: &OrganizationId,
        named: &Named<ApplicationId>,
    ) -> Option<Arc<Entry>> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let id = match named {
            Named::Id(id) => id,
            Named::Uid(uid) => cache.uids.get(&(organization.clone(), uid.clone()))?,
        };
        let entry = cache.entries.get(id)?;
        (entry.application.organization == *organization).then(|| Arc::clone(entry))
    }

    async fn read(&self, application: Application) -> Result<Arc<Entry>, StoreError> {
        let changes = self.changes();
        let mut endpoints = Vec::new();
        let mut scan = Scan { after: None, ascending: true, limit: PAGE };
        loop {
            let found = self.store.endpoints(application.id, scan.clone()).await?;
            endpoints.extend(found.items.into_iter().map(Arc::new));
            match found.resume {
                Some(after) => scan.after = Some(after),
                None => break,
            }
        }
        let failing = self.store.failing(application.id).await?.into_iter().collect();
        let routes = endpoints.iter().filter_map(|it| self.route(it, &failing)).collect();
        let entry = Arc::new(Entry { application, endpoints, routes });
        self.keep(&entry, changes);
        Ok(entry)
    }

    fn route(
        &self,
        endpoint: &Arc<Endpoint>,
        failing: &HashMap<EndpointId, Timestamp>,
    ) -> Option<(EndpointId, Route)> {
        match Prepared::new(endpoint, &self.vault, self.names, &self.user_agent) {
            Ok(prepared) => {
                let failing_since = failing.get(&endpoint.id).copied();
                let endpoint = Arc::clone(endpoint);
                let id = endpoint.id;
                Some((id, Route { endpoint, prepared: Arc::new(prepared), failing_since }))
            },
            Err(error) => {
                tracing::error!(
                    endpoint.id = %endpoint.id,
                    error = &error as &dyn std::error::Error,
                    "endpoint cannot be called as it is stored; its deliveries wait"
                );
                None
            },
        }
    }

    fn changes(&self) -> u64 {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).changes
    }

    fn keep(&self, entry: &Arc<Entry>, changes: u64) {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.changes != changes {
            return;
        }
        if cache.entries.len() >= CAPACITY {
            let sources = std::mem::take(&mut cache.sources);
            *cache = Cache { sources, changes, ..Cache::default() };
        }
        let application = &entry.application;
        if let Some(uid) = &application.uid {
            cache.uids.insert((application.organization.clone(), uid.clone()), application.id);
        }
        cache.entries.insert(application.id, Arc::clone(entry));
    }

    /// Forgets everything, as when changes may have been missed.
    pub(crate) fn forget_all(&self) {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        *cache = Cache { changes: cache.changes + 1, ..Cache::default() };
    }

    fn forget(&self, id: ApplicationId) {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        cache.changes += 1;
        cache.sources.forget(id);
        if let Some(Application { organization, uid: Some(uid), .. }) =
            cache.entries.remove(&id).map(|it| it.application.clone())
        {
            cache.uids.remove(&(organization, uid));
        }
    }
}
