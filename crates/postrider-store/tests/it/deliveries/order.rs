//! The promises of `Deliveries` about the order of deliveries.

use std::time::Duration;

use postrider_core::{
    delivery::{Delivery, Trigger},
    retry::Verdict,
};
use postrider_store::{Claim, DeliveryOrder, ResendMode, Scope, StatusKind};

use crate::{fixture, fixture::*, store_tests};

const END: u64 = 100_000 + LEASE;

store_tests! {
    async fn ordered_deliveries_are_offered_in_the_order_of_acceptance(store) {
        let batch = vec![ordered(1, &[1]), ordered(2, &[1, 2])];
        store.append(batch).await.unwrap();
        store.append(vec![ordered(3, &[2, 1])]).await.unwrap();
        let found = claimed(store, claim()).await;
        assert_eq!(messages_of(1, &found), [1, 2, 3]);
        assert_eq!(messages_of(2, &found), [2, 3]);
    }

    async fn a_leased_delivery_blocks_the_deliveries_behind_it(store) {
        store.append((1..=5).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        let two = Claim { per_endpoint: 2, ..claim() };
        let found = store.claim(two.clone()).await.unwrap();
        assert_eq!(numbers(&found), [(1, 1, 1), (1, 2, 1)]);
        let blocked = store.claim(claim()).await.unwrap();
        let end = NOW + Duration::from_millis(LEASE);
        assert_eq!((numbers(&blocked), blocked.next_due), (vec![], Some(end)));
        deliver(store, 1, fresh(1, 1)).await;
        assert_eq!(claimed(store, claim()).await, []);
        deliver(store, 2, fresh(1, 2)).await;
        assert_eq!(claimed(store, two).await, [(1, 3, 1), (1, 4, 1)]);
        // A later delivery may end first; the held one keeps its place.
        deliver(store, 4, fresh(1, 4)).await;
        assert_eq!(claimed(store, claim()).await, []);
        deliver(store, 3, fresh(1, 3)).await;
        assert_eq!(claimed(store, claim()).await, [(1, 5, 1)]);
    }

    async fn a_retry_blocks_the_deliveries_behind_it(store) {
        store.append((1..=3).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        assert_eq!(claimed(store, claim()).await.len(), 3);
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(150_000)))]).await;
        store.release(vec![(fresh(1, 2), NOW), (fresh(1, 3), NOW)]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(at(150_000))));
        store.append(vec![ordered(4, &[1])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
        let expected = [(1, 1, 2), (1, 2, 1), (1, 3, 1), (1, 4, 1)];
        assert_eq!(claimed(store, claim_at(at(150_000))).await, expected);
    }

    async fn releases_before_or_after_a_retry_keep_the_order(store) {
        store.append((1..=3).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        assert_eq!(claimed(store, claim()).await.len(), 3);
        // The later ones are released before the first one fails.
        store.release(vec![(fresh(1, 2), NOW), (fresh(1, 3), NOW)]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(1)))]).await;
        assert_eq!(claimed(store, claim()).await, [(1, 1, 2), (1, 2, 1), (1, 3, 1)]);
        // The same the other way round.
        let second = Delivery { attempt: 2, ..fresh(1, 1) };
        settle(store, vec![settlement(2, second, 500, Verdict::RetryAt(at(1)))]).await;
        assert_eq!(claimed(store, claim()).await, [(1, 1, 3)]);
        store.release(vec![(fresh(1, 3), NOW), (fresh(1, 2), NOW)]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
    }

    async fn the_end_of_a_delivery_unblocks_the_next_one(store) {
        store.append((1..=5).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        let one = Claim { per_endpoint: 1, ..claim() };
        assert_eq!(claimed(store, one.clone()).await, [(1, 1, 1)]);
        fail(store, 1, fresh(1, 1)).await;
        assert_eq!(claimed(store, one.clone()).await, [(1, 2, 1)]);
        store.cancel(Scope::Message(application_id(1), message_id(2))).await.unwrap();
        assert_eq!(claimed(store, one.clone()).await, [(1, 3, 1)]);
        store.expunge_message(application_id(1), message_id(3)).await.unwrap();
        store.expunge_message(application_id(1), message_id(4)).await.unwrap();
        assert_eq!(claimed(store, one).await, [(1, 5, 1)]);
    }

    async fn a_delivery_that_is_not_due_blocks_due_deliveries_behind_it(store) {
        store.append(vec![ordered(1, &[1]), ordered(2, &[1])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await.len(), 2);
        let later = at(150_000);
        store.release(vec![(fresh(1, 1), later), (fresh(1, 2), NOW)]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(later)));
        assert_eq!(claimed(store, claim_at(later)).await, [(1, 1, 1), (1, 2, 1)]);
    }

    async fn an_expired_lease_keeps_its_place_in_the_order(store) {
        store.append((1..=3).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        let two = Claim { per_endpoint: 2, ..claim() };
        assert_eq!(claimed(store, two).await, [(1, 1, 1), (1, 2, 1)]);
        let found = claimed(store, claim_at(at(END))).await;
        assert_eq!(found, [(1, 1, 1), (1, 2, 1), (1, 3, 1)]);
    }

    async fn a_resend_is_sent_out_of_order(store) {
        store.append((1..=3).map(|number| ordered(number, &[1])).collect()).await.unwrap();
        let one = Claim { per_endpoint: 1, ..claim() };
        assert_eq!(claimed(store, one).await, [(1, 1, 1)]);
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(150_000)))]).await;
        assert!(store.resend(application_id(1), delivery_id(1, 1), at(1), ResendMode::Retry).await.unwrap());
        assert!(store.resend(application_id(1), delivery_id(1, 3), at(170_000), ResendMode::Once).await.unwrap());
        let found = store.claim(claim()).await.unwrap();
        let mut offered = numbers(&found);
        offered.sort_unstable();
        assert_eq!(offered, [(1, 1, 1), (1, 2, 1)]);
        let manual = Delivery { trigger: Trigger::Manual, ..fresh(1, 1) };
        settle(store, vec![settlement(2, manual, 500, Verdict::RetryAt(at(180_000)))]).await;
        deliver(store, 3, fresh(1, 2)).await;
        store.append(vec![ordered(4, &[1])]).await.unwrap();
        assert_eq!(claimed(store, claim()).await, [(1, 4, 1)]);
        let rows = [
            (1, StatusKind::Sending, 2),
            (2, StatusKind::Delivered, 1),
            (3, StatusKind::Pending, 0),
            (4, StatusKind::Pending, 0),
        ];
        assert_eq!(delivery_states(store, 1).await, rows);
    }

    async fn ordered_deliveries_do_not_block_unordered_ones(store) {
        let outside = |number, due| with_order(new(message(number), &[1], free_at(due)), DeliveryOrder::Any);
        let batch = vec![ordered(1, &[1]), ordered(2, &[1]), outside(3, 150_000), outside(4, 4)];
        store.append(batch).await.unwrap();
        let mut found = claimed(store, claim()).await;
        found.sort_unstable();
        assert_eq!(found, [(1, 1, 1), (1, 2, 1), (1, 4, 1)]);
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(155_000)))]).await;
        deliver(store, 2, fresh(1, 4)).await;
        assert_eq!(claimed(store, claim_at(at(150_000))).await, [(1, 3, 1)]);
    }

    async fn an_owned_order_does_not_block_on_leased_deliveries(store) {
        let owned = |number| with_order(free(number, &[1]), DeliveryOrder::Owned);
        store.append(vec![owned(1), owned(2), owned(3)]).await.unwrap();
        let one = Claim { per_endpoint: 1, ..claim() };
        assert_eq!(claimed(store, one.clone()).await, [(1, 1, 1)]);
        assert_eq!(claimed(store, one).await, [(1, 2, 1)]);
    }

    async fn ordered_deliveries_fill_the_available_capacity(store) {
        let batch = (1..=4).map(|number| ordered(number, &[1, 2])).collect();
        store.append(batch).await.unwrap();
        let capacities = [(endpoint_id(1), 3), (endpoint_id(2), 0)];
        let found = store.claim(Claim { capacities: capacities.into(), ..claim() }).await.unwrap();
        assert_eq!(numbers(&found), [(1, 1, 1), (1, 2, 1), (1, 3, 1)]);
        let found = store.claim(Claim { limit: 1, ..claim() }).await.unwrap();
        assert_eq!(numbers(&found), [(2, 1, 1)]);
    }
}

/// The messages that were claimed for an endpoint.
fn messages_of(endpoint: u64, claimed: &[(u64, u64, u16)]) -> Vec<u64> {
    claimed.iter().filter(|it| it.0 == endpoint).map(|it| it.1).collect()
}
