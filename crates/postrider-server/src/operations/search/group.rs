//! Groups failed attempts by their endpoint and cause.

use std::collections::HashMap;

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::Attempt,
    outcome::{Cause, Outcome},
    time::Timestamp,
};

/// Attempts that are kept of a group.
const SAMPLES: usize = 5;

/// What the attempts of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    endpoint: EndpointId,
    cause: Cause,
    status: Option<u16>,
}

/// Failed attempts to one endpoint with the same cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) application: ApplicationId,
    pub(super) endpoint: EndpointId,
    pub(super) url: String,
    pub(super) outcome: Outcome,
    pub(super) cause: Cause,
    pub(super) count: u64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) samples: Vec<(AttemptId, MessageId)>,
}

/// The groups of the attempts that were added.
#[derive(Debug, Default)]
pub(super) struct Groups {
    positions: HashMap<Key, usize>,
    groups: Vec<Group>,
}

impl Groups {
    /// Adds an attempt, if it failed. Newer attempts are added first.
    pub(super) fn add(&mut self, application: ApplicationId, attempt: Attempt) {
        let Some(cause) = attempt.outcome.cause() else { return };
        let key =
            Key { endpoint: attempt.delivery.endpoint, cause, status: attempt.outcome.status() };
        let sample = (attempt.id, attempt.delivery.message);
        if let Some(position) = self.positions.get(&key) {
            let group = &mut self.groups[*position];
            group.count += 1;
            group.first_at = group.first_at.min(attempt.at);
            group.last_at = group.last_at.max(attempt.at);
            if group.samples.len() < SAMPLES {
                group.samples.push(sample);
            }
            return;
        }
        self.positions.insert(key, self.groups.len());
        self.groups.push(Group {
            application,
            endpoint: attempt.delivery.endpoint,
            url: attempt.url,
            outcome: attempt.outcome,
            cause,
            count: 1,
            first_at: attempt.at,
            last_at: attempt.at,
            samples: vec![sample],
        });
    }

    /// The groups, the largest one first.
    pub(super) fn finish(self) -> Vec<Group> {
        let mut groups = self.groups;
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postrider_core::{
        delivery::{DeliveryId, Trigger},
        outcome::Failure,
    };

    use super::*;

    const APPLICATION: ApplicationId = ApplicationId::from_u128(1);

    fn attempt(number: u64, endpoint: u128, outcome: Outcome) -> Attempt {
        let message = MessageId::from_u128(u128::from(number));
        Attempt {
            id: AttemptId::from_parts(number << 12, 0),
            delivery: DeliveryId { endpoint: EndpointId::from_u128(endpoint), message },
            number: 1,
            trigger: Trigger::Scheduled,
            at: Timestamp::from_millis(number),
            duration: Duration::ZERO,
            url: format!("https://example.com/{number}"),
            address: None,
            outcome,
            response: None,
        }
    }

    #[test]
    fn attempts_are_grouped_by_endpoint_and_cause() {
        let status = |status| Outcome::Answered { status, retry_after: None };
        let failure = Outcome::Unanswered;
        let mut groups = Groups::default();
        for (number, endpoint, outcome) in [
            (20, 1, status(200)),
            (19, 1, failure(Failure::Timeout)),
            (18, 1, status(500)),
            (17, 1, status(503)),
            (16, 2, status(500)),
            (15, 1, failure(Failure::Connect)),
            (14, 1, Outcome::Answered { status: 500, retry_after: Some(Duration::ZERO) }),
            (13, 1, status(500)),
        ] {
            groups.add(APPLICATION, attempt(number, endpoint, outcome));
        }
        let found: Vec<_> = groups
            .finish()
            .into_iter()
            .map(|it| {
                let at = (it.first_at.as_millis(), it.last_at.as_millis());
                (it.endpoint.as_u128(), it.outcome, it.count, at)
            })
            .collect();
        assert_eq!(
            found,
            [
                (1, status(500), 3, (13, 18)),
                (1, failure(Failure::Timeout), 1, (19, 19)),
                (1, status(503), 1, (17, 17)),
                (2, status(500), 1, (16, 16)),
                (1, failure(Failure::Connect), 1, (15, 15)),
            ]
        );
    }

    #[test]
    fn a_group_keeps_its_latest_attempts_as_samples() {
        let mut groups = Groups::default();
        for number in (1..=9).rev() {
            groups.add(APPLICATION, attempt(number, 1, Outcome::Unanswered(Failure::Tls)));
        }
        let group = groups.finish().remove(0);
        let samples: Vec<_> = group.samples.iter().map(|(id, _)| id.millis()).collect();
        assert_eq!((samples, group.count), (vec![9, 8, 7, 6, 5], 9));
        assert_eq!(group.url, "https://example.com/9");
    }
}
