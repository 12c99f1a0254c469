//! Parses the `Retry-After` header.

use std::time::{Duration, SystemTime};

use crate::{retry::RETRY_AFTER_CAP, time::Timestamp};

/// Reads the value of a `Retry-After` header: seconds, or an HTTP date after `now`
/// (RFC 9110, section 10.2.3).
///
/// Waits longer than [`RETRY_AFTER_CAP`] are reduced to that, however large the number is. A
/// malformed value counts as absent.
pub fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let asked =
        if text.bytes().all(|it| it.is_ascii_digit()) { seconds(text) } else { date(text, now) };
    asked.map(|it| it.min(RETRY_AFTER_CAP))
}

/// A string of digits fails to parse only if it is empty or too large.
fn seconds(digits: &str) -> Option<Duration> {
    (!digits.is_empty()).then(|| digits.parse().map_or(RETRY_AFTER_CAP, Duration::from_secs))
}

fn date(text: &str, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(Duration::from_millis(now.as_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date_within_the_cap() {
        const DAY: u64 = 24 * 60 * 60;
        let now = Timestamp::from_millis(1_445_412_480_000);
        for (text, expected) in [
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("0000000000000000000000000000007", Some(7)),
            ("86400", Some(DAY)),
            ("86401", Some(DAY)),
            ("18446744073709551615", Some(DAY)),
            ("18446744073709551616", Some(DAY)),
            ("99999999999999999999", Some(DAY)),
            (&"9".repeat(4_000), Some(DAY)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wednesday, 21-Oct-15 07:28:30 GMT", Some(30)),
            ("Wed Oct 21 07:28:30 2015", Some(30)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("Fri, 23 Oct 2015 07:28:00 GMT", Some(DAY)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(DAY)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("1e3", None),
            ("5 seconds", None),
            ("5, 6", None),
            ("٥", None),
            ("Wed, 99 Oct 2015 07:28:30 GMT", None),
        ] {
            assert_eq!(parse(text, now), expected.map(Duration::from_secs), "{text:?}");
        }
    }
}
