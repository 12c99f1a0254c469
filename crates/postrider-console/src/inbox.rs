//! The inbox of `postrider dev`: a page with the requests that its receiver got. It needs no
//! session, like the receiver itself, and shows no secrets.

mod entry;
mod guard;
mod page;
mod ring;
mod stream;
mod view;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use tokio_util::sync::CancellationToken;

pub use self::entry::Entry;
use self::{page::InboxPage, ring::Ring};
use crate::{
    assets::Assets, origin::wants_stream, query::Query, settings::ConsoleSettings, site::Site,
    standalone::Standalone,
};

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
    let parts = view::render(&page, headers, selected);
    let document = page.common.document(headers, "Inbox", &view::body(&page, &parts));
    guard::protect(Standalone::respond(StatusCode::OK, document))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use bytes::Bytes;
    use futures_util::StreamExt;
    use http::{HeaderValue, header};
    use jiff::Timestamp;
    use tower::ServiceExt;

    use super::*;
    use crate::settings::Welcome;

    fn inbox_router(inbox: &Inbox, stop: &CancellationToken) -> Router {
        let settings = ConsoleSettings {
            api: Router::new(),
            public_url: "http://127.0.0.1:8071/hooks".parse().unwrap(),
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            has_sso: false,
            has_docs: true,
            has_relay: false,
            version: "1",
            welcome: Some(Welcome {
                application: "demo".to_owned(),
                event_type: "demo.greeting".to_owned(),
                inbox_path: "/inbox".to_owned(),
            }),
        };
        router(&settings, true, inbox, stop.clone())
    }

    fn entry(verification: Result<(), String>) -> Entry {
        let secret = [(header::AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"))];
        Entry {
            received_at: Timestamp::UNIX_EPOCH,
            event_type: Some("demo.<greeting>".to_owned()),
            message_id: "msg_1".to_owned(),
            status: StatusCode::OK,
            verification,
            latency: Some(Duration::from_millis(7)),
            headers: secret.into_iter().collect(),
            body: Bytes::from_static(b"{\"hello\":\"world\"}"),
        }
    }

    async fn request(router: &Router, path: &str, host: &str, accept: &str) -> Response {
        let request = http::Request::get(path)
            .header(header::HOST, host)
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    async fn page(router: &Router, path: &str) -> String {
        let response = request(router, path, "127.0.0.1:8071", "text/html").await;
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_newest_request_or_the_selected_one_is_shown_without_secrets() {
        let inbox = Inbox::new();
        let router = inbox_router(&inbox, &CancellationToken::new());
        let html = page(&router, "/inbox").await;
        assert!(
            html.contains("curl -X POST http://127.0.0.1:8071/hooks/api/v1/app/demo/msg"),
            "{html}"
        );
        inbox.push(entry(Err("no secret matches".to_owned())));
        inbox.push(entry(Ok(())));
        let html = page(&router, "/inbox").await;
        assert!(html.contains("demo.&lt;greeting&gt;") && html.contains("7 ms"), "{html}");
        assert!(!html.contains("hunter2") && !html.contains("no secret matches"), "{html}");
        assert!(page(&router, "/inbox?request=1").await.contains("no secret matches"));
        assert!(page(&router, "/inbox?request=9").await.contains("no longer kept"));
        let response = request(&router, "/inbox", "rebound.example.org", "text/html").await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
        assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }

    #[tokio::test(start_paused = true)]
    async fn open_pages_get_new_requests_until_the_server_stops() {
        let (inbox, stop) = (Inbox::new(), CancellationToken::new());
        let router = inbox_router(&inbox, &stop);
        let response = request(&router, "/inbox", "localhost", "text/event-stream").await;
        let mut stream = response.into_body().into_data_stream();
        let first = stream.next().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&first).contains("No requests yet"));
        inbox.push(entry(Ok(())));
        let next = stream.next().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&next).contains("msg_1"));
        assert_eq!(stream.next().await.unwrap().unwrap(), ": \n\n", "a heartbeat");
        stop.cancel();
        assert!(stream.next().await.is_none());
    }
}
