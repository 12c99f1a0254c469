//! The `OpenAPI` document, if the settings allow it, and the metrics for Prometheus.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::{
    api::{error::ApiError, openapi::openapi},
    http::memory::{MemoryBudget, PUBLIC_CALLER},
    metrics::Exposition,
    settings::Settings,
};

pub(super) fn router(settings: &Settings) -> Router {
    if settings.docs { docs() } else { Router::new() }
}

/// The only route of the listener for metrics.
pub(super) fn metrics_router(memory: &MemoryBudget, exposition: &Arc<Exposition>) -> Router {
    let (memory, exposition) = (memory.clone(), Arc::clone(exposition));
    Router::new().route(
        "/metrics",
        get(async move |headers: HeaderMap| metrics(&exposition, &headers, &memory)),
    )
}

/// The document is made when it is first requested, which never happens on most servers.
fn docs() -> Router {
    let document: Arc<LazyLock<Bytes>> = Arc::new(LazyLock::new(|| openapi().into()));
    let get = get(async move || typed("application/json", Bytes::clone(&document)));
    Router::new().route("/api/v1/openapi.json", get)
}

fn typed(content_type: &'static str, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

fn metrics(exposition: &Exposition, headers: &HeaderMap, memory: &MemoryBudget) -> Response {
    let rendered = exposition.render(headers);
    let rendered = rendered.map_err(|error| ApiError::Internal(error.into()));
    let reserved = rendered.and_then(|(media_type, text)| {
        let reserved = memory.reserve(PUBLIC_CALLER, text.len())?;
        Ok((media_type, reserved.bind(text.into())))
    });
    match reserved {
        Ok((media_type, text)) => typed(media_type, text),
        Err(error) => error.into_api_response().into_response(),
    }
}
