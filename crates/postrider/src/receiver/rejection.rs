//! What is answered without the handler.

use axum_core::{
    BoxError,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::provider::{self, Provider, Reply, VerifyError};

/// Why the handler does not run; as a response, what is answered then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookRejection {
    /// No webhook, but a question of the provider: it gets its answer.
    #[error("handshake, answered with {}", .0.status)]
    Handshake(Reply),
    /// No event comes by this method, and no handshake either: 405.
    #[error("no event and no handshake comes by this method")]
    Method,
    /// Not to be believed. The answer is the same for all reasons.
    #[error("webhook was rejected: {reason}")]
    Rejected {
        /// Why, for the log.
        reason: Box<VerifyError>,
        /// What is answered.
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
    /// The connection broke: 400.
    #[error("body is incomplete")]
    Incomplete(#[source] BoxError),
    /// The webhook is to be believed, but its body is not of the handler's type: 400.
    #[error("body is not what the handler expects")]
    Unreadable(#[source] serde_json::Error),
    /// A key of the provider's is needed that was not given: 503, so that the provider comes
    /// again.
    #[error("the key at {url} is needed: give it to Receiver::fetched")]
    KeyNeeded {
        /// Where it is.
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

/// A reply of the library as a response.
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
