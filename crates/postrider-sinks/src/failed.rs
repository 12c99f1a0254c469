//! Why something failed, whether for a delivery or for a queue.

use postrider_core::outcome::Failure;
use postrider_engine::{GuardError, QueueError, Report};

/// Why something failed, and what to do. It contains no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Failed {
    pub failure: Failure,
    pub reason: String,
}

impl Failed {
    pub(crate) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into() }
    }

    pub(crate) fn misconfigured(reason: impl Into<String>) -> Self {
        Self::new(Failure::Misconfigured, reason)
    }

    pub(crate) fn rejected(reason: impl Into<String>) -> Self {
        Self::new(Failure::Rejected, reason)
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(Failure::Unavailable, reason)
    }

    pub(crate) fn report(self) -> Report {
        Report::failed(self.failure, self.reason)
    }
}

impl From<GuardError> for Failed {
    fn from(error: GuardError) -> Self {
        Self { failure: error.failure, reason: error.reason }
    }
}

impl From<Failed> for QueueError {
    fn from(failed: Failed) -> Self {
        Self { failure: failed.failure, reason: failed.reason }
    }
}
