//! The feed as rows: entries of the API are rendered and sent in batches.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::HeaderValue;
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    super::messages::names::Names,
    entry::{Entry, row},
    filter::Filter,
    sse::{Buffer, Event},
};
use crate::{
    api::v1,
    context::Context,
    failure::Failure,
    live::{event, events},
};

/// How long entries are collected, so that browsers insert many rows at once.
const PERIOD: Duration = Duration::from_millis(500);

/// Most rows of a batch. Browsers insert them over several frames.
const MAX_ROWS: usize = 120;

/// How often an idle stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The feed of a browser.
struct Feed {
    context: Arc<Context>,
    entries: BodyDataStream,
    buffer: Buffer,
    names: Names,
    has_ended: bool,
}

pub(super) async fn open(context: Arc<Context>) -> Result<Response, Failure> {
    let filter = Filter::read(&context.query);
    let after = context.query.text("after").and_then(|it| HeaderValue::try_from(it).ok());
    let last = context.headers.get("last-event-id").cloned().or(after);
    let body = context.api.stream(filter.on_stream(v1(&["live"])), last.as_ref()).await?;
    let feed = Feed {
        context,
        entries: body.into_data_stream(),
        buffer: Buffer::default(),
        names: Names::default(),
        has_ended: false,
    };
    let batches = stream::unfold(feed, async |mut feed| {
        let batch = feed.next().await?;
        Some((Ok::<_, Infallible>(batch), feed))
    });
    let first = stream::once(std::future::ready(Ok(Bytes::from_static(b"retry: 2000\n\n"))));
    Ok(events(Body::from_stream(first.chain(batches))))
}

impl Feed {
    /// The next batch; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        let Ok(first) = timeout(HEARTBEAT, self.event()).await else {
            return Some(Bytes::from_static(b": \n\n"));
        };
        let mut found = vec![first?];
        let end = Instant::now() + PERIOD;
        while let Ok(event) = timeout_at(end, self.event()).await {
            let Some(event) = event else {
                self.has_ended = true;
                break;
            };
            found.push(event);
        }
        Some(self.batch(&found).await)
    }

    /// The next event of the API; none at the end. Dropping the future loses nothing.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.buffer.next() {
                return Some(event);
            }
            self.buffer.push(&self.entries.next().await?.ok()?);
        }
    }

    /// Events as one event for the browser. It has the newest rows, and says how many it has not.
    async fn batch(&mut self, found: &[Event]) -> Bytes {
        let entries: Vec<_> = found.iter().filter_map(Entry::read).collect();
        let skipped = entries.len().saturating_sub(MAX_ROWS);
        let shown = &entries[skipped..];
        self.names.add(&self.context, shown.iter().filter_map(Entry::app)).await;
        let rows: Vec<_> =
            shown.iter().map(|it| row(&self.context, it, &self.names).into_string()).collect();
        let last = found.iter().rev().find(|it| !it.id.is_empty());
        let id = last.map(|it| format!("id: {}\n", it.id)).unwrap_or_default();
        let has_gap = found.iter().any(|it| it.name == "gap");
        let data = json!({ "rows": rows, "skipped": skipped, "gap": has_gap });
        format!("{id}{}", event("rows", &data)).into()
    }
}
