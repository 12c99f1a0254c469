//! What goes wrong with a request, and what is answered then. The only place that knows the
//! status codes of our errors.

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use postrider::api::{ErrorOut, ValidationErrorOut, ValidationItem};
use postrider_core::hops::Loop;
use postrider_engine::SubmitError;
use postrider_store::StoreError;

use crate::{api::reply::Answer, settings::SizeLimit};

/// What goes wrong with a request; one variant per answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Unauthenticated(Cow<'static, str>),
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("method not allowed")]
    MethodNotAllowed,
    #[error("{detail}")]
    Conflict { code: &'static str, detail: String },
    #[error("{detail}")]
    Bad { code: &'static str, detail: String },
    #[error("request is invalid")]
    Invalid(Vec<ValidationItem>),
    #[error("the {what} is longer than {} bytes (`{}`)", .limit.bytes, .limit.setting)]
    TooLarge { what: &'static str, limit: SizeLimit },
    #[error(transparent)]
    Loop(Loop),
    #[error("the body arrives too slowly ({timeout}, limits.min_transfer_rate)")]
    TooSlow { timeout: &'static str },
    #[error("{0}")]
    Unavailable(&'static str, #[source] Option<Arc<StoreError>>),
    #[error("{0}; try again")]
    TooMany(&'static str),
    /// The application uses as much as it may; after the wait it may use more.
    #[error("{detail}")]
    OverQuota { detail: String, wait: Duration },
    /// Whoever was to answer in our place did not.
    #[error("{detail}")]
    NoAnswer { detail: &'static str, is_late: bool },
    #[error("internal error")]
    Internal(#[source] postrider_store::BoxError),
}

/// Seconds after which a caller may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl ApiError {
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict { code: "conflict", detail: detail.into() }
    }

    pub(crate) fn invalid(place: &[&str], message: impl Into<String>) -> Self {
        Self::Invalid(vec![item(place, message, "value_error")])
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Bad { .. } => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Loop(_) => StatusCode::LOOP_DETECTED,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany(_) | Self::OverQuota { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoAnswer { is_late: true, .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::NoAnswer { is_late: false, .. } => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "authentication_failed",
            Self::Forbidden(_) => "insufficient_access",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict { code, .. } | Self::Bad { code, .. } => code,
            Self::Invalid(_) => "validation",
            Self::TooLarge { .. } => "payload_too_large",
            Self::Loop(_) => "loop_detected",
            Self::TooSlow { .. } => "request_timeout",
            Self::Unavailable(..) => "service_unavailable",
            Self::TooMany(_) => "too_many_requests",
            Self::OverQuota { .. } => "quota_exceeded",
            Self::NoAnswer { is_late: true, .. } => "gateway_timeout",
            Self::NoAnswer { is_late: false, .. } => "bad_gateway",
            Self::Internal(_) => "server_error",
        }
    }

    /// Whole seconds after which the caller may try again.
    fn retry_after(&self) -> HeaderValue {
        if let Self::OverQuota { wait, .. } = self {
            return HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        }
        RETRY_AFTER
    }

    pub(crate) fn into_answer(self) -> Answer {
        let (status, retry_after) = (self.status(), self.retry_after());
        let body = if let Self::Invalid(detail) = self {
            to_json(&ValidationErrorOut { detail })
        } else {
            to_json(&ErrorOut { code: self.code().to_owned(), detail: self.to_string() })
        };
        let mut answer = Answer::json(status, body);
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
            answer.headers.push((header::RETRY_AFTER, retry_after));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            answer.headers.push((header::WWW_AUTHENTICATE, bearer));
        }
        answer
    }
}

/// The problems of a request. A response names the first ones, which is more than people fix at a
/// time, and counts the others: a body could have as many as it has bytes.
#[derive(Debug, Default)]
pub(crate) struct Found {
    items: Vec<ValidationItem>,
    /// Those that are counted only.
    more: usize,
}

/// Problems that one response names.
const MAX_NAMED: usize = 20;

impl Found {
    /// Adds a problem. What tells about it is made only if the response names it.
    pub(crate) fn add(&mut self, item: impl FnOnce() -> ValidationItem) {
        if self.items.len() < MAX_NAMED {
            self.items.push(item());
        } else {
            self.more += 1;
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Puts a problem before all others.
    pub(crate) fn put_first(&mut self, item: ValidationItem) {
        self.items.insert(0, item);
    }

    pub(crate) fn into_items(mut self) -> Vec<ValidationItem> {
        if self.more > 0 {
            let message = format!("{} more problems are not listed", self.more);
            let part = self.items[0].loc.first().cloned().unwrap_or_default();
            self.items.push(item(&[&part], message, "value_error"));
        }
        self.items
    }

    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.into_items())) }
    }
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and lists of them serialize")
}

/// Longest name in the place of a problem, in bytes. Names of unknown fields are the caller's, and
/// may be as long as the body.
const MAX_PLACE: usize = 256;

/// Longest message of a problem, in bytes. Some quote what the caller sent.
const MAX_MESSAGE: usize = 1_024;

/// One thing that is wrong with a request, at this place.
pub(crate) fn item(place: &[&str], message: impl Into<String>, kind: &str) -> ValidationItem {
    ValidationItem {
        loc: place.iter().map(|&part| cut(part.to_owned(), MAX_PLACE)).collect(),
        msg: cut(message.into(), MAX_MESSAGE),
        kind: kind.to_owned(),
    }
}

/// The text, or the beginning of one that is longer than this.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|it| text.is_char_boundary(*it));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
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
                "the disk is full; nothing is accepted until there is room again",
                Some(error),
            ),
            StoreError::Conflict { what } => Self::conflict(format!("the {what} is taken")),
            StoreError::Corrupt { .. } => Self::Internal(error.into()),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => {
                Self::Unavailable("too many messages wait to be stored; try again", None)
            },
            SubmitError::Stopping => Self::Unavailable("the server is going down", None),
            SubmitError::Store(error) => error.into(),
        }
    }
}
