//! The documentation of the API.

mod page;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderValue, header};

/// The route of the documentation of an `OpenAPI` document.
///
/// The page is rendered when it is first requested, which never happens on most servers.
pub fn router(document: fn() -> String) -> Router {
    let page: Arc<LazyLock<Bytes, _>> =
        Arc::new(LazyLock::new(move || Bytes::from(page::page(&document()))));
    Router::new().route("/docs", get(async move || html(Bytes::clone(&page))))
}

/// A page that can neither load nor run anything.
fn html(page: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
        ),
    ];
    (headers, page).into_response()
}
