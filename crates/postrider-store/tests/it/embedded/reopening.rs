//! The embedded store after the process has ended and the store is opened again.

use std::{fs, path::Path, time::Duration};

use postrider::EventTypeName;
use postrider_core::{
    catalog::{Application, Endpoint, Source},
    delivery::{Delivery, Trigger},
    message::Message,
    retry::{RetryPlan, Verdict},
};
use postrider_store::{
    AppendOutcome, Catalog, Claim, Deliveries, EmbeddedStore, Expected, History, Hold, IdOrUid,
    Idempotency, KeyReservation, Maintenance, Options, Records, Rejections, ResendMode, Scope,
    StatusKind, StoreError, Version,
};

use super::copy_folder;
use crate::fixture::*;

/// The files as they would be left if the machine lost its power now.
fn crash_image(of: &Path) -> tempfile::TempDir {
    // The index may be lost, and the next process rebuilds the shared memory of the log.
    copy_folder(of, |name| name.starts_with("postrider.db") && name != "postrider.db-shm")
}

/// Runs the first part, then the second one: once after the store was closed, once after a crash.
async fn check(before: impl AsyncFn(&EmbeddedStore), after: impl AsyncFn(&EmbeddedStore)) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    before(&store).await;
    let image = crash_image(folder.path());
    let reopened = open_embedded(image.path());
    reopened.index_complete().await.unwrap();
    after(&reopened).await;
    store.close().await.unwrap();
    after(&open_embedded(folder.path())).await;
}

#[tokio::test]
async fn pending_deliveries_are_offered_again_at_once() {
    let before = async |store: &EmbeddedStore| {
        store.append(vec![leased(1, &[1, 2]), free(2, &[1]), free(3, &[1])]).await.unwrap();
        store.claim(Claim { limit: 1, ..claim() }).await.unwrap();
        store.append(vec![leased(4, &[2])]).await.unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        let expected = [(1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 1, 1), (2, 4, 1)];
        assert_eq!(claimed(store, claim()).await, expected);
    };
    check(before, after).await;
}

#[tokio::test]
async fn the_order_of_deliveries_survives() {
    let before = async |store: &EmbeddedStore| {
        store.append((1..=6).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        let three = Claim { per_endpoint: 3, ..claim() };
        assert_eq!(claimed(store, three).await.len(), 3);
        deliver(store, 1, fresh(1, 1)).await;
        settle(store, vec![settlement(2, fresh(1, 2), 500, Verdict::RetryAt(at(150_000)))]).await;
        store.release(vec![(fresh(1, 3), at(120_000))]).await.unwrap();
        store.append(vec![ordered(7, &[1])]).await.unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        let found = store.claim(claim_at(at(120_000))).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(at(150_000))));
        let expected = [(1, 2, 2), (1, 3, 1), (1, 4, 1), (1, 5, 1), (1, 6, 1), (1, 7, 1)];
        assert_eq!(claimed(store, claim_at(at(150_000))).await, expected);
    };
    check(before, after).await;
}

/// Reverts a folder to the format before records had versions.
const REVERT_VERSIONS: &str =
    "DROP TABLE cancelled; DROP TABLE poll_logs; DROP TABLE poll_entries; DROP TABLE poll_consumers;
     DROP TABLE schema_reports; DROP TABLE connectors; DROP TABLE consumers; DROP TABLE consumer_partitions;
    DROP TABLE dead_letters; DROP TABLE audit_log; DROP TABLE api_keys;
    DROP TABLE api_key_uses; DROP TABLE token_policies; DROP TABLE sign_ins; DROP TABLE tasks;
    DROP INDEX endpoints_by_url;
    ALTER TABLE applications DROP COLUMN version;
    ALTER TABLE endpoints DROP COLUMN version; ALTER TABLE event_types DROP COLUMN version;
    ALTER TABLE sources DROP COLUMN version; PRAGMA user_version = 5;";

/// Reverts a folder without versions to the format before removed applications were erased.
const REVERT_ERASURE: &str = "ALTER TABLE journal DROP COLUMN accepted;
    DROP TABLE erasures; DROP TABLE retired; DROP INDEX endpoint_numbers_by_application;";

/// Reverts a folder to the format before sources, and then executes `further`.
fn revert_sources(folder: &Path, further: &str) {
    let db = rusqlite::Connection::open(folder.join("postrider.db")).unwrap();
    let sources = "DROP TABLE sources; DROP TABLE rejections; PRAGMA user_version = 2;
        ALTER TABLE pending DROP COLUMN resume_at;
        ";
    db.execute_batch(&format!("{REVERT_VERSIONS}{REVERT_ERASURE}{sources}{further}")).unwrap();
}

#[tokio::test]
async fn a_folder_from_before_sources_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![free_with_digest(1, &[1]), leased(2, &[1]), ordered(3, &[2])]).await.unwrap();
    deliver(&store, 1, fresh(1, 2)).await;
    store.close().await.unwrap();
    revert_sources(folder.path(), "");
    let store = open_embedded(folder.path());
    assert_eq!(
        store.append(vec![free_with_digest(4, &[1])]).await.unwrap(),
        [AppendOutcome::Duplicate(message_id(1))]
    );
    assert_eq!(claimed(&store, claim()).await, [(1, 1, 1), (2, 3, 1)]);
    assert_eq!(delivery_states(&store, 1).await[1], (2, StatusKind::Delivered, 1));
    create_sources(&store, 1..=1).await;
    store.reject(vec![rejection(1, 1)]).await.unwrap();
    store.close().await.unwrap();
    let store = open_embedded(folder.path());
    assert_eq!(store.find::<Source>(token_digest(1)).await.unwrap(), Some(source(1)));
    let kept = store.rejections(source_id(1), all()).await.unwrap();
    assert_eq!(kept.items, [rejection(1, 1)]);
}

#[tokio::test]
async fn records_from_before_versions_have_version_1() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.save(&application(1), Expected::Any).await.unwrap();
    store.close().await.unwrap();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    db.execute_batch(REVERT_VERSIONS).unwrap();
    drop(db);
    let store = open_embedded(folder.path());
    let found = store.find_versioned::<Application>(application_id(1)).await.unwrap();
    assert_eq!(found, Some((application(1), Version(1))));
    let saved = store.save(&application(1), Expected::Version(Version(1))).await.unwrap();
    assert_eq!(saved, Version(2));
    store.close().await.unwrap();
    let store = open_embedded(folder.path());
    let found = store.find_versioned::<Application>(application_id(1)).await.unwrap();
    assert_eq!(found, Some((application(1), Version(2))));
}

#[tokio::test]
async fn a_folder_from_before_pausing_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![leased(1, &[1]), free(2, &[1]), free(3, &[2]), free(4, &[2])]).await.unwrap();
    // Disabling an endpoint cancelled its deliveries then.
    disable(&store, 1, true).await;
    store.cancel(Scope::Endpoint(application_id(1), endpoint_id(1))).await.unwrap();
    store.close().await.unwrap();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    // Message 4 was resent.
    let revert_pausing = "ALTER TABLE pending DROP COLUMN resume_at; PRAGMA user_version = 3;
        UPDATE pending SET flags = 1 WHERE free_at = (SELECT max(free_at) FROM pending)";
    db.execute_batch(&format!("{REVERT_VERSIONS}{REVERT_ERASURE}{revert_pausing}")).unwrap();
    drop(db);
    let store = open_embedded(folder.path());
    disable(&store, 1, false).await;
    let found = store.claim(claim()).await.unwrap();
    let manual = Delivery { trigger: Trigger::Manual, ..fresh(2, 4) };
    let offered: Vec<_> = found.deliveries.iter().map(|(it, _)| *it).collect();
    assert_eq!(offered, [fresh(2, 3), manual]);
    store.begin_recovery(recovery(0, 100)).await.unwrap();
    assert_eq!(store.recover(NOW, 10).await.unwrap(), Some(2));
    assert_eq!(claimed(&store, claim()).await, [(1, 1, 1), (1, 2, 1)]);
}

#[tokio::test]
async fn paused_deliveries_stay_paused() {
    let before = async |store: &EmbeddedStore| {
        store.append(vec![leased(1, &[1]), free(2, &[1, 2]), ordered(3, &[1])]).await.unwrap();
        disable(store, 1, true).await;
    };
    let after = async |store: &EmbeddedStore| {
        assert_eq!(claimed(store, claim()).await, [(2, 2, 1)]);
        disable(store, 1, false).await;
        assert_eq!(claimed(store, claim()).await, [(1, 1, 1), (1, 2, 1), (1, 3, 1)]);
    };
    check(before, after).await;
}

#[tokio::test]
async fn a_resend_stays_one_attempt() {
    let before = async |store: &EmbeddedStore| {
        store.append(vec![leased(1, &[1]), leased(2, &[1])]).await.unwrap();
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(300_000)))]).await;
        fail(store, 2, fresh(1, 2)).await;
        for message in 1..=2 {
            let id = delivery_id(1, message);
            let mode = ResendMode::Once;
            assert!(store.resend(application_id(1), id, at(5), mode).await.unwrap());
        }
    };
    let after = async |store: &EmbeddedStore| {
        let found = store.claim(claim()).await.unwrap();
        let retry_plans: Vec<_> = found.deliveries.iter().map(|(it, _)| it.retry_plan).collect();
        assert_eq!(retry_plans, [RetryPlan::Resume(at(300_000)), RetryPlan::Once]);
    };
    check(before, after).await;
}

#[tokio::test]
async fn sources_and_rejections_are_kept() {
    let before = async |store: &EmbeddedStore| {
        create_sources(store, 1..=2).await;
        store.reject(vec![rejection(1, 1), rejection(2, 2), rejection(3, 1)]).await.unwrap();
        store.remove::<Source>(&organization(), &source_id(2)).await.unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        let sources = store.list::<Source>(&organization(), all()).await.unwrap();
        assert_eq!(sources.items, [source(1)]);
        assert_eq!(store.find::<Source>(token_digest(2)).await.unwrap(), None);
        let kept = store.rejections(source_id(1), all()).await.unwrap();
        assert_eq!(kept.items, [rejection(1, 1), rejection(3, 1)]);
        assert_eq!(store.rejections(source_id(2), all()).await.unwrap().items, []);
    };
    check(before, after).await;
}

#[tokio::test]
async fn a_folder_from_before_delivery_orders_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![free(1, &[1]), leased(2, &[1])]).await.unwrap();
    store.close().await.unwrap();
    revert_sources(
        folder.path(),
        "ALTER TABLE pending DROP COLUMN due_at; PRAGMA user_version = 1",
    );
    let store = open_embedded(folder.path());
    store.append(vec![ordered(3, &[1]), ordered(4, &[1])]).await.unwrap();
    let expected = [(1, 1, 1), (1, 2, 1), (1, 3, 1), (1, 4, 1)];
    assert_eq!(claimed(&store, claim()).await, expected);
}

#[tokio::test]
async fn ended_deliveries_stay_ended() {
    let before = async |store: &EmbeddedStore| {
        store.append((1..=8).map(|number| leased(number, &[1])).collect()).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        fail(store, 2, fresh(1, 2)).await;
        store.cancel(Scope::Message(application_id(1), message_id(3))).await.unwrap();
        store.expunge_message(application_id(1), message_id(4)).await.unwrap();
        store.release(vec![(fresh(1, 5), at(5)), (fresh(1, 6), at(6))]).await.unwrap();
        store.cancel(Scope::Message(application_id(1), message_id(5))).await.unwrap();
        let held = store.claim(claim()).await.unwrap().deliveries[0].0;
        deliver(store, 6, held).await;
        settle(store, vec![settlement(7, fresh(1, 7), 500, Verdict::RetryAt(at(7)))]).await;
        store.append(vec![leased(9, &[2]), free(10, &[2])]).await.unwrap();
        store.cancel(Scope::Endpoint(application_id(1), endpoint_id(2))).await.unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        assert_eq!(claimed(store, claim()).await, [(1, 7, 2), (1, 8, 1)]);
    };
    check(before, after).await;
}

#[tokio::test]
async fn a_retry_keeps_its_time_and_its_flags() {
    let before = async |store: &EmbeddedStore| {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let reported = Delivery { reported: true, ..fresh(1, 1) };
        settle(store, vec![settlement(1, reported, 500, Verdict::RetryAt(at(300_000)))]).await;
    };
    let after = async |store: &EmbeddedStore| {
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(at(300_000))));
        let found = store.claim(claim_at(at(300_000))).await.unwrap();
        assert_eq!(found.deliveries[0].0, Delivery { attempt: 2, reported: true, ..fresh(1, 1) });
    };
    check(before, after).await;
}

#[tokio::test]
async fn event_ids_and_digests_stay_unique() {
    let named = |number| Message { event_id: Some("e".parse().unwrap()), ..message(number) };
    let before = async |store: &EmbeddedStore| {
        store
            .append(vec![new(named(1), &[], Hold::Free(at(0))), free_with_digest(2, &[])])
            .await
            .unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        let batch =
            vec![new(named(3), &[], Hold::Free(at(0))), free_with_digest(4, &[]), free(1, &[])];
        let expected = [
            AppendOutcome::EventIdTaken(message_id(1)),
            AppendOutcome::Duplicate(message_id(2)),
            AppendOutcome::New,
        ];
        assert_eq!(store.append(batch).await.unwrap(), expected);
        assert_eq!(store.last_sequence().await.unwrap(), message_id(2).sequence());
    };
    check(before, after).await;
}

#[tokio::test]
async fn a_message_with_two_dots_as_its_event_type_is_read() {
    let named = || Message { event_type: EventTypeName::stored("..").unwrap(), ..message(1) };
    let before = async |store: &EmbeddedStore| {
        store.append(vec![new(named(), &[1], Hold::Leased(NOW))]).await.unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        let found = store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap();
        assert_eq!(found, Some(named()));
    };
    check(before, after).await;
}

#[tokio::test]
async fn responses_are_kept_and_reservations_are_not() {
    let before = async |store: &EmbeddedStore| {
        store.reserve_key([1; 32], [1; 32], NOW).await.unwrap();
        store.complete_key([1; 32], Some(vec![9]), NOW).await.unwrap();
        store.reserve_key([2; 32], [1; 32], NOW).await.unwrap();
    };
    let after = async |store: &EmbeddedStore| {
        let kept = store.reserve_key([1; 32], [1; 32], NOW).await.unwrap();
        assert_eq!(kept, KeyReservation::Completed(vec![9]));
        assert_eq!(
            store.reserve_key([2; 32], [3; 32], NOW).await.unwrap(),
            KeyReservation::Acquired
        );
    };
    check(before, after).await;
}

#[tokio::test]
async fn the_catalog_is_kept() {
    let before = async |store: &EmbeddedStore| {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let mut failing = settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(7)));
        failing.failing_since = Some(Some(at(3)));
        settle(store, vec![failing]).await;
    };
    let after = async |store: &EmbeddedStore| {
        let named = IdOrUid::Id(endpoint_id(1));
        let found = store.get::<Endpoint>(&application_id(1), &named).await.unwrap();
        assert_eq!(found, Some(endpoint(1)));
        let failing = store.failing(application_id(1)).await.unwrap();
        assert_eq!(failing, [(endpoint_id(1), at(3))]);
    };
    check(before, after).await;
}

#[tokio::test]
async fn a_recovery_continues() {
    let before = async |store: &EmbeddedStore| {
        store.append((1..=4).map(|number| leased(number, &[1])).collect()).await.unwrap();
        for number in 1..=4 {
            fail(store, number, fresh(1, number)).await;
        }
        store.begin_recovery(recovery(0, 100)).await.unwrap();
        assert_eq!(store.recover(NOW, 2).await.unwrap(), Some(2));
        let found = store.claim(claim()).await.unwrap();
        fail(store, 10, found.deliveries[0].0).await;
        fail(store, 11, found.deliveries[1].0).await;
    };
    let after = async |store: &EmbeddedStore| {
        assert_eq!(store.recover(NOW, 5).await.unwrap(), Some(2));
        assert_eq!(store.recover(NOW, 5).await.unwrap(), None);
        assert_eq!(claimed(store, claim()).await, [(1, 3, 1), (1, 4, 1)]);
    };
    check(before, after).await;
}

#[tokio::test]
async fn reopening_many_times_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    set_up(&open_embedded(folder.path())).await;
    for round in 0..5 {
        let store = open_embedded(folder.path());
        store.append(vec![leased(round * 10, &[1]), leased(round * 10 + 1, &[2])]).await.unwrap();
        let found = store.claim(claim_at(NOW + Duration::from_secs(round))).await.unwrap();
        let expected: Vec<_> = (0..round).map(|it| (2, it * 10 + 1, 1)).collect();
        assert_eq!(numbers(&found), expected);
        deliver(&store, round, fresh(1, round * 10)).await;
    }
}

/// More messages than the store reads when it is opened.
const MANY: u64 = 30_000;

#[tokio::test]
async fn long_leases_are_not_lost() {
    let before = async |store: &EmbeddedStore| {
        store.append(vec![leased(10, &[1]), leased(11, &[1])]).await.unwrap();
        for first in (100..MANY).step_by(1_000) {
            let numbers = first..first + 1_000;
            store.append(numbers.clone().map(|it| leased(it, &[2])).collect()).await.unwrap();
            let settled = numbers.map(|it| settlement(it, fresh(2, it), 200, Verdict::Delivered));
            settle(store, settled.collect()).await;
        }
        // The first holder still holds its deliveries,
        assert_eq!(claimed(store, claim()).await, []);
        deliver(store, 10, fresh(1, 10)).await;
        // also for a message whose id was created long ago.
        store.append(vec![leased(12, &[3])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
    };
    let after = async |store: &EmbeddedStore| {
        assert_eq!(claimed(store, claim()).await, [(1, 11, 1), (3, 12, 1)]);
        assert_eq!(delivery_states(store, 1).await[0], (10, StatusKind::Delivered, 1));
    };
    check(before, after).await;
}

#[tokio::test]
async fn an_index_that_lags_behind_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![leased(1, &[1])]).await.unwrap();
    drop(store);
    let old = fs::read(folder.path().join("index.db")).unwrap();
    for round in 2..5 {
        let store = open_embedded(folder.path());
        store.append(vec![leased(round, &[1])]).await.unwrap();
        deliver(&store, round, fresh(1, round)).await;
        store.cancel(Scope::Message(application_id(1), message_id(round - 1))).await.unwrap();
    }
    fs::write(folder.path().join("index.db"), old).unwrap();
    let expected = [
        (1, StatusKind::Cancelled, 0),
        (2, StatusKind::Delivered, 1),
        (3, StatusKind::Delivered, 1),
        (4, StatusKind::Delivered, 1),
    ];
    assert_eq!(delivery_states(&open_embedded(folder.path()), 1).await, expected);
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_embedded(folder.path());
    let error = EmbeddedStore::open(folder.path(), &Options::default()).unwrap_err();
    let StoreError::Unavailable(cause) = error else { panic!("{error:?}") };
    assert!(cause.to_string().contains("in use by another postrider"), "{cause}");
    drop(first);
    open_embedded(folder.path());
}
