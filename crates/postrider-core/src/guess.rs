//! Limits how often secret names can be guessed.

use std::time::Duration;

use crate::time::Timestamp;

/// Wrong guesses are forgotten one by one, each after this time.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

/// Wrong guesses that are not forgotten yet (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guesses {
    /// When the last of them is forgotten.
    until: Timestamp,
}

impl Guesses {
    /// Counts one more, of which `per_second` are forgotten in a second.
    pub fn add(self, now: Timestamp, per_second: u32) -> Self {
        Self { until: self.until.max(now) + FORGOTTEN_AFTER / per_second.max(1) }
    }

    /// How many are not forgotten, of which `per_second` are in a second.
    pub fn count(self, now: Timestamp, per_second: u32) -> u64 {
        let left = self.until.since(now).as_millis() * u128::from(per_second);
        u64::try_from(left.div_ceil(FORGOTTEN_AFTER.as_millis())).unwrap_or(u64::MAX)
    }
}

/// What one address may do, and all of them together.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Wrong guesses of one address that are not forgotten; one a second is.
    pub of_one: u64,
    /// The same of all addresses.
    pub of_all: u64,
    /// How many of all are forgotten in a second.
    pub all_per_second: u32,
}

impl Allowance {
    /// Whether an address has to wait. When all addresses together are wrong too often, those
    /// that were wrong within the last second wait too. Others do not, or a crowd of guessers
    /// could shut everyone out.
    pub fn refuses(&self, of_one: Guesses, of_all: Guesses, now: Timestamp) -> bool {
        let is_crowd = of_all.count(now, self.all_per_second) >= self.of_all;
        let most = if is_crowd { 1 } else { self.of_one };
        of_one.count(now, 1) >= most.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance { of_one: 3, of_all: 10, all_per_second: 5 };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn guesses(count: usize, per_second: u32) -> Guesses {
        (0..count).fold(Guesses::default(), |guesses, _| guesses.add(at(0), per_second))
    }

    #[track_caller]
    fn check(of_one: usize, of_all: usize, after_millis: u64, refuses: bool) {
        let (one, all) = (guesses(of_one, 1), guesses(of_all, 5));
        assert_eq!(ALLOWANCE.refuses(one, all, at(after_millis)), refuses);
    }

    #[test]
    fn an_address_that_is_wrong_too_often_has_to_wait() {
        check(0, 0, 0, false);
        check(2, 2, 0, false);
        check(3, 3, 0, true);
        check(3, 3, 999, true);
        check(3, 3, 1_000, false);
        check(100, 3, 90_000, true);
        check(100, 3, 98_000, false);
    }

    #[test]
    fn a_crowd_stops_only_addresses_that_were_wrong() {
        check(1, 9, 0, false);
        check(1, 10, 0, true);
        check(0, 1_000, 0, false);
        check(2, 12, 200, true);
        check(2, 10, 1_100, false);
    }
}
