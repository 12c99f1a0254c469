//! Work on large bodies. Hashing and searching some megabytes takes long enough for others to
//! notice, so it is done on threads of its own.

use std::sync::Arc;

use postrider::provider::{Request, Settings};
use tokio::{sync::Semaphore, task};

use super::Arrival;
use crate::api::error::ApiError;

/// Bodies up to this length take a millisecond or so, which is less than it takes to hand them
/// over.
const LARGE: usize = 256 << 10;

/// Large bodies that are worked on at a time. Others wait; the memory for webhooks bounds how many.
const AT_ONCE: usize = 2;

/// Does work on large bodies apart from everything else.
#[derive(Debug)]
pub(super) struct Apart(Semaphore);

impl Default for Apart {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Apart {
    /// Does work on the request, where it keeps nothing else waiting.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        arrival: &Arc<Arrival>,
        settings: &Settings,
        work: impl FnOnce(&Arrival, &Settings, &Request<'_>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        if arrival.body.len() <= LARGE {
            return Ok(work(arrival, settings, &arrival.request(&arrival.headers())));
        }
        let _turn = self.0.acquire().await.map_err(|error| ApiError::Internal(error.into()))?;
        let (arrival, settings) = (Arc::clone(arrival), settings.clone());
        let work = move || work(&arrival, &settings, &arrival.request(&arrival.headers()));
        task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(error.into()))
    }
}
