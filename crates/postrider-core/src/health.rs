//! Whether an endpoint is failing, and what its operator is notified of.

use std::time::Duration;

use crate::{
    delivery::Delivery,
    outcome::Outcome,
    retry::{Reason, RetryPlan, Verdict},
    time::Timestamp,
};

/// An event that the operator is notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A delivery has failed several times and is still retried.
    Failing,
    /// A delivery has failed permanently.
    Exhausted,
    /// A delivery succeeded after one of the above was reported.
    Recovered,
    /// The endpoint is disabled; it has been failing since then.
    Disabled { failing_since: Timestamp },
}

/// The failed attempt after which a delivery is reported as failing.
const FAILING_ATTEMPT: u16 = 4;

/// What an attempt says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// When the first delivery was exhausted since the last success.
    pub failing_since: Option<Timestamp>,
    /// The endpoint has to be disabled; it has been failing since then.
    pub disable: Option<Timestamp>,
}

/// Judges an endpoint after an attempt. Only exhausted deliveries count, for one attempt says
/// little: the first one since the last success marks the endpoint as failing, and another one
/// at least `disable_after` later disables it. A mark of more than twice that age is forgotten,
/// since deliveries that far apart show no continuous failure. An endpoint that asked not to be
/// called again is disabled at once.
pub fn judge(
    before: Option<Timestamp>,
    outcome: Outcome,
    is_exhausted: bool,
    disable_after: Duration,
    now: Timestamp,
) -> Health {
    if outcome.delivered() {
        return Health { failing_since: None, disable: None };
    }
    if !is_exhausted {
        let gone_since = outcome.gone().then(|| before.unwrap_or(now));
        return Health { failing_since: before, disable: gone_since };
    }
    let longest = disable_after.saturating_mul(2);
    let since = before.filter(|since| now.since(*since) < longest).unwrap_or(now);
    let disables = outcome.gone() || now.since(since) >= disable_after;
    Health { failing_since: Some(since), disable: disables.then_some(since) }
}

/// Whether an attempt of a schedule shows that its delivery is exhausted. A delivery that is
/// older than its whole schedule (`span`) and still fails counts as well: while the breaker is
/// open, few attempts are made, and a long backlog would hardly ever come to its end.
pub fn is_exhausted(delivery: &Delivery, verdict: Verdict, span: Duration, now: Timestamp) -> bool {
    let accepted_at = Timestamp::from_millis(delivery.id.message.millis());
    let is_over = match verdict {
        // The message is at fault, and says nothing about the endpoint.
        Verdict::Delivered | Verdict::GiveUp(Reason::Rejected) => false,
        Verdict::GiveUp(Reason::Exhausted | Reason::Forbidden) => true,
        Verdict::RetryAt(_) => now.since(accepted_at) > span,
    };
    is_over && delivery.retry_plan == RetryPlan::Schedule
}

/// The notice about a delivery, if any. A manual attempt that fails is not reported: it changes
/// nothing about the delivery.
pub fn notice(delivery: &Delivery, verdict: Verdict) -> Option<Notice> {
    match verdict {
        Verdict::Delivered => delivery.reported.then_some(Notice::Recovered),
        _ if delivery.retry_plan != RetryPlan::Schedule => None,
        Verdict::GiveUp(Reason::Exhausted | Reason::Forbidden | Reason::Rejected) => {
            Some(Notice::Exhausted)
        },
        Verdict::RetryAt(_) => (delivery.attempt == FAILING_ATTEMPT).then_some(Notice::Failing),
    }
}

/// Whether the delivery counts as reported after this verdict.
pub fn reported(delivery: &Delivery, verdict: Verdict) -> bool {
    let is_scheduled = delivery.retry_plan == RetryPlan::Schedule;
    match verdict {
        Verdict::Delivered => false,
        Verdict::GiveUp(_) => true,
        Verdict::RetryAt(_) => {
            delivery.reported || is_scheduled && delivery.attempt >= FAILING_ATTEMPT
        },
    }
}

#[cfg(test)]
mod tests {
    use postrider::{ApplicationId, EndpointId, MessageId};

    use crate::delivery::{DeliveryId, Trigger};

    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    const fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    const fn delivery(attempt: u16, reported: bool) -> Delivery {
        Delivery {
            id: DeliveryId { endpoint: EndpointId::from_u128(1), message: MessageId::from_u128(1) },
            application: ApplicationId::from_u128(1),
            attempt,
            trigger: Trigger::Scheduled,
            retry_plan: RetryPlan::Schedule,
            reported,
        }
    }

    #[test]
    fn an_endpoint_is_disabled_after_exhausted_deliveries_over_the_period() {
        const PERIOD: Duration = Duration::from_secs(1);
        let (failed, fine, gone) = (answered(500), answered(200), answered(410));
        let health = |failing_since, disable| Health { failing_since, disable };
        let five = Some(at(5));
        let cases = [
            // A single attempt that fails says nothing, whenever it is made.
            (None, failed, false, 5, health(None, None)),
            (five, failed, false, 1_500, health(five, None)),
            // The first exhausted delivery sets the mark, later ones leave it,
            (None, failed, true, 5, health(five, None)),
            (five, failed, true, 500, health(five, None)),
            (five, failed, true, 1_004, health(five, None)),
            // until one comes after the whole period.
            (five, failed, true, 1_005, health(five, five)),
            (five, failed, true, 2_004, health(five, five)),
            // A mark that is too old is forgotten.
            (five, failed, true, 2_005, health(Some(at(2_005)), None)),
            // A success ends everything.
            (five, fine, false, 1_500, health(None, None)),
            (None, fine, false, 5, health(None, None)),
            // An endpoint that asks for it is disabled at once.
            (None, gone, false, 7, health(None, Some(at(7)))),
            (five, gone, false, 7, health(five, five)),
            (None, gone, true, 7, health(Some(at(7)), Some(at(7)))),
        ];
        for (before, outcome, is_exhausted, now, expected) in cases {
            let health = judge(before, outcome, is_exhausted, PERIOD, at(now));
            assert_eq!(health, expected, "{before:?} {outcome:?} {is_exhausted} {now}");
        }
        let at_once = judge(None, failed, true, Duration::ZERO, at(5));
        assert_eq!(at_once, health(five, five));
        let never = judge(five, failed, true, Duration::MAX, Timestamp::MAX);
        assert_eq!(never, health(five, None));
    }

    #[test]
    fn a_delivery_is_exhausted_when_its_schedule_is_over_or_should_be() {
        let span = Duration::from_secs(1);
        let (retry, over) = (Verdict::RetryAt(at(9)), Verdict::GiveUp(Reason::Exhausted));
        // The message was accepted at 0.
        let scheduled = delivery(2, false);
        let cases = [
            (scheduled, Verdict::Delivered, 5_000, false),
            (scheduled, over, 5, true),
            (scheduled, Verdict::GiveUp(Reason::Forbidden), 5, true),
            (scheduled, retry, 1_000, false),
            (scheduled, retry, 1_001, true),
            (Delivery { retry_plan: RetryPlan::Once, ..scheduled }, over, 5_000, false),
            (Delivery { retry_plan: RetryPlan::Resume(at(9)), ..scheduled }, retry, 5_000, false),
        ];
        for (delivery, verdict, now, expected) in cases {
            let actual = is_exhausted(&delivery, verdict, span, at(now));
            assert_eq!(actual, expected, "{:?} {verdict:?} {now}", delivery.retry_plan);
        }
    }

    #[test]
    fn a_manual_attempt_that_fails_is_not_reported() {
        let over = Verdict::GiveUp(Reason::Exhausted);
        let once = Delivery { retry_plan: RetryPlan::Once, ..delivery(1, false) };
        assert_eq!(notice(&once, over), None);
        let resumed = Delivery { retry_plan: RetryPlan::Resume(at(9)), ..delivery(4, false) };
        let retry = Verdict::RetryAt(at(9));
        assert_eq!((notice(&resumed, retry), reported(&resumed, retry)), (None, false));
        let reported = Delivery { reported: true, ..resumed };
        assert_eq!(notice(&reported, Verdict::Delivered), Some(Notice::Recovered));
    }

    #[test]
    fn the_fourth_failure_the_last_one_and_the_recovery_are_reported() {
        let retry = Verdict::RetryAt(at(9));
        assert_eq!(notice(&delivery(3, false), retry), None);
        assert_eq!(notice(&delivery(4, false), retry), Some(Notice::Failing));
        assert_eq!(notice(&delivery(5, true), retry), None);
        let give_up = Verdict::GiveUp(Reason::Exhausted);
        assert_eq!(notice(&delivery(5, true), give_up), Some(Notice::Exhausted));
        assert_eq!(notice(&delivery(2, false), Verdict::Delivered), None);
        assert_eq!(notice(&delivery(6, true), Verdict::Delivered), Some(Notice::Recovered));
    }
}
