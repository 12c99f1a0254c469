//! What follows if a message of a queue cannot be published.

use std::time::Duration;

use postrider::api::{DeadLetterCause, ValidationItem};
use postrider_core::queue::mapping::Unreadable;

use crate::api::error::ApiError;

/// How long a message waits at least if the server cannot accept it.
const MIN_WAIT: Duration = Duration::from_millis(500);

/// How long it waits at most before it is tried again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Why a message was not published, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The server cannot accept it now, whatever the message is. It waits, and is not counted as
    /// an attempt.
    Wait { delay: Duration, reason: String, is_general: bool },
    /// It may be accepted later, if something is changed.
    Retry { cause: DeadLetterCause, reason: String },
    /// It will never be accepted.
    Never { cause: DeadLetterCause, reason: String },
}

impl Refusal {
    /// The class of the error, for a span.
    pub(crate) const fn error_type(&self) -> &'static str {
        match self {
            Self::Wait { .. } => "unavailable",
            Self::Retry { .. } | Self::Never { .. } => "refused",
        }
    }
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        Self::Never { cause: DeadLetterCause::Unreadable, reason: error.to_string() }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let reason = error.to_string();
        match error {
            ApiError::Unavailable(..) | ApiError::Rebuilding { .. } | ApiError::TooMany(_) => {
                Self::Wait { delay: MIN_WAIT, reason, is_general: true }
            },
            ApiError::OverQuota { wait, .. } => {
                let delay = wait.clamp(MIN_WAIT, MAX_WAIT);
                Self::Wait { delay, reason, is_general: false }
            },
            ApiError::NotFound(_) => {
                Self::Retry { cause: DeadLetterCause::UnknownApplication, reason }
            },
            ApiError::Outdated(_) | ApiError::Internal(_) => {
                Self::Retry { cause: DeadLetterCause::Refused, reason }
            },
            ApiError::Invalid(items) => {
                Self::Never { cause: DeadLetterCause::Invalid, reason: sentences(&items) }
            },
            ApiError::TooLarge { .. } => Self::Never { cause: DeadLetterCause::TooLarge, reason },
            ApiError::Bad { .. } => Self::Never { cause: DeadLetterCause::Invalid, reason },
            ApiError::Unauthenticated(_)
            | ApiError::Forbidden(_)
            | ApiError::MethodNotAllowed
            | ApiError::NotAvailable(_)
            | ApiError::Conflict { .. }
            | ApiError::Loop(_)
            | ApiError::TooSlow { .. }
            | ApiError::NoResponse { .. } => {
                Self::Never { cause: DeadLetterCause::Refused, reason }
            },
        }
    }
}

/// All problems in one sentence.
fn sentences(items: &[ValidationItem]) -> String {
    let sentence = |item: &ValidationItem| {
        let place: Vec<_> =
            item.loc.iter().filter(|it| *it != "body").map(String::as_str).collect();
        if place.is_empty() {
            item.msg.clone()
        } else {
            format!("`{}` {}", place.join("."), item.msg)
        }
    };
    items.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_own_trouble_is_no_fault_of_the_message() {
        let full = ApiError::Unavailable("the store is full", None);
        assert!(matches!(full.into(), Refusal::Wait { is_general: true, .. }));
        let wait = Duration::from_secs(60);
        let over = ApiError::OverQuota { detail: String::new(), wait };
        let expected = Refusal::Wait { delay: MAX_WAIT, reason: String::new(), is_general: false };
        assert_eq!(Refusal::from(over), expected);
    }

    #[test]
    fn what_can_be_repaired_is_retried_and_the_rest_is_not() {
        let missing = Refusal::from(ApiError::NotFound("application"));
        let cause = DeadLetterCause::UnknownApplication;
        let reason = "application not found".to_owned();
        assert_eq!(missing, Refusal::Retry { cause, reason });
        let invalid = Refusal::from(ApiError::invalid(&["eventType"], "is not a name"));
        let reason = "`eventType` is not a name".to_owned();
        assert_eq!(invalid, Refusal::Never { cause: DeadLetterCause::Invalid, reason });
    }
}
