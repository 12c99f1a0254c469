//! The statistics contract.

use std::time::Duration;

use postrider_core::{
    catalog::Application,
    retry::Verdict,
    statistics::{
        Cause, Counted, CountedFor, Counters, Fact, FactKind, Period, RequestResult, Resolution,
        StatisticsRetention, Subject,
    },
    time::Timestamp,
};
use postrider_store::{Expected, Hold, Ranked, Records, Store};

use crate::{
    fixture::{self, *},
    store_tests,
};

const LONG: Duration = Duration::from_secs(1_000_000_000);

const FOREVER: StatisticsRetention = StatisticsRetention { minutes: LONG, hours: LONG, days: LONG };

const HOUR: u64 = 60 * 60 * 1_000;

/// All periods of the tests.
fn whole(resolution: Resolution) -> Period {
    let since = Timestamp::from_millis(START - 2 * 24 * HOUR);
    Period { resolution, since, until: at(90 * 24 * HOUR) }
}

/// The sum of a subject's numbers.
pub(crate) async fn total(store: &dyn Store, subject: Subject, resolution: Resolution) -> Counters {
    let mut total = Counters::default();
    for (_, counters) in store.rollups(vec![subject], whole(resolution)).await.unwrap() {
        total.merge(&counters);
    }
    total
}

async fn fold(store: &dyn Store) {
    while store.maintain_statistics(at(0), FOREVER).await.unwrap() {}
}

fn of_endpoint(number: u64) -> Subject {
    Subject::Endpoint(application_id(1), endpoint_id(number))
}

fn of_application() -> Subject {
    Subject::Application(application_id(1))
}

fn of_organization() -> Subject {
    Subject::Organization(organization())
}

store_tests! {
    async fn messages_and_attempts_are_counted_for_their_subjects(store) {
        let held = Hold::Leased(at(LEASE));
        store.append(vec![new(message(1), &[1, 2], held), new(message(2), &[], held)])
            .await
            .unwrap();
        settle(store, vec![settlement(1, fresh(1, 1), 200, Verdict::Delivered)]).await;
        settle(store, vec![settlement(2, fresh(2, 1), 500, Verdict::RetryAt(at(9)))]).await;
        // Whether the numbers are added up already makes no difference.
        for is_folded in [false, true] {
            if is_folded {
                fold(store).await;
            }
            for resolution in Resolution::ALL {
                let first = total(store, of_endpoint(1), resolution).await;
                assert_eq!((first.delivered(), first.failed()), (1, 0), "{is_folded}");
                assert_eq!((first.durations().count(), first.elapsed().count()), (1, 1));
                let second = total(store, of_endpoint(2), resolution).await;
                let causes: Vec<_> = second.causes().collect();
                assert_eq!((second.delivered(), causes), (0, vec![(Cause::ServerError, 1)]));
                for subject in [of_application(), of_organization()] {
                    let all = total(store, subject, resolution).await;
                    assert_eq!((all.delivered(), all.failed()), (1, 1));
                    assert_eq!((all.accepted(), all.filtered()), (2, 1));
                }
            }
        }
    }

    async fn what_is_repeated_is_counted_once(store) {
        let held = Hold::Leased(at(LEASE));
        for _ in 0..2 {
            store.append(vec![new(message(1), &[1], held)]).await.unwrap();
            settle(store, vec![settlement(1, fresh(1, 1), 200, Verdict::Delivered)]).await;
            fold(store).await;
        }
        // An attempt of a delivery that does not exist counts for nothing.
        settle(store, vec![settlement(2, fresh(2, 9), 200, Verdict::Delivered)]).await;
        let all = total(store, of_application(), Resolution::Minute).await;
        assert_eq!((all.accepted(), all.delivered()), (1, 1));
    }

    async fn numbers_are_kept_by_period(store) {
        let held = Hold::Leased(at(LEASE));
        store.append(vec![new(message(1), &[1], held)]).await.unwrap();
        fold(store).await;
        store.append(vec![new(message(2 * HOUR), &[1], held)]).await.unwrap();
        let period = |resolution, since, until| Period { resolution, since, until };
        let count = async |period| {
            let found = store.rollups(vec![of_application()], period).await.unwrap();
            found.iter().map(|(_, counters)| counters.accepted()).collect::<Vec<_>>()
        };
        assert_eq!(count(whole(Resolution::Minute)).await, [1, 1]);
        assert_eq!(count(whole(Resolution::Hour)).await, [1, 1]);
        let hour = Resolution::Hour.start(at(1));
        let next = hour + Duration::from_millis(HOUR);
        assert_eq!(count(period(Resolution::Hour, hour, next)).await, [1]);
        assert_eq!(count(period(Resolution::Minute, hour, next)).await, [1]);
        assert_eq!(count(period(Resolution::Hour, next, next)).await, [0_u64; 0]);
    }

    async fn old_numbers_are_removed_by_resolution(store) {
        let held = Hold::Leased(at(LEASE));
        store.append(vec![new(message(1), &[1], held)]).await.unwrap();
        fold(store).await;
        let day = Duration::from_secs(24 * 60 * 60);
        let retention = StatisticsRetention { minutes: day, hours: 3 * day, days: 9 * day };
        for (days, kept) in [(0, [1, 1, 1]), (2, [0, 1, 1]), (5, [0, 0, 1]), (11, [0, 0, 0])] {
            let now = at(days * 24 * HOUR);
            while store.maintain_statistics(now, retention).await.unwrap() {}
            for (resolution, kept) in Resolution::ALL.into_iter().zip(kept) {
                let left = total(store, of_application(), resolution).await;
                assert_eq!(left.accepted(), kept, "{resolution:?} after {days} days");
            }
        }
    }

    async fn requests_are_counted_for_known_sources(store) {
        store.save(&source(1), Expected::New).await.unwrap();
        let request = |number, result, count| Counted {
            application: application_id(1),
            of: CountedFor::Source(source_id(number)),
            fact: Fact::new(at(0), FactKind::Request(result)),
            count,
        };
        let counted = vec![
            request(1, RequestResult::Accepted, 3),
            request(1, RequestResult::Duplicate, 2),
            request(1, RequestResult::Rejected, 7),
            request(2, RequestResult::Rejected, 9),
        ];
        store.count(counted).await.unwrap();
        for is_folded in [false, true] {
            if is_folded {
                fold(store).await;
            }
            let of_source = Subject::Source(application_id(1), source_id(1));
            for subject in [of_source.clone(), of_organization()] {
                let all = total(store, subject, Resolution::Hour).await;
                assert_eq!((all.requests(), all.duplicates(), all.rejected()), (3, 2, 7));
            }
            let period = whole(Resolution::Hour);
            let worst = store.worst(organization(), Ranked::Sources, period, 9).await.unwrap();
            assert_eq!(worst.len(), 1, "{is_folded}");
            assert_eq!((&worst[0].0, worst[0].1.rejected()), (&of_source, 7));
        }
    }

    async fn the_endpoints_with_most_failures_are_found(store) {
        let held = Hold::Leased(at(LEASE));
        let mut attempt = 0;
        for (endpoint, failures) in [(1, 1), (2, 3), (3, 0)] {
            for number in 1..=4 {
                attempt += 1;
                store.append(vec![new(message(10 * endpoint + number), &[endpoint], held)])
                    .await
                    .unwrap();
                let status = if number <= failures { 404 } else { 200 };
                let is_ok = status == 200;
                let verdict = if is_ok { Verdict::Delivered } else { Verdict::RetryAt(at(9)) };
                let delivery = fresh(endpoint, 10 * endpoint + number);
                settle(store, vec![settlement(attempt, delivery, status, verdict)]).await;
            }
        }
        for is_folded in [false, true] {
            if is_folded {
                fold(store).await;
            }
            let worst = async |organization, limit| {
                let period = whole(Resolution::Hour);
                let found = store.worst(organization, Ranked::Endpoints, period, limit).await;
                let found = found.unwrap();
                found.into_iter().map(|(it, counters)| (it, counters.failed())).collect::<Vec<_>>()
            };
            assert_eq!(worst(organization(), 9).await, [(of_endpoint(2), 3), (of_endpoint(1), 1)]);
            assert_eq!(worst(organization(), 1).await, [(of_endpoint(2), 3)]);
            assert_eq!(worst("org_other".parse().unwrap(), 9).await, []);
        }
    }

    async fn an_erased_application_leaves_no_numbers_but_those_of_its_organization(store) {
        let held = Hold::Leased(at(LEASE));
        store.append(vec![new(message(1), &[1], held)]).await.unwrap();
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(9)))]).await;
        fold(store).await;
        assert_eq!(total(store, of_organization(), Resolution::Day).await.accepted(), 1);
        let (organization, application) = (organization(), application_id(1));
        assert!(store.remove::<Application>(&organization, &application).await.unwrap());
        for now in [NOW, NOW + Duration::from_secs(61), NOW + Duration::from_secs(130)] {
            while store.erase(now, 100).await.unwrap() {}
            fold(store).await;
        }
        for subject in [of_application(), of_endpoint(1)] {
            assert!(total(store, subject, Resolution::Day).await.is_empty());
        }
        let left = total(store, of_organization(), Resolution::Day).await;
        assert_eq!((left.accepted(), left.failed()), (1, 1));
    }
}
