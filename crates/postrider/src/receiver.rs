//! Receives webhooks in an [axum](https://docs.rs/axum) application (feature `axum`).
//!
//! [`Webhook`] and [`Event`] are extractors: a handler with one of them runs only for verified
//! requests. The body is read under a size limit and a time limit, and verified byte for byte
//! before it is parsed. Handshakes get their response without the handler.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Router, routing::any};
//! use postrider::receiver::{Event, Receiver};
//!
//! async fn paid(Event { event, webhook }: Event) {
//!     // Providers repeat webhooks: remember `webhook.identity` to process each event once.
//!     // Attackers can replay them under another id: remember `webhook.signed_content`, too.
//!     println!("{:?} {:?} {}", webhook.event_type, webhook.event_id, event["data"]);
//! }
//!
//! let receiver = Receiver::new("stripe", ["whsec_…"])?;
//! let app: Router = Router::new().route("/stripe", any(paid)).with_state(Arc::new(receiver));
//! # Ok::<(), postrider::receiver::UnknownProvider>(())
//! ```

mod extract;
mod rejection;

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::provider::{self, FetchedKey, Provider, Settings};

pub use self::{
    extract::{Event, Webhook},
    rejection::WebhookRejection,
};

/// Default of [`Receiver::body_limit`]: 5 MiB.
pub const BODY_LIMIT: usize = 5 << 20;

/// Default of [`Receiver::body_timeout`].
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// The state of the handlers, as `Arc<Receiver>`: the provider and how to verify it.
pub struct Receiver {
    provider: &'static Provider,
    settings: Settings,
    public_url: Option<String>,
    body_limit: usize,
    body_timeout: Duration,
    on_secret: Option<Box<OnSecret>>,
    clock: fn() -> u64,
}

type OnSecret = dyn Fn(&str) + Send + Sync;

/// No provider has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no provider {0:?}; postrider::provider::all() lists them")]
pub struct UnknownProvider(pub String);

impl Receiver {
    /// Creates a receiver for one provider, with the secrets that it may sign with.
    pub fn new<S: Into<String>>(
        provider: &str,
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, UnknownProvider> {
        let found = provider::find(provider);
        Ok(Self {
            provider: found.ok_or_else(|| UnknownProvider(provider.to_owned()))?,
            settings: Settings::new(secrets),
            public_url: None,
            body_limit: BODY_LIMIT,
            body_timeout: BODY_TIMEOUT,
            on_secret: None,
            clock: wall_clock,
        })
    }

    /// Sets the URL that the provider uses. Some providers sign it, and behind a proxy it cannot be
    /// derived from the request.
    pub fn public_url(self, url: impl Into<String>) -> Self {
        Self { public_url: Some(url.into()), ..self }
    }

    /// Sets an extra parameter that the provider requires, such as a verify token.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.parameters.insert(name.into(), value.into().into());
        self
    }

    /// Accepts every request without verification, for providers that do not sign. Confirm such
    /// events with the provider's API before you rely on them.
    pub fn accept_unsigned(mut self) -> Self {
        self.settings.accept_unsigned = true;
        self
    }

    /// Sets the maximum age of a signature, if it differs from the provider's.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.settings.tolerance = Some(tolerance);
        self
    }

    /// Sets the maximum size of a body; larger ones get 413.
    pub fn body_limit(self, body_limit: usize) -> Self {
        Self { body_limit, ..self }
    }

    /// Sets the time limit for a body to arrive; slower ones get 408.
    pub fn body_timeout(self, body_timeout: Duration) -> Self {
        Self { body_timeout, ..self }
    }

    /// Sets keys and certificates that were fetched before, for providers that publish their keys:
    /// the receiver itself makes no calls.
    pub fn fetched(mut self, fetched: impl IntoIterator<Item = FetchedKey>) -> Self {
        self.settings.fetched.extend(fetched);
        self
    }

    /// Handles the secret that a provider hands over in a handshake (Asana, Notion): store it, and
    /// pass it to [`Self::new`] from then on. Without this, such handshakes are rejected.
    pub fn on_secret(self, keep: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { on_secret: Some(Box::new(keep)), ..self }
    }

    /// Replaces the system clock, for tests: seconds since the Unix epoch.
    pub fn clock(self, clock: fn() -> u64) -> Self {
        Self { clock, ..self }
    }
}

/// Hides secrets.
impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("provider", &self.provider.id)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place; tests give a clock of their own")]
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}
