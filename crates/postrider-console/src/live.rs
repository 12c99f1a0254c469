//! Pages that update themselves: whenever something happens that a page may show, it is rendered
//! again, and the parts that have changed are sent.

mod feed;

use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use serde_json::json;
use tokio::time::{sleep, timeout};

use self::feed::{Feed, FeedEvent};
use crate::{
    api::v1,
    context::Context,
    failure::Failure,
    page::{Page, PageResult, Refresh, Region},
};

/// How long events are collected before a page is rendered again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a page is rendered again although nothing has happened: charts go on.
const MINUTE: Duration = Duration::from_secs(60);

/// How often an idle stream shows that it is alive, so that a closed connection is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Tells the browser not to connect again.
const END: &str = "event: end\ndata: {}\n\n";

/// Asks proxies of the nginx kind not to buffer the response.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A page that is open in a browser.
struct OpenPage<F> {
    context: Arc<Context>,
    render: fn(Arc<Context>) -> F,
    /// What happens. Also, it tells the server that this connection is a stream.
    feed: Feed,
    refresh: Refresh,
    /// The digest of each part as the browser has it.
    sent: Vec<(&'static str, u64)>,
    waited: Duration,
    is_over: bool,
}

/// Streams the changes of a page.
pub(crate) async fn stream<F>(context: Arc<Context>, render: fn(Arc<Context>) -> F) -> Response
where
    F: Future<Output = PageResult> + Send + 'static,
{
    let feed = context.api.stream(v1(&["live"]), None).await;
    let (feed, page) = match (feed, render(Arc::clone(&context)).await) {
        (Ok(feed), Ok(page)) if page.refresh != Refresh::Never => (feed, page),
        // What the page shows ended after the browser had loaded it.
        (Ok(_), Ok(page)) => {
            let text = [&first(&page)[..], END.as_bytes()].concat();
            return events(Body::from(text));
        },
        // A page that was deleted, or that the person may not follow, stays as it is.
        (Err(_), _) | (_, Err(_)) => return events(Body::from(END)),
    };
    let open = OpenPage {
        feed: Feed::new(feed),
        refresh: page.refresh,
        sent: digests(&page),
        waited: Duration::ZERO,
        is_over: false,
        context,
        render,
    };
    // The page may have changed since the browser loaded it.
    let first = first(&page);
    let stream = stream::unfold(open, async |mut open| {
        if open.is_over {
            return None;
        }
        let bytes = open.next().await;
        Some((Ok(bytes), open))
    });
    let stream = stream::once(std::future::ready(Ok::<_, Infallible>(first))).chain(stream);
    events(Body::from_stream(stream))
}

/// A response with Server-Sent Events.
pub(crate) fn events(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept, cookie")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

/// A Server-Sent Event with a JSON object.
pub(crate) fn event(name: &str, data: &serde_json::Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

impl<F> OpenPage<F>
where
    F: Future<Output = PageResult> + Send + 'static,
{
    /// Waits for a change, and returns the parts that have changed.
    async fn next(&mut self) -> Bytes {
        if !self.wait().await {
            return Bytes::from_static(b": \n\n");
        }
        self.waited = Duration::ZERO;
        let context = Arc::new(self.context.renewed());
        match (self.render)(context).await {
            Ok(page) => {
                self.refresh = page.refresh;
                if page.refresh != Refresh::Never {
                    return self.changes(&page);
                }
                self.is_over = true;
                [&self.changes(&page)[..], END.as_bytes()].concat().into()
            },
            Err(Failure::SignedOut) => {
                self.is_over = true;
                event("signed-out", &json!({})).into()
            },
            Err(failure) => event("stale", &json!({ "reason": failure.to_string() })).into(),
        }
    }

    /// Whether the page is to be rendered again; else a heartbeat is due.
    async fn wait(&mut self) -> bool {
        let period = match self.refresh {
            Refresh::Every(period) => period,
            Refresh::OnEvents | Refresh::Never => MINUTE,
        };
        let step = HEARTBEAT.min(period.saturating_sub(self.waited));
        match timeout(step, self.happening()).await {
            Ok(()) if self.refresh == Refresh::OnEvents => {
                sleep(PAUSE).await;
                // What happened meanwhile is included.
                self.feed.skip_ready().await;
                true
            },
            Ok(()) => self.is_over,
            Err(_) => {
                self.waited += step;
                self.waited >= period
            },
        }
    }

    /// Waits until something happens that the page follows, or until the feed ends.
    async fn happening(&mut self) {
        loop {
            match self.feed.next().await {
                FeedEvent::Entry if self.refresh == Refresh::OnEvents => return,
                FeedEvent::Entry => {},
                FeedEvent::End => {
                    self.is_over = true;
                    return;
                },
            }
        }
    }

    fn changes(&mut self, page: &Page) -> Bytes {
        let mut text = String::new();
        for (id, html) in page.regions.iter().filter_map(part) {
            let digest = digest(html);
            let known = self.sent.iter_mut().find(|it| it.0 == id);
            match known {
                Some(known) if known.1 == digest => continue,
                Some(known) => known.1 = digest,
                None => self.sent.push((id, digest)),
            }
            text.push_str(&event("part", &json!({ "id": id, "html": html })));
        }
        if text.is_empty() { Bytes::from_static(b": \n\n") } else { text.into() }
    }
}

/// All parts of a page.
fn first(page: &Page) -> Bytes {
    let parts = page.regions.iter().filter_map(part);
    let text: String =
        parts.map(|(id, html)| event("part", &json!({ "id": id, "html": html }))).collect();
    format!("retry: 2000\n\n{text}").into()
}

/// The digests of all parts of a page.
fn digests(page: &Page) -> Vec<(&'static str, u64)> {
    page.regions.iter().filter_map(part).map(|(id, html)| (id, digest(html))).collect()
}

fn part(region: &Region) -> Option<(&'static str, &str)> {
    Some((region.id?, region.markup.0.as_str()))
}

/// Relative times count as equal: the browser updates them itself.
fn digest(html: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (index, text) in html.split("<time").enumerate() {
        let (attributes, rest) = text.split_once('>').unwrap_or((text, ""));
        let shown = if index == 0 { rest } else { rest.split_once("</time").map_or("", |it| it.1) };
        (attributes, shown).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_times_do_not_count_as_a_change() {
        let html = |at, shown, rest| format!("<p><time datetime={at}>{shown}</time>{rest}");
        let first = digest(&html("1", "now", "x"));
        assert_eq!(first, digest(&html("1", "1 min ago", "x")));
        assert_ne!(first, digest(&html("2", "now", "x")));
        assert_ne!(first, digest(&html("1", "now", "y")));
    }
}
