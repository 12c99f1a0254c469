//! Since when an endpoint has been failing, and what its operator is told.

use std::time::Duration;

use crate::{
    delivery::Delivery,
    outcome::Outcome,
    retry::{Reason, Verdict},
    time::Timestamp,
};

/// Something that the operator of an application wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A delivery has failed several times and goes on being tried.
    Failing,
    /// A delivery has failed for good.
    Exhausted,
    /// A delivery succeeded after one of the two was told.
    Recovered,
    /// The endpoint is to be disabled; it has been failing since then.
    Disabled { failing_since: Timestamp },
}

/// The failed attempt after which an operator is told that a delivery keeps failing.
const FAILING_ATTEMPT: u16 = 4;

/// Since when the endpoint has been failing, after this outcome.
pub const fn failing_since(
    before: Option<Timestamp>,
    outcome: Outcome,
    now: Timestamp,
) -> Option<Timestamp> {
    match (outcome.delivered(), before) {
        (true, _) => None,
        (false, None) => Some(now),
        (false, since) => since,
    }
}

/// Whether the endpoint is to be disabled, failing since then: at once if it asked not to be
/// called again, otherwise after `disable_after` of nothing but failures.
pub fn disables(
    failing_since: Option<Timestamp>,
    outcome: Outcome,
    disable_after: Duration,
    now: Timestamp,
) -> bool {
    outcome.gone() || failing_since.is_some_and(|since| now.since(since) >= disable_after)
}

/// What the operator is told about one delivery.
pub const fn notice(delivery: &Delivery, verdict: Verdict) -> Option<Notice> {
    match verdict {
        Verdict::Delivered if delivery.reported => Some(Notice::Recovered),
        Verdict::GiveUp(Reason::Exhausted | Reason::Gone | Reason::Forbidden) => {
            Some(Notice::Exhausted)
        },
        Verdict::RetryAt(_) if delivery.attempt == FAILING_ATTEMPT => Some(Notice::Failing),
        Verdict::Delivered | Verdict::RetryAt(_) => None,
    }
}

/// Whether the delivery counts as reported after this verdict.
pub const fn reported(delivery: &Delivery, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Delivered => false,
        Verdict::GiveUp(_) => true,
        Verdict::RetryAt(_) => delivery.reported || delivery.attempt >= FAILING_ATTEMPT,
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
            reported,
        }
    }

    #[test]
    fn a_success_ends_a_row_of_failures() {
        assert_eq!(failing_since(None, answered(500), at(5)), Some(at(5)));
        assert_eq!(failing_since(Some(at(5)), answered(404), at(9)), Some(at(5)));
        assert_eq!(failing_since(Some(at(5)), answered(200), at(9)), None);
    }

    #[test]
    fn nothing_but_failures_for_long_disables_and_gone_at_once() {
        let hour = Duration::from_secs(3_600);
        let since = Some(at(1_000));
        assert!(!disables(since, answered(500), hour, at(3_600_999)));
        assert!(disables(since, answered(500), hour, at(3_601_000)));
        assert!(disables(None, answered(410), hour, at(0)));
        assert!(!disables(None, answered(200), hour, at(0)));
    }

    #[test]
    fn operators_hear_of_the_fourth_failure_the_last_one_and_the_recovery() {
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
