//! Idempotency keys: a repeated request gets the response of the first one and has no effect.
//!
//! Only successes are stored. A refused request frees its key, so that the client can correct the
//! request and send it again under the same key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use postrider_core::vault::{self, NONCE};
use postrider_engine::Engine;
use postrider_store::KeyReservation;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use zeroize::Zeroizing;

use crate::{
    api::{error::ApiError, response::ApiResponse},
    auth::token::Grant,
};

/// The header that carries the key.
const HEADER: &str = "idempotency-key";

/// Time between two checks of a request that another node is running.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Why a stored response cannot be repeated.
const OTHER_SECRET: &str = "the request with this idempotency key was done, but its response was \
                            encrypted with another `main_secret`";

/// The code of the error that a key was used for another request.
pub(crate) const CONFLICT: &str = "idempotency_conflict";

/// Longest key, in bytes.
const MAX_KEY: usize = 256;

/// An idempotency key, with the fingerprint of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey {
    /// Digest of the principal, the path and the key.
    pub(crate) digest: [u8; 32],
    /// Digest of the body.
    fingerprint: [u8; 32],
}

impl IdempotencyKey {
    /// The key of a request, if it has one.
    pub(crate) fn of(
        headers: &HeaderMap,
        grant: &Grant,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Self>, ApiError> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        if value.is_empty() || value.len() > MAX_KEY {
            let message = format!("must have 1 to {MAX_KEY} characters");
            return Err(ApiError::invalid(&["header", HEADER], message));
        }
        let application = grant.application.as_ref().map_or(0, |it| it.id.as_u128());
        let organization = grant.organization.as_str();
        // With and without a trailing slash, it is the same path.
        let path = path.strip_suffix('/').unwrap_or(path);
        let digest = Sha256::new()
            .chain_update(application.to_be_bytes())
            .chain_update([organization, "\n", path, "\n"].concat())
            .chain_update(value.as_bytes());
        Ok(Some(Self {
            digest: digest.finalize().into(),
            fingerprint: Sha256::digest(body).into(),
        }))
    }

    /// The key for one message of a batch.
    pub(crate) fn part(&self, index: usize) -> [u8; 32] {
        let index = u64::try_from(index).expect("indexes fit 64 bits");
        Sha256::new().chain_update(self.digest).chain_update(index.to_be_bytes()).finalize().into()
    }
}

/// Runs requests under their idempotency keys.
#[derive(Debug)]
pub(crate) struct IdempotentRequests {
    engine: Engine,
    /// How long a request waits for another one with the same key.
    wait: Duration,
    running: RunningKeys,
}

impl IdempotentRequests {
    pub(crate) fn new(engine: Engine, wait: Duration) -> Self {
        Self { engine, wait, running: RunningKeys::default() }
    }

    /// Runs a request unless it has been done, and then stores its response, or frees the key if
    /// it was refused.
    pub(crate) async fn once(
        &self,
        key: IdempotencyKey,
        run: impl Future<Output = ApiResponse>,
    ) -> Result<ApiResponse, ApiError> {
        let acquire = async {
            let permit = self.running.acquire(key.digest).await;
            Ok::<_, ApiError>((permit, self.reserve(key).await?))
        };
        let (_permit, stored) = tokio::time::timeout(self.wait, acquire)
            .await
            .map_err(|_| in_use("the request with this idempotency key is still in progress"))??;
        if let Some(stored) = stored {
            return self.open(key, stored);
        }
        let response = run.await;
        let sealed = response.status.is_success().then(|| self.seal(key, &response));
        self.engine.store().complete_key(key.digest, sealed, self.engine.clock().now()).await?;
        Ok(response)
    }

    /// Reserves the key once no other node has it, or returns the response that was stored.
    async fn reserve(&self, key: IdempotencyKey) -> Result<Option<Vec<u8>>, ApiError> {
        let store = self.engine.store();
        loop {
            let now = self.engine.clock().now();
            match store.reserve_key(key.digest, key.fingerprint, now).await? {
                // This request holds the permit, so no other request of this node has the key.
                // The one that reserved it ended without storing a response or freeing the key.
                KeyReservation::Acquired | KeyReservation::InProgress => return Ok(None),
                KeyReservation::InProgressElsewhere => tokio::time::sleep(POLL_INTERVAL).await,
                KeyReservation::FingerprintMismatch => return Err(mismatch()),
                KeyReservation::Completed(stored) => return Ok(Some(stored)),
            }
        }
    }

    /// The response as it is stored: encrypted, because it may contain secrets.
    fn seal(&self, key: IdempotencyKey, response: &ApiResponse) -> Vec<u8> {
        let status = response.status.as_u16().to_be_bytes();
        let clear = Zeroizing::new([&status, &response.body[..]].concat());
        let mut nonce = [0; NONCE];
        self.engine.clock().random(&mut nonce);
        self.engine.vault().seal_under(&key.digest, &clear, nonce)
    }

    fn open(&self, key: IdempotencyKey, stored: Vec<u8>) -> Result<ApiResponse, ApiError> {
        let clear = if vault::is_sealed(&stored) {
            let opened = self.engine.vault().open_under(&key.digest, stored);
            opened.map_err(|_| in_use(OTHER_SECRET))?
        } else {
            // An older version stored it in the clear, beginning with the status.
            stored
        };
        let parsed = clear.split_first_chunk::<2>().and_then(|(status, body)| {
            let status = StatusCode::from_u16(u16::from_be_bytes(*status)).ok()?;
            Some(ApiResponse::json(status, Bytes::copy_from_slice(body)))
        });
        parsed.ok_or_else(|| ApiError::Internal("the stored response is corrupt".into()))
    }
}

/// The keys whose requests are running on this node.
#[derive(Debug, Default)]
struct RunningKeys(Mutex<HashMap<[u8; 32], Arc<AsyncMutex<()>>>>);

impl RunningKeys {
    /// Waits until no other request of this node has the key.
    async fn acquire(&self, key: [u8; 32]) -> KeyPermit<'_> {
        let lock = Arc::clone(self.lock().entry(key).or_default());
        KeyPermit { running: self, key, guard: Some(lock.lock_owned().await) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run the request of a key.
struct KeyPermit<'a> {
    running: &'a RunningKeys,
    key: [u8; 32],
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for KeyPermit<'_> {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        // Released while the map is locked: a request that waits for the key has cloned the lock
        // before, so the count shows whether the entry is still needed.
        self.guard = None;
        if running.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            running.remove(&self.key);
        }
    }
}

/// The key belongs to another request.
pub(crate) fn mismatch() -> ApiError {
    in_use("the idempotency key was used for a request with another body")
}

fn in_use(detail: &str) -> ApiError {
    ApiError::Conflict { code: CONFLICT, detail: detail.to_owned() }
}
