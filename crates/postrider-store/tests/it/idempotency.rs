//! The promises of `Idempotency`, and of the digests by which messages are deduplicated.

use postrider_core::message::Message;
use postrider_store::{
    AppendOutcome, Deliveries, Hold, IdOrUid, KeyReservation, Maintenance, NewMessage, Retention,
};

use crate::{database::Schema, fixture, fixture::*, store_tests};

#[tokio::test]
async fn a_digest_survives_the_end_of_its_node() {
    let schema = Schema::create().await;
    let event = |number| vec![NewMessage { idempotency: Some([7; 32]), ..free(number, &[]) }];
    let node = schema.open().await;
    set_up(&node).await;
    node.append(event(1)).await.unwrap();
    node.close().await.unwrap();
    let (first, second) = (schema.open().await, schema.open().await);
    let answers = tokio::join!(first.append(event(2)), second.append(event(3)));
    let repeated = [AppendOutcome::Duplicate(message_id(1))];
    assert_eq!((answers.0.unwrap(), answers.1.unwrap()), (repeated.into(), repeated.into()));
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

/// Two nodes, each with half of the requests.
#[tokio::test]
async fn one_of_simultaneous_events_on_two_nodes_becomes_a_message() {
    let schema = Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    set_up(&first).await;
    for round in 0..20 {
        let event = |number: u8| {
            let number = u64::from(number + 2 * round);
            vec![NewMessage { idempotency: Some([round; 32]), ..leased(number, &[1]) }]
        };
        let (one, other) = tokio::join!(first.append(event(0)), second.append(event(1)));
        let answers = [one.unwrap()[0], other.unwrap()[0]];
        let new = answers.iter().filter(|it| **it == AppendOutcome::New).count();
        assert_eq!(new, 1, "{answers:?}");
    }
    assert_eq!(standings(&first, 1).await.len(), 20);
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

store_tests! {
    async fn a_digest_outlives_answers_and_its_message(store) {
        let retention = Retention { rows: DAY, idempotency: DAY, digests: 30 * DAY, rejections: DAY };
        let digest = |number| NewMessage { idempotency: Some([7; 32]), ..free(number, &[]) };
        store.append(vec![digest(1)]).await.unwrap();
        expire(store, at(0) + 20 * DAY, retention).await;
        let message = store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap();
        assert_eq!(message, None);
        let answers = store.append(vec![digest(2)]).await.unwrap();
        assert_eq!(answers, [AppendOutcome::Duplicate(message_id(1))]);
        expire(store, at(1) + 30 * DAY, retention).await;
        assert_eq!(store.append(vec![digest(3)]).await.unwrap(), [AppendOutcome::New]);
    }

    async fn known_messages_of_a_batch_add_nothing_and_the_others_do(store) {
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
        let answers = [
            AppendOutcome::Duplicate(message_id(1)),
            AppendOutcome::EventIdTaken(message_id(3)),
            AppendOutcome::New,
            AppendOutcome::Duplicate(message_id(6)),
            AppendOutcome::EventIdTaken(message_id(6)),
            AppendOutcome::New,
            AppendOutcome::New,
        ];
        assert_eq!(store.append(second).await.unwrap(), answers);
        let standing: Vec<_> = standings(store, 1).await.iter().map(|it| it.0).collect();
        assert_eq!(standing, [1, 2, 3, 6, 9]);
        // What was refused left no key behind.
        let third = vec![event(10, "c", 6), event(11, "e", 3), event(12, "f", 5)];
        assert_eq!(store.append(third).await.unwrap(), [AppendOutcome::New; 3]);
    }

    async fn one_of_simultaneous_events_with_the_same_digest_becomes_a_message(store) {
        let event = |number| vec![NewMessage { idempotency: Some([7; 32]), ..free(number, &[1]) }];
        let answers = futures_util::future::join_all((1..=8).map(|it| store.append(event(it)))).await;
        let answers: Vec<_> = answers.into_iter().map(|it| it.unwrap()[0]).collect();
        let new: Vec<_> = (1..=8).zip(&answers).filter(|(_, it)| **it == AppendOutcome::New).collect();
        assert_eq!(new.len(), 1, "{answers:?}");
        let first = message_id(new[0].0);
        assert_eq!(answers.iter().filter(|it| **it == AppendOutcome::Duplicate(first)).count(), 7);
        let delivered = claimed(store, claim()).await;
        assert_eq!(delivered, [(1, first.millis() - START, 1)]);
    }

    async fn an_idempotency_digest_expires(store) {
        let digest = |number| NewMessage { idempotency: Some([7; 32]), ..free(number, &[]) };
        store.append(vec![digest(1)]).await.unwrap();
        expire(store, at(1_000), ONE_DAY).await;
        let answers = store.append(vec![digest(2)]).await.unwrap();
        assert_eq!(answers, [AppendOutcome::Duplicate(message_id(1))]);
        expire(store, at(0) + 2 * DAY, ONE_DAY).await;
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
        expire(store, NOW + DAY / 2, ONE_DAY).await;
        assert_eq!(reserve(2).await, KeyReservation::Completed(vec![5]));
        expire(store, NOW + DAY, ONE_DAY).await;
        assert_eq!(reserve(1).await, KeyReservation::Acquired);
    }
}
