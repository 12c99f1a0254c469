//! When a batch is sent, how large it is, and what follows from it.

use std::time::Duration;

use crate::{
    delivery::{Delivery, Trigger},
    outcome::Outcome,
    retry::{AttemptLimit, JitterSample, Reason, RetryPlan, Schedule, Verdict},
    time::Timestamp,
};

/// Most bytes of messages in one call, unless a single message is larger.
pub const MAX_BATCH_BYTES: usize = 8 << 20;

/// How many messages an endpoint gets in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Most messages of a call; at least 1.
    pub size: usize,
    /// How long the first message waits for others, since it was accepted.
    pub max_wait: Duration,
}

impl Batch {
    /// Most messages of a call that begins with this delivery.
    ///
    /// Each failed attempt halves it. So a message that the receiver cannot process comes to be
    /// called with alone, after everything before it was delivered, and is the only one that is
    /// given up.
    pub fn limit(self, first: &Delivery) -> usize {
        let halvings = u32::from(first.attempt.saturating_sub(1)).min(usize::BITS - 1);
        (self.size >> halvings).max(1)
    }

    /// When a batch with this delivery is sent at the latest, if nothing else delays it.
    pub fn due_at(self, delivery: &Delivery) -> Timestamp {
        if !self.waits(delivery) {
            return Timestamp::default();
        }
        Timestamp::from_millis(delivery.id.message.millis()) + self.max_wait
    }

    /// Whether the delivery waits for others.
    pub fn waits(self, delivery: &Delivery) -> bool {
        !self.max_wait.is_zero() && delivery.attempt <= 1 && delivery.trigger == Trigger::Scheduled
    }
}

/// The result of a call with several deliveries.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchOutcome {
    pub outcome: Outcome,
    pub at: Timestamp,
    pub jitter: JitterSample,
}

/// What the schedule says about a delivery of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedDelivery {
    pub plan: RetryPlan,
    pub verdict: Verdict,
    /// The message is damaged, so it was not in the call.
    pub is_damaged: bool,
}

/// Changes what the schedule says about each delivery of a batch. Damaged messages keep their
/// verdict.
///
/// All of them are retried at the same time, so that they form a batch again. None is given up,
/// because the message at fault may be another one; the next batch is smaller.
pub(super) fn align(deliveries: &mut [PlannedDelivery], schedule: &Schedule, result: BatchOutcome) {
    let called: Vec<_> = deliveries.iter_mut().filter(|it| !it.is_damaged).collect();
    if called.len() < 2 {
        return;
    }
    let planned = called.iter().find_map(|it| match (it.plan, it.verdict) {
        (RetryPlan::Schedule, Verdict::RetryAt(at)) => Some(at),
        _ => None,
    });
    let BatchOutcome { outcome, at: now, jitter } = result;
    let retry_at = planned.unwrap_or_else(|| schedule.last_retry_at(outcome, now, jitter));
    for PlannedDelivery { plan, verdict, .. } in called {
        let is_aligned = match verdict {
            Verdict::Delivered => false,
            // Without a limit of its own, the endpoint gives such a delivery up at once.
            Verdict::GiveUp(Reason::Forbidden) => schedule.limit != AttemptLimit::Schedule,
            Verdict::GiveUp(Reason::Rejected) => true,
            Verdict::RetryAt(_) | Verdict::GiveUp(Reason::Exhausted) => {
                *plan == RetryPlan::Schedule
            },
        };
        if is_aligned {
            *verdict = Verdict::RetryAt(retry_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider::{ApplicationId, EndpointId, MessageId};

    use super::*;
    use crate::delivery::DeliveryId;

    const SECOND: Duration = Duration::from_secs(1);

    fn delivery(attempt: u16, trigger: Trigger) -> Delivery {
        let message = MessageId::from_u128(5_000 << 80);
        let id = DeliveryId { endpoint: EndpointId::from_u128(1), message };
        Delivery { attempt, trigger, ..Delivery::first(id, ApplicationId::from_u128(1)) }
    }

    #[test]
    fn each_failure_halves_the_next_batch() {
        let batch = Batch { size: 100, max_wait: SECOND };
        for (attempt, expected) in
            [(0, 100), (1, 100), (2, 50), (3, 25), (4, 12), (7, 1), (8, 1), (u16::MAX, 1)]
        {
            assert_eq!(batch.limit(&delivery(attempt, Trigger::Scheduled)), expected);
        }
    }

    #[test]
    fn only_what_was_never_tried_waits_for_others() {
        let batch = Batch { size: 100, max_wait: SECOND };
        for (attempt, trigger, expected) in
            [(1, Trigger::Scheduled, 6_000), (2, Trigger::Scheduled, 0), (1, Trigger::Manual, 0)]
        {
            let due_at = batch.due_at(&delivery(attempt, trigger));
            assert_eq!(due_at, Timestamp::from_millis(expected), "{attempt} {trigger:?}");
        }
    }

    #[test]
    fn a_batch_is_retried_as_one_and_gives_nothing_up() {
        let at = |millis| Verdict::RetryAt(Timestamp::from_millis(millis));
        let give_up = Verdict::GiveUp;
        let (plan, once) = (RetryPlan::Schedule, RetryPlan::Once);
        let resume = RetryPlan::Resume(Timestamp::from_millis(9));
        let cases = [
            (vec![(plan, give_up(Reason::Exhausted))], vec![give_up(Reason::Exhausted)]),
            (vec![(plan, at(5)), (plan, at(7))], vec![at(5), at(5)]),
            (vec![(plan, give_up(Reason::Exhausted)), (plan, at(7))], vec![at(7), at(7)]),
            (
                vec![(plan, give_up(Reason::Exhausted)), (plan, give_up(Reason::Rejected))],
                vec![at(10_100), at(10_100)],
            ),
            (
                vec![(resume, at(9)), (plan, at(7)), (once, give_up(Reason::Exhausted))],
                vec![at(9), at(7), give_up(Reason::Exhausted)],
            ),
            (
                vec![(plan, give_up(Reason::Forbidden)), (plan, give_up(Reason::Forbidden))],
                vec![give_up(Reason::Forbidden), give_up(Reason::Forbidden)],
            ),
            (vec![(plan, Verdict::Delivered); 2], vec![Verdict::Delivered; 2]),
        ];
        let schedule = Schedule::new(&[SECOND, 10 * SECOND], 0.2);
        for (mut planned, expected) in cases {
            let result = BatchOutcome {
                outcome: Outcome::Answered { status: 500, retry_after: None },
                at: Timestamp::from_millis(100),
                jitter: JitterSample(0.5),
            };
            let damaged =
                PlannedDelivery { is_damaged: true, ..batched(plan, give_up(Reason::Rejected)) };
            let intact = planned.drain(..).map(|(plan, verdict)| batched(plan, verdict));
            let mut all: Vec<_> = intact.chain([damaged]).collect();
            align(&mut all, &schedule, result);
            let verdicts: Vec<_> = all.iter().map(|it| it.verdict).collect();
            assert_eq!(verdicts[..expected.len()], expected);
            assert_eq!(verdicts[expected.len()..], [give_up(Reason::Rejected)], "it was not sent");
        }
    }

    fn batched(plan: RetryPlan, verdict: Verdict) -> PlannedDelivery {
        PlannedDelivery { plan, verdict, is_damaged: false }
    }
}
