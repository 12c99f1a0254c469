//! Sends requests to a receiver and evaluates its responses.

use std::time::Duration;

use anyhow::Context;
use http::StatusCode;
use postrider::provider::SignedRequest;

use super::report::Finding;
use crate::{
    commands::{
        now,
        provider::{Sender, TimedResult, outgoing, send},
    },
    exchange::{CallError, Response},
};

/// How long a response may take if the provider's timeout is unknown.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of a response that are quoted in the report.
const EXCERPT_CHARS: usize = 80;

/// Tests one receiver with the requests of one provider.
#[derive(Debug)]
pub(super) struct Tester {
    pub sender: Sender,
    /// Type of the events to send; the provider's first sample if `None`.
    event: Option<String>,
    /// How long a response may take.
    pub timeout: Duration,
}

impl Tester {
    pub(super) fn new(sender: Sender, event: Option<String>, timeout: Option<Duration>) -> Self {
        let timeout = timeout.or_else(|| sender.response_deadline()).unwrap_or(DEFAULT_TIMEOUT);
        Self { sender, event, timeout }
    }

    /// Makes sure that genuine events can be created with the given secrets.
    pub(super) fn check_genuine_event(&self) -> anyhow::Result<()> {
        let signed = self.genuine_event()?;
        let verified = self.sender.verify(&signed, seconds()?);
        verified.context("cannot create a genuine event with this secret").map(|_| ())
    }

    /// A genuine event with a new id.
    pub(super) fn genuine_event(&self) -> anyhow::Result<SignedRequest> {
        self.event_signed_at(seconds()?)
    }

    /// The same, signed at another time.
    pub(super) fn event_signed_at(&self, time: u64) -> anyhow::Result<SignedRequest> {
        let draft = self.sender.draft(self.event.as_deref(), time)?;
        Ok(self.sender.sign(draft, time)?)
    }

    /// Whether a correct receiver rejects the request.
    pub(super) fn is_rejected(&self, signed: &SignedRequest, time: u64) -> bool {
        self.sender.verify(signed, time).is_err()
    }

    pub(super) async fn send(&self, signed: &SignedRequest) -> anyhow::Result<TimedResult> {
        Ok(send(outgoing(signed)?, self.timeout).await)
    }

    /// Sends a genuine event, which must be accepted.
    pub(super) async fn send_genuine_event(&self) -> anyhow::Result<Finding> {
        Ok(expect_accepted(&self.send(&self.genuine_event()?).await?))
    }
}

pub(super) fn seconds() -> anyhow::Result<u64> {
    Ok(now()?.as_secs())
}

/// Expects 2xx.
pub(super) fn expect_accepted(result: &TimedResult) -> Finding {
    expect(result, "2xx", |status| status.is_success())
}

/// Expects 4xx.
pub(super) fn expect_rejected(result: &TimedResult) -> Finding {
    expect(result, "4xx", |status| status.is_client_error())
}

/// Expects 405 or another error that says that the method is not supported.
pub(super) fn expect_unsupported(result: &TimedResult) -> Finding {
    expect(result, "405", |it| it.is_client_error() || it == StatusCode::NOT_IMPLEMENTED)
}

/// Expects anything but a server error.
pub(super) fn expect_no_server_error(result: &TimedResult) -> Finding {
    expect(result, "2xx or 4xx", |it| it.is_success() || it.is_client_error())
}

fn expect(
    result: &TimedResult,
    expected: &str,
    is_expected: impl Fn(StatusCode) -> bool,
) -> Finding {
    let millis = result.duration.as_millis();
    match &result.result {
        Ok(response) if is_expected(response.status) => {
            Finding::Passed(format!("responded with {} in {millis} ms", response.status.as_u16()))
        },
        Ok(response) => Finding::Failed(format!(
            "responded with {}{} in {millis} ms, expected {expected}",
            response.status.as_u16(),
            excerpt(response),
        )),
        Err(error) => {
            Finding::Failed(format!("{}, expected {expected}", describe_error(error, millis)))
        },
    }
}

/// Why there was no response.
pub(super) fn describe_error(error: &CallError, millis: u128) -> String {
    match error {
        CallError::TimedOut(_) => format!("did not respond within {millis} ms"),
        CallError::Broken { .. } => "closed the connection without a response".to_owned(),
        CallError::Unreachable { .. } | CallError::Tls { .. } | CallError::Url(_) => {
            "could not be reached any more".to_owned()
        },
    }
}

/// The beginning of the response's body in quotation marks; empty if there is no body.
pub(super) fn excerpt(response: &Response) -> String {
    let text = String::from_utf8_lossy(&response.body);
    let line = text.lines().next().unwrap_or_default().trim();
    let printable = line.chars().map(|it| if it.is_control() { ' ' } else { it });
    let excerpt: String = printable.take(EXCERPT_CHARS).collect();
    if excerpt.is_empty() { excerpt } else { format!(" \"{excerpt}\"") }
}
