//! Whether calls keep a strict rate.

use std::{collections::VecDeque, time::Duration};

use postrider_core::limiter;

/// Calls are counted in windows of this many seconds.
const WINDOW: f64 = 10.0;

/// Calls may have been late on their way: a machine that is busy may bring those of so many
/// seconds at once.
const SLACK: f64 = 2.0;

/// The calls of the last seconds.
#[derive(Debug)]
pub(super) struct Window {
    rate: u32,
    calls: VecDeque<f64>,
}

impl Window {
    pub(super) const fn new(rate: u32) -> Self {
        Self { rate, calls: VecDeque::new() }
    }

    /// A call now; describes the excess if there were too many.
    pub(super) fn call(&mut self, now: f64) -> Option<String> {
        while self.calls.front().is_some_and(|at| *at < now - WINDOW) {
            self.calls.pop_front();
        }
        self.calls.push_back(now);
        let allowed = limiter::at_most(self.rate, Duration::from_secs_f64(WINDOW + SLACK));
        let count = self.calls.len() as u64;
        (count > allowed).then(|| format!("{count} calls in {WINDOW} s, allowed are {allowed}"))
    }

    /// Forgets all calls.
    pub(super) fn clear(&mut self) {
        self.calls.clear();
    }
}
