//! The inbox of `postrider dev`: a page with the requests that its receiver got. It needs no
//! session, like the receiver itself, and shows no secrets.

mod guard;
mod ring;
mod stream;
mod view;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::ring::Ring;
use crate::{
    assets::Assets,
    query::Query,
    route::wants_stream,
    settings::{ConsoleSettings, Welcome},
    site::Site,
    standalone::Standalone,
    theme::Preferences,
};

/// A request that the receiver got.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was received.
    pub received_at: Timestamp,
    /// The event type, if the message is known.
    pub event_type: Option<String>,
    /// The id of the message; empty if the request has none.
    pub message_id: String,
    /// The status that the receiver responded with.
    pub status: StatusCode,
    /// Why the signature was rejected, if it was.
    pub verification: Result<(), String>,
    /// The time since the message was accepted.
    pub latency: Option<Duration>,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The body of the request.
    pub body: Bytes,
}

/// The last requests. Clones are the same inbox.
#[derive(Clone, Default)]
pub struct Inbox(Arc<Ring>);

impl Inbox {
    /// An inbox without requests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a request. The oldest one is forgotten if there are too many.
    pub fn push(&self, entry: Entry) {
        self.0.push(entry);
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// What the page is made of.
pub(crate) struct InboxPage {
    pub(crate) common: Standalone,
    pub(crate) welcome: Welcome,
    pub(crate) has_console: bool,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ring: Arc<Ring>,
    stop: CancellationToken,
}

/// The page of an inbox, at the path of its receiver; none if no command has prepared one.
/// Browsers follow it until `stop`, so that the server can shut down.
pub fn router(
    settings: &ConsoleSettings,
    has_console: bool,
    inbox: &Inbox,
    stop: CancellationToken,
) -> Router {
    let Some(welcome) = settings.welcome.clone() else { return Router::new() };
    let common = Standalone {
        site: Site::new(settings.public_url.clone()),
        assets: Assets::console(&welcome.inbox_path),
        entry: ("console.css", "app.js"),
        name: "Postrider",
    };
    let files = common.assets.router();
    let path = welcome.inbox_path.clone();
    let page = InboxPage {
        common,
        welcome,
        has_console,
        clock: Arc::clone(&settings.clock),
        ring: Arc::clone(&inbox.0),
        stop,
    };
    Router::new().route(&path, get(show)).with_state(Arc::new(page)).merge(files)
}

async fn show(
    State(page): State<Arc<InboxPage>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let headers = request.headers();
    if !guard::is_own_host(request.uri(), headers, &page.common.site) {
        return guard::refuse();
    }
    let selected = Query::parse(query.as_deref()).text("request").and_then(|it| it.parse().ok());
    if wants_stream(headers) {
        return stream::follow(page, headers.clone(), selected);
    }
    let parts = page.render(headers, selected);
    let document = page.common.document(headers, "Inbox", &view::body(&page, &parts));
    guard::protect(page.common.respond(StatusCode::OK, document))
}

impl InboxPage {
    /// The parts of the page that change.
    fn render(&self, headers: &HeaderMap, selected: Option<u64>) -> view::Parts {
        let zone = Preferences::find(headers, self.common.site.transport()).zone;
        let moment = view::Moment { now: (self.clock)(), zone };
        view::parts(self, &self.ring.snapshot(), selected, moment)
    }
}
