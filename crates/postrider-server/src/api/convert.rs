//! Conversions between the types of the API and those of the server.

use postrider::api::FailureCause;
use postrider_core::{
    delivery::ResendMode,
    outcome::{Cause, Failure},
    time::Timestamp,
};

/// The API's representation of a time.
pub(crate) fn to_wire(at: Timestamp) -> jiff::Timestamp {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}

/// The first millisecond that is not before the time; times before 1970 become 1970.
///
/// Stored times are whole milliseconds, and rounding up keeps comparisons with them exact: `.000Z`
/// is before `.000500Z`.
pub(crate) fn from_wire(at: jiff::Timestamp) -> Timestamp {
    let nanos = at.as_nanosecond().max(0).cast_unsigned();
    Timestamp::from_millis(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// The mode of a resend, with or without retries.
pub(crate) const fn resend_mode(retry: bool) -> ResendMode {
    if retry { ResendMode::Retry } else { ResendMode::Once }
}

/// The API's name of a cause.
pub(crate) const fn failure_cause(cause: Cause) -> FailureCause {
    match cause {
        Cause::Response => FailureCause::Response,
        Cause::Failure(failure) => match failure {
            Failure::Resolve => FailureCause::Resolve,
            Failure::Connect => FailureCause::Connect,
            Failure::Tls => FailureCause::Tls,
            Failure::Timeout => FailureCause::Timeout,
            Failure::Forbidden => FailureCause::Forbidden,
            Failure::Protocol => FailureCause::Protocol,
            Failure::Rejected => FailureCause::Rejected,
            Failure::Misconfigured => FailureCause::Misconfigured,
            Failure::Unavailable => FailureCause::Unavailable,
            Failure::Busy => FailureCause::Busy,
            Failure::Transformation => FailureCause::Transformation,
            Failure::Damaged => FailureCause::Damaged,
        },
    }
}

/// Reverses [`failure_cause`].
pub(crate) const fn from_failure_cause(cause: FailureCause) -> Cause {
    Cause::Failure(match cause {
        FailureCause::Response => return Cause::Response,
        FailureCause::Resolve => Failure::Resolve,
        FailureCause::Connect => Failure::Connect,
        FailureCause::Tls => Failure::Tls,
        FailureCause::Timeout => Failure::Timeout,
        FailureCause::Forbidden => Failure::Forbidden,
        FailureCause::Protocol => Failure::Protocol,
        FailureCause::Rejected => Failure::Rejected,
        FailureCause::Misconfigured => Failure::Misconfigured,
        FailureCause::Unavailable => Failure::Unavailable,
        FailureCause::Busy => Failure::Busy,
        FailureCause::Transformation => Failure::Transformation,
        FailureCause::Damaged => Failure::Damaged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_keeps_its_name() {
        for cause in FailureCause::ALL {
            assert_eq!(failure_cause(from_failure_cause(cause)), cause);
        }
    }

    #[test]
    fn a_moment_between_two_milliseconds_becomes_the_later_one() {
        for (text, millis) in [
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01T00:00:01.001Z", 1_001),
            ("1970-01-01T00:00:01.001000001Z", 1_002),
            ("1970-01-01T00:00:01.0015Z", 1_002),
            ("1970-01-01T00:00:01.001999999Z", 1_002),
            ("1969-12-31T23:59:59.9999Z", 0),
            ("-000044-03-15T12:00:00Z", 0),
        ] {
            assert_eq!(from_wire(text.parse().unwrap()), Timestamp::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn a_time_from_a_response_is_the_same_in_a_request() {
        for millis in [0, 1, 1_767_225_600_123] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(from_wire(to_wire(at)), at);
        }
    }
}
