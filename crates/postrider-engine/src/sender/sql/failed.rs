//! Why rows were not written.

use std::net::SocketAddr;

use postrider_core::outcome::Failure;

use crate::sender::{GuardError, Report};

/// Why rows were not written. None of them was, as far as is known.
#[derive(Clone, Debug)]
pub(in crate::sender) struct Failed {
    pub(in crate::sender) failure: Failure,
    /// For customers, without credentials.
    pub(in crate::sender) reason: String,
    pub(in crate::sender) address: Option<SocketAddr>,
    /// What is to be tried at once.
    pub(in crate::sender) retry: Retry,
}

/// What may help at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sender) enum Retry {
    /// Nothing.
    Later,
    /// The same again: the database chose this statement to resolve a conflict.
    Again,
    /// A new connection, if this one was used before: the server may have closed it meanwhile.
    Reconnect,
}

impl Failed {
    pub(in crate::sender) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into(), address: None, retry: Retry::Later }
    }

    /// The connection does not exist any more.
    pub(in crate::sender) fn lost(reason: impl Into<String>) -> Self {
        Self { retry: Retry::Reconnect, ..Self::new(Failure::Unavailable, reason) }
    }

    pub(in crate::sender) fn at(self, address: SocketAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    pub(in crate::sender) fn report(&self) -> Report {
        Report::failed(self.failure, self.reason.clone()).at(self.address)
    }
}

impl From<GuardError> for Failed {
    fn from(error: GuardError) -> Self {
        let GuardError { failure, reason, address } = error;
        Self { address, ..Self::new(failure, reason) }
    }
}
