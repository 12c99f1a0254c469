//! Streams as Server-Sent Events.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use postrider_core::live;

use super::reader::Reader;

/// Shortest time after which a client connects again.
const MIN_RETRY: Duration = Duration::from_secs(1);

/// Longest additional time, so that not all clients come back at the same moment.
const RETRY_SPREAD: Duration = Duration::from_secs(2);

/// Asks proxies of the nginx kind not to buffer the response.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(super) fn response(reader: Reader) -> Response {
    let retry = live::retry(reader.retry_after(MIN_RETRY, RETRY_SPREAD));
    let first = stream::once(std::future::ready(Ok::<_, Infallible>(retry)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(first.chain(stream::unfold(reader, next)))).into_response()
}

async fn next(mut reader: Reader) -> Option<(Result<Bytes, Infallible>, Reader)> {
    let item = reader.next().await?;
    Some((Ok(item.sse()), reader))
}
