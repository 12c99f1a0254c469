//! Numbers by minute, from which those of all periods are added up.

use super::{
    counters::Counters,
    fact::Fact,
    resolution::Resolution,
    rollups::{RollupKey, Subject},
};
use crate::time::Timestamp;

/// Numbers of a subject in one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteCounts {
    pub subject: Subject,
    /// When the minute begins.
    pub start: Timestamp,
    pub counters: Counters,
}

/// Adds facts up by subject and minute, in that order.
pub fn by_subject(mut facts: Vec<(Subject, Fact, u64)>) -> Vec<MinuteCounts> {
    facts.sort_unstable_by(|(a, of_a, _), (b, of_b, _)| a.cmp(b).then(of_a.at().cmp(&of_b.at())));
    let mut minutes: Vec<MinuteCounts> = Vec::new();
    for (subject, fact, count) in facts {
        let start = fact.at();
        let is_same = |it: &&mut MinuteCounts| it.start == start && it.subject == subject;
        if let Some(last) = minutes.last_mut().filter(is_same) {
            last.counters.add(fact.kind, count);
            continue;
        }
        let mut counters = Counters::default();
        counters.add(fact.kind, count);
        minutes.push(MinuteCounts { subject, start, counters });
    }
    minutes
}

/// Adds minutes up by period, in the order of the keys: as
/// [`Rollups::add`](super::Rollups::add) does for each fact, at less cost if there are very many
/// subjects.
pub fn add_up(mut minutes: Vec<MinuteCounts>) -> Vec<(RollupKey, Counters)> {
    // Takes little time for minutes that are in this order already.
    minutes.sort_by(|a, b| a.subject.cmp(&b.subject).then(a.start.cmp(&b.start)));
    let mut rows: Vec<(RollupKey, Counters)> = Vec::new();
    for resolution in Resolution::ALL {
        let first = rows.len();
        for MinuteCounts { subject, start, counters } in &minutes {
            let start = resolution.start(*start);
            let is_same = |(key, _): &&mut (RollupKey, Counters)| {
                key.start == start && key.subject == *subject
            };
            if let Some((_, total)) = rows[first..].last_mut().filter(is_same) {
                total.merge(counters);
                continue;
            }
            let key = RollupKey { resolution, start, subject: subject.clone() };
            rows.push((key, counters.clone()));
        }
        // Keeps the order of the subjects.
        rows[first..].sort_by_key(|(key, _)| key.start);
    }
    rows
}

#[cfg(test)]
mod tests {
    use postrider::{ApplicationId, EndpointId, SourceId};
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::{Counted, CountedFor, FactKind, RequestResult, Rollups};

    fn counted() -> impl Strategy<Value = Counted> {
        let kinds = prop_oneof![
            any::<bool>().prop_map(|is_filtered| FactKind::Message { is_filtered }),
            Just(FactKind::Request(RequestResult::Rejected)),
        ];
        let of = prop_oneof![
            Just(CountedFor::Application),
            (0_u128..3).prop_map(|it| CountedFor::Endpoint(EndpointId::from_u128(it))),
            (0_u128..2).prop_map(|it| CountedFor::Source(SourceId::from_u128(it))),
        ];
        (1_u128..4, of, kinds, 0_u64..3 * 24 * 60, 1_u64..5).prop_map(
            |(application, of, kind, minute, count)| Counted {
                application: ApplicationId::from_u128(application),
                of,
                fact: Fact::new(Timestamp::from_millis(minute * 60_000 + 7), kind),
                count,
            },
        )
    }

    /// The facts of a batch, as a store hands them in.
    fn facts(batch: &[Counted]) -> Vec<(Subject, Fact, u64)> {
        let mut facts = Vec::new();
        for it in batch {
            let organization = Subject::Organization("org_1".parse().unwrap());
            let subjects = [Subject::Application(it.application), organization];
            let part = Subject::part(it.application, it.of);
            facts.extend(
                subjects.into_iter().chain(part).map(|subject| (subject, it.fact, it.count)),
            );
        }
        facts
    }

    proptest! {
        #[test]
        fn minutes_of_any_batches_add_up_to_what_each_fact_counts(
            batches in prop::collection::vec(prop::collection::vec(counted(), 0..20), 0..6)
        ) {
            let mut rollups = Rollups::default();
            let mut minutes = Vec::new();
            for batch in &batches {
                for it in batch {
                    rollups.add(*it, Some(&"org_1".parse().unwrap()));
                }
                minutes.extend(by_subject(facts(batch)));
            }
            let expected: Vec<_> = rollups.entries().clone().into_iter().collect();
            prop_assert_eq!(add_up(minutes), expected);
        }
    }

    #[test]
    fn minutes_are_in_the_order_of_subjects_and_times() {
        let subject = |it| Subject::Application(ApplicationId::from_u128(it));
        let fact = |minute: u64| {
            let kind = FactKind::Message { is_filtered: false };
            Fact::new(Timestamp::from_millis(minute * 60_000), kind)
        };
        let facts =
            vec![(subject(2), fact(1), 1), (subject(1), fact(9), 2), (subject(2), fact(1), 4)];
        let found: Vec<_> = by_subject(facts)
            .into_iter()
            .map(|it| (it.subject, it.start.as_millis() / 60_000, it.counters.accepted()))
            .collect();
        assert_eq!(found, [(subject(1), 9, 2), (subject(2), 1, 5)]);
    }
}
