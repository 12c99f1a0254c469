//! The promises of `Maintenance` about erasure: nothing is left of removed applications.

use std::{fs, time::Duration};

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use postrider_core::{
    catalog::{Application, Endpoint, EventType},
    delivery::{Delivery, Response, Settlement},
    message::Message,
    retry::Verdict,
    time::Timestamp,
};
use postrider_store::{
    AppendOutcome, AttemptFilter, AttemptsOf, Deliveries, EmbeddedStore, Expected, History, Hold,
    IdOrUid, Maintenance, MessageFilter, NewMessage, Records, Retention, Store,
};

use crate::{fixture, fixture::*, store_tests};

/// When late messages are erased as well.
const LATER: Timestamp = at(100_000 + 61_000);

/// Erases everything that is due, a few messages at a time.
async fn erase(store: &dyn Store, now: Timestamp) {
    while store.erase(now, 3).await.unwrap() {}
}

/// A message with an event id and an idempotency digest.
fn named(number: u64) -> NewMessage {
    let event_id = Some(format!("event-{number}").parse().unwrap());
    let message = Message { event_id, ..message(number) };
    NewMessage {
        idempotency: Some([u8::try_from(number).unwrap(); 32]),
        ..new(message, &[1, 2], Hold::Free(at(1)))
    }
}

async fn message_count(store: &dyn Store, application: u64) -> usize {
    let of = application_id(application);
    store.messages(of, MessageFilter::default(), all()).await.unwrap().items.len()
}

async fn remove(store: &dyn Store, application: u64) {
    assert!(
        store.remove::<Application>(&organization(), &application_id(application)).await.unwrap()
    );
}

store_tests! {
    async fn a_removed_application_leaves_nothing(store) {
        store.append((1..=10).map(named).collect()).await.unwrap();
        store.append(vec![free_in_application_2(20)]).await.unwrap();
        for number in 1..=5 {
            store.claim(claim()).await.unwrap();
            deliver(store, number, fresh(1, number)).await;
        }
        remove(store, 1).await;
        erase(store, NOW).await;
        assert_eq!(message_count(store, 1).await, 0);
        for number in 1..=10 {
            let by_id = IdOrUid::Id(message_id(number));
            assert_eq!(store.message(application_id(1), &by_id).await.unwrap(), None);
            let by_event_id = IdOrUid::Uid(format!("event-{number}").parse().unwrap());
            assert_eq!(store.message(application_id(1), &by_event_id).await.unwrap(), None);
            let id = attempt_id(number);
            let attempt = store.attempt(application_id(1), message_id(number), id).await.unwrap();
            assert_eq!(attempt, None);
        }
        for endpoint in 1..=3 {
            assert_eq!(delivery_states(store, endpoint).await, []);
            let of = AttemptsOf::Endpoint(application_id(1), endpoint_id(endpoint));
            let left = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
            assert_eq!(left.items, []);
        }
        assert_eq!(message_count(store, 2).await, 1);
    }

    async fn late_messages_of_a_removed_application_are_erased_a_minute_later(store) {
        store.append(vec![free(1, &[1])]).await.unwrap();
        remove(store, 1).await;
        erase(store, NOW).await;
        // Its event id and its digest are erased as well.
        assert_eq!(store.append(vec![named(1)]).await.unwrap(), [AppendOutcome::New]);
        erase(store, NOW).await;
        assert_eq!(message_count(store, 1).await, 1);
        erase(store, LATER).await;
        assert_eq!(message_count(store, 1).await, 0);
        assert_eq!(claimed(store, claim_at(LATER)).await, []);
        let much_later = LATER + Duration::from_secs(600);
        erase(store, much_later).await;
        assert!(!store.erase(much_later, 3).await.unwrap());
    }

    async fn a_settlement_after_the_erasure_leaves_nothing(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        remove(store, 1).await;
        erase(store, NOW).await;
        deliver(store, 1, fresh(1, 1)).await;
        let attempt = store.attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap();
        assert_eq!(attempt, None);
        assert_eq!(delivery_states(store, 1).await, []);
    }

    async fn an_application_that_is_saved_again_keeps_its_new_messages(store) {
        remove(store, 1).await;
        erase(store, NOW).await;
        store.save(&application(1), Expected::Any).await.unwrap();
        store.append(vec![free(1, &[1])]).await.unwrap();
        erase(store, LATER).await;
        assert_eq!(message_count(store, 1).await, 1);
    }

    async fn existing_applications_are_not_erased(store) {
        store.append(vec![named(1), free_in_application_2(2)]).await.unwrap();
        assert!(store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap());
        erase(store, LATER).await;
        assert_eq!((message_count(store, 1).await, message_count(store, 2).await), (1, 1));
        assert_eq!(delivery_states(store, 1).await.len(), 1);
    }
}

const SECRET: &str = "a payload that must not be found again";

/// Whether any file of the folder contains the text.
fn contains_text(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|it| it == text.as_bytes())
    })
}

#[tokio::test]
async fn an_erased_payload_is_overwritten_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    let body = |number: u64| {
        Some(Bytes::from(SECRET.repeat(if number.is_multiple_of(2) { 1 } else { 400 })))
    };
    let secret = |number| new(Message { body: body(number), ..message(number) }, &[1], free_at(1));
    store.append((1..=20).map(secret).collect()).await.unwrap();
    store.append(vec![free_in_application_2(30)]).await.unwrap();
    for number in 1..=5 {
        let Settlement { delivery, mut attempt, verdict, failing_since } =
            settlement(number, fresh(1, number), 200, Verdict::Delivered);
        let body = Bytes::from(SECRET);
        attempt.response = Some(Response { headers: Vec::new(), body });
        settle(&store, vec![Settlement { delivery, attempt, verdict, failing_since }]).await;
    }
    store.close().await.unwrap();
    assert!(contains_text(folder.path(), SECRET));
    let store = open_embedded(folder.path());
    remove(&store, 1).await;
    erase(&store, NOW).await;
    store.close().await.unwrap();
    assert!(!contains_text(folder.path(), SECRET));
}

/// Applications that are created and removed.
const CHURN: u64 = 10_000;

/// The number of them that exist at the same time.
const CROWD: u64 = 500;

/// Creates applications with an endpoint, an event type and a delivered message each, and removes
/// them.
async fn churn(store: &EmbeddedStore, numbers: std::ops::Range<u64>) {
    let application = |number| Application { id: application_id(number), ..application(number) };
    let endpoint = |number| Endpoint { application: application_id(number), ..endpoint(number) };
    let applications =
        numbers.clone().map(async |it| store.save(&application(it), Expected::New).await);
    try_join_all(applications).await.unwrap();
    let endpoints = numbers.clone().map(async |it| store.save(&endpoint(it), Expected::New).await);
    try_join_all(endpoints).await.unwrap();
    let event_type = |number| event_type(&format!("t.n{number}"));
    let types = numbers.clone().map(async |it| store.save(&event_type(it), Expected::New).await);
    try_join_all(types).await.unwrap();
    let own = |number| {
        let event_type = type_name(&format!("t.n{number}"));
        let message =
            Message { application: application_id(number), event_type, ..message(number) };
        // Some are pending and have a lane.
        let hold = if number.is_multiple_of(2) { free_at(1) } else { Hold::Leased(LATER) };
        new(message, &[number], hold)
    };
    store.append(numbers.clone().map(own).collect()).await.unwrap();
    let delivery = |number| Delivery::first(delivery_id(number, number), application_id(number));
    let deliver = |number| settlement(number, delivery(number), 200, Verdict::Delivered);
    settle(store, numbers.clone().filter(|it| it % 2 == 1).map(deliver).collect()).await;
    join_all(numbers.clone().map(|number| async move {
        let application = application_id(number);
        // Some endpoints are removed before their application, some with it.
        if number % 3 == 0 {
            assert!(store.remove::<Endpoint>(&application, &endpoint_id(number)).await.unwrap());
        }
        assert!(store.remove::<Application>(&organization(), &application).await.unwrap());
        let name = type_name(&format!("t.n{number}"));
        assert!(store.remove::<EventType>(&organization(), &name).await.unwrap());
    }))
    .await;
}

/// Runs the maintenance of somewhat more than a minute.
async fn maintain(store: &EmbeddedStore, retention: Retention, from: Timestamp) {
    for second in [0, 61, 65, 70] {
        let now = from + Duration::from_secs(second);
        while store.erase(now, 200).await.unwrap() {}
        expire(store, now, retention).await;
    }
}

#[tokio::test]
async fn ten_thousand_removed_applications_leave_nothing_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![free(0, &[1]), free_in_application_2(1)]).await.unwrap();
    maintain(&store, ONE_DAY, at(400_000)).await;
    let before = store.sizes().await.unwrap();
    for first in (10..10 + CHURN).step_by(usize::try_from(CROWD).unwrap()) {
        churn(&store, first..first + CROWD).await;
        let crowded = store.sizes().await.unwrap();
        assert!(crowded.0.applications > 500, "{crowded:?}");
        while store.erase(at(200_000 + 100 * first), 200).await.unwrap() {}
    }
    maintain(&store, ONE_DAY, at(10_000_000)).await;
    assert_eq!(store.sizes().await.unwrap(), before);
    // Nothing is left on disk either.
    store.close().await.unwrap();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    let count = |table: &str| -> u64 {
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let tables = [
        "application_numbers",
        "endpoint_numbers",
        "event_type_numbers",
        "erasures",
        "retired",
        "attempts",
        "applications",
        "messages",
        "pending",
        "event_types",
    ];
    assert_eq!(tables.map(count), [2, 2, 1, 0, 0, 0, 2, 2, 2, 0]);
    drop(db);
    let store = open_embedded(folder.path());
    assert_eq!(store.sizes().await.unwrap(), before);
    assert_eq!(message_counts(&store).await, (1, 1));
}

async fn message_counts(store: &EmbeddedStore) -> (usize, usize) {
    (message_count(store, 1).await, message_count(store, 2).await)
}

#[tokio::test]
async fn an_endpoint_keeps_its_number_as_long_as_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![leased(1, &[1, 2])]).await.unwrap();
    deliver(&store, 1, fresh(1, 1)).await;
    deliver(&store, 2, fresh(2, 1)).await;
    assert!(store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap());
    maintain(&store, ONE_DAY, at(400_000)).await;
    assert_eq!(store.sizes().await.unwrap().0.endpoints, 2);
    let of = AttemptsOf::Message(application_id(1), message_id(1), None);
    let attempts = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
    assert_eq!(attempts.items.len(), 2);
    // Attempts before a later message can expire.
    store.append(vec![free(300_000, &[2])]).await.unwrap();
    let retention = Retention { rows: Duration::from_millis(1), ..ONE_DAY };
    maintain(&store, retention, at(400_000)).await;
    let left = store.sizes().await.unwrap().0;
    assert_eq!((left.applications, left.endpoints, left.event_types), (1, 1, 1));
}
