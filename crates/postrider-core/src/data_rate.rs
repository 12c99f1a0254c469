//! How slowly a client may send or receive data.
//!
//! A transfer has a grace period, and after that as long as it keeps up a minimum average rate.
//! A slow link is not cut off, a client that sends one byte now and then is.

use std::time::Duration;

/// The lowest average rate at which a client may send or receive data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinDataRate {
    /// Granted to every transfer, however little was transferred.
    pub grace_period: Duration,
    /// Each time this number of bytes adds one second to the time limit.
    pub bytes_per_second: usize,
}

impl MinDataRate {
    /// How long after its start a transfer of `bytes` so far is cut off if nothing follows.
    pub fn time_limit(&self, bytes: u64) -> Duration {
        let rate = u128::try_from(self.bytes_per_second).unwrap_or(u128::MAX).max(1);
        let nanos = u128::from(bytes) * 1_000_000_000 / rate;
        let earned = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.grace_period.saturating_add(earned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transferred_bytes_extend_the_time_limit() {
        let rate = MinDataRate { grace_period: Duration::from_secs(30), bytes_per_second: 4_096 };
        for (bytes, millis) in [(0, 30_000), (1_024, 30_250), (4_096, 31_000), (1 << 20, 286_000)] {
            assert_eq!(rate.time_limit(bytes), Duration::from_millis(millis), "{bytes}");
        }
        let unlimited = MinDataRate { grace_period: Duration::MAX, bytes_per_second: 0 };
        assert_eq!(unlimited.time_limit(u64::MAX), Duration::MAX);
    }
}
