//! How long a consumer waits before it connects again, and before it tries a message again.

use std::time::Duration;

use postrider_core::retry::JitterSample;

const FIRST_CONNECT: Duration = Duration::from_millis(500);
const MAX_CONNECT: Duration = Duration::from_secs(30);

const FIRST_RETRY: Duration = Duration::from_millis(200);
const MAX_RETRY: Duration = Duration::from_secs(5);

/// The wait after this many failures to read a queue: it doubles, up to 30 s, and varies so that
/// nodes do not connect at the same time.
pub(super) fn reconnect(failures: u32, JitterSample(sample): JitterSample) -> Duration {
    doubled(FIRST_CONNECT, failures, MAX_CONNECT).mul_f64(0.5 + sample / 2.0)
}

/// The wait after this many attempts to publish a message.
pub(super) fn retry(attempts: u32) -> Duration {
    doubled(FIRST_RETRY, attempts, MAX_RETRY)
}

fn doubled(first: Duration, count: u32, most: Duration) -> Duration {
    let factor = 1_u32.checked_shl(count.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        for (count, millis) in [(0, 200), (1, 200), (2, 400), (5, 3_200), (6, 5_000), (99, 5_000)] {
            assert_eq!(retry(count), Duration::from_millis(millis), "{count}");
        }
        assert_eq!(reconnect(1, JitterSample(0.0)), FIRST_CONNECT / 2);
        assert_eq!(reconnect(99, JitterSample(1.0)), MAX_CONNECT);
    }
}
