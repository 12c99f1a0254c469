//! Responses that are sent without the handler.

use axum_core::{
    BoxError,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::provider::{self, Provider, Reply, VerifyError};

/// Why the handler does not run. It converts into the response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookRejection {
    /// The request is a handshake and gets its response.
    #[error("handshake with response {}", .0.status)]
    Handshake(Reply),
    /// The method is neither used for events nor for a handshake: 405.
    #[error("the method is neither used for events nor for a handshake")]
    Method,
    /// Verification failed. The response is the same for every reason.
    #[error("webhook was rejected: {reason}")]
    Rejected {
        /// The reason, for the log.
        reason: Box<VerifyError>,
        /// The response.
        reply: Reply,
    },
    /// The body is larger than the limit: 413.
    #[error("body is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body did not arrive in time: 408.
    #[error("body did not arrive in time")]
    TooSlow,
    /// The connection ended early: 400.
    #[error("body is incomplete")]
    Incomplete(#[source] BoxError),
    /// The webhook is genuine, but the body does not match the handler's type: 400.
    #[error("body does not match the type of the handler")]
    Unreadable(#[source] serde_json::Error),
    /// A key of the provider is missing: 503, so that the provider retries.
    #[error("the key at {url} is needed; pass it to Receiver::fetched")]
    KeyNeeded {
        /// The URL of the key.
        url: String,
    },
}

impl WebhookRejection {
    pub(super) fn rejected(provider: &Provider, reason: VerifyError) -> Self {
        if reason == VerifyError::Method {
            return Self::Method;
        }
        if let VerifyError::KeyNeeded(key) = reason {
            return Self::KeyNeeded { url: key.url };
        }
        Self::Rejected { reason: Box::new(reason), reply: provider::reject(provider) }
    }
}

impl IntoResponse for WebhookRejection {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Handshake(reply) | Self::Rejected { reply, .. } => return respond(reply),
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Incomplete(_) | Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::KeyNeeded { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = status.into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}

/// Converts a reply of the library into a response.
fn respond(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
