//! When to try again.

use std::time::Duration;

use crate::{
    outcome::{Failure, Outcome},
    time::Timestamp,
};

/// Waits between attempts; its length is the number of retries.
#[derive(Clone, Debug)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self(waits)
    }
}

/// A number in `0.0..1.0` drawn by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Draw(pub f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    RetryAt(Timestamp),
    GiveUp(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Exhausted,
    /// The endpoint asked not to be called again.
    Gone,
    Forbidden,
}

/// Longest wait a receiver's `Retry-After` can impose.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(24 * 60 * 60);

/// Share of the wait that is randomized away, so that retries do not align.
const JITTER: f64 = 0.2;

/// Decides what follows the attempt numbered `attempt` (the first is 1).
pub fn decide(
    schedule: &Schedule,
    attempt: u16,
    outcome: Outcome,
    now: Timestamp,
    draw: Draw,
) -> Verdict {
    let asked = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
        Outcome::Answered { status: 410, .. } => return Verdict::GiveUp(Reason::Gone),
        Outcome::Unanswered(Failure::Forbidden) => return Verdict::GiveUp(Reason::Forbidden),
        Outcome::Answered { retry_after, .. } => retry_after.unwrap_or_default(),
        Outcome::Unanswered(
            Failure::Resolve
            | Failure::Connect
            | Failure::Tls
            | Failure::Timeout
            | Failure::Protocol,
        ) => Duration::ZERO,
    };
    let Some(&planned) = schedule.0.get(usize::from(attempt) - 1) else {
        return Verdict::GiveUp(Reason::Exhausted);
    };
    let jittered = planned.mul_f64(1.0 - JITTER * draw.0);
    Verdict::RetryAt(now + jittered.max(asked.min(RETRY_AFTER_CAP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check(attempt: u16, outcome: Outcome, expected: Verdict) {
        let schedule = Schedule::new(vec![SECOND, 10 * SECOND]);
        let actual = decide(&schedule, attempt, outcome, Timestamp::from_millis(0), Draw(0.0));
        assert_eq!(actual, expected);
    }

    const fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    const fn at(millis: u64) -> Verdict {
        Verdict::RetryAt(Timestamp::from_millis(millis))
    }

    #[test]
    fn any_2xx_is_delivered() {
        check(1, answered(200), Verdict::Delivered);
        check(9, answered(299), Verdict::Delivered);
    }

    #[test]
    fn failures_walk_the_schedule_then_give_up() {
        check(1, answered(500), at(1_000));
        check(2, Outcome::Unanswered(Failure::Timeout), at(10_000));
        check(3, answered(500), Verdict::GiveUp(Reason::Exhausted));
    }

    #[test]
    fn retry_after_lengthens_a_wait_and_never_shortens_it() {
        let busy = |secs| Outcome::Answered { status: 429, retry_after: Some(secs * SECOND) };
        check(1, busy(30), at(30_000));
        check(2, busy(3), at(10_000));
    }

    #[test]
    fn gone_and_forbidden_stop_at_once() {
        check(1, answered(410), Verdict::GiveUp(Reason::Gone));
        check(1, Outcome::Unanswered(Failure::Forbidden), Verdict::GiveUp(Reason::Forbidden));
    }
}
