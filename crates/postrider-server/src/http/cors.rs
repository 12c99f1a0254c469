//! Cross-origin access of web pages: to streams, whose endpoints list the origins, and to the API,
//! for the origins of the settings.
//!
//! Credentials of the browser, such as cookies, are never allowed across origins.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use postrider_core::{
    kind::live::AllowedOrigin,
    live::{OriginCheck, check_origin},
};

/// How long a browser may remember what it was told, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Where the API is. Other paths are not for pages of other origins, or have their own rules.
const API_PATHS: [&str; 2] = ["/api/", "/ingest/api/"];

/// What pages may send.
#[derive(Debug)]
pub(crate) struct Allowed {
    methods: &'static str,
    headers: &'static str,
}

/// What readers of streams may send.
pub(crate) const STREAM: Allowed =
    Allowed { methods: "GET", headers: "authorization, cache-control, last-event-id" };

/// What clients of the API may send: the headers that it reads, and those that the official clients
/// add.
const API: Allowed = Allowed {
    methods: "GET, POST, PUT, PATCH, DELETE",
    headers: "authorization, cache-control, content-type, idempotency-key, last-event-id, \
              svix-req-id, svix-retry-count, x-request-id",
};

/// Headers of the API's responses that pages may read in addition to those that are always
/// readable.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after, content-disposition");

/// The headers that let the page read the response.
pub(crate) fn headers(
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
pub(crate) fn preflight(
    check: OriginCheck,
    origin: Option<&HeaderValue>,
    allowed: &Allowed,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = headers(check, origin);
    headers.extend([
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allowed.methods)),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed.headers)),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ]);
    headers
}

/// The origin of the page that sent the request.
pub(crate) fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::ORIGIN)
}

/// Lets pages of these origins call the API. Without origins, the router stays as it is.
pub(crate) fn allow(router: Router, origins: &[AllowedOrigin]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let origins: Arc<[AllowedOrigin]> = origins.into();
    router.layer(from_fn_with_state(origins, respond))
}

async fn respond(
    State(origins): State<Arc<[AllowedOrigin]>>,
    request: Request,
    next: Next,
) -> Response {
    if !API_PATHS.iter().any(|it| request.uri().path().starts_with(it)) {
        return next.run(request).await;
    }
    let origin = origin(request.headers()).cloned();
    let text = origin.as_ref().map(|it| it.to_str().unwrap_or("null"));
    // Without a host: pages of the server itself need no permission, and get none.
    let check = check_origin(&origins, text, None);
    let mut response = if is_preflight(&request) {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if check == OriginCheck::Named {
            response.headers_mut().extend(preflight(check, origin.as_ref(), &API));
            return response;
        }
        response
    } else {
        next.run(request).await
    };
    if check == OriginCheck::Named {
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response.headers_mut().extend(headers(check, origin.as_ref()));
    response
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
