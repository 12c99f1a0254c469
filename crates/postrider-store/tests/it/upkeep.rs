//! Expunging, retention, idempotency keys, sizes.

use std::time::Duration;

use postrider_core::message::Message;
use postrider_store::{
    AppendOutcome, AttemptFilter, AttemptsOf, Hold, IdOrUid, KeyReservation, MessageFilter,
    NewMessage, ResendMode, Retention, StatusKind, Store, StoreError,
};

use crate::{fixture, fixture::*, store_tests};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const RETENTION: Retention =
    Retention { rows: DAY, idempotency: DAY, digests: DAY, rejections: DAY };

async fn expire(store: &dyn Store, now: postrider_core::time::Timestamp) {
    while store.expire(now, RETENTION).await.unwrap() {}
}

async fn known(store: &dyn Store, number: u64) -> Option<Message> {
    store.message(application_id(1), &IdOrUid::Id(message_id(number))).await.unwrap()
}

store_tests! {
    async fn an_expunged_message_has_no_body_and_no_deliveries(store) {
        store.append(vec![leased(1, &[1, 2]), free(2, &[1])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        assert!(store.expunge_message(application_id(1), message_id(1)).await.unwrap());
        assert!(!store.expunge_message(application_id(1), message_id(9)).await.unwrap());
        assert_eq!(known(store, 1).await, Some(Message { body: None, ..message(1) }));
        assert_eq!(claimed(store, claim_at(at(900_000))).await, [(1, 2, 1)]);
        let rows = [(1, StatusKind::Delivered, 1), (2, StatusKind::Pending, 0)];
        assert_eq!(standings(store, 1).await, rows);
        assert_eq!(standings(store, 2).await, [(1, StatusKind::Cancelled, 0)]);
        let again = store.resend(application_id(1), delivery_id(1, 1), NOW, ResendMode::Once).await.unwrap();
        assert!(!again);
    }

    async fn an_expunged_attempt_has_no_response(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        assert!(!store.expunge_attempt(application_id(1), message_id(2), attempt_id(1)).await.unwrap());
        assert!(store.expunge_attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap());
        let found = store.attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap().unwrap();
        assert_eq!(found.response, None);
    }

    async fn bodies_end_at_their_time(store) {
        let short = |number| Message { body_until: at(5_000), ..message(number) };
        let hold = Hold::Free(at(0));
        let batch = vec![new(short(1), &[1], hold), free(2, &[1]), new(short(3), &[2], hold)];
        store.append(batch).await.unwrap();
        let taken = store.claim(postrider_store::Claim { limit: 1, ..claim() }).await.unwrap();
        assert_eq!(numbers(&taken), [(1, 1, 1)]);
        expire(store, at(4_000)).await;
        assert!(known(store, 1).await.unwrap().body.is_some());
        expire(store, at(200_000)).await;
        assert_eq!(known(store, 1).await.unwrap().body, None);
        assert_eq!(known(store, 3).await.unwrap().body, None);
        assert_eq!(known(store, 2).await, Some(message(2)));
        assert_eq!(claimed(store, claim_at(at(900_000))).await, [(1, 2, 1)]);
        assert_eq!(standings(store, 2).await, [(3, StatusKind::Cancelled, 0)]);
    }

    async fn old_rows_go_unless_they_are_pending(store) {
        let named = Message { event_id: Some("e".parse().unwrap()), ..message(1) };
        let named = |number| Message { id: message_id(number), ..named.clone() };
        let batch = vec![new(named(1), &[1], Hold::Free(at(0))), free(2, &[1, 2]), free(3, &[])];
        store.append(batch).await.unwrap();
        let young = u64::try_from(DAY.as_millis()).unwrap() + 10_000;
        store.append(vec![free(young, &[1])]).await.unwrap();
        let found = store.claim(postrider_store::Claim { limit: 2, ..claim() }).await.unwrap();
        deliver(store, 1, found.deliveries[0].0).await;
        deliver(store, 2, found.deliveries[1].0).await;
        expire(store, at(young)).await;
        assert_eq!(known(store, 1).await, None);
        assert_eq!(known(store, 3).await, None);
        assert_eq!(known(store, 2).await, Some(message(2)));
        assert!(known(store, young).await.is_some());
        let found = store.messages(application_id(1), MessageFilter::default(), all()).await.unwrap();
        assert_eq!(found.items.len(), 2);
        assert_eq!(claimed(store, claim_at(at(young + 1))).await, [(2, 2, 1), (1, young, 1)]);
        let again = store.append(vec![new(named(young + 1), &[], Hold::Free(at(0)))]).await.unwrap();
        assert_eq!(again, [AppendOutcome::New]);
        expire(store, at(2 * young)).await;
        assert_eq!(store.attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap(), None);
        let of = AttemptsOf::Endpoint(application_id(1), endpoint_id(1));
        let left = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
        assert_eq!(left.items, []);
        assert_eq!(standings(store, 2).await, [(2, StatusKind::Pending, 0)]);
    }

    async fn an_idempotency_digest_is_forgotten_in_time(store) {
        let digest = |number| NewMessage { idempotency: Some([7; 32]), ..free(number, &[]) };
        store.append(vec![digest(1)]).await.unwrap();
        expire(store, at(1_000)).await;
        let answers = store.append(vec![digest(2)]).await.unwrap();
        assert_eq!(answers, [AppendOutcome::Duplicate(message_id(1))]);
        expire(store, at(0) + 2 * DAY).await;
        assert_eq!(store.append(vec![digest(3)]).await.unwrap(), [AppendOutcome::New]);
    }

    async fn a_key_belongs_to_one_request(store) {
        let reserve = async |fingerprint| store.reserve_key([1; 32], [fingerprint; 32], NOW).await.unwrap();
        assert_eq!(reserve(1).await, KeyReservation::Acquired);
        assert_eq!(reserve(1).await, KeyReservation::InProgress);
        store.complete_key([1; 32], None, NOW).await.unwrap();
        assert_eq!(reserve(3).await, KeyReservation::Acquired);
        // Nothing was done under the key yet, so that it can still go to another request.
        assert_eq!(reserve(2).await, KeyReservation::InProgress);
        store.complete_key([1; 32], Some(vec![5]), NOW).await.unwrap();
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        assert_eq!(reserve(1).await, KeyReservation::FingerprintMismatch);
        // An answer that was given is not given up.
        store.complete_key([1; 32], None, NOW).await.unwrap();
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        expire(store, NOW + DAY / 2).await;
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        expire(store, NOW + DAY).await;
        assert_eq!(reserve(1).await, KeyReservation::Acquired);
    }

    async fn the_last_sequence_covers_messages_and_attempts(store) {
        assert_eq!(store.last_sequence().await.unwrap(), 0);
        store.append(vec![leased(3, &[1]), leased(2, &[1])]).await.unwrap();
        assert_eq!(store.last_sequence().await.unwrap(), message_id(3).sequence());
        deliver(store, 1, fresh(1, 3)).await;
        assert_eq!(store.last_sequence().await.unwrap(), attempt_id(1).sequence());
    }

    async fn the_size_counts_what_waits(store) {
        store.append(vec![free(5, &[1]), free(7, &[2]), leased(1, &[1])]).await.unwrap();
        let size = store.size().await.unwrap();
        assert_eq!((size.waiting, size.oldest_due), (2, Some(at(5))));
        assert!(size.bytes > 0);
        assert_eq!(claimed(store, claim_at(at(6))).await, [(1, 5, 1)]);
        let size = store.size().await.unwrap();
        assert_eq!((size.waiting, size.oldest_due), (1, Some(at(7))));
    }

    async fn a_closed_store_does_nothing_more(store) {
        store.close().await.unwrap();
        let answer = store.append(vec![free(1, &[])]).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        let answer = store.messages(application_id(1), MessageFilter::default(), all()).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
}
