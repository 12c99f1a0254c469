//! Errors of the client.

use std::{io, time::Duration};

use http::StatusCode;
use serde::Deserialize;

use crate::api::{ErrorOut, ValidationErrorOut, ValidationItem};

/// The client cannot be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// The text is not the URL of a server.
    #[error("{0:?} is not the URL of a server, such as http://127.0.0.1:8071")]
    Url(String),
    /// The token has characters that a header cannot contain.
    #[error("the token has characters that a header cannot contain")]
    Token,
    /// The key has characters that a header cannot contain.
    #[error("the idempotency key has characters that a header cannot contain")]
    IdempotencyKey,
    /// The value has characters that a header cannot contain.
    #[error("the user agent has characters that a header cannot contain")]
    UserAgent,
    /// The system's certificates cannot be read.
    #[error("the system's certificates cannot be read")]
    Certificates(#[source] io::Error),
}

/// Why a call failed, with one variant per reaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An id or uid cannot be part of a path because it is empty or consists only of dots, which
    /// would lead to another path. Nothing was sent.
    #[error("{0:?} cannot be part of a path")]
    Path(String),
    /// The server could not be reached, or the connection broke.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No response arrived in time.
    #[error("{url} did not respond within {} s", .timeout.as_secs_f32())]
    Timeout {
        /// The server.
        url: String,
        /// The time limit.
        timeout: Duration,
    },
    /// The server rejected the request.
    #[error("{detail} ({status})")]
    Refused {
        /// The status code.
        status: StatusCode,
        /// The error code, such as `not_found` or `conflict`.
        code: String,
        /// The server's message.
        detail: String,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The server found invalid fields.
    #[error("{}", say(.0))]
    Invalid(Vec<ValidationItem>),
    /// The response does not match the API.
    #[error("the response cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            },
            Self::Path(_) | Self::Invalid(_) | Self::Unreadable(_) => false,
        }
    }

    /// The status code, if the server returned an error.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Invalid(_) => Some(StatusCode::UNPROCESSABLE_ENTITY),
            Self::Path(_)
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Unreadable(_) => None,
        }
    }

    pub(super) fn refused(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Body {
            Invalid(ValidationErrorOut),
            Refused(ErrorOut),
        }
        match serde_json::from_slice(body) {
            Ok(Body::Invalid(invalid)) => Self::Invalid(invalid.detail),
            Ok(Body::Refused(ErrorOut { code, detail })) => {
                Self::Refused { status, code, detail, retry_after }
            },
            Err(_) => Self::Refused {
                status,
                code: String::new(),
                detail: "the server rejected the request without a reason".to_owned(),
                retry_after,
            },
        }
    }
}

fn say(items: &[ValidationItem]) -> String {
    let one = |it: &ValidationItem| format!("{}: {}", it.loc.join("."), it.msg);
    items.iter().map(one).collect::<Vec<_>>().join("; ")
}
