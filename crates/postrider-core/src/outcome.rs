//! The outcome of an attempt.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Answered { status: u16, retry_after: Option<Duration> },
    Unanswered(Failure),
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    Resolve,
    Connect,
    Tls,
    Timeout,
    /// The resolved address must not be called.
    Forbidden,
    /// The connection broke, or the response was not HTTP.
    Protocol,
    /// The service can never accept this message. Others may well be accepted.
    Rejected,
    /// The service accepts nothing from this endpoint until its configuration, or the service,
    /// is changed: a wrong password, a missing table.
    Misconfigured,
    /// The service is down or broke the connection.
    Unavailable,
    /// The service asks for fewer messages.
    Busy,
}

impl Outcome {
    /// What an endpoint that does not speak HTTP accepted.
    pub const ACCEPTED: Self = Self::Answered { status: 200, retry_after: None };

    pub const fn delivered(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// The message was at fault, not the endpoint.
    pub const fn rejected(self) -> bool {
        matches!(self, Self::Unanswered(Failure::Rejected))
    }

    /// The receiver, or a gateway in front of it, reports an overload or does not respond in time.
    pub const fn overloaded(self) -> bool {
        matches!(
            self,
            Self::Answered { status: 429 | 502 | 503 | 504, .. }
                | Self::Unanswered(Failure::Timeout | Failure::Busy)
        )
    }

    /// The receiver asked not to be called again.
    pub const fn gone(self) -> bool {
        matches!(self, Self::Answered { status: 410, .. })
    }

    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(status),
            Self::Unanswered(_) => None,
        }
    }

    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => retry_after,
            Self::Unanswered(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "the host name does not resolve",
            Self::Connect => "the connection could not be made",
            Self::Tls => "TLS could not be agreed on",
            Self::Timeout => "no complete response within the time limit",
            Self::Forbidden => "the address is not allowed",
            Self::Protocol => "the connection broke or did not speak HTTP",
            Self::Rejected => "the service does not accept this message",
            Self::Misconfigured => "the endpoint has to be configured differently",
            Self::Unavailable => "the service is not available",
            Self::Busy => "the service is busy",
        })
    }
}
