//! Who sent a request: a page of this server, and for what.

use http::{HeaderMap, HeaderName, Method, header};
use postrider_core::sign_in::{RequestOrigin, is_same_origin};

use crate::site::Site;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of this server sent the request.
pub(crate) fn is_own_page(
    site: &Site,
    method: &Method,
    uri: &http::Uri,
    headers: &HeaderMap,
) -> bool {
    let text = |name| headers.get(name).map(|it| it.to_str().unwrap_or("null"));
    let authority = uri.authority().map(http::uri::Authority::as_str);
    is_same_origin(&RequestOrigin {
        is_safe: method.is_safe(),
        site: text(SEC_FETCH_SITE),
        origin: text(header::ORIGIN),
        host: text(header::HOST).or(authority),
        public: &site.origin(),
    })
}

pub(crate) fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    accepted.is_some_and(|it| it.starts_with("text/event-stream"))
}
