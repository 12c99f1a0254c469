//! Errors of operations and requests, and the only place that knows their status codes.

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use postrider::api::{ErrorOut, ValidationErrorOut, ValidationItem};
use postrider_core::hops::Loop;
use postrider_engine::SubmitError;
use postrider_store::{IndexRebuild, StoreError};

use crate::{
    api::{convert::to_wire, problem_list::item, response::ApiResponse},
    settings::SizeLimit,
};

/// Why an operation or a request was refused, or failed.
///
/// Over HTTP, [`ApiError::status`] is the status code, and the body has [`ApiError::code`] and
/// the error's message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The token is missing or not valid.
    #[error("{0}")]
    Unauthenticated(Cow<'static, str>),
    /// The principal may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such record, or the principal may not see it.
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The operation conflicts with the present state.
    #[error("{detail}")]
    Conflict { code: &'static str, detail: String },
    /// Another change of the record was faster, again and again.
    #[error("the {0} was changed by another request at the same time; try again")]
    Outdated(&'static str),
    /// The operation is not possible in the present state.
    #[error("{detail}")]
    Bad { code: &'static str, detail: String },
    /// The input is invalid; the list says where and why.
    #[error("request is invalid")]
    Invalid(Vec<ValidationItem>),
    #[error("the {what} is longer than {} bytes (`{}`)", .limit.bytes, .limit.setting)]
    TooLarge { what: &'static str, limit: SizeLimit },
    /// The request has passed through this deployment too often.
    #[error(transparent)]
    Loop(Loop),
    #[error("the body arrives too slowly ({timeout}, limits.min_transfer_rate)")]
    TooSlow { timeout: &'static str },
    /// The server cannot do this now. Nothing was changed; try again later.
    #[error("{what}{why}", what = .0, why = because(.1.as_deref()))]
    Unavailable(&'static str, #[source] Option<Arc<StoreError>>),
    /// The index is being rebuilt, and does not have what was asked for yet.
    #[error("{detail}")]
    Rebuilding { detail: String },
    #[error("{0}; try again")]
    TooMany(&'static str),
    /// The application has used up a quota, and may use more after `wait`.
    #[error("{detail}")]
    OverQuota { detail: String, wait: Duration },
    /// The program of a listener did not respond.
    #[error("{detail}")]
    NoResponse { detail: &'static str, is_late: bool },
    /// An operation of the hosted API that this server does not have.
    #[error("{0}")]
    NotAvailable(&'static str),
    /// A fault of the server, which is logged.
    #[error("internal error")]
    Internal(#[source] postrider_store::BoxError),
}

/// Seconds after which a client may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The same while the index is being rebuilt, which takes minutes if much is stored.
const RETRY_AFTER_REBUILD: HeaderValue = HeaderValue::from_static("10");

impl ApiError {
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict { code: "conflict", detail: detail.into() }
    }

    pub(crate) fn invalid(place: &[&str], message: impl Into<String>) -> Self {
        Self::Invalid(vec![item(place, message, "value_error")])
    }

    fn rebuilding(rebuild: IndexRebuild) -> Self {
        let IndexRebuild { since, percent } = rebuild;
        let detail = format!(
            "the index is being rebuilt ({percent} % done): lists, searches and statistics are \
             complete from {} on; ask for a time after that, or try again later",
            to_wire(since)
        );
        Self::Rebuilding { detail }
    }

    /// The status code over HTTP.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } | Self::Outdated(_) => StatusCode::CONFLICT,
            Self::Bad { .. } => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Loop(_) => StatusCode::LOOP_DETECTED,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable(..) | Self::Rebuilding { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany(_) | Self::OverQuota { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoResponse { is_late: true, .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::NoResponse { is_late: false, .. } => StatusCode::BAD_GATEWAY,
            Self::NotAvailable(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Identifies the kind of error for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "authentication_failed",
            Self::Forbidden(_) => "insufficient_access",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict { code, .. } | Self::Bad { code, .. } => code,
            Self::Outdated(_) => "conflict",
            Self::Invalid(_) => "validation",
            Self::TooLarge { .. } => "payload_too_large",
            Self::Loop(_) => "loop_detected",
            Self::TooSlow { .. } => "request_timeout",
            Self::Unavailable(..) => "service_unavailable",
            Self::Rebuilding { .. } => "index_rebuilding",
            Self::TooMany(_) => "too_many_requests",
            Self::OverQuota { .. } => "quota_exceeded",
            Self::NoResponse { is_late: true, .. } => "gateway_timeout",
            Self::NoResponse { is_late: false, .. } => "bad_gateway",
            Self::NotAvailable(_) => "not_available",
            Self::Internal(_) => "server_error",
        }
    }

    /// Whole seconds after which the client may try again.
    fn retry_after(&self) -> HeaderValue {
        if let Self::OverQuota { wait, .. } = self {
            return HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        }
        if matches!(self, Self::Rebuilding { .. }) { RETRY_AFTER_REBUILD } else { RETRY_AFTER }
    }

    /// The response over HTTP.
    pub fn into_api_response(self) -> ApiResponse {
        let (status, retry_after) = (self.status(), self.retry_after());
        let body = if let Self::Invalid(detail) = self {
            to_json(&ValidationErrorOut { detail })
        } else {
            to_json(&ErrorOut { code: self.code().to_owned(), detail: self.to_string() })
        };
        let mut response = ApiResponse::json(status, body);
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
            response.headers.push((header::RETRY_AFTER, retry_after));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers.push((header::WWW_AUTHENTICATE, bearer));
        }
        response
    }
}

/// The reason as the end of a sentence.
fn because(error: Option<&StoreError>) -> String {
    error.and_then(StoreError::reason).map(|reason| format!(": {reason}")).unwrap_or_default()
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<StoreError>> for ApiError {
    fn from(error: Arc<StoreError>) -> Self {
        match &*error {
            StoreError::Unavailable(_) => {
                Self::Unavailable("the store is unavailable", Some(error))
            },
            StoreError::Full(_) => Self::Unavailable(
                "the disk is full; nothing is accepted until there is space again",
                Some(error),
            ),
            StoreError::Rebuilding(rebuild) => Self::rebuilding(*rebuild),
            StoreError::Conflict { what } => Self::conflict(format!("the {what} is taken")),
            StoreError::VersionMismatch { what } => Self::Outdated(what),
            StoreError::Corrupt { .. } => Self::Internal(error.into()),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => {
                Self::Unavailable("too many messages are waiting to be stored; try again", None)
            },
            SubmitError::Stopping => Self::Unavailable("the server is shutting down", None),
            SubmitError::IdTaken => {
                Self::Unavailable("another message has the id of this one; try again", None)
            },
            SubmitError::Store(error) => error.into(),
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and lists of them serialize")
}
