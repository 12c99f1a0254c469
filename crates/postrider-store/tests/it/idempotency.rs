//! The promises of `Idempotency`, and of `Deliveries` about the digests that deduplicate messages.

use std::time::Duration;

use postrider_core::message::Message;
use postrider_store::{
    AppendOutcome, Deliveries, Hold, Idempotency, KeyReservation, Maintenance, NewMessage,
    PostgresStore, Retention,
};

use crate::{fixture, fixture::*, schema::Schema, store_tests};

#[tokio::test]
async fn a_digest_outlives_the_node_that_stored_it() {
    let schema = Schema::create().await;
    let event = |number| vec![free_with_digest(number, &[])];
    let node = schema.open().await;
    set_up(&node).await;
    node.append(event(1)).await.unwrap();
    node.close().await.unwrap();
    let (first, second) = (schema.open().await, schema.open().await);
    let outcomes = tokio::join!(first.append(event(2)), second.append(event(3)));
    let repeated = [AppendOutcome::Duplicate(message_id(1))];
    assert_eq!((outcomes.0.unwrap(), outcomes.1.unwrap()), (repeated.into(), repeated.into()));
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn simultaneous_events_on_two_nodes_become_one_message() {
    let schema = Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    set_up(&first).await;
    for round in 0..20 {
        let event = |number: u8| {
            let number = u64::from(number + 2 * round);
            vec![NewMessage { idempotency: Some([round; 32]), ..leased(number, &[1]) }]
        };
        let (one, other) = tokio::join!(first.append(event(0)), second.append(event(1)));
        let outcomes = [one.unwrap()[0], other.unwrap()[0]];
        let new = outcomes.iter().filter(|it| **it == AppendOutcome::New).count();
        assert_eq!(new, 1, "{outcomes:?}");
    }
    assert_eq!(delivery_states(&first, 1).await.len(), 20);
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn an_unfinished_key_is_taken_over_from_another_node() {
    let schema = Schema::create().await;
    let (one, other) = (schema.open().await, schema.open().await);
    let reserve = async |store: &PostgresStore, fingerprint, now| {
        store.reserve_key([1; 32], [fingerprint; 32], now).await.unwrap()
    };
    let late = NOW + Duration::from_secs(60);
    assert_eq!(reserve(&one, 1, NOW).await, KeyReservation::Acquired);
    assert_eq!(reserve(&one, 1, late).await, KeyReservation::InProgress);
    assert_eq!(reserve(&other, 1, NOW).await, KeyReservation::InProgressElsewhere);
    assert_eq!(reserve(&other, 2, NOW).await, KeyReservation::InProgressElsewhere);
    assert_eq!(reserve(&other, 2, late).await, KeyReservation::Acquired);
    // The first node does not hold it any more.
    one.complete_key([1; 32], None, late).await.unwrap();
    assert_eq!(reserve(&one, 2, late).await, KeyReservation::InProgressElsewhere);
    other.close().await.unwrap();
    assert_eq!(reserve(&one, 3, late).await, KeyReservation::Acquired);
    one.complete_key([1; 32], Some(vec![4]), late).await.unwrap();
    assert_eq!(reserve(&one, 3, late).await, KeyReservation::Completed(vec![4]));
    drop((one, other));
    schema.remove().await;
}

store_tests! {
    async fn a_digest_outlives_responses_and_its_message(store) {
        let retention = Retention { rows: DAY, idempotency: DAY, digests: 30 * DAY, rejections: DAY, audit_log: DAY };
        store.append(vec![free_with_digest(1, &[])]).await.unwrap();
        expire(store, at(0) + 20 * DAY, retention).await;
        assert_eq!(stored_message(store, 1).await, None);
        let outcomes = store.append(vec![free_with_digest(2, &[])]).await.unwrap();
        assert_eq!(outcomes, [AppendOutcome::Duplicate(message_id(1))]);
        expire(store, at(1) + 30 * DAY, retention).await;
        assert_eq!(store.append(vec![free_with_digest(3, &[])]).await.unwrap(), [AppendOutcome::New]);
    }

    async fn only_the_new_messages_of_a_batch_are_stored(store) {
        let event = |number, id: &str, digest| {
            let named = Message { event_id: Some(id.parse().unwrap()), ..message(number) };
            let hold = Hold::Leased(NOW + DAY);
            NewMessage { idempotency: Some([digest; 32]), ..new(named, &[1], hold) }
        };
        let first = vec![event(1, "a", 1), leased(2, &[1]), event(3, "b", 2)];
        assert_eq!(store.append(first.clone()).await.unwrap(), [AppendOutcome::New; 3]);
        let second = vec![
            event(4, "c", 1),
            event(5, "b", 3),
            event(6, "d", 4),
            event(7, "d", 4),
            event(8, "d", 5),
            leased(2, &[1]),
            leased(9, &[1]),
        ];
        let expected = [
            AppendOutcome::Duplicate(message_id(1)),
            AppendOutcome::EventIdTaken(message_id(3)),
            AppendOutcome::New,
            AppendOutcome::Duplicate(message_id(6)),
            AppendOutcome::EventIdTaken(message_id(6)),
            AppendOutcome::New,
            AppendOutcome::New,
        ];
        assert_eq!(store.append(second).await.unwrap(), expected);
        let stored: Vec<_> = delivery_states(store, 1).await.iter().map(|it| it.0).collect();
        assert_eq!(stored, [1, 2, 3, 6, 9]);
        // Rejected messages left no event id and no digest.
        let third = vec![event(10, "c", 6), event(11, "e", 3), event(12, "f", 5)];
        assert_eq!(store.append(third).await.unwrap(), [AppendOutcome::New; 3]);
    }

    async fn simultaneous_events_with_the_same_digest_become_one_message(store) {
        let event = |number| vec![free_with_digest(number, &[1])];
        let outcomes = futures_util::future::join_all((1..=8).map(|it| store.append(event(it)))).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(|it| it.unwrap()[0]).collect();
        let new: Vec<_> = (1..=8).zip(&outcomes).filter(|(_, it)| **it == AppendOutcome::New).collect();
        assert_eq!(new.len(), 1, "{outcomes:?}");
        let first = message_id(new[0].0);
        assert_eq!(outcomes.iter().filter(|it| **it == AppendOutcome::Duplicate(first)).count(), 7);
        let delivered = claimed(store, claim()).await;
        assert_eq!(delivered, [(1, first.millis() - START, 1)]);
    }

    async fn an_idempotency_digest_expires(store) {
        store.append(vec![free_with_digest(1, &[])]).await.unwrap();
        expire(store, at(1_000), ONE_DAY).await;
        let outcomes = store.append(vec![free_with_digest(2, &[])]).await.unwrap();
        assert_eq!(outcomes, [AppendOutcome::Duplicate(message_id(1))]);
        expire(store, at(0) + 2 * DAY, ONE_DAY).await;
        assert_eq!(store.append(vec![free_with_digest(3, &[])]).await.unwrap(), [AppendOutcome::New]);
    }

    async fn a_key_belongs_to_one_request(store) {
        let reserve = async |fingerprint| store.reserve_key([1; 32], [fingerprint; 32], NOW).await.unwrap();
        assert_eq!(reserve(1).await, KeyReservation::Acquired);
        assert_eq!(reserve(1).await, KeyReservation::InProgress);
        store.complete_key([1; 32], None, NOW).await.unwrap();
        assert_eq!(reserve(3).await, KeyReservation::Acquired);
        // No request has completed under the key yet, so another request can use it.
        assert_eq!(reserve(2).await, KeyReservation::InProgress);
        store.complete_key([1; 32], Some(vec![5]), NOW).await.unwrap();
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        assert_eq!(reserve(1).await, KeyReservation::FingerprintMismatch);
        // A stored response is kept.
        store.complete_key([1; 32], None, NOW).await.unwrap();
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        expire(store, NOW + DAY / 2, ONE_DAY).await;
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        expire(store, NOW + DAY, ONE_DAY).await;
        assert_eq!(reserve(1).await, KeyReservation::Acquired);
    }
}
