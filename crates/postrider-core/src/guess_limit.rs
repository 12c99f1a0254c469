//! Limits how often clients can guess secret names.

use std::time::Duration;

use crate::time::Timestamp;

/// The time after which one wrong guess no longer counts.
pub const EXPIRY: Duration = Duration::from_secs(1);

/// Counts recent wrong guesses (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuessCounter {
    /// When the last of them no longer counts.
    until: Timestamp,
}

impl GuessCounter {
    /// Counts one more; `per_second` guesses expire each second.
    pub fn add(self, now: Timestamp, per_second: u32) -> Self {
        Self { until: self.until.max(now) + EXPIRY / per_second.max(1) }
    }

    /// Guesses that still count, if `per_second` of them expire each second.
    pub fn count(self, now: Timestamp, per_second: u32) -> u64 {
        let left = self.until.since(now).as_millis() * u128::from(per_second);
        u64::try_from(left.div_ceil(EXPIRY.as_millis())).unwrap_or(u64::MAX)
    }
}

/// Limits on wrong guesses, per client address and in total.
#[derive(Clone, Copy, Debug)]
pub struct GuessLimits {
    /// Recent wrong guesses of one address; one expires each second.
    pub per_address: u64,
    /// The same for all addresses together.
    pub total: u64,
    /// Guesses of all addresses that expire each second.
    pub total_per_second: u32,
}

impl GuessLimits {
    /// Whether to refuse an address for now. When the total is exceeded, an address that guessed
    /// wrong within the last second is refused as well. Other addresses are not, because
    /// otherwise many guessing clients could lock out everyone else.
    pub fn refuses(&self, per_address: GuessCounter, total: GuessCounter, now: Timestamp) -> bool {
        let is_exceeded = total.count(now, self.total_per_second) >= self.total;
        let most = if is_exceeded { 1 } else { self.per_address };
        per_address.count(now, 1) >= most.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GuessLimits = GuessLimits { per_address: 3, total: 10, total_per_second: 5 };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn guesses(count: usize, per_second: u32) -> GuessCounter {
        (0..count).fold(GuessCounter::default(), |guesses, _| guesses.add(at(0), per_second))
    }

    #[track_caller]
    fn check(per_address: usize, total: usize, after_millis: u64, refuses: bool) {
        let (one, all) = (guesses(per_address, 1), guesses(total, 5));
        assert_eq!(LIMITS.refuses(one, all, at(after_millis)), refuses);
    }

    #[test]
    fn an_address_that_guesses_wrong_too_often_is_refused() {
        check(0, 0, 0, false);
        check(2, 2, 0, false);
        check(3, 3, 0, true);
        check(3, 3, 999, true);
        check(3, 3, 1_000, false);
        check(100, 3, 90_000, true);
        check(100, 3, 98_000, false);
    }

    #[test]
    fn many_guessing_clients_block_only_addresses_that_guessed_wrong() {
        check(1, 9, 0, false);
        check(1, 10, 0, true);
        check(0, 1_000, 0, false);
        check(2, 12, 200, true);
        check(2, 10, 1_100, false);
    }
}
