//! What all listeners share.

use std::sync::Arc;

use postrider_core::time::Timestamp;
use postrider_engine::Engine;

use super::{
    capacity::Capacity,
    guess_limiter::GuessLimiter,
    sessions::{Sessions, Trust},
};
use crate::{
    api::{error::ApiError, error_report::ErrorReporter},
    auth::Authenticator,
    http::memory::MemoryBudget,
    metrics::{Counted, RelayMetrics},
    settings::Settings,
    sso::SingleSignOn,
};

/// What the relay needs of the server.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<Settings>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) memory: MemoryBudget,
    pub(crate) errors: Arc<ErrorReporter>,
    pub(crate) sso: Option<Arc<SingleSignOn>>,
    pub(crate) metrics: RelayMetrics,
}

/// What all listeners share.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(super) engine: Engine,
    pub(super) settings: Arc<Settings>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) memory: MemoryBudget,
    pub(super) errors: Arc<ErrorReporter>,
    pub(super) sso: Option<Arc<SingleSignOn>>,
    pub(super) metrics: RelayMetrics,
    pub(super) sessions: Sessions,
    pub(super) guess_limiter: GuessLimiter,
    anonymous: Capacity,
    authenticated: Capacity,
}

impl Relay {
    pub(crate) fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { engine, settings, authenticator, memory, errors, sso, metrics } =
            dependencies;
        let limits = &settings.limits;
        Arc::new(Self {
            sessions: Sessions::default(),
            guess_limiter: GuessLimiter::new(limits.relay_guesses),
            anonymous: Capacity::new(limits),
            authenticated: Capacity::new(limits),
            engine,
            settings,
            authenticator,
            memory,
            errors,
            sso,
            metrics,
        })
    }

    pub(super) const fn capacity(&self, trust: Trust) -> &Capacity {
        match trust {
            Trust::Anonymous => &self.anonymous,
            Trust::Authenticated => &self.authenticated,
        }
    }

    /// Counts a listener as long as the result exists.
    pub(super) fn count(&self, trust: Trust) -> Counted {
        Counted::new(match trust {
            Trust::Anonymous => &self.metrics.anonymous,
            Trust::Authenticated => &self.metrics.authenticated,
        })
    }

    /// The error for a client without an API token while the relay is closed.
    pub(super) const fn closed() -> ApiError {
        ApiError::Forbidden(
            "the relay is switched off on this server; turn it on with `relay = true`, \
             or listen with a token of the organization",
        )
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }
}
