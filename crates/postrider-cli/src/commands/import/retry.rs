//! When a call that failed is repeated.

use std::time::Duration;

/// Calls until the import stops.
const MAX_CALLS: u32 = 8;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The longest wait that a server may ask for.
const MAX_REQUESTED: Duration = Duration::from_secs(10 * 60);

/// Whether a response with this status may be different the next time.
pub(super) const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long to wait after this number of failed calls; `None` to give up.
pub(super) fn wait(failed: u32, requested: Option<Duration>) -> Option<Duration> {
    if failed >= MAX_CALLS {
        return None;
    }
    let doubled = FIRST_WAIT.saturating_mul(1 << failed.saturating_sub(1).min(10));
    Some(requested.unwrap_or(doubled.min(MAX_WAIT)).min(MAX_REQUESTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_a_server_may_ask_for_others() {
        let millis = |failed, requested| wait(failed, requested).map(|it| it.as_millis());
        let second = Some(Duration::from_secs(1));
        for (failed, requested, expected) in [
            (1, None, Some(250)),
            (2, None, Some(500)),
            (7, None, Some(16_000)),
            (8, None, None),
            (1, second, Some(1_000)),
            (7, second, Some(1_000)),
            (8, second, None),
            (1, Some(Duration::from_secs(86_400)), Some(600_000)),
        ] {
            assert_eq!(millis(failed, requested), expected, "{failed} {requested:?}");
        }
    }

    #[test]
    fn only_passing_failures_are_transient() {
        for status in [429, 500, 502, 503, 504] {
            assert!(is_transient(status), "{status}");
        }
        for status in [200, 204, 400, 401, 403, 404, 409, 413, 422, 501] {
            assert!(!is_transient(status), "{status}");
        }
    }
}
