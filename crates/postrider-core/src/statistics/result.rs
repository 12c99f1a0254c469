//! The results of attempts that are counted apart.

use crate::outcome::{Failure, Outcome};

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptResult {
    Delivered,
    Failed(Cause),
}

/// Why an attempt failed: the class of the response's status, or why there was no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    Informational,
    Redirect,
    ClientError,
    ServerError,
    OtherStatus,
    Resolve,
    Connect,
    Tls,
    Timeout,
    Forbidden,
    Protocol,
    Rejected,
    Misconfigured,
    Unavailable,
    Busy,
    Transformation,
    Damaged,
}

impl Cause {
    /// Their positions are stored, so new ones come last.
    pub const ALL: [Self; 17] = [
        Self::Informational,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
        Self::OtherStatus,
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Forbidden,
        Self::Protocol,
        Self::Rejected,
        Self::Misconfigured,
        Self::Unavailable,
        Self::Busy,
        Self::Transformation,
        Self::Damaged,
    ];

    /// The cause's name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::OtherStatus => "otherStatus",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Forbidden => "forbidden",
            Self::Protocol => "protocol",
            Self::Rejected => "rejected",
            Self::Misconfigured => "misconfigured",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Transformation => "transformation",
            Self::Damaged => "damaged",
        }
    }

    /// What to do about it, for people.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Informational | Self::OtherStatus => {
                "the receiver has to respond with a status from 200 to 299"
            },
            Self::Redirect => {
                "redirects are not followed; use the URL that the receiver redirects to"
            },
            Self::ClientError => "correct the URL, the secret or the headers of the endpoint",
            Self::ServerError => "look into the log of the receiver, which has a fault",
            Self::Resolve => Failure::Resolve.remedy(),
            Self::Connect => Failure::Connect.remedy(),
            Self::Tls => Failure::Tls.remedy(),
            Self::Timeout => Failure::Timeout.remedy(),
            Self::Forbidden => Failure::Forbidden.remedy(),
            Self::Protocol => Failure::Protocol.remedy(),
            Self::Rejected => Failure::Rejected.remedy(),
            Self::Misconfigured => Failure::Misconfigured.remedy(),
            Self::Unavailable => Failure::Unavailable.remedy(),
            Self::Busy => Failure::Busy.remedy(),
            Self::Transformation => Failure::Transformation.remedy(),
            Self::Damaged => Failure::Damaged.remedy(),
        }
    }
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Resolve => Self::Resolve,
            Failure::Connect => Self::Connect,
            Failure::Tls => Self::Tls,
            Failure::Timeout => Self::Timeout,
            Failure::Forbidden => Self::Forbidden,
            Failure::Protocol => Self::Protocol,
            Failure::Rejected => Self::Rejected,
            Failure::Misconfigured => Self::Misconfigured,
            Failure::Unavailable => Self::Unavailable,
            Failure::Busy => Self::Busy,
            Failure::Transformation => Self::Transformation,
            Failure::Damaged => Self::Damaged,
        }
    }
}

impl From<Outcome> for AttemptResult {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered { status, .. } => match status {
                200..=299 => Self::Delivered,
                100..=199 => Self::Failed(Cause::Informational),
                300..=399 => Self::Failed(Cause::Redirect),
                400..=499 => Self::Failed(Cause::ClientError),
                500..=599 => Self::Failed(Cause::ServerError),
                _ => Self::Failed(Cause::OtherStatus),
            },
            Outcome::Unanswered(failure) => Self::Failed(failure.into()),
        }
    }
}

impl AttemptResult {
    /// The result as stores write it.
    pub(super) fn code(self) -> u8 {
        let Self::Failed(cause) = self else { return 0 };
        (1..).zip(Cause::ALL).find(|(_, it)| *it == cause).map_or(0, |(code, _)| code)
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        let Some(position) = usize::from(code).checked_sub(1) else { return Some(Self::Delivered) };
        Cause::ALL.get(position).copied().map(Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_result_has_a_code_and_every_cause_a_name() {
        let all = Cause::ALL.map(AttemptResult::Failed);
        for result in all.into_iter().chain([AttemptResult::Delivered]) {
            assert_eq!(AttemptResult::from_code(result.code()), Some(result), "{result:?}");
        }
        assert_eq!(AttemptResult::from_code(18), None);
        let names: BTreeSet<_> = Cause::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
    }

    #[test]
    fn a_status_is_counted_by_its_class() {
        let cases = [
            (200, AttemptResult::Delivered),
            (204, AttemptResult::Delivered),
            (101, AttemptResult::Failed(Cause::Informational)),
            (301, AttemptResult::Failed(Cause::Redirect)),
            (410, AttemptResult::Failed(Cause::ClientError)),
            (503, AttemptResult::Failed(Cause::ServerError)),
            (999, AttemptResult::Failed(Cause::OtherStatus)),
        ];
        for (status, expected) in cases {
            let outcome = Outcome::Answered { status, retry_after: None };
            assert_eq!(AttemptResult::from(outcome), expected, "{status}");
        }
        let timeout = Outcome::Unanswered(Failure::Timeout);
        assert_eq!(AttemptResult::from(timeout), AttemptResult::Failed(Cause::Timeout));
    }
}
