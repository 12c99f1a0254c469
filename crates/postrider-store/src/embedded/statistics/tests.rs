//! What readers see does not depend on what is in the rollups already.

use postrider::{ApplicationId, EndpointId, OrganizationId, SourceId};
use postrider_core::{
    statistics::{
        self, AttemptResult, Bucket, Cause, Counted, CountedFor, Fact, FactKind, Period,
        RequestResult, Resolution, Rollups, Subject,
    },
    time::Timestamp,
};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{find, rank};
use crate::{
    contract::statistics::Ranked,
    embedded::{
        functions,
        index::{
            SCHEMA, recent,
            recent::{Recent, Sizes},
            rollups,
        },
    },
    ranking::Ranking,
};

/// What happens to the statistics.
#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<Counted>),
    AddUp { is_idle: bool },
    Erase(ApplicationId),
    Reopen,
}

fn application(number: u128) -> ApplicationId {
    ApplicationId::from_u128(number)
}

fn counted() -> impl Strategy<Value = Counted> {
    let attempt = any::<bool>().prop_map(|is_delivered| {
        let failed = AttemptResult::Failed(Cause::Timeout);
        let result = if is_delivered { AttemptResult::Delivered } else { failed };
        let kind =
            FactKind::Attempt { result, duration: Bucket::LAST, elapsed: None, is_last: false };
        (None, kind)
    });
    let part = prop_oneof![
        Just((Some(CountedFor::Application), FactKind::Message { is_filtered: false })),
        attempt,
        (0_u128..2).prop_map(|it| {
            let source = CountedFor::Source(SourceId::from_u128(it));
            (Some(source), FactKind::Request(RequestResult::Rejected))
        }),
    ];
    (1_u128..5, 0_u128..4, part, 0_u64..2 * 24 * 60, 1_u64..4).prop_map(
        |(id, endpoint, (of, kind), minute, count)| Counted {
            application: application(id),
            of: of.unwrap_or_else(|| CountedFor::Endpoint(EndpointId::from_u128(endpoint))),
            // Few minutes, so that several batches have the same.
            fact: Fact::new(Timestamp::from_millis(minute / 20 * 20 * 60_000), kind),
            count,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(counted(), 0..25).prop_map(Step::Batch),
        2 => any::<bool>().prop_map(|is_idle| Step::AddUp { is_idle }),
        1 => (1_u128..5).prop_map(|it| Step::Erase(application(it))),
        1 => Just(Step::Reopen),
    ]
}

fn organization() -> OrganizationId {
    "org_1".parse().unwrap()
}

fn facts(batch: &[Counted]) -> Vec<(Subject, Fact, u64)> {
    let mut facts = Vec::new();
    for it in batch {
        let above = [Subject::Application(it.application), Subject::Organization(organization())];
        let part = Subject::part(it.application, it.of);
        facts.extend(above.into_iter().chain(part).map(|subject| (subject, it.fact, it.count)));
    }
    facts
}

/// Very small, so that each step leaves something.
const SIZES: Sizes = Sizes { large: 12, row: 3, step: 2, batches: 3 };

fn run(index: &Connection, model: &mut Rollups, recent: &mut Recent, step: Step) {
    match step {
        Step::Batch(batch) => {
            for it in &batch {
                model.add(*it, Some(&organization()));
            }
            recent.add(index, statistics::by_subject(facts(&batch))).unwrap();
        },
        Step::AddUp { is_idle } => {
            recent.step(index, is_idle).unwrap();
        },
        Step::Erase(id) => {
            model.retain(|key| key.subject.application() != Some(id));
            recent::erase(index, id).unwrap();
            rollups::erase(index, id).unwrap();
        },
        Step::Reopen => *recent = Recent::open(index, SIZES).unwrap(),
    }
}

fn subjects() -> Vec<Subject> {
    let mut subjects = vec![Subject::Organization(organization())];
    for id in (1..5).map(application) {
        subjects.push(Subject::Application(id));
        subjects.extend((0..4).map(|it| Subject::Endpoint(id, EndpointId::from_u128(it))));
        subjects.extend((0..2).map(|it| Subject::Source(id, SourceId::from_u128(it))));
    }
    subjects
}

fn compare(index: &Connection, model: &Rollups) {
    for resolution in Resolution::ALL {
        // Begins and ends within the histories.
        let (since, until) = (6 * 60 * 60_000, 40 * 60 * 60_000);
        let at = |millis| resolution.start(Timestamp::from_millis(millis));
        let period = Period { resolution, since: at(since), until: at(until) };
        let expected: Vec<_> = model
            .entries()
            .iter()
            .filter(|(key, _)| key.resolution == resolution)
            .filter(|(key, _)| key.start >= period.since && key.start < period.until)
            .map(|(key, counters)| (key.clone(), counters.clone()))
            .collect();
        assert_eq!(find(index, &subjects(), period).unwrap(), expected);
        for ranked in [Ranked::Endpoints, Ranked::Sources] {
            let mut ranking = Ranking::default();
            for (key, counters) in &expected {
                if ranked.includes(&key.subject) && counters.problems() > 0 {
                    ranking.add(key.subject.clone(), counters);
                }
            }
            let found = rank::rank(index, ranked, period).unwrap();
            assert_eq!(found.worst(|_| true, 9), ranking.worst(|_| true, 9), "{ranked:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn readers_see_what_was_counted_wherever_it_is(
        steps in prop::collection::vec(step(), 0..20)
    ) {
        let index = Connection::open_in_memory().unwrap();
        functions::define(&index).unwrap();
        index.execute_batch(SCHEMA).unwrap();
        let mut recent = Recent::open(&index, SIZES).unwrap();
        let mut model = Rollups::default();
        for step in steps {
            run(&index, &mut model, &mut recent, step);
            compare(&index, &model);
        }
        while recent.step(&index, true).unwrap() {}
        compare(&index, &model);
    }
}

/// Counts messages to many applications, in the order in which benchmarks publish to them.
#[test]
#[ignore = "for measurements: see docs/decisions/many-applications.md"]
#[expect(clippy::disallowed_methods, reason = "what is measured comes from the environment")]
fn counting_for_many_applications() {
    const BATCHES: u64 = 64;
    const PER_BATCH: u64 = 1_600;
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let applications: u64 = number("APPLICATIONS").unwrap_or(10_000);
    let large = number("LARGE_BATCH").unwrap_or(1_000);
    let index = Connection::open_in_memory().unwrap();
    functions::define(&index).unwrap();
    index.execute_batch(SCHEMA).unwrap();
    let mut recent = Recent::open(&index, Sizes::new(large.try_into().unwrap())).unwrap();
    let message = FactKind::Message { is_filtered: false };
    let attempt = FactKind::Attempt {
        result: AttemptResult::Delivered,
        duration: Bucket::LAST,
        elapsed: Some(Bucket::LAST),
        is_last: false,
    };
    for batch in 0..BATCHES {
        let mut counted = Vec::new();
        for it in 0..PER_BATCH {
            let id = u128::from((batch * PER_BATCH + it) % applications);
            let of = CountedFor::Endpoint(EndpointId::from_u128(id));
            let fact = |kind| Fact::new(Timestamp::from_millis(1_700_000_000_000), kind);
            let application = application(id + 1);
            let of_message = CountedFor::Application;
            counted.push(Counted { application, of: of_message, fact: fact(message), count: 1 });
            counted.push(Counted { application, of, fact: fact(attempt), count: 1 });
        }
        index.execute_batch("BEGIN").unwrap();
        recent.add(&index, statistics::by_subject(facts(&counted))).unwrap();
        index.execute_batch("COMMIT").unwrap();
        while recent.step(&index, false).unwrap() {}
    }
    while recent.step(&index, true).unwrap() {}
}
