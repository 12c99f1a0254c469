//! How many calls to one endpoint may be in flight: fewer if it cannot keep up.

use std::time::Duration;

use crate::{outcome::Outcome, time::Timestamp};

/// Longest time for which a `Retry-After` header pauses the whole endpoint, unless its kind says
/// otherwise. The delivery that got it may wait longer, by its own schedule.
pub const MAX_REST: Duration = Duration::from_secs(60);

/// Pause after a 429 without `Retry-After`.
const REST: Duration = Duration::from_secs(1);

/// Calls that a new endpoint may have in flight before its first success. Many endpoints that
/// never respond must not use up the calls of those that do.
const FIRST_WINDOW: usize = 8;

/// Limits of the calls to an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// Most calls in flight.
    pub in_flight: usize,
    /// Longest time for which `Retry-After` pauses the endpoint.
    pub rest: Duration,
}

/// The number of calls that may be in flight, controlled as TCP controls congestion. It grows by
/// one with each success until the endpoint is overloaded for the first time. From then on it
/// halves with each overload, and grows by one with each full window of successes.
#[derive(Clone, Debug)]
pub struct ConcurrencyWindow {
    window: usize,
    was_overloaded: bool,
    successes: usize,
    rest_until: Timestamp,
}

impl ConcurrencyWindow {
    pub fn new(max: usize) -> Self {
        Self {
            window: FIRST_WINDOW.min(max / 4).max(1),
            was_overloaded: false,
            successes: 0,
            rest_until: Timestamp::default(),
        }
    }

    /// Whether little would be lost if the endpoint were unknown again.
    pub fn has_learned_little(&self, max: usize) -> bool {
        !self.was_overloaded && self.window < 2 * Self::new(max).window
    }

    /// Calls that may be in flight; at least one.
    pub const fn window(&self) -> usize {
        self.window
    }

    /// Earliest time of the next call.
    pub const fn ready_at(&self) -> Timestamp {
        self.rest_until
    }

    /// Ends the pause that the endpoint asked for.
    pub fn end_rest(&mut self) {
        self.rest_until = Timestamp::default();
    }

    /// Records the outcome of a call.
    pub fn record(&mut self, outcome: Outcome, limits: CallLimits, now: Timestamp) {
        if outcome.overloaded() {
            self.window = (self.window / 2).max(1);
            self.was_overloaded = true;
            self.successes = 0;
        } else if outcome.delivered() {
            self.grow(limits.in_flight);
        }
        if let Some(rest) = rest(outcome) {
            self.rest_until = self.rest_until.max(now + rest.min(limits.rest));
        }
    }

    fn grow(&mut self, max: usize) {
        self.successes += 1;
        if !self.was_overloaded || self.successes >= self.window {
            self.successes = 0;
            self.window = (self.window + 1).min(max.max(1));
        }
    }
}

fn rest(outcome: Outcome) -> Option<Duration> {
    let asked = outcome.retry_after().filter(|_| outcome.overloaded());
    let busy = outcome.status() == Some(429);
    asked.or(busy.then_some(REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CallLimits = CallLimits { in_flight: 8, rest: MAX_REST };

    const fn answered(status: u16, retry_after: Option<Duration>) -> Outcome {
        Outcome::Answered { status, retry_after }
    }

    #[test]
    fn overload_halves_the_window_and_success_grows_it_back() {
        let now = Timestamp::from_millis(1_000);
        let mut window = ConcurrencyWindow::new(8);
        assert_eq!(window.window(), 2, "an unknown endpoint starts small");
        assert!(window.has_learned_little(8));
        for _ in 0..20 {
            window.record(answered(200, None), LIMITS, now);
        }
        assert_eq!(window.window(), 8);
        assert!(!window.has_learned_little(8));
        window.record(answered(503, None), LIMITS, now);
        window.record(answered(502, None), LIMITS, now);
        assert_eq!(window.window(), 2);
        assert!(!window.has_learned_little(8), "the overload is remembered");
        assert_eq!(window.ready_at(), Timestamp::default());
        for _ in 0..2 {
            window.record(answered(200, None), LIMITS, now);
        }
        assert_eq!(window.window(), 3);
        for _ in 0..100 {
            window.record(answered(504, None), LIMITS, now);
        }
        assert_eq!(window.window(), 1);
        for _ in 0..100 {
            window.record(answered(200, None), LIMITS, now);
        }
        assert_eq!(window.window(), 8);
    }

    #[test]
    fn retry_after_pauses_the_endpoint_up_to_a_limit() {
        let now = Timestamp::from_millis(1_000);
        let ready_at = |status, retry_after: Option<u64>| {
            let mut window = ConcurrencyWindow::new(8);
            window.record(answered(status, retry_after.map(Duration::from_secs)), LIMITS, now);
            window.ready_at().as_millis()
        };
        assert_eq!(ready_at(429, None), 2_000);
        assert_eq!(ready_at(429, Some(5)), 6_000);
        assert_eq!(ready_at(503, Some(5)), 6_000);
        assert_eq!(ready_at(503, Some(3_600)), 61_000);
        assert_eq!(ready_at(500, Some(5)), 0, "a plain error says nothing about load");
    }
}
