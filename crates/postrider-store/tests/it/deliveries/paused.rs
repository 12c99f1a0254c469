//! The promises of `Deliveries` about disabled endpoints: their deliveries are paused.

use std::time::Duration;

use postrider_core::{
    catalog::{Application, Endpoint},
    delivery::Delivery,
    retry::Verdict,
};
use postrider_store::{
    Cluster, Deliveries, Expected, Maintenance, PostgresStore, Records, StatusKind, StoreEvent,
};

use crate::{
    fixture,
    fixture::*,
    schema::{REVERT_PAUSING, REVERT_VERSIONS, Schema},
    store_tests,
};

#[tokio::test]
async fn a_schema_from_before_pausing_is_migrated() {
    let schema = Schema::create().await;
    let node = schema.open().await;
    set_up(&node).await;
    node.append(vec![free(1, &[1]), free(2, &[2]), leased(3, &[1])]).await.unwrap();
    // Endpoint 1 has a lane, endpoint 3 has none.
    disable(&node, 1, true).await;
    disable(&node, 3, true).await;
    node.close().await.unwrap();
    let client = schema.client().await;
    client
        .batch_execute(&format!(
            "{REVERT_VERSIONS}{REVERT_PAUSING} DELETE FROM lane WHERE due_at IS NULL"
        ))
        .await
        .unwrap();
    let migrated = PostgresStore::migrate(&schema.options()).await.unwrap();
    assert_eq!(migrated.from, 2);
    let node = schema.open().await;
    node.append(vec![free(4, &[3])]).await.unwrap();
    assert_eq!(claimed(&node, claim()).await, [(2, 2, 1)]);
    disable(&node, 1, false).await;
    disable(&node, 3, false).await;
    assert_eq!(claimed(&node, claim()).await, [(1, 1, 1), (1, 3, 1), (3, 4, 1)]);
    node.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn other_nodes_are_notified_of_an_enabled_endpoint() {
    let schema = Schema::create().await;
    let (store, other) = (schema.open().await, schema.open().await);
    set_up(&store).await;
    store.append(vec![free(1, &[1])]).await.unwrap();
    disable(&store, 1, true).await;
    assert_eq!(claimed(&other, claim()).await, []);
    while other.next_event().await != StoreEvent::ApplicationChanged(application_id(1)) {}
    disable(&store, 1, false).await;
    while other.next_event().await != StoreEvent::DeliveriesDue {}
    assert_eq!(claimed(&other, claim()).await, [(1, 1, 1)]);
    drop((store, other));
    schema.remove().await;
}

store_tests! {
    async fn deliveries_wait_until_the_endpoint_is_enabled(store) {
        store.append(vec![leased(1, &[1]), free(2, &[1, 2]), leased(3, &[1])]).await.unwrap();
        disable(store, 1, true).await;
        // Deliveries that are appended, settled or released after the endpoint was disabled.
        store.append(vec![free(4, &[1])]).await.unwrap();
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(150_000)))]).await;
        store.release(vec![(fresh(1, 3), at(90_000))]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        let lease_end = NOW + Duration::from_millis(LEASE);
        assert_eq!((numbers(&found), found.next_due), (vec![(2, 2, 1)], Some(lease_end)));
        deliver(store, 2, fresh(2, 2)).await;
        let found = store.claim(claim_at(at(800_000))).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], None));
        let pending = |number, attempts| (number, StatusKind::Pending, attempts);
        let rows = [(1, StatusKind::Sending, 1), pending(2, 0), pending(3, 0), pending(4, 0)];
        assert_eq!(delivery_states(store, 1).await, rows);
        assert_eq!(store.size().await.unwrap().oldest_due, None);
        disable(store, 1, false).await;
        assert_eq!(store.size().await.unwrap().oldest_due, Some(at(2)));
        let found = store.claim(claim()).await.unwrap();
        assert_eq!(numbers(&found), [(1, 2, 1), (1, 4, 1), (1, 3, 1)]);
        assert_eq!(found.next_due, Some(at(150_000)));
        let found = store.claim(claim_at(at(150_000))).await.unwrap();
        assert_eq!(found.deliveries[0].0, Delivery { attempt: 2, ..fresh(1, 1) });
    }

    async fn deliveries_held_during_a_pause_can_be_settled_and_released(store) {
        store.append((1..=4).map(|number| free(number, &[1])).collect()).await.unwrap();
        let held: Vec<_> =
            store.claim(claim()).await.unwrap().deliveries.iter().map(|it| it.0).collect();
        disable(store, 1, true).await;
        deliver(store, 1, held[0]).await;
        fail(store, 2, held[1]).await;
        store.release(vec![(held[2], NOW)]).await.unwrap();
        // The lease of the fourth expires.
        let later = at(500_000);
        assert_eq!(claimed(store, claim_at(later)).await, []);
        let rows = [
            (1, StatusKind::Delivered, 1),
            (2, StatusKind::Failed, 1),
            (3, StatusKind::Pending, 0),
            (4, StatusKind::Pending, 0),
        ];
        assert_eq!(delivery_states(store, 1).await, rows);
        disable(store, 1, false).await;
        let mut offered = claimed(store, claim_at(later)).await;
        offered.sort_unstable();
        assert_eq!(offered, [(1, 3, 1), (1, 4, 1)]);
    }

    async fn an_order_continues_after_a_pause(store) {
        store.append((1..=3).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        disable(store, 1, true).await;
        store.append(vec![ordered(4, &[1])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
        disable(store, 1, false).await;
        let all = [(1, 1, 1), (1, 2, 1), (1, 3, 1), (1, 4, 1)];
        assert_eq!(claimed(store, claim()).await, all);
    }

    async fn an_endpoint_that_is_created_disabled_is_paused(store) {
        let new = Endpoint { disabled: true, ..endpoint(7) };
        store.save(&new, Expected::New).await.unwrap();
        store.append(vec![free(1, &[7])]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], None));
        disable(store, 7, false).await;
        assert_eq!(claimed(store, claim()).await, [(7, 1, 1)]);
    }

    async fn paused_deliveries_are_cancelled_when_the_endpoint_is_removed(store) {
        store.append(vec![free(1, &[1]), free(2, &[2])]).await.unwrap();
        disable(store, 1, true).await;
        disable(store, 2, true).await;
        store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap();
        // A message that was accepted while the endpoint was removed.
        store.append(vec![free(3, &[1])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
        let ended = [(1, StatusKind::Cancelled, 0), (3, StatusKind::Cancelled, 0)];
        assert_eq!(delivery_states(store, 1).await, ended);
        store.remove::<Application>(&organization(), &application_id(1)).await.unwrap();
        store.append(vec![free(4, &[2])]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], None));
        let ended = [(2, StatusKind::Cancelled, 0), (4, StatusKind::Cancelled, 0)];
        assert_eq!(delivery_states(store, 2).await, ended);
    }

    async fn a_paused_delivery_does_not_keep_its_message_from_expiring(store) {
        let batch = vec![free(1, &[1, 2]), free(2, &[1]), leased(3, &[1])];
        store.append(batch).await.unwrap();
        disable(store, 1, true).await;
        expire(store, at(0) + DAY / 2, ONE_DAY).await;
        let rows = [1, 2, 3].map(|number| (number, StatusKind::Pending, 0));
        assert_eq!(delivery_states(store, 1).await, rows);
        expire(store, at(10) + DAY, ONE_DAY).await;
        let is_stored = async |number| stored_message(store, number).await.is_some();
        // The first is still pending for endpoint 2, and the third is held.
        assert_eq!(
            (is_stored(1).await, is_stored(2).await, is_stored(3).await),
            (true, false, true)
        );
        let rows = [(1, StatusKind::Cancelled, 0), (3, StatusKind::Pending, 0)];
        assert_eq!(delivery_states(store, 1).await, rows);
        assert_eq!(delivery_states(store, 2).await, [(1, StatusKind::Pending, 0)]);
        let late = at(0) + 2 * DAY;
        assert_eq!(claimed(store, claim_at(late)).await, [(2, 1, 1)]);
        deliver(store, 1, fresh(2, 1)).await;
        expire(store, late, ONE_DAY).await;
        assert_eq!((is_stored(1).await, is_stored(3).await), (false, false));
        disable(store, 1, false).await;
        assert_eq!(claimed(store, claim_at(late)).await, []);
    }
}
