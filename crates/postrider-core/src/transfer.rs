//! How long a client may take to send or to take something: a while for the beginning, and then
//! as long as it keeps up a slow pace. So a slow link is no reason to be cut off, and a client
//! that sends a byte now and then is.

use std::time::Duration;

/// How slowly a client may send or take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowest {
    /// The time that it has in any case.
    pub allowance: Duration,
    /// Bytes that earn it one more second.
    pub rate: usize,
}

impl Slowest {
    /// The time that it has from the beginning until the next bytes, once this many have been
    /// transferred.
    pub fn time(&self, bytes: u64) -> Duration {
        let rate = u128::try_from(self.rate).unwrap_or(u128::MAX).max(1);
        let nanos = u128::from(bytes) * 1_000_000_000 / rate;
        let earned = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.allowance.saturating_add(earned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time() {
        let slowest = Slowest { allowance: Duration::from_secs(30), rate: 4_096 };
        for (bytes, millis) in [(0, 30_000), (1_024, 30_250), (4_096, 31_000), (1 << 20, 286_000)] {
            assert_eq!(slowest.time(bytes), Duration::from_millis(millis), "{bytes}");
        }
        let endless = Slowest { allowance: Duration::MAX, rate: 0 };
        assert_eq!(endless.time(u64::MAX), Duration::MAX);
    }
}
