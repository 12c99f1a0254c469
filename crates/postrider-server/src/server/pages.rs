//! The pages for people and the metrics for Prometheus, as far as the settings allow them.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use prometheus_client::registry::Registry;

use crate::{
    api::{docs_page, error::ApiError, openapi::openapi},
    http::memory::{Memory, PUBLIC},
    settings::Settings,
};

pub(super) fn router(settings: &Settings, memory: &Memory, registry: &Arc<Registry>) -> Router {
    let mut router = Router::new();
    if settings.docs {
        router = router.merge(docs());
    }
    if settings.metrics {
        let (memory, registry) = (memory.clone(), Arc::clone(registry));
        router = router.route("/metrics", get(async move || metrics(&registry, &memory)));
    }
    router
}

/// The document is made when it is first requested, which never happens on most servers.
fn docs() -> Router {
    let document: Arc<LazyLock<Bytes>> = Arc::new(LazyLock::new(|| openapi().into()));
    let page: Arc<LazyLock<Bytes>> = Arc::new(LazyLock::new(|| docs_page::page(&openapi()).into()));
    Router::new()
        .route("/", get(async || Redirect::temporary("/docs")))
        .route("/docs", get(async move || html(Bytes::clone(&page))))
        .route(
            "/api/v1/openapi.json",
            get(async move || typed("application/json", Bytes::clone(&document))),
        )
}

/// A page that can neither load nor run anything.
fn html(page: Bytes) -> Response {
    let mut response = typed("text/html; charset=utf-8", page);
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn typed(content_type: &'static str, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

fn metrics(registry: &Registry, memory: &Memory) -> Response {
    let mut text = String::new();
    let encoded = prometheus_client::encoding::text::encode(&mut text, registry);
    let encoded = encoded.map_err(|error| ApiError::Internal(error.into()));
    match encoded.and_then(|()| memory.reserve(PUBLIC, text.len())) {
        Ok(reserved) => typed(
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            reserved.bind(text.into()),
        ),
        Err(error) => error.into_api_response().into_response(),
    }
}
