//! The result of a call.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider_core::{
    delivery::Response,
    outcome::{Failure, Outcome},
};

/// Most bytes of a response's body that are stored with each delivery of a batch after the first.
const REPEATED_BODY: usize = 512;

/// The result of a call.
#[derive(Clone, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub response: Response,
    /// The URL that was called, if a transformation chose it.
    pub url: Option<String>,
    /// The address that was called, if there was one.
    pub address: Option<SocketAddr>,
    pub duration: Duration,
}

impl Report {
    /// The result of a delivery to something other than HTTP that succeeded. `done` says what was
    /// done, for people.
    pub fn delivered(done: impl Into<String>) -> Self {
        Self::new(Outcome::ACCEPTED, done.into())
    }

    /// The result of a delivery that failed. `reason` says why and what to do, for people. It
    /// must contain no credentials.
    pub fn failed(failure: Failure, reason: impl Into<String>) -> Self {
        Self::new(Outcome::Unanswered(failure), reason.into())
    }

    /// Notes the address that was called.
    pub fn at(self, address: Option<SocketAddr>) -> Self {
        Self { address, ..self }
    }

    /// What is stored with the deliveries of a batch after the first, so that a batch of many does
    /// not store the same large response as often.
    pub(crate) fn repeated(&self) -> Self {
        let mut report = self.clone();
        let note = report.response.take_note();
        let transformed = report.response.take_transformed();
        let shadow = report.response.take_shadow();
        report.response.body.truncate(REPEATED_BODY);
        if let Some(mut transformed) = transformed {
            if let Some(request) = &mut transformed.request {
                request.is_truncated = !request.body.is_empty();
                request.body.clear();
            }
            transformed.console.clear();
            report.response = report.response.transformed(&transformed);
        }
        if let Some(shadow) = shadow {
            report.response = report.response.shadowed(&shadow);
        }
        Self { response: report.response.noted(note), ..report }
    }

    /// `duration` is set by [`Senders`](super::Senders).
    fn new(outcome: Outcome, text: String) -> Self {
        let response = Response { headers: Vec::new(), body: Bytes::from(text.into_bytes()) };
        Self { outcome, response, url: None, address: None, duration: Duration::ZERO }
    }

    /// The result of a call in which the sender panicked. The attempt counts as failed and is
    /// retried.
    pub(crate) fn panicked(reason: &str) -> Self {
        tracing::error!(reason, "internal error: the sender panicked");
        let body = "internal error: the sender panicked; the server's log says more";
        Self::failed(Failure::Protocol, body)
    }
}
