//! Cross-origin access of web pages to streams.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use postrider_core::live::OriginCheck;

/// How long a browser may remember what it was told about a stream, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Headers that pages may send.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, cache-control, last-event-id");

/// The headers that let the page read the response. Credentials of the browser, such as cookies,
/// are never used.
pub(super) fn headers(
    check: OriginCheck,
    origin: Option<&HeaderValue>,
) -> Vec<(HeaderName, HeaderValue)> {
    let allow = |origin| (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let vary = (header::VARY, HeaderValue::from_static("origin"));
    match (check, origin) {
        (OriginCheck::Any, _) => vec![allow(HeaderValue::from_static("*"))],
        (OriginCheck::Named, Some(origin)) => vec![allow(origin.clone()), vary],
        (OriginCheck::Named | OriginCheck::NoPage | OriginCheck::Refused, _) => vec![vary],
    }
}

/// The headers of the response to a preflight request.
pub(super) fn preflight(
    check: OriginCheck,
    origin: Option<&HeaderValue>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = headers(check, origin);
    headers.extend([
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ]);
    headers
}

/// The origin of the page that sent the request.
pub(super) fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::ORIGIN)
}
