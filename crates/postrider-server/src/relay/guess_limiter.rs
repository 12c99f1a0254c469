//! Limits attempts to guess the short tokens of listeners.
//!
//! An address with too many wrong guesses is rejected with every token, so that it cannot distinguish a
//! token that exists from one that does not.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use postrider_core::{
    guess_limit::{GuessCounter, GuessLimits},
    time::Timestamp,
};
use postrider_engine::Cache;

/// Addresses whose guesses are remembered.
const MAX_ADDRESSES: usize = 8_192;

/// The limit of all addresses together, as a multiple of that of one: an attacker with many
/// addresses must not have as many guesses.
const TOTAL_FACTOR: u64 = 50;

/// Counts the wrong guesses of addresses.
#[derive(Debug)]
pub(super) struct GuessLimiter {
    by_address: Cache<IpAddr, GuessCounter>,
    total: Mutex<GuessCounter>,
    limits: GuessLimits,
}

impl GuessLimiter {
    /// Permits this number of wrong guesses per address.
    pub(super) fn new(guesses: usize) -> Self {
        let of_one = guesses as u64;
        let of_all = of_one.saturating_mul(TOTAL_FACTOR);
        let all_per_second = u32::try_from(TOTAL_FACTOR).unwrap_or(u32::MAX);
        Self {
            by_address: Cache::new(MAX_ADDRESSES),
            total: Mutex::default(),
            limits: GuessLimits {
                per_address: of_one,
                total: of_all,
                total_per_second: all_per_second,
            },
        }
    }

    /// Whether the address has to wait before it may use a short token again.
    pub(super) fn refuses(&self, address: IpAddr, now: Timestamp) -> bool {
        let of_address = self.by_address.get(&address).unwrap_or_default();
        let total = *self.total.lock().unwrap_or_else(PoisonError::into_inner);
        self.limits.refuses(of_address, total, now)
    }

    /// The address used a token that does not exist.
    pub(super) fn add(&self, address: IpAddr, now: Timestamp) {
        let of_address = self.by_address.get(&address).unwrap_or_default();
        self.by_address.insert(address, of_address.add(now, 1));
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        *total = total.add(now, self.limits.total_per_second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_too_many_guesses_is_refused_and_another_is_not() {
        let limiter = GuessLimiter::new(3);
        let now = Timestamp::from_millis(1_000_000);
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..3 {
            assert!(!limiter.refuses(one, now));
            limiter.add(one, now);
        }
        assert!(limiter.refuses(one, now));
        assert!(!limiter.refuses(other, now));
    }
}
