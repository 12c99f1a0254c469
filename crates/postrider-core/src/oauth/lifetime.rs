//! How long an access token is used, and when another one is requested.

use std::time::Duration;

use crate::time::Timestamp;

/// How long a token is used whose lifetime the token server does not say.
const DEFAULT: Duration = Duration::from_secs(10 * 60);

/// The longest time that a token is used.
const MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long before its expiry a token is replaced at most, so that a slow delivery does not arrive
/// with one that has expired.
const MARGIN: Duration = Duration::from_secs(60);

/// How long after a token was issued a receiver may refuse it as expired, although it was never
/// accepted.
const SETTLED: Duration = Duration::from_secs(60);

/// The first pause after a failed token request, and the longest one.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Until when a token is used for new requests.
pub fn usable_until(received_at: Timestamp, lifetime: Option<Duration>) -> Timestamp {
    let lifetime = lifetime.unwrap_or(DEFAULT).min(MAX);
    let margin = (lifetime / 10).min(MARGIN);
    received_at + lifetime.saturating_sub(margin)
}

/// Whether another token is requested after a receiver responded with 401. A token that was never
/// accepted would most likely be followed by another one that is not accepted.
pub fn is_worth_refreshing(has_worked: bool, age: Duration) -> bool {
    has_worked || age >= SETTLED
}

/// How long no token is requested after this many failed requests in a row. Deliveries fail
/// meanwhile without a request, so a token server that is down is not called for each of them.
pub fn failure_pause(failures: u32, retry_after: Option<Duration>) -> Duration {
    let doubled = PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.max(retry_after.unwrap_or_default()).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_shortly_before_it_expires() {
        for (lifetime, expected) in [
            (Some(3_600), 3_540),
            (Some(100), 90),
            (Some(1), 0),
            (Some(0), 0),
            (None, 540),
            (Some(u64::MAX), 86_340),
        ] {
            let until = usable_until(Timestamp::default(), lifetime.map(Duration::from_secs));
            assert_eq!(until.as_seconds(), expected, "{lifetime:?}");
        }
    }

    #[test]
    fn a_token_that_was_never_accepted_is_not_replaced_at_once() {
        for (has_worked, seconds, expected) in
            [(true, 0, true), (false, 0, false), (false, 59, false), (false, 60, true)]
        {
            let age = Duration::from_secs(seconds);
            assert_eq!(is_worth_refreshing(has_worked, age), expected, "{has_worked} {seconds}");
        }
    }

    #[test]
    fn failures_pause_token_requests_for_longer_and_longer() {
        for (failures, retry_after, expected) in [
            (0, None, 5),
            (1, None, 5),
            (2, None, 10),
            (4, None, 40),
            (5, None, 60),
            (u32::MAX, None, 60),
            (1, Some(30), 30),
            (1, Some(1), 5),
            (1, Some(86_400), 60),
        ] {
            let pause = failure_pause(failures, retry_after.map(Duration::from_secs));
            assert_eq!(pause.as_secs(), expected, "{failures} {retry_after:?}");
        }
    }
}
