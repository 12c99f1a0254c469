//! Receives webhooks in an [axum](https://docs.rs/axum) application (feature `axum`).
//!
//! [`Webhook`] and [`Event`] are extractors: a handler that has one of them runs only for
//! requests that are to be believed. The body is read under a size limit and a time limit, and
//! verified byte for byte before anything is parsed. What the provider asks beside events (its
//! handshakes) is answered without the handler.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Router, routing::any};
//! use postrider::receiver::{Event, Receiver};
//!
//! async fn paid(Event { event, webhook }: Event) {
//!     // Providers repeat: remember `webhook.identity`, and act once. Others can send a recorded
//!     // request again under another id: remember `webhook.signed_content` too, if there is one.
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

/// Largest body unless [`Receiver::body_limit`] says otherwise: 5 MiB.
pub const BODY_LIMIT: usize = 5 << 20;

/// How long a body may take to arrive unless [`Receiver::body_timeout`] says otherwise.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What a handler's state holds, as `Arc<Receiver>`: who posts, and how it is verified.
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

/// There is no provider of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no provider {0:?}; postrider::provider::all() has them all")]
pub struct UnknownProvider(pub String);

impl Receiver {
    /// A receiver for one provider, with the secrets that it may sign with.
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

    /// The URL as the provider has it; some sign it, and behind a proxy it cannot be told from
    /// the request.
    pub fn public_url(self, url: impl Into<String>) -> Self {
        Self { public_url: Some(url.into()), ..self }
    }

    /// Something that the provider needs beside secrets, such as a verify token.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.parameters.insert(name.into(), value.into().into());
        self
    }

    /// Takes every request without looking at signatures: for providers that do not sign, whose
    /// events are believed only after they were asked for by another way.
    pub fn accept_unsigned(mut self) -> Self {
        self.settings.accept_unsigned = true;
        self
    }

    /// How old a signature may be, if not as the provider has it.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.settings.tolerance = Some(tolerance);
        self
    }

    /// Most bytes of a body; larger ones get 413.
    pub fn body_limit(self, body_limit: usize) -> Self {
        Self { body_limit, ..self }
    }

    /// How long a body may take to arrive; slower ones get 408.
    pub fn body_timeout(self, body_timeout: Duration) -> Self {
        Self { body_timeout, ..self }
    }

    /// Keys and certificates that were fetched before, for providers whose keys are published:
    /// this receiver does not call anybody.
    pub fn fetched(mut self, fetched: impl IntoIterator<Item = FetchedKey>) -> Self {
        self.settings.fetched.extend(fetched);
        self
    }

    /// Takes the secret that a provider hands over in a handshake (Asana, Notion), to be kept
    /// and given to [`Self::new`] from then on. Without this such handshakes are refused.
    pub fn on_secret(self, keep: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { on_secret: Some(Box::new(keep)), ..self }
    }

    /// Another clock than the system's, for tests: seconds since the Unix epoch.
    pub fn clock(self, clock: fn() -> u64) -> Self {
        Self { clock, ..self }
    }
}

/// Shows no secret.
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
