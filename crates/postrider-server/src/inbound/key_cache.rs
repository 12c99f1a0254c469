//! Fetches the keys, certificates and key sets that verification needs. Requests that need the
//! same one share a fetch, and its result is cached.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use postrider::provider::KeyRequest;
use postrider_core::time::Timestamp;
use postrider_engine::{Cache, Engine, FetchError};
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

/// Fetches at the same time.
const MAX_FETCHES: usize = 8;

/// How long a fetch may wait for another one to end.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a fetched key is used.
pub(super) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long a failure is cached. An unreachable host gets one request per second, regardless
/// of the number of webhooks that need its key.
const LIFETIME_REFUSED: Duration = Duration::from_secs(30);
const LIFETIME_UNREACHABLE: Duration = Duration::from_secs(1);

/// Fetched keys, and a limit of concurrent fetches.
#[derive(Debug)]
pub(super) struct KeyCache {
    entries: Cache<[u8; 32], Arc<Entry>>,
    permits: Semaphore,
}

/// The result of a fetch, or a fetch in progress.
#[derive(Debug)]
struct Entry {
    requested_at: Timestamp,
    result: OnceCell<Result<Bytes, FetchError>>,
}

impl KeyCache {
    /// Caches this number of results.
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: Cache::new(capacity), permits: Semaphore::new(MAX_FETCHES) }
    }

    /// The response to the request, not older than `max_age`.
    pub(super) async fn get(
        &self,
        engine: &Engine,
        request: &KeyRequest,
        max_age: Duration,
    ) -> Result<Bytes, FetchError> {
        let now = engine.clock().now();
        let is_fresh = |entry: &Arc<Entry>| entry.is_fresh(now, max_age);
        let new = || Arc::new(Entry { requested_at: now, result: OnceCell::new() });
        let entry = self.entries.get_or_renew(&digest(request), is_fresh, new);
        entry.result.get_or_init(|| self.fetch(engine, request)).await.clone()
    }

    /// Calls a URL without the cache.
    pub(super) async fn fetch(
        &self,
        engine: &Engine,
        request: &KeyRequest,
    ) -> Result<Bytes, FetchError> {
        let busy = |_| FetchError::Unreachable("too many keys are being fetched".to_owned());
        let permit =
            tokio::time::timeout(QUEUE_TIMEOUT, self.permits.acquire()).await.map_err(busy)?;
        let _permit = permit.expect("the semaphore is never closed");
        engine.fetch(request).await
    }
}

impl Entry {
    fn is_fresh(&self, now: Timestamp, max_age: Duration) -> bool {
        let lifetime = match self.result.get() {
            // A fetch in progress has its own timeout.
            None => return true,
            Some(Ok(_)) => max_age,
            Some(Err(FetchError::Refused(_))) => LIFETIME_REFUSED,
            Some(Err(FetchError::Unreachable(_))) => LIFETIME_UNREACHABLE,
        };
        now.since(self.requested_at) < lifetime
    }
}

/// Key of the cache. It covers the credentials: one source must not get what another one may fetch.
fn digest(request: &KeyRequest) -> [u8; 32] {
    let KeyRequest { url, headers, body } = request;
    let headers = headers.iter().flat_map(|(name, value)| [name, value]);
    let mut hasher = Sha256::new();
    for part in [url].into_iter().chain(headers).chain(body) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
