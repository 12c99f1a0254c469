//! The identity provider's metadata and keys, cached.

use std::{sync::Arc, time::Duration};

use openidconnect::{DiscoveryError, IssuerUrl, core::CoreProviderMetadata};
use postrider_core::time::Timestamp;
use postrider_engine::{Cache, Clock};
use tokio::sync::OnceCell;

use super::{
    error::SignInError,
    http_client::{ProviderClient, RequestError},
};

/// How long metadata and keys are used without a reason to fetch them again.
pub(super) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long they are used even if they lack a key. Forged tokens must not cause more requests.
pub(super) const LIFETIME_UNKNOWN_KEY: Duration = Duration::from_secs(1);

/// How long a failure is cached.
const LIFETIME_FAILED: Duration = Duration::from_secs(1);

type Fetched = Result<Arc<CoreProviderMetadata>, Arc<FetchFailure>>;

/// Why there is no metadata.
#[derive(Debug, thiserror::Error)]
enum FetchFailure {
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Unusable(String),
}

/// The provider's metadata, or a request for it in progress.
#[derive(Debug)]
struct Entry {
    requested_at: Timestamp,
    result: OnceCell<Fetched>,
}

/// The identity provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    pub(super) client: ProviderClient,
    cache: Cache<(), Arc<Entry>>,
}

impl Provider {
    pub(super) fn new(issuer: String, client: ProviderClient) -> Self {
        Self { issuer, client, cache: Cache::new(1) }
    }

    /// The metadata with the keys, not older than `max_age`. Sign-ins that need it at the same time
    /// share a request.
    pub(super) async fn metadata(
        &self,
        clock: &Clock,
        max_age: Duration,
    ) -> Result<Arc<CoreProviderMetadata>, SignInError> {
        let now = clock.now();
        let is_fresh = |entry: &Arc<Entry>| entry.is_fresh(now, max_age);
        let new = || Arc::new(Entry { requested_at: now, result: OnceCell::new() });
        let entry = self.cache.get_or_renew(&(), is_fresh, new);
        let result = entry.result.get_or_init(|| self.fetch()).await;
        result.clone().map_err(|failure| match &*failure {
            FetchFailure::Unreachable(_) => SignInError::Unreachable(Arc::clone(&failure).into()),
            FetchFailure::Unusable(_) => SignInError::Provider(Arc::clone(&failure).into()),
        })
    }

    async fn fetch(&self) -> Fetched {
        let issuer = IssuerUrl::new(self.issuer.clone())
            .map_err(|error| Arc::new(FetchFailure::Unusable(error.to_string())))?;
        let fetched = CoreProviderMetadata::discover_async(issuer, &self.client).await;
        fetched.map(Arc::new).map_err(|error| Arc::new(failure(&error)))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
fn failure(error: &DiscoveryError<RequestError>) -> FetchFailure {
    match error {
        DiscoveryError::Request(error) => FetchFailure::Unreachable(error.to_string()),
        DiscoveryError::Response(status, ..) if status.is_server_error() => {
            FetchFailure::Unreachable(format!("the response is {}", status.as_u16()))
        },
        DiscoveryError::Response(status, ..) => {
            FetchFailure::Unusable(format!("the response is {}", status.as_u16()))
        },
        DiscoveryError::Parse(error) => FetchFailure::Unusable(error.to_string()),
        other => FetchFailure::Unusable(other.to_string()),
    }
}

impl Entry {
    fn is_fresh(&self, now: Timestamp, max_age: Duration) -> bool {
        let lifetime = match self.result.get() {
            // A request in progress has its own time limit.
            None => return true,
            Some(Ok(_)) => max_age,
            Some(Err(_)) => LIFETIME_FAILED,
        };
        now.since(self.requested_at) < lifetime
    }
}
