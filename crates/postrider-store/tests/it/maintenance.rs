//! The promises of `Maintenance`: expiry, sizes, closing.

mod erase;

use postrider_core::message::Message;
use postrider_store::{
    AppendOutcome, AttemptFilter, AttemptsOf, Claim, Hold, MessageFilter, StatusKind, StoreError,
};

use crate::{fixture, fixture::*, store_tests};

store_tests! {
    async fn payloads_expire(store) {
        let short = |number| Message { body_until: at(5_000), ..message(number) };
        let hold = Hold::Free(at(0));
        let batch = vec![new(short(1), &[1], hold), free(2, &[1]), new(short(3), &[2], hold)];
        store.append(batch).await.unwrap();
        let taken = store.claim(Claim { limit: 1, ..claim() }).await.unwrap();
        assert_eq!(numbers(&taken), [(1, 1, 1)]);
        expire(store, at(4_000), ONE_DAY).await;
        assert!(stored_message(store, 1).await.unwrap().body.is_some());
        expire(store, at(200_000), ONE_DAY).await;
        assert_eq!(stored_message(store, 1).await.unwrap().body, None);
        assert_eq!(stored_message(store, 3).await.unwrap().body, None);
        assert_eq!(stored_message(store, 2).await, Some(message(2)));
        assert_eq!(claimed(store, claim_at(at(900_000))).await, [(1, 2, 1)]);
        assert_eq!(delivery_states(store, 2).await, [(3, StatusKind::Cancelled, 0)]);
    }

    async fn all_payloads_of_a_busy_minute_expire(store) {
        const MESSAGES: u64 = 2_300;
        let short = |number| Message { body_until: at(5_000), ..message(number) };
        let batch = (1..=MESSAGES).map(|it| new(short(it), &[], Hold::Free(at(0)))).collect();
        store.append(batch).await.unwrap();
        expire(store, at(200_000), ONE_DAY).await;
        for number in [1, 499, 500, 501, 999, 1_000, 1_001, 1_500, 2_000, MESSAGES] {
            assert_eq!(stored_message(store, number).await.unwrap().body, None, "{number}");
        }
    }

    async fn old_rows_are_removed_unless_they_are_pending(store) {
        let named = Message { event_id: Some("e".parse().unwrap()), ..message(1) };
        let named = |number| Message { id: message_id(number), ..named.clone() };
        let batch = vec![new(named(1), &[1], Hold::Free(at(0))), free(2, &[1, 2]), free(3, &[])];
        store.append(batch).await.unwrap();
        let young = u64::try_from(DAY.as_millis()).unwrap() + 10_000;
        store.append(vec![free(young, &[1])]).await.unwrap();
        let found = store.claim(Claim { limit: 2, ..claim() }).await.unwrap();
        deliver(store, 1, found.deliveries[0].0).await;
        deliver(store, 2, found.deliveries[1].0).await;
        expire(store, at(young), ONE_DAY).await;
        assert_eq!(stored_message(store, 1).await, None);
        assert_eq!(stored_message(store, 3).await, None);
        assert_eq!(stored_message(store, 2).await, Some(message(2)));
        assert!(stored_message(store, young).await.is_some());
        let found = store.messages(application_id(1), MessageFilter::default(), all()).await.unwrap();
        assert_eq!(found.items.len(), 2);
        assert_eq!(claimed(store, claim_at(at(young + 1))).await, [(2, 2, 1), (1, young, 1)]);
        let again = store.append(vec![new(named(young + 1), &[], Hold::Free(at(0)))]).await.unwrap();
        assert_eq!(again, [AppendOutcome::New]);
        expire(store, at(2 * young), ONE_DAY).await;
        assert_eq!(store.attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap(), None);
        let of = AttemptsOf::Endpoint(application_id(1), endpoint_id(1));
        let left = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
        assert_eq!(left.items, []);
        assert_eq!(delivery_states(store, 2).await, [(2, StatusKind::Pending, 0)]);
    }

    async fn the_size_counts_waiting_deliveries(store) {
        store.append(vec![free(5, &[1]), free(7, &[2]), leased(1, &[1])]).await.unwrap();
        let size = store.size().await.unwrap();
        assert_eq!((size.waiting, size.oldest_due), (2, Some(at(5))));
        assert!(size.bytes > 0);
        assert_eq!(claimed(store, claim_at(at(6))).await, [(1, 5, 1)]);
        let size = store.size().await.unwrap();
        assert_eq!((size.waiting, size.oldest_due), (1, Some(at(7))));
    }

    async fn a_closed_store_rejects_calls(store) {
        store.close().await.unwrap();
        let result = store.append(vec![free(1, &[])]).await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        let result = store.messages(application_id(1), MessageFilter::default(), all()).await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
}
