//! Keys, certificates and key sets that verifying takes and that have to be fetched: each once
//! for everybody who needs it, a few at a time, remembered for a while.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use postrider::provider::KeyRequest;
use postrider_core::time::Timestamp;
use postrider_engine::{Cache, Engine, FetchError};
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

/// Fetches under way at once.
const MAX_FETCHES: usize = 8;

/// How long a fetch may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a key is believed to be the one.
pub(super) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long it is remembered that there is none.
const LIFETIME_REFUSED: Duration = Duration::from_secs(30);
const LIFETIME_UNREACHABLE: Duration = Duration::from_secs(1);

/// What was fetched, and the room to fetch more.
#[derive(Debug)]
pub(super) struct Keys {
    known: Cache<[u8; 32], Arc<Known>>,
    room: Semaphore,
}

/// One answer, or the wait for it.
#[derive(Debug)]
struct Known {
    asked_at: Timestamp,
    answer: OnceCell<Result<Bytes, FetchError>>,
}

impl Keys {
    /// Remembers so many answers.
    pub(super) fn new(capacity: usize) -> Self {
        Self { known: Cache::new(capacity), room: Semaphore::new(MAX_FETCHES) }
    }

    /// What the request brings, not older than `max_age`.
    pub(super) async fn get(
        &self,
        engine: &Engine,
        request: &KeyRequest,
        max_age: Duration,
    ) -> Result<Bytes, FetchError> {
        let now = engine.clock().now();
        let is_fresh = |it: &Arc<Known>| it.is_fresh(now, max_age);
        let new = || Arc::new(Known { asked_at: now, answer: OnceCell::new() });
        let known = self.known.get_or_renew(&digest(request), is_fresh, new);
        known.answer.get_or_init(|| self.fetch(engine, request)).await.clone()
    }

    /// Calls a URL that a provider wants called; nothing is remembered of it.
    pub(super) async fn fetch(
        &self,
        engine: &Engine,
        request: &KeyRequest,
    ) -> Result<Bytes, FetchError> {
        let busy = |_| FetchError::Unreachable("too much is being fetched".to_owned());
        let permit = tokio::time::timeout(PATIENCE, self.room.acquire()).await.map_err(busy)?;
        let _permit = permit.expect("the semaphore is never closed");
        engine.fetch(request).await
    }
}

impl Known {
    fn is_fresh(&self, now: Timestamp, max_age: Duration) -> bool {
        let lifetime = match self.answer.get() {
            // Whoever fetches it now gives up in time.
            None => return true,
            Some(Ok(_)) => max_age,
            Some(Err(FetchError::Refused(_))) => LIFETIME_REFUSED,
            Some(Err(FetchError::Unreachable(_))) => LIFETIME_UNREACHABLE,
        };
        now.since(self.asked_at) < lifetime
    }
}

/// Requests with other credentials are others.
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
