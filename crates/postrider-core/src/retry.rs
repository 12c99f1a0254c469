//! When to retry.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{Failure, Outcome},
    time::Timestamp,
};

/// The retry schedule: the waits between attempts. Its length is the number of retries.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    waits: Arc<[Duration]>,
    /// Share by which each wait varies at random: 0.2 is ±20 %.
    jitter: f64,
    /// When a delivery is given up.
    pub(crate) limit: AttemptLimit,
}

/// When a delivery that keeps failing is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptLimit {
    /// When the schedule is over, or at once if the failure is permanent.
    #[default]
    Schedule,
    /// After this many attempts, whatever the failure. When the schedule is over, its last wait is
    /// repeated.
    Attempts(u16),
    /// Never: it is retried until it succeeds or somebody ends it.
    Unlimited,
}

impl AttemptLimit {
    /// Whether this is the default.
    pub const fn is_schedule(&self) -> bool {
        matches!(self, Self::Schedule)
    }
}

impl Schedule {
    /// # Panics
    ///
    /// If `jitter` is not between 0 and 1.
    pub fn new(waits: &[Duration], jitter: f64) -> Self {
        assert!((0.0..=1.0).contains(&jitter), "jitter is between 0 and 1");
        Self { waits: waits.into(), jitter, limit: AttemptLimit::Schedule }
    }

    /// The same schedule with another limit.
    pub fn limited(self, limit: AttemptLimit) -> Self {
        Self { limit, ..self }
    }

    /// The longest time that the schedule takes if every attempt is made when it is due.
    pub fn span(&self) -> Duration {
        self.waits.iter().sum::<Duration>().mul_f64(1.0 + self.jitter)
    }

    /// When the next attempt is made after a failure at `now`, if the schedule is over and the
    /// delivery is retried all the same: after its last wait.
    pub fn last_retry_at(
        &self,
        outcome: Outcome,
        now: Timestamp,
        jitter: JitterSample,
    ) -> Timestamp {
        let planned = self.waits.last().copied().unwrap_or(WITHOUT_SCHEDULE);
        self.retry_at(planned, outcome, now, jitter)
    }

    fn retry_at(
        &self,
        planned: Duration,
        outcome: Outcome,
        now: Timestamp,
        jitter: JitterSample,
    ) -> Timestamp {
        let jittered = planned.mul_f64(1.0 + self.jitter * (2.0 * jitter.0 - 1.0));
        now + jittered.max(asked(outcome))
    }
}

/// The wait before a retry that has to be made although the schedule is empty.
const WITHOUT_SCHEDULE: Duration = Duration::from_secs(60);

/// What follows if the next attempt of a delivery fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryPlan {
    /// The retry schedule.
    #[default]
    Schedule,
    /// Nothing: a manual attempt, the only one.
    Once,
    /// The schedule: a manual attempt in between, after which it continues at this time with the
    /// same attempt number.
    Resume(Timestamp),
}

impl RetryPlan {
    /// The number of the attempt that follows the one of this number if that fails.
    pub const fn next_attempt(self, attempt: u16) -> u16 {
        match self {
            Self::Schedule | Self::Once => attempt.saturating_add(1),
            Self::Resume(_) => attempt,
        }
    }

    /// The plan with a manual attempt before the one that is due at this time.
    pub const fn interrupted(self, due_at: Timestamp) -> Self {
        match self {
            Self::Schedule => Self::Resume(due_at),
            Self::Once | Self::Resume(_) => self,
        }
    }

    /// What follows an attempt if the schedule alone says `planned`.
    pub fn follow(self, planned: Verdict, outcome: Outcome, now: Timestamp) -> Verdict {
        match (self, planned) {
            (Self::Schedule, _)
            | (_, Verdict::Delivered | Verdict::GiveUp(Reason::Forbidden | Reason::Rejected)) => {
                planned
            },
            (Self::Once, _) => Verdict::GiveUp(Reason::Exhausted),
            (Self::Resume(at), _) => Verdict::RetryAt(at.max(now + asked(outcome))),
        }
    }
}

/// A random number in `0.0..1.0`, drawn by the caller.
#[derive(Clone, Copy, Debug)]
pub struct JitterSample(pub f64);

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    Delivered,
    RetryAt(Timestamp),
    GiveUp(Reason),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The schedule has no more waits.
    Exhausted,
    /// The address must not be called.
    Forbidden,
    /// The service can never accept the message.
    Rejected,
}

/// Longest wait that a receiver's `Retry-After` can impose.
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the receiver asks to wait.
fn asked(outcome: Outcome) -> Duration {
    outcome.retry_after().unwrap_or_default().min(RETRY_AFTER_CAP)
}

/// Decides what follows the attempt numbered `attempt` (the first is 1).
pub fn decide(
    schedule: &Schedule,
    attempt: u16,
    outcome: Outcome,
    now: Timestamp,
    jitter: JitterSample,
) -> Verdict {
    let permanent = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
        Outcome::Unanswered(Failure::Forbidden) => Some(Reason::Forbidden),
        Outcome::Unanswered(Failure::Rejected) => Some(Reason::Rejected),
        // Whatever the limit says: the message stays damaged, and the deliveries behind it wait.
        Outcome::Unanswered(Failure::Damaged) => return Verdict::GiveUp(Reason::Rejected),
        Outcome::Answered { .. } | Outcome::Unanswered(_) => None,
    };
    let planned = schedule.waits.get(usize::from(attempt.max(1)) - 1).copied();
    let planned = match (schedule.limit, permanent, planned) {
        (AttemptLimit::Schedule, Some(reason), _) => return Verdict::GiveUp(reason),
        (AttemptLimit::Schedule, None, None) => return Verdict::GiveUp(Reason::Exhausted),
        (AttemptLimit::Attempts(most), ..) if attempt >= most => {
            return Verdict::GiveUp(permanent.unwrap_or(Reason::Exhausted));
        },
        (_, _, Some(planned)) => planned,
        (_, _, None) => return Verdict::RetryAt(schedule.last_retry_at(outcome, now, jitter)),
    };
    Verdict::RetryAt(schedule.retry_at(planned, outcome, now, jitter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check(attempt: u16, outcome: Outcome, expected: Verdict) {
        let schedule = Schedule::new(&[SECOND, 10 * SECOND], 0.2);
        let actual =
            decide(&schedule, attempt, outcome, Timestamp::from_millis(0), JitterSample(0.5));
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
    fn a_redirect_is_a_failure() {
        check(1, answered(301), at(1_000));
        check(3, answered(308), Verdict::GiveUp(Reason::Exhausted));
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
        check(1, busy(1_000_000), at(24 * 60 * 60 * 1_000));
    }

    #[test]
    fn a_delivery_that_got_410_is_retried_when_its_endpoint_is_enabled() {
        check(1, answered(410), at(1_000));
    }

    #[test]
    fn forbidden_stops_at_once() {
        check(1, Outcome::Unanswered(Failure::Forbidden), Verdict::GiveUp(Reason::Forbidden));
    }

    #[test]
    fn a_message_that_can_never_be_accepted_is_not_retried_but_everything_else_is() {
        check(1, Outcome::Unanswered(Failure::Rejected), Verdict::GiveUp(Reason::Rejected));
        for failure in [Failure::Misconfigured, Failure::Unavailable, Failure::Busy] {
            check(1, Outcome::Unanswered(failure), at(1_000));
        }
    }

    #[test]
    fn a_damaged_message_is_given_up_even_if_nothing_else_is() {
        for limit in [AttemptLimit::Schedule, AttemptLimit::Attempts(9), AttemptLimit::Unlimited] {
            let schedule = Schedule::new(&[SECOND], 0.0).limited(limit);
            let damaged = Outcome::Unanswered(Failure::Damaged);
            let verdict =
                decide(&schedule, 1, damaged, Timestamp::from_millis(0), JitterSample(0.5));
            assert_eq!(verdict, Verdict::GiveUp(Reason::Rejected), "{limit:?}");
        }
    }

    #[test]
    fn a_requested_attempt_leaves_the_schedule_as_it_was() {
        let (retry, over) = (at(1_000), Verdict::GiveUp(Reason::Exhausted));
        let forbidden = Verdict::GiveUp(Reason::Forbidden);
        let resume = RetryPlan::Resume(Timestamp::from_millis(90_000));
        let cases = [
            (RetryPlan::Schedule, retry, retry),
            (RetryPlan::Schedule, over, over),
            (RetryPlan::Once, Verdict::Delivered, Verdict::Delivered),
            (RetryPlan::Once, retry, over),
            (RetryPlan::Once, over, over),
            (RetryPlan::Once, forbidden, forbidden),
            (resume, Verdict::Delivered, Verdict::Delivered),
            (resume, retry, at(90_000)),
            (resume, over, at(90_000)),
            (resume, forbidden, forbidden),
        ];
        for (retry_plan, planned, expected) in cases {
            let followed = retry_plan.follow(planned, answered(500), Timestamp::from_millis(5));
            assert_eq!(followed, expected, "{retry_plan:?} {planned:?}");
        }
        let busy = Outcome::Answered { status: 429, retry_after: Some(100 * SECOND) };
        assert_eq!(resume.follow(retry, busy, Timestamp::default()), at(100_000));
        let late = Timestamp::from_millis(95_000);
        assert_eq!(resume.follow(retry, answered(500), late), at(95_000));
    }

    #[test]
    fn a_limit_of_its_own_replaces_the_end_of_the_schedule() {
        let (failed, forbidden) = (answered(500), Outcome::Unanswered(Failure::Forbidden));
        let rejected = Outcome::Unanswered(Failure::Rejected);
        let over = Verdict::GiveUp;
        let (two, never) = (AttemptLimit::Attempts(2), AttemptLimit::Unlimited);
        let cases = [
            (two, 1, failed, at(1_000)),
            (two, 1, forbidden, at(1_000)),
            (two, 2, failed, over(Reason::Exhausted)),
            (two, 2, rejected, over(Reason::Rejected)),
            (two, 2, answered(200), Verdict::Delivered),
            (AttemptLimit::Attempts(9), 8, failed, at(10_000)),
            (never, 1, failed, at(1_000)),
            (never, 2, rejected, at(10_000)),
            (never, 3, forbidden, at(10_000)),
            (never, u16::MAX, failed, at(10_000)),
            (never, 3, answered(204), Verdict::Delivered),
        ];
        for (limit, attempt, outcome, expected) in cases {
            let schedule = Schedule { limit, ..Schedule::new(&[SECOND, 10 * SECOND], 0.2) };
            let actual =
                decide(&schedule, attempt, outcome, Timestamp::default(), JitterSample(0.5));
            assert_eq!(actual, expected, "{limit:?} {attempt} {outcome:?}");
        }
    }

    #[test]
    fn a_schedule_spans_its_longest_waits() {
        assert_eq!(Schedule::new(&[SECOND, 9 * SECOND], 0.2).span(), 12 * SECOND);
        assert_eq!(Schedule::new(&[], 0.2).span(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_its_jitter(draw in 0.0..1.0_f64, millis in 1_u32..100_000_000) {
            let planned = Duration::from_millis(millis.into());
            let schedule = Schedule::new(&[planned], 0.2);
            let verdict = decide(&schedule, 1, answered(500), Timestamp::default(), JitterSample(draw));
            let Verdict::RetryAt(at) = verdict else { panic!("{verdict:?}") };
            let wait = at.since(Timestamp::default());
            let slack = Duration::from_millis(1);
            prop_assert!(wait + slack >= planned.mul_f64(0.8));
            prop_assert!(wait <= planned.mul_f64(1.2) + slack);
        }

        #[test]
        fn every_schedule_ends(attempt: u16, status in 300_u16..600, waits in 0_usize..20) {
            let schedule = Schedule::new(&vec![SECOND; waits], 0.2);
            let verdict = decide(&schedule, attempt, answered(status), Timestamp::default(), JitterSample(0.1));
            let retried = matches!(verdict, Verdict::RetryAt(_));
            prop_assert!(!retried || usize::from(attempt.max(1)) <= waits);
        }
    }
}
