//! What all listeners share.

use std::sync::Arc;

use postrider_core::time::Timestamp;

use super::{
    capacity::Capacity,
    guess_limiter::GuessLimiter,
    sessions::{Sessions, Trust},
};
use crate::{api::error::ApiError, context::Context};

/// What all listeners share.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(super) context: Arc<Context>,
    pub(super) sessions: Sessions,
    pub(super) guess_limiter: GuessLimiter,
    anonymous: Capacity,
    authenticated: Capacity,
}

impl Relay {
    pub(crate) fn new(context: &Arc<Context>) -> Arc<Self> {
        let limits = &context.settings.limits;
        Arc::new(Self {
            context: Arc::clone(context),
            sessions: Sessions::default(),
            guess_limiter: GuessLimiter::new(limits.relay_guesses),
            anonymous: Capacity::new(limits),
            authenticated: Capacity::new(limits),
        })
    }

    pub(super) const fn capacity(&self, trust: Trust) -> &Capacity {
        match trust {
            Trust::Anonymous => &self.anonymous,
            Trust::Authenticated => &self.authenticated,
        }
    }

    /// The error for a client without an API token while the relay is closed.
    pub(super) const fn closed() -> ApiError {
        ApiError::Forbidden(
            "the relay is switched off on this server; turn it on with `relay = true`, \
             or listen with a token of the organization",
        )
    }

    pub(super) fn now(&self) -> Timestamp {
        self.context.engine.clock().now()
    }
}
