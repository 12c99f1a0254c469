//! What the server's address serves: the API, the console, the documentation, and pages of commands.

use std::sync::Arc;

use axum::{Router, response::Redirect, routing::get};
use jiff::Timestamp;
use postrider_console::{
    ConsoleSettings, Welcome, console, docs,
    inbox::{self, Inbox},
    strip_prefix,
};
use postrider_core::time::Timestamp as Time;
use postrider_engine::Engine;
use postrider_server::{Server, Settings};
use tokio_util::sync::CancellationToken;
use url::Url;

/// The pages of a command.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pub routes: Router,
    /// What the console's first page says about the command.
    pub welcome: Option<Welcome>,
    /// What `POST` requests to the path of `welcome` fill.
    pub inbox: Option<Inbox>,
}

/// Everything that is served, also below the path of the public URL. Streams of pages end at
/// `stop`.
pub(crate) fn router(
    server: &Server,
    pages: Pages,
    settings: &Settings,
    (engine, stop): (&Engine, &CancellationToken),
    has_console: bool,
) -> Router {
    let api = server.router();
    let Ok(public_url) = Url::parse(&settings.portal_url) else { return api.merge(pages.routes) };
    let prefix = public_url.path().to_owned();
    let clock = engine.clone();
    let console_settings = ConsoleSettings {
        api: api.clone(),
        public_url,
        clock: Arc::new(move || wire(clock.clock().now())),
        has_sso: settings.sso.is_some(),
        has_docs: settings.docs,
        has_relay: settings.relay,
        version: env!("CARGO_PKG_VERSION"),
        welcome: pages.welcome,
    };
    let mut router = api.merge(pages.routes);
    if settings.docs {
        router = router.merge(docs(&console_settings, postrider_server::openapi));
    }
    if let Some(inbox) = &pages.inbox {
        let page = inbox::router(&console_settings, has_console, inbox, stop.clone());
        router = router.merge(page);
    }
    if has_console {
        router = router.merge(console(console_settings));
    } else if settings.docs {
        let docs = format!("{}/docs", prefix.trim_end_matches('/'));
        router = router.route("/", get(async move || Redirect::temporary(&docs)));
    }
    strip_prefix(router, &prefix)
}

/// A time for the console.
pub(crate) fn wire(time: Time) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}
