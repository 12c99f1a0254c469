//! Makes a repeated request answer what the first one answered, instead of doing it twice.
//! Only what was done is remembered: a refused request leaves its key free for a corrected one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use postrider_core::vault::{self, NONCE};
use postrider_store::{KeyReservation, Store};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use zeroize::Zeroizing;

use crate::{
    api::{error::ApiError, reply::Answer},
    auth::token::Grant,
    context::Context,
};

/// The header that carries the key.
const HEADER: &str = "idempotency-key";

/// Time between two looks at a request that another node runs.
const ELSEWHERE: Duration = Duration::from_millis(50);

/// Why an answer is not given again.
const OTHER_SECRET: &str = "the request with this idempotency key was done, but its response was \
                            encrypted with another `main_secret`";

/// Longest key.
const MAX_KEY: usize = 256;

/// A key of the caller's, with what tells its request from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Digest of the caller, the path and the key.
    pub(crate) digest: [u8; 32],
    /// Digest of the body.
    fingerprint: [u8; 32],
}

impl Key {
    /// The request's key, if it has one.
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
        // A trailing slash does not make another path.
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

    /// The key for one part of a request.
    pub(crate) fn part(&self, index: usize) -> [u8; 32] {
        let index = u64::try_from(index).expect("indexes fit 64 bits");
        Sha256::new().chain_update(self.digest).chain_update(index.to_be_bytes()).finalize().into()
    }
}

/// Keys whose requests are under way in this process.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<[u8; 32], Arc<AsyncMutex<()>>>>);

impl Running {
    /// Waits until no other request has the key.
    async fn enter(&self, key: [u8; 32]) -> Entered<'_> {
        let lock = Arc::clone(self.lock().entry(key).or_default());
        Entered { running: self, key, guard: Some(lock.lock_owned().await) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run the key's request.
struct Entered<'a> {
    running: &'a Running,
    key: [u8; 32],
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        // Released under the lock, so that whoever waits is counted.
        self.guard = None;
        if running.get(&self.key).is_some_and(|it| Arc::strong_count(it) == 1) {
            running.remove(&self.key);
        }
    }
}

/// Runs the request unless it was done before; keeps its answer if it was done, and frees the
/// key if it was refused.
pub(crate) async fn once(
    context: &Context,
    key: Key,
    run: impl Future<Output = Answer>,
) -> Result<Answer, ApiError> {
    let wait = context.settings.limits.idempotency_wait;
    let turn = async {
        let entered = context.running.enter(key.digest).await;
        Ok::<_, ApiError>((entered, reserve(context, key).await?))
    };
    let (_entered, kept) = tokio::time::timeout(wait, turn)
        .await
        .map_err(|_| in_use("the request with this idempotency key is still under way"))??;
    if let Some(kept) = kept {
        return thaw(context, key, kept);
    }
    let store = context.engine.store();
    let answer = run.await;
    keep(store.as_ref(), key, &answer, context).await?;
    Ok(answer)
}

/// Takes the key, once no other node has it; or gives the answer that was kept.
async fn reserve(context: &Context, key: Key) -> Result<Option<Vec<u8>>, ApiError> {
    let store = context.engine.store();
    loop {
        let now = context.engine.clock().now();
        match store.reserve_key(key.digest, key.fingerprint, now).await? {
            // The turn is ours, so no request with the key runs here: the one that reserved it
            // ended without a response that could be kept or a refusal that could free the key.
            KeyReservation::Acquired | KeyReservation::InProgress => return Ok(None),
            KeyReservation::InProgressElsewhere => tokio::time::sleep(ELSEWHERE).await,
            KeyReservation::FingerprintMismatch => return Err(different()),
            KeyReservation::Completed(kept) => return Ok(Some(kept)),
        }
    }
}

async fn keep(
    store: &dyn Store,
    key: Key,
    answer: &Answer,
    context: &Context,
) -> Result<(), ApiError> {
    let kept = answer.status.is_success().then(|| freeze(context, key, answer));
    Ok(store.complete_key(key.digest, kept, context.engine.clock().now()).await?)
}

/// The key belongs to a request that asked for something else.
pub(crate) fn different() -> ApiError {
    in_use("the idempotency key was used for a request with another body")
}

fn in_use(detail: &str) -> ApiError {
    ApiError::Conflict { code: "idempotency_conflict", detail: detail.to_owned() }
}

/// The answer as it is kept: encrypted, for there may be secrets in it.
fn freeze(context: &Context, key: Key, answer: &Answer) -> Vec<u8> {
    let clear = Zeroizing::new([&answer.status.as_u16().to_be_bytes(), &answer.body[..]].concat());
    let mut nonce = [0; NONCE];
    context.engine.clock().random(&mut nonce);
    context.engine.vault().seal_under(&key.digest, &clear, nonce)
}

fn thaw(context: &Context, key: Key, kept: Vec<u8>) -> Result<Answer, ApiError> {
    let kept = if vault::is_sealed(&kept) {
        let opened = context.engine.vault().open_under(&key.digest, kept);
        opened.map_err(|_| in_use(OTHER_SECRET))?
    } else {
        // An older version kept it, and began with the status.
        kept
    };
    let parsed = kept.split_first_chunk::<2>().and_then(|(status, body)| {
        let status = StatusCode::from_u16(u16::from_be_bytes(*status)).ok()?;
        Some(Answer::json(status, Bytes::copy_from_slice(body)))
    });
    parsed.ok_or_else(|| ApiError::Internal("kept answer is corrupt".into()))
}
