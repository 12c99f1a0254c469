//! What one HTTP attempt came to.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered { status: u16, retry_after: Option<Duration> },
    Unanswered(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Resolve,
    Connect,
    Tls,
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Protocol,
    /// The resolved address is one we refuse to call.
    Forbidden,
}

impl Outcome {
    pub const fn delivered(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }
}
