//! Runs work on large bodies on blocking threads.
//!
//! Hashing and parsing megabytes takes milliseconds, in which the thread of a runtime would serve
//! no other request.

use tokio::{sync::Semaphore, task};

use crate::api::error::ApiError;

/// Bodies up to this size take about a millisecond, which is less than a switch of threads under
/// load.
const MAX_INLINE_BYTES: usize = 256 << 10;

/// Large bodies that are processed at the same time. The others wait; the memory for webhooks
/// limits how many there can be.
const MAX_CONCURRENT: usize = 2;

/// Runs work on large bodies on blocking threads.
#[derive(Debug)]
pub(crate) struct Offload(Semaphore);

impl Default for Offload {
    fn default() -> Self {
        Self(Semaphore::new(MAX_CONCURRENT))
    }
}

/// Whether work on the body has to be offloaded.
pub(crate) const fn is_large(body: &[u8]) -> bool {
    body.len() > MAX_INLINE_BYTES
}

impl Offload {
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let _permit = self.0.acquire().await.map_err(|error| ApiError::Internal(error.into()))?;
        task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(error.into()))
    }
}
