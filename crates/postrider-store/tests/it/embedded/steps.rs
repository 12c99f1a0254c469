//! Other commits wait while a transaction changes rows, so each changes a bounded number of them,
//! however many deliveries an endpoint has.

use postrider_core::catalog::{Application, Endpoint};
use postrider_store::{
    AuditLog, BatchedChange, Change, Changed, Claim, Deliveries, DeliveriesOf, DeliveryFilter,
    DeliveryRow, EmbeddedStore, Expected, History, IdOrUid, Maintenance, NewMessage, RecordKind,
    RecordRow, Records, Retention, Scan, Scope, StatusKind, Version,
};

use crate::fixture::*;

/// Deliveries of endpoint 1: several steps of each kind of work.
const COUNT: u64 = 5_001;

/// Rows that one transaction may change. A step of a cancellation removes 2,000 rows and notes as
/// many.
const BOUND: u64 = 4_100;

/// Appends messages to endpoint 1 in small transactions.
async fn fill(store: &EmbeddedStore, new: impl Fn(u64) -> NewMessage) {
    for first in (1..=COUNT).step_by(500) {
        let numbers = first..(first + 500).min(COUNT + 1);
        store.append(numbers.map(&new).collect()).await.unwrap();
    }
    store.take_most_row_changes().await.unwrap();
}

/// Fills a store, does something with it, and checks that every transaction was small. Returns how
/// many deliveries wait afterwards.
async fn check(new: impl Fn(u64) -> NewMessage, work: impl AsyncFn(&EmbeddedStore)) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    fill(&store, new).await;
    work(&store).await;
    let most = store.take_most_row_changes().await.unwrap();
    assert!((1..=BOUND).contains(&most), "{most}");
    store.size().await.unwrap().waiting
}

/// How many deliveries of endpoint 1 the index knows as cancelled.
async fn cancelled(store: &EmbeddedStore) -> u64 {
    let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
    let mut scan = Scan { limit: 1_000, ..all() };
    let mut count = 0;
    loop {
        let page = store.deliveries(of, DeliveryFilter::default(), scan.clone()).await.unwrap();
        let is_cancelled =
            |row: &&DeliveryRow| StatusKind::from(row.status) == StatusKind::Cancelled;
        count += page.items.iter().filter(is_cancelled).count() as u64;
        let Some(after) = page.resume else { return count };
        scan.after = Some(after);
    }
}

fn waiting(number: u64) -> NewMessage {
    free(number, &[1])
}

fn in_order(number: u64) -> NewMessage {
    ordered(number, &[1])
}

#[tokio::test]
async fn a_long_lane_is_cancelled_in_steps() {
    for scope in
        [Scope::Endpoint(application_id(1), endpoint_id(1)), Scope::Application(application_id(1))]
    {
        for new in [waiting, in_order] {
            let cancel = async |store: &EmbeddedStore| {
                // Some are leased.
                assert!(!claimed(store, claim()).await.is_empty());
                assert_eq!(store.cancel(scope).await.unwrap(), COUNT);
                assert_eq!(claimed(store, claim()).await, []);
                assert_eq!(cancelled(store).await, COUNT);
            };
            assert_eq!(check(new, cancel).await, 0);
        }
    }
}

#[tokio::test]
async fn deliveries_that_are_only_leased_are_cancelled_in_steps() {
    let cancel = async |store: &EmbeddedStore| {
        let scope = Scope::Endpoint(application_id(1), endpoint_id(1));
        assert_eq!(store.cancel(scope).await.unwrap(), COUNT);
    };
    assert_eq!(check(|number| leased(number, &[1]), cancel).await, 0);
}

#[tokio::test]
async fn an_endpoint_or_application_with_a_long_lane_is_removed_in_steps() {
    let endpoint = async |store: &EmbeddedStore| {
        store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap();
    };
    assert_eq!(check(waiting, endpoint).await, 0);
    let application = async |store: &EmbeddedStore| {
        store.remove::<Application>(&organization(), &application_id(1)).await.unwrap();
    };
    assert_eq!(check(waiting, application).await, 0);
}

/// As `postrider apply` does, with other changes in the same transaction.
#[tokio::test]
async fn a_batch_of_changes_removes_an_endpoint_with_a_long_lane_in_steps() {
    let batched = |change, number| BatchedChange { change, entry: Some(audit_entry(number)) };
    let save = |expected| Change::SaveRecord(RecordRow::of(&application(7)).unwrap(), expected);
    let remove = |endpoint| {
        let id = endpoint_id(endpoint).into();
        Change::RemoveRecord(RecordKind::Endpoint, application_id(1).into(), id)
    };
    let apply = async |store: &EmbeddedStore| {
        let refused = vec![batched(remove(1), 1), batched(save(Expected::Version(Version(3))), 2)];
        store.change_all(refused).await.unwrap_err();
        assert_eq!(store.size().await.unwrap().waiting, COUNT);
        let changes =
            vec![batched(save(Expected::New), 1), batched(remove(1), 2), batched(remove(2), 3)];
        store.change_all(changes).await.unwrap();
        assert_eq!(cancelled(store).await, COUNT);
        assert_eq!(claimed(store, claim()).await, []);
    };
    assert_eq!(check(waiting, apply).await, 0);
}

#[tokio::test]
async fn claims_cancel_what_a_removed_endpoint_has_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap();
    fill(&store, waiting).await;
    let mut claims = 0;
    while let Some(due) = store.claim(claim()).await.unwrap().next_due {
        assert!(due <= NOW);
        claims += 1;
    }
    assert_eq!(claims, COUNT / 2_000);
    assert!(store.take_most_row_changes().await.unwrap() <= BOUND);
    assert_eq!(store.size().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn much_of_an_order_is_skipped_in_steps() {
    let skip = async |store: &EmbeddedStore| {
        let (application, endpoint) = (application_id(1), endpoint_id(1));
        let until = Some(message_id(COUNT - 1));
        let change = Change::Skip { application, endpoint, until };
        let changed = store.change(change, audit_entry(1)).await.unwrap();
        assert_eq!(changed, Changed::Done(true));
        assert_eq!(claimed(store, claim()).await, [(1, COUNT, 1)]);
    };
    // The last one is leased.
    assert_eq!(check(in_order, skip).await, 0);
}

#[tokio::test]
async fn many_deliveries_are_released_in_steps() {
    let release = async |store: &EmbeddedStore| {
        let deliveries = (1..=COUNT).map(|number| (fresh(1, number), NOW)).collect();
        store.release(deliveries).await.unwrap();
    };
    assert_eq!(check(|number| leased(number, &[1]), release).await, COUNT);
}

#[tokio::test]
async fn many_leases_expire_in_steps() {
    let expire = async |store: &EmbeddedStore| {
        let late = NOW + std::time::Duration::from_millis(LEASE);
        let mut left = COUNT;
        while left > 0 {
            let all = Claim { limit: 10_000, per_endpoint: 10_000, ..claim_at(late) };
            let found = store.claim(all).await.unwrap();
            left -= found.deliveries.len() as u64;
            assert!(left == 0 || found.next_due.is_some_and(|due| due <= late));
        }
    };
    check(|number| leased(number, &[1]), expire).await;
}

#[tokio::test]
async fn old_messages_expire_in_steps() {
    let expire_all = async |store: &EmbeddedStore| {
        expire(store, at(2_000_000_000), ONE_DAY).await;
    };
    check(|number| NewMessage { targets: Vec::new(), ..waiting(number) }, expire_all).await;
}

#[tokio::test]
async fn payloads_that_expire_in_the_same_minute_are_all_removed_in_steps() {
    let expire_all = async |store: &EmbeddedStore| {
        let kept = Retention { rows: 365 * DAY, ..ONE_DAY };
        expire(store, at(2_000_000_000), kept).await;
        for number in [1, 500, 501, 1_000, 1_001, COUNT] {
            let id = IdOrUid::Id(message_id(number));
            let message = store.message(application_id(1), &id).await.unwrap().unwrap();
            assert_eq!(message.body, None, "{number}");
        }
    };
    check(|number| NewMessage { targets: Vec::new(), ..waiting(number) }, expire_all).await;
}

#[tokio::test]
async fn other_commits_run_between_the_steps() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    fill(&store, waiting).await;
    let cancel = store.cancel(Scope::Endpoint(application_id(1), endpoint_id(1)));
    let append = async {
        let mut still_waiting = Vec::new();
        for number in 1..=20 {
            store.append(vec![free(COUNT + number, &[2])]).await.unwrap();
            still_waiting.push(store.size().await.unwrap().waiting);
        }
        still_waiting
    };
    let (cancelled, seen) = tokio::join!(cancel, append);
    assert_eq!(cancelled.unwrap(), COUNT);
    assert!(seen.iter().any(|waiting| (21..COUNT).contains(waiting)), "{seen:?}");
}
