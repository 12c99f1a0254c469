//! Settings of the console.

use std::{fmt, sync::Arc};

use axum::Router;
use jiff::Timestamp;
use url::Url;

/// The console's settings.
#[derive(Clone)]
pub struct ConsoleSettings {
    /// The API, which the pages call in process.
    pub api: Router,
    /// The server's public URL. Links begin with its path.
    pub public_url: Url,
    /// The present time.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether people can sign in with single sign-on.
    pub has_sso: bool,
    /// Whether `/docs` exists.
    pub has_docs: bool,
    /// Whether programs can listen without a token, so that `/inspect` works.
    pub has_relay: bool,
    /// The version that the pages show.
    pub version: &'static str,
    /// What `postrider dev` has prepared.
    pub welcome: Option<Welcome>,
}

/// What `postrider dev` has prepared: an application whose endpoint is an inbox.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// The uid of the application.
    pub application: String,
    /// The event type that the application sends.
    pub event_type: String,
    /// The path of the inbox's page.
    pub inbox_path: String,
}

impl fmt::Debug for ConsoleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleSettings")
            .field("public_url", &self.public_url.as_str())
            .finish_non_exhaustive()
    }
}
