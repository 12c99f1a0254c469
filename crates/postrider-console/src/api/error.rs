//! Why a call of the API failed.

use http::StatusCode;
use postrider::api::{ErrorOut, ValidationErrorOut, ValidationItem};

/// Why a call of the API failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiFailure {
    /// The fields of the request are invalid.
    #[error("{}", .0.iter().map(sentence).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<ValidationItem>),
    /// Any other error.
    #[error("{detail}")]
    Refused {
        /// The status of the response.
        status: StatusCode,
        /// The code of the error.
        code: String,
        /// The explanation.
        detail: String,
    },
    /// The response is not what the console expects.
    #[error("unexpected response of the API: {0}")]
    Unreadable(#[source] serde_json::Error),
    /// The response ended early.
    #[error("the response of the API ended early: {0}")]
    Interrupted(#[source] axum::Error),
}

impl ApiFailure {
    pub(super) fn of_response(status: StatusCode, body: &[u8]) -> Self {
        if let Ok(error) = serde_json::from_slice::<ErrorOut>(body) {
            return Self::Refused { status, code: error.code, detail: error.detail };
        }
        if let Ok(error) = serde_json::from_slice::<ValidationErrorOut>(body) {
            return Self::Invalid(error.detail);
        }
        let detail = String::from_utf8_lossy(body).chars().take(300).collect();
        Self::Refused { status, code: String::new(), detail }
    }

    /// The status of the response.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Refused { status, .. } => *status,
            Self::Unreadable(_) | Self::Interrupted(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the person can correct the input and try again.
    pub(crate) fn is_input(&self) -> bool {
        matches!(
            self.status(),
            StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::BAD_REQUEST
                | StatusCode::CONFLICT
                | StatusCode::PAYLOAD_TOO_LARGE
        )
    }

    /// What is wrong with a field of the body; `field` is a path such as `ratelimit.rate`.
    pub(crate) fn of_field(&self, field: &str) -> Option<String> {
        let Self::Invalid(items) = self else { return None };
        let of_field = items.iter().filter(|it| is_below(&location(it), field));
        let messages: Vec<_> = of_field.map(|it| it.msg.clone()).collect();
        (!messages.is_empty()).then(|| messages.join("; "))
    }

    /// The problems that belong to none of these fields, as sentences.
    pub(crate) fn besides(&self, fields: &[&str]) -> Vec<String> {
        match self {
            Self::Invalid(items) => {
                let shown = |it: &&ValidationItem| {
                    let location = location(it);
                    fields.iter().any(|field| is_below(&location, field))
                };
                items.iter().filter(|it| !shown(it)).map(sentence).collect()
            },
            Self::Refused { .. } | Self::Unreadable(_) | Self::Interrupted(_) => {
                vec![self.to_string()]
            },
        }
    }
}

fn location(item: &ValidationItem) -> String {
    item.loc.iter().skip(1).map(String::as_str).collect::<Vec<_>>().join(".")
}

fn is_below(location: &str, field: &str) -> bool {
    location.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn sentence(item: &ValidationItem) -> String {
    let location = location(item);
    if location.is_empty() { item.msg.clone() } else { format!("{location}: {}", item.msg) }
}
