//! Sends the parts of the page again whenever a request arrives.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    guard,
    page::InboxPage,
    view::{Parts, render},
};
use crate::live::{event, events};

/// How long requests are collected before the page is rendered again.
const PAUSE: Duration = Duration::from_millis(200);

/// How often an idle stream shows that it is alive, so that a closed connection is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A page that is open in a browser.
struct OpenPage {
    page: Arc<InboxPage>,
    headers: HeaderMap,
    selected: Option<u64>,
    changes: watch::Receiver<u64>,
}

/// Streams the changes of the page.
pub(super) fn follow(page: Arc<InboxPage>, headers: HeaderMap, selected: Option<u64>) -> Response {
    let mut changes = page.ring.changes();
    // The page may have changed since the browser loaded it.
    changes.mark_changed();
    let open = OpenPage { page, headers, selected, changes };
    let stream = stream::unfold(open, async |mut open| {
        let stop = open.page.stop.clone();
        let bytes = stop.run_until_cancelled(open.next()).await?;
        Some((Ok::<_, Infallible>(bytes), open))
    });
    guard::protect(events(Body::from_stream(stream)))
}

impl OpenPage {
    /// Waits for requests, and returns the page with them.
    async fn next(&mut self) -> Bytes {
        match timeout(HEARTBEAT, self.changes.changed()).await {
            Ok(Ok(())) => {},
            Ok(Err(_)) | Err(_) => return Bytes::from_static(b": \n\n"),
        }
        sleep(PAUSE).await;
        self.changes.mark_unchanged();
        sent(&render(&self.page, &self.headers, self.selected))
    }
}

fn sent(parts: &Parts) -> Bytes {
    let parts = parts.named();
    let texts = parts.map(|(id, html)| event("part", &json!({ "id": id, "html": html.0 })));
    format!("retry: 2000\n\n{}", texts.concat()).into()
}
