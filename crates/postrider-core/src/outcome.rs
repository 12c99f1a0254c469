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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// The endpoint's transformation failed. The endpoint was not called.
    Transformation,
    /// The stored message does not match its checksum. The endpoint was not called.
    Damaged,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The receiver responded, but not with a success.
    Response,
    /// There was no response.
    Failure(Failure),
}

impl Outcome {
    /// Why the attempt failed; `None` if the message was delivered.
    pub const fn cause(self) -> Option<Cause> {
        match self {
            Self::Answered { status: 200..=299, .. } => None,
            Self::Answered { .. } => Some(Cause::Response),
            Self::Unanswered(failure) => Some(Cause::Failure(failure)),
        }
    }

    /// What an endpoint that does not speak HTTP accepted.
    pub const ACCEPTED: Self = Self::Answered { status: 200, retry_after: None };

    pub const fn delivered(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// The attempt says nothing about whether the endpoint works: the message was at fault, the code
    /// that changes it, or our disk.
    pub const fn is_neutral(self) -> bool {
        matches!(
            self,
            Self::Unanswered(Failure::Rejected | Failure::Transformation | Failure::Damaged)
        )
    }

    /// The message could not be read from our disk, so it was not in the call.
    pub const fn is_damaged(self) -> bool {
        matches!(self, Self::Unanswered(Failure::Damaged))
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

    /// What to do about it, for people; `None` if the message was delivered.
    pub const fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Answered { status: 200..=299, .. } => None,
            Self::Answered { status, .. } => Some(remedy_for(status)),
            Self::Unanswered(failure) => Some(failure.remedy()),
        }
    }
}

/// What to do about a response that is not a success.
const fn remedy_for(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed; use the URL that the receiver redirects to",
        401 | 403 => {
            "let the receiver verify the signature with this endpoint's secret, or add the \
                      header that it requires"
        },
        404 | 405 => "correct the path of the URL; the receiver has to accept POST there",
        410 => "the receiver wants no more messages; delete or disable the endpoint",
        413 => "raise the receiver's limit for the size of requests",
        429 | 503 => "the receiver is overloaded; limit the endpoint's rate",
        500..=599 => "look into the log of the receiver, which has a fault",
        _ => "the receiver has to respond with a status from 200 to 299",
    }
}

impl Failure {
    /// What to do about it, for people.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Resolve => "correct the host name, or publish it in the DNS",
            Self::Connect => "start the service, open its firewall, or correct host and port",
            Self::Tls => "correct the certificate of the service, or trust its authority",
            Self::Timeout => "let the service respond faster, and do its work afterwards",
            Self::Forbidden => "use a public address, or let the operator allow this one",
            Self::Protocol => "correct host and port: the service has to speak this protocol",
            Self::Rejected => "change the message, or the configuration of the endpoint",
            Self::Misconfigured => "correct the configuration of the endpoint or of the service",
            Self::Unavailable => "start the service again, or wait until it is back",
            Self::Busy => "wait, or limit the endpoint's rate",
            Self::Transformation => {
                "correct the code of the transformation, and try it on a message"
            },
            Self::Damaged => {
                "publish the event again; the operator has to check the disk and restore \
                 postrider.db from a backup"
            },
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
            Self::Transformation => "the transformation failed",
            Self::Damaged => "the stored message is damaged",
        })
    }
}
