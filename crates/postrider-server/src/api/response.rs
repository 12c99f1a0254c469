//! Responses of the API: a status, JSON and headers.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

/// A response that is complete and can be sent, or stored under an idempotency key.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    pub status: StatusCode,
    /// JSON, unless the headers have another content type; empty if the response has no body.
    pub body: Bytes,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Many responses contain secrets, and no response is for anyone but its client.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl ApiResponse {
    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }

    pub(crate) fn into_response(self) -> Response {
        let has_type = self.headers.iter().any(|(name, _)| *name == header::CONTENT_TYPE);
        let is_json = !self.body.is_empty() && !has_type;
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        if is_json {
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        response.headers_mut().extend(self.headers);
        response
    }
}
