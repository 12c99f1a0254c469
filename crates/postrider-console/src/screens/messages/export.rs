//! The list of messages as a download: one JSON object for each line.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::filter::Filter;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
};

/// Messages that are read at once.
const PAGE: usize = 50;

/// Most pages of one download. With the period of the filter, the rest can be downloaded, too.
const MAX_PAGES: usize = 2_000;

/// A page of the list, whose items stay as they are.
#[derive(Deserialize)]
struct ExportPage {
    data: Vec<Box<RawValue>>,
    iterator: Option<String>,
    done: bool,
}

/// What is still to be written.
struct Export {
    context: Arc<Context>,
    filter: Filter,
    iterator: Option<String>,
    pages: usize,
    is_done: bool,
}

/// Streams all messages that match the filter. The next page is read when the browser takes it.
pub(super) async fn download(context: Arc<Context>) -> Result<Response, Failure> {
    let own = Some(context.app()).filter(|it| !it.is_empty());
    let filter = Filter::read(&context.query, own, context.now);
    let mut export = Export { context, filter, iterator: None, pages: 0, is_done: false };
    // Errors of the filter become a page.
    let first = export.page().await?;
    let rest = stream::unfold(export, async |mut export| {
        if export.is_done {
            return None;
        }
        let page = export.page().await;
        export.is_done |= page.is_err();
        Some((page, export))
    });
    let first = stream::once(std::future::ready(Ok::<_, ApiFailure>(first)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"messages.ndjson\""),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    Ok((headers, body).into_response())
}

impl Export {
    /// The next page as lines.
    async fn page(&mut self) -> Result<Bytes, ApiFailure> {
        let path = v1(&["msg"]).with("limit", PAGE).with("with_content", true);
        let path = path.with("with_deliveries", true).and("iterator", self.iterator.take());
        let page: ExportPage = self.context.api.get(self.filter.on(path)).await?;
        self.pages += 1;
        self.is_done = page.done || page.iterator.is_none() || self.pages == MAX_PAGES;
        self.iterator = page.iterator;
        Ok(lines(&page.data))
    }
}

/// JSON may contain line breaks between its parts; lines may not.
fn lines(items: &[Box<RawValue>]) -> Bytes {
    let mut text = String::new();
    for item in items {
        text.extend(item.get().chars().map(|it| if matches!(it, '\n' | '\r') { ' ' } else { it }));
        text.push('\n');
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_one_line() {
        let item = RawValue::from_string("{\"a\":\n \"\\n\"}".to_owned()).unwrap();
        assert_eq!(lines(&[item.clone(), item]), "{\"a\":  \"\\n\"}\n{\"a\":  \"\\n\"}\n");
    }
}
