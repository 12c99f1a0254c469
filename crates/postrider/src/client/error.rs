//! What goes wrong with a call.

use std::{io, time::Duration};

use http::StatusCode;
use serde::Deserialize;

use crate::api::{ErrorOut, ValidationErrorOut, ValidationItem};

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// Not the URL of a server.
    #[error("{0:?} is not the URL of a server, such as http://127.0.0.1:8071")]
    Url(String),
    /// The token holds characters that a header cannot hold.
    #[error("the token holds characters that a header cannot hold")]
    Token,
    /// The key holds characters that a header cannot hold.
    #[error("the idempotency key holds characters that a header cannot hold")]
    IdempotencyKey,
    /// The name holds characters that a header cannot hold.
    #[error("the user agent holds characters that a header cannot hold")]
    UserAgent,
    /// The system's certificates cannot be read.
    #[error("the system's certificates cannot be read")]
    Certificates(#[source] io::Error),
}

/// Why a call came to nothing; one variant per reaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name cannot be part of a path, so that nothing was sent: it is empty, or made of dots
    /// alone, which would lead to another path.
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
    /// There was no answer in time.
    #[error("{url} did not answer within {} s", .timeout.as_secs_f32())]
    Timeout {
        /// The server.
        url: String,
        /// The time limit.
        timeout: Duration,
    },
    /// The server refused, in its own words.
    #[error("{detail} ({status})")]
    Refused {
        /// The status code.
        status: StatusCode,
        /// The kind of error: `not_found`, `conflict`, …
        code: String,
        /// The reason.
        detail: String,
        /// When the server wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server found fields that are wrong.
    #[error("{}", say(.0))]
    Invalid(Vec<ValidationItem>),
    /// The answer is not what the API promises.
    #[error("the answer cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    #[doc(hidden)]
    pub fn is_passing(&self) -> bool {
        self.is_transient()
    }

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

    /// The status code, if the server answered with an error.
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
                detail: "the server refused without a reason".to_owned(),
                retry_after,
            },
        }
    }
}

fn say(items: &[ValidationItem]) -> String {
    let one = |it: &ValidationItem| format!("{}: {}", it.loc.join("."), it.msg);
    items.iter().map(one).collect::<Vec<_>>().join("; ")
}
