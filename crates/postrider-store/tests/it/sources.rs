//! Sources, requests to them that were turned away, and what keeps an event from coming twice.

use std::{ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use postrider::{RejectionId, SourceId};
use postrider_core::{
    catalog::{Application, Source},
    message::{MAX_REJECTED_BODY, Message, Rejection},
    time::Timestamp,
};
use postrider_store::{
    AppendOutcome, Cluster, Deliveries, Expected, Hold, IdOrUid, MAX_REJECTIONS, Maintenance,
    NewMessage, PostgresStore, Records, Rejections, Retention, Scan, Store, StoreError, StoreEvent,
};

use crate::{
    database::{Schema, UNPAUSE, WITHOUT_VERSIONS},
    fixture,
    fixture::*,
    store_tests,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn save(store: &dyn Store, source: Source) -> Result<(), StoreError> {
    store.save(&source, Expected::Any).await.map(drop)
}

async fn create(store: &dyn Store, numbers: RangeInclusive<u64>) {
    for number in numbers {
        store.save(&source(number), Expected::New).await.unwrap();
    }
}

async fn known(store: &dyn Store, number: u64) -> Option<Source> {
    store.get::<Source>(&organization(), &IdOrUid::Id(source_id(number))).await.unwrap()
}

async fn rejected(store: &dyn Store, source: u64) -> Vec<u64> {
    let everything = Scan { limit: 2 * MAX_REJECTIONS, ..all() };
    let found = store.rejections(source_id(source), everything).await.unwrap();
    found.items.iter().map(|it| it.id.millis() - START).collect()
}

fn named(number: u64, uid: &str) -> Source {
    Source { uid: Some(uid.parse().unwrap()), ..source(number) }
}

#[track_caller]
fn refused(result: Result<(), StoreError>, expected: &str) {
    match result {
        Err(StoreError::Conflict { what }) => assert_eq!(what, expected),
        other => panic!("expected a conflict over {expected}, got {other:?}"),
    }
}

async fn expire(store: &dyn Store, now: Timestamp, retention: Retention) {
    while store.expire(now, retention).await.unwrap() {}
}

#[tokio::test]
async fn a_schema_from_before_there_were_sources_is_brought_up_to_date() {
    let schema = Schema::create().await;
    let digest = |number| NewMessage { idempotency: Some([7; 32]), ..free(number, &[1]) };
    let node = schema.open().await;
    furnish(&node).await;
    node.append(vec![digest(1)]).await.unwrap();
    node.close().await.unwrap();
    let client = schema.client().await;
    let former = "DROP TABLE source; DROP TABLE rejection;
        DELETE FROM schema_version WHERE version > 1";
    client.batch_execute(&format!("{WITHOUT_VERSIONS}{UNPAUSE}{former}")).await.unwrap();
    let migrated = PostgresStore::migrate(&schema.options()).await.unwrap();
    assert_eq!(migrated.from, 1);
    let node = schema.open().await;
    assert_eq!(
        node.append(vec![digest(2)]).await.unwrap(),
        [AppendOutcome::Duplicate(message_id(1))]
    );
    assert_eq!(claimed(&node, claim()).await, [(1, 1, 1)]);
    create(&node, 1..=1).await;
    node.reject(vec![rejection(1, 1)]).await.unwrap();
    assert_eq!((known(&node, 1).await, rejected(&node, 1).await), (Some(source(1)), vec![1]));
    node.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn a_digest_survives_the_end_of_its_node() {
    let schema = Schema::create().await;
    let event = |number| vec![NewMessage { idempotency: Some([7; 32]), ..free(number, &[]) }];
    let node = schema.open().await;
    furnish(&node).await;
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
async fn of_events_that_come_to_two_nodes_at_once_one_becomes_a_message() {
    let schema = Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    furnish(&first).await;
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

#[tokio::test]
async fn other_nodes_hear_of_a_source() {
    let schema = Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    // The application has no other requests.
    save(&first, Source { application: application_id(7), ..source(1) }).await.unwrap();
    hears_of_a_change(&second).await;
    first.remove::<Source>(&organization(), &source_id(1)).await.unwrap();
    hears_of_a_change(&second).await;
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

async fn hears_of_a_change(node: &PostgresStore) {
    let heard = async {
        while node.next_event().await != StoreEvent::ApplicationChanged(application_id(7)) {}
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("nothing was heard");
}

store_tests! {
    async fn a_source_comes_back_as_it_was_saved(store) {
        let it = named(1, "u");
        store.save(&it, Expected::New).await.unwrap();
        assert_eq!(known(store, 1).await, Some(it.clone()));
        let by_uid = store.get::<Source>(&organization(), &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!(by_uid.unwrap(), Some(it.clone()));
        let by_token = store.find::<Source>(it.token_digest).await.unwrap();
        assert_eq!(by_token, Some(it.clone()));
        // Whatever is not set stays so.
        let bare = Source {
            uid: None,
            model: None,
            metadata: [].into(),
            secrets: Vec::new(),
            parameters: [].into(),
            public_url: None,
            response: None,
            tolerance: None,
            max_body: None,
            forward_headers: None,
            ..it
        };
        save(store, bare.clone()).await.unwrap();
        assert_eq!(known(store, 1).await, Some(bare));
        let by_uid = store.get::<Source>(&organization(), &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!(by_uid.unwrap(), None);
    }

    async fn nobody_sees_the_source_of_another_organization(store) {
        create(store, 1..=1).await;
        let other = "org_other".parse().unwrap();
        assert_eq!(store.get::<Source>(&other, &IdOrUid::Id(source_id(1))).await.unwrap(), None);
        assert_eq!(store.list::<Source>(&other, all()).await.unwrap().items, []);
        assert!(!store.remove::<Source>(&other, &source_id(1)).await.unwrap());
        assert!(known(store, 1).await.is_some());
        // But who has the token has the source.
        assert!(store.find::<Source>(token_digest(1)).await.unwrap().is_some());
        assert_eq!(store.find::<Source>(token_digest(2)).await.unwrap(), None);
    }

    async fn sources_share_neither_ids_nor_uids_nor_tokens(store) {
        save(store, named(1, "u")).await.unwrap();
        refused(store.save(&named(1, "v"), Expected::New).await.map(drop), "source");
        refused(save(store, named(2, "u")).await, "uid");
        let same_token = Source { token_digest: token_digest(1), ..source(2) };
        refused(save(store, same_token).await, "token");
        // A token is unique among all organizations, a uid is not.
        let elsewhere = |it| Source { organization: "org_b".parse().unwrap(), ..it };
        let same_token = Source { token_digest: token_digest(1), ..source(3) };
        refused(save(store, elsewhere(same_token)).await, "token");
        save(store, elsewhere(named(3, "u"))).await.unwrap();
        assert_eq!(known(store, 1).await, Some(named(1, "u")));
        assert_eq!(known(store, 2).await, None);
    }

    async fn a_new_token_leads_to_the_source_and_the_old_one_no_more(store) {
        create(store, 1..=1).await;
        let rotated = Source { token_digest: token_digest(9), ..source(1) };
        save(store, rotated.clone()).await.unwrap();
        assert_eq!(store.find::<Source>(token_digest(1)).await.unwrap(), None);
        assert_eq!(store.find::<Source>(token_digest(9)).await.unwrap(), Some(rotated));
        // It is free for another source then.
        save(store, Source { token_digest: token_digest(1), ..source(2) }).await.unwrap();
    }

    async fn sources_page_both_ways(store) {
        create(store, 1..=3).await;
        let page = |after: Option<SourceId>, ascending| Scan { after, ascending, limit: 2 };
        let list = async |scan| store.list::<Source>(&organization(), scan).await.unwrap();
        let first = list(page(None, true)).await;
        assert_eq!((first.items, first.resume), (vec![source(1), source(2)], Some(source_id(2))));
        let second = list(page(first.resume, true)).await;
        assert_eq!((second.items, second.resume), (vec![source(3)], None));
        let first = list(page(None, false)).await;
        assert_eq!(first.items, [source(3), source(2)]);
        let second = list(page(first.resume, false)).await;
        assert_eq!((second.items, second.resume), (vec![source(1)], None));
    }

    async fn a_source_goes_with_its_rejections(store) {
        create(store, 1..=2).await;
        store.reject(vec![rejection(1, 1), rejection(2, 2)]).await.unwrap();
        assert!(store.remove::<Source>(&organization(), &source_id(1)).await.unwrap());
        assert!(!store.remove::<Source>(&organization(), &source_id(1)).await.unwrap());
        assert_eq!(known(store, 1).await, None);
        assert_eq!(store.find::<Source>(token_digest(1)).await.unwrap(), None);
        assert_eq!((rejected(store, 1).await, rejected(store, 2).await), (vec![], vec![2]));
        // It does not get them back with its name.
        create(store, 1..=1).await;
        assert_eq!(rejected(store, 1).await, [0; 0]);
    }

    async fn sources_go_with_their_application(store) {
        create(store, 1..=2).await;
        save(store, Source { application: application_id(2), ..source(3) }).await.unwrap();
        store.reject((1..=3).map(|it| rejection(it, it)).collect()).await.unwrap();
        assert!(store.remove::<Application>(&organization(), &application_id(1)).await.unwrap());
        let left = store.list::<Source>(&organization(), all()).await.unwrap().items;
        assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [source_id(3)]);
        assert_eq!((rejected(store, 1).await, rejected(store, 3).await), (vec![], vec![3]));
    }

    async fn a_rejection_comes_back_as_it_was(store) {
        create(store, 1..=1).await;
        let large = Rejection {
            body: Bytes::from(vec![0x80; MAX_REJECTED_BODY]),
            headers: Vec::new(),
            reason: String::new(),
            duplicate_of: Some(message_id(7)),
            ..rejection(2, 1)
        };
        let both = vec![rejection(1, 1), large];
        store.reject(both.clone()).await.unwrap();
        assert_eq!(store.rejections(source_id(1), all()).await.unwrap().items, both);
        // The same once more adds nothing.
        store.reject(both.clone()).await.unwrap();
        assert_eq!(store.rejections(source_id(1), all()).await.unwrap().items, both);
    }

    async fn rejections_page_both_ways(store) {
        create(store, 1..=2).await;
        store.reject(vec![rejection(3, 1), rejection(1, 1), rejection(9, 2), rejection(2, 1)]).await.unwrap();
        let page = |after: Option<RejectionId>, ascending| Scan { after, ascending, limit: 2 };
        let list = async |scan| store.rejections(source_id(1), scan).await.unwrap();
        let first = list(page(None, false)).await;
        assert_eq!(first.items, [rejection(3, 1), rejection(2, 1)]);
        let second = list(page(first.resume, false)).await;
        assert_eq!((second.items, second.resume), (vec![rejection(1, 1)], None));
        let first = list(page(None, true)).await;
        assert_eq!(first.items, [rejection(1, 1), rejection(2, 1)]);
        let second = list(page(first.resume, true)).await;
        assert_eq!((second.items, second.resume), (vec![rejection(3, 1)], None));
    }

    async fn rejections_of_unknown_sources_are_passed_over(store) {
        create(store, 1..=1).await;
        store.reject(Vec::new()).await.unwrap();
        store.reject(vec![rejection(1, 2), rejection(2, 1), rejection(3, 3)]).await.unwrap();
        assert_eq!((rejected(store, 1).await, rejected(store, 2).await), (vec![2], vec![]));
    }

    async fn of_many_rejections_the_newest_stay(store) {
        create(store, 1..=2).await;
        let most = MAX_REJECTIONS as u64;
        store.reject(vec![rejection(0, 2)]).await.unwrap();
        store.reject((1..most).map(|it| rejection(it, 1)).collect()).await.unwrap();
        assert_eq!(rejected(store, 1).await.len(), MAX_REJECTIONS - 1);
        store.reject((most..=most + 9).map(|it| rejection(it, 1)).collect()).await.unwrap();
        assert_eq!(rejected(store, 1).await, (10..=most + 9).collect::<Vec<_>>());
        // More at once than are kept.
        let flood = (2 * most..=4 * most).map(|it| rejection(it, 1));
        store.reject(flood.collect()).await.unwrap();
        assert_eq!(rejected(store, 1).await, (3 * most + 1..=4 * most).collect::<Vec<_>>());
        // One that comes late is older than what is kept.
        store.reject(vec![rejection(5, 1)]).await.unwrap();
        assert_eq!(rejected(store, 1).await.len(), MAX_REJECTIONS);
        assert_eq!(rejected(store, 2).await, [0]);
    }

    async fn rejections_are_forgotten_in_time(store) {
        create(store, 1..=2).await;
        let retention = Retention { rows: 30 * DAY, idempotency: DAY, digests: 30 * DAY, rejections: DAY };
        store.reject((0..350).map(|it| rejection(it, 1 + it % 2)).collect()).await.unwrap();
        expire(store, at(299) + DAY, retention).await;
        let (first, second) = (rejected(store, 1).await, rejected(store, 2).await);
        assert_eq!((first.first(), first.len()), (Some(&300), 25));
        assert_eq!((second.first(), second.len()), (Some(&301), 25));
        expire(store, at(100_000) + DAY, retention).await;
        assert_eq!((rejected(store, 1).await, rejected(store, 2).await), (vec![], vec![]));
        assert!(known(store, 1).await.is_some());
    }

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

    async fn of_a_batch_what_is_known_adds_nothing_and_the_rest_does(store) {
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

    async fn of_events_that_come_at_once_with_one_digest_one_becomes_a_message(store) {
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
}
