//! The promises about skipping deliveries, retrying them at once, and pausing an endpoint.

use postrider_core::{catalog::Endpoint, delivery::Delivery, retry::Verdict};
use postrider_store::{Change, Changed, Expected, Records, StatusKind, Store};

use crate::{fixture, fixture::*, store_tests};

async fn skip(store: &dyn Store, endpoint: u64, until: Option<u64>, entry: u64) -> bool {
    let (application, endpoint) = (application_id(1), endpoint_id(endpoint));
    let change = Change::Skip { application, endpoint, until: until.map(message_id) };
    store.change(change, audit_entry(entry)).await.unwrap() == Changed::Done(true)
}

async fn retry_now(store: &dyn Store, endpoint: u64, entry: u64) -> bool {
    let (application, endpoint) = (application_id(1), endpoint_id(endpoint));
    let change = Change::RetryNow { application, endpoint, at: NOW };
    store.change(change, audit_entry(entry)).await.unwrap() == Changed::Done(true)
}

async fn retry_later(store: &dyn Store, number: u64, delivery: Delivery) {
    let verdict = Verdict::RetryAt(at(900_000));
    settle(store, vec![settlement(number, delivery, 500, verdict)]).await;
}

store_tests! {
    async fn the_first_deliveries_of_an_order_are_skipped(store) {
        store.append((1..=5).map(|number| ordered(number, &[1, 2])).collect()).await.unwrap();
        store.append(vec![free(6, &[1])]).await.unwrap();
        assert!(skip(store, 1, None, 1).await);
        assert!(skip(store, 1, Some(3), 2).await);
        assert!(!skip(store, 1, Some(3), 3).await, "it was skipped before");
        assert!(!skip(store, 3, None, 4).await, "there is nothing to skip");
        let expected = [(1, 6, 1), (1, 4, 1), (1, 5, 1), (2, 1, 1), (2, 2, 1), (2, 3, 1), (2, 4, 1), (2, 5, 1)];
        let mut found = claimed(store, claim()).await;
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
        let states = delivery_states(store, 1).await;
        let cancelled: Vec<_> = states
            .into_iter()
            .filter(|it| it.1 == StatusKind::Cancelled)
            .map(|it| it.0)
            .collect();
        assert_eq!(cancelled, [1, 2, 3]);
    }

    async fn a_delivery_is_skipped_while_it_is_sent(store) {
        store.append((1..=2).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        assert_eq!(claimed(store, claim()).await, [(1, 1, 1), (1, 2, 1)]);
        assert!(skip(store, 1, None, 1).await);
        retry_later(store, 1, fresh(1, 1)).await;
        store.release(vec![(fresh(1, 2), NOW)]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, [(1, 2, 1)], "it does not come back");
        deliver(store, 2, fresh(1, 2)).await;
        let states = delivery_states(store, 1).await;
        assert_eq!(states, [(1, StatusKind::Cancelled, 1), (2, StatusKind::Delivered, 1)]);
    }

    async fn what_is_outside_the_order_is_skipped_alone(store) {
        store.append(vec![ordered(1, &[1]), free(2, &[1]), free(3, &[1])]).await.unwrap();
        assert!(skip(store, 1, Some(2), 1).await);
        let mut found = claimed(store, claim()).await;
        found.sort_unstable();
        assert_eq!(found, [(1, 1, 1), (1, 3, 1)]);
    }

    async fn what_waits_for_a_retry_is_due_at_once(store) {
        store.append(vec![ordered(1, &[1]), ordered(2, &[1]), free(3, &[1, 2])]).await.unwrap();
        assert!(!retry_now(store, 1, 1).await, "all is due already");
        assert_eq!(claimed(store, claim()).await.len(), 4);
        for (number, endpoint, message) in [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 3)] {
            retry_later(store, number, fresh(endpoint, message)).await;
        }
        assert!(claimed(store, claim()).await.is_empty());
        assert!(retry_now(store, 1, 2).await);
        let mut found = claimed(store, claim()).await;
        found.sort_unstable();
        assert_eq!(found, [(1, 1, 2), (1, 2, 2), (1, 3, 2)]);
        assert!(!retry_now(store, 1, 3).await, "what is held stays as it is");
    }

    async fn a_paused_endpoint_is_not_claimed(store) {
        store.append(vec![ordered(1, &[1]), free(2, &[2])]).await.unwrap();
        let pause = async |paused| {
            let paused = Endpoint { paused, ..endpoint(1) };
            store.save(&paused, Expected::Any).await.unwrap();
        };
        pause(true).await;
        store.append(vec![ordered(3, &[1])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, [(2, 2, 1)]);
        pause(false).await;
        assert_eq!(claimed(store, claim()).await, [(1, 1, 1), (1, 3, 1)]);
    }
}
