//! Why a call got no response.

use std::{borrow::Cow, net::SocketAddr};

use postrider_core::outcome::Failure;

/// Why a call got no response.
#[derive(Debug)]
pub(super) struct CallError {
    pub failure: Failure,
    /// A sentence for the customer, stored as the attempt's response body.
    pub reason: Cow<'static, str>,
    pub address: Option<SocketAddr>,
}

impl CallError {
    pub(super) fn new(failure: Failure, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { failure, reason: reason.into(), address: None }
    }
}
