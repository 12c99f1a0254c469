//! Why there is no connection to a service.

use std::net::SocketAddr;

use postrider_core::outcome::Failure;

use super::error::CallError;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct GuardError {
    pub failure: Failure,
    /// For customers; it contains no address that the installation does not want to show.
    pub reason: String,
    pub address: Option<SocketAddr>,
}

impl From<CallError> for GuardError {
    fn from(error: CallError) -> Self {
        let CallError { failure, reason, address } = error;
        Self { failure, reason: reason.into_owned(), address }
    }
}
