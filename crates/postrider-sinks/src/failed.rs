//! Why something failed, whether for a delivery or for a queue.

use std::net::SocketAddr;

use postrider_core::outcome::Failure;
use postrider_engine::{GuardError, QueueError, Report};

/// Why something failed, and what to do. It contains no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Failed {
    pub failure: Failure,
    pub reason: String,
    /// The address that was called, if it is known.
    pub address: Option<SocketAddr>,
}

impl Failed {
    pub(crate) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into(), address: None }
    }

    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self { address: Some(address), ..self }
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
        Report::failed(self.failure, self.reason).at(self.address)
    }
}

impl From<GuardError> for Failed {
    fn from(error: GuardError) -> Self {
        Self { failure: error.failure, reason: error.reason, address: error.address }
    }
}

impl From<(Failure, &str)> for Failed {
    fn from((failure, reason): (Failure, &str)) -> Self {
        Self::new(failure, reason)
    }
}

impl From<Failed> for QueueError {
    fn from(failed: Failed) -> Self {
        Self { failure: failed.failure, reason: failed.reason }
    }
}
