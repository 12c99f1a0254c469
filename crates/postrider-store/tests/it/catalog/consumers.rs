//! The promises of `Catalog` about consumers, the partitions of their queues and dead letters.

use postrider_core::{
    catalog::{AtRest, Consumer, DeadBody, DeadLetter, MAX_DEAD_BODY},
    queue::partitions::Partitions,
};
use postrider_store::{
    Expected, IdOrUid, MAX_DEAD_LETTERS, Maintenance, PostgresStore, Records, Retention, Scan,
    StoreError, Version,
};

use crate::{
    fixture,
    fixture::*,
    schema::{REVERT_CONSUMERS, Schema},
    store_tests,
};

fn named(number: u64, uid: &str) -> Consumer {
    Consumer { uid: Some(uid.parse().unwrap()), ..consumer(number) }
}

#[tokio::test]
async fn a_schema_without_consumers_is_migrated() {
    let schema = Schema::create().await;
    let node = schema.open().await;
    set_up(&node).await;
    node.close().await.unwrap();
    schema.client().await.batch_execute(REVERT_CONSUMERS).await.unwrap();
    let migrated = PostgresStore::migrate(&schema.options()).await.unwrap();
    assert_eq!(migrated.from, 5);
    let node = schema.open().await;
    create_consumers(&node, 1..=1).await;
    assert_eq!(node.all_consumers(None, 10).await.unwrap(), [consumer(1)]);
    node.close().await.unwrap();
    schema.remove().await;
}

store_tests! {
    async fn a_saved_consumer_is_read_back_unchanged(store) {
        let it = named(1, "u");
        assert_eq!(store.save(&it, Expected::New).await.unwrap(), Version(1));
        for key in [IdOrUid::Id(it.id), IdOrUid::Uid("u".parse().unwrap())] {
            let found = store.get::<Consumer>(&organization(), &key).await.unwrap();
            assert_eq!(found.as_ref(), Some(&it));
        }
        let bare = Consumer { uid: None, mapping: None, config: AtRest::default(), disabled: true, ..it };
        let saved = store.save(&bare, Expected::Version(Version(1))).await.unwrap();
        assert_eq!(saved, Version(2));
        let found = store.get::<Consumer>(&organization(), &IdOrUid::Id(bare.id)).await.unwrap();
        assert_eq!(found, Some(bare));
    }

    async fn the_consumers_of_all_organizations_are_listed(store) {
        let elsewhere = Consumer { organization: "org_b".parse().unwrap(), ..named(2, "u") };
        for it in [named(3, "v"), elsewhere.clone(), named(1, "u")] {
            store.save(&it, Expected::New).await.unwrap();
        }
        assert_conflict(store.save(&named(4, "u"), Expected::New).await, "uid");
        let all_of_them = store.all_consumers(None, 2).await.unwrap();
        assert_eq!(all_of_them, [named(1, "u"), elsewhere]);
        let rest = store.all_consumers(Some(consumer_id(2)), 2).await.unwrap();
        assert_eq!(rest, [named(3, "v")]);
        let own = store.list::<Consumer>(&organization(), all()).await.unwrap().items;
        assert_eq!(own, [named(1, "u"), named(3, "v")]);
    }

    async fn partitions_are_compared_and_set(store) {
        create_consumers(store, 1..=1).await;
        let mut partitions = Partitions::new(consumer_id(1));
        partitions.renew(7, &[0, 1], at(0), at(10));
        partitions.advance(1, 5);
        assert_eq!(store.save(&partitions, Expected::New).await.unwrap(), Version(1));
        assert_conflict(store.save(&partitions, Expected::New).await, "partitions of a queue");
        let key = IdOrUid::Id(consumer_id(1));
        let found = store.get_versioned::<Partitions>(&consumer_id(1), &key).await.unwrap();
        assert_eq!(found, Some((partitions.clone(), Version(1))));
        store.save(&partitions, Expected::Version(Version(1))).await.unwrap();
        let outdated = store.save(&partitions, Expected::Version(Version(1))).await;
        assert!(matches!(outdated, Err(StoreError::VersionMismatch { .. })), "{outdated:?}");
    }

    async fn dead_letters_are_listed_read_and_removed(store) {
        create_consumers(store, 1..=2).await;
        let large = DeadLetter {
            body: DeadBody::of(&vec![b'x'; 2 * MAX_DEAD_BODY]),
            is_truncated: true,
            subject: None,
            ..dead_letter(2, 1)
        };
        for it in [&dead_letter(1, 1), &large, &dead_letter(3, 2)] {
            store.save(it, Expected::New).await.unwrap();
        }
        let found = store.get::<DeadLetter>(&consumer_id(1), &IdOrUid::Id(dead_letter_id(2))).await;
        assert_eq!(found.unwrap(), Some(large));
        let found = store.get::<DeadLetter>(&consumer_id(2), &IdOrUid::Id(dead_letter_id(2))).await;
        assert_eq!(found.unwrap(), None);
        let newest = Scan { after: None, ascending: false, limit: 1 };
        let page = store.list::<DeadLetter>(&consumer_id(1), newest).await.unwrap();
        assert_eq!((page.items[0].id, page.resume), (dead_letter_id(2), Some(dead_letter_id(2))));
        let next = Scan { after: page.resume, ascending: false, limit: 1 };
        let page = store.list::<DeadLetter>(&consumer_id(1), next).await.unwrap();
        assert_eq!((page.items, page.resume), (vec![dead_letter(1, 1)], None));
        assert!(!store.remove::<DeadLetter>(&consumer_id(2), &dead_letter_id(1)).await.unwrap());
        assert!(store.remove::<DeadLetter>(&consumer_id(1), &dead_letter_id(1)).await.unwrap());
        assert_eq!(dead_letter_numbers(store, 1).await, [2]);
    }

    async fn removing_a_consumer_removes_what_belongs_to_it(store) {
        create_consumers(store, 1..=2).await;
        for (number, consumer) in [(1, 1), (2, 2)] {
            store.save(&dead_letter(number, consumer), Expected::New).await.unwrap();
            let partitions = Partitions::new(consumer_id(consumer));
            store.save(&partitions, Expected::New).await.unwrap();
        }
        let other = "org_other".parse().unwrap();
        assert!(!store.remove::<Consumer>(&other, &consumer_id(1)).await.unwrap());
        assert!(store.remove::<Consumer>(&organization(), &consumer_id(1)).await.unwrap());
        assert!(!store.remove::<Consumer>(&organization(), &consumer_id(1)).await.unwrap());
        let partitions = async |number| {
            let key = IdOrUid::Id(consumer_id(number));
            store.get::<Partitions>(&consumer_id(number), &key).await.unwrap()
        };
        assert_eq!((dead_letter_numbers(store, 1).await, partitions(1).await), (vec![], None));
        assert_eq!(dead_letter_numbers(store, 2).await, [2]);
        assert!(partitions(2).await.is_some());
    }

    async fn dead_letters_expire_with_messages(store) {
        create_consumers(store, 1..=1).await;
        for number in 0..120 {
            store.save(&dead_letter(number, 1), Expected::New).await.unwrap();
        }
        let retention =
            Retention { rows: DAY, idempotency: DAY, digests: DAY, rejections: DAY, audit_log: DAY };
        expire(store, at(109) + DAY, retention).await;
        assert_eq!(dead_letter_numbers(store, 1).await, (110..120).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn there_is_a_limit_of_dead_letters() {
    let store = postrider_store::MemoryStore::default();
    let folder = tempfile::tempdir().unwrap();
    let embedded = open_embedded(folder.path());
    let mut most = MAX_DEAD_LETTERS as u64;
    for number in 0..most {
        store.save(&dead_letter(number, 1), Expected::New).await.unwrap();
    }
    let refused = store.save(&dead_letter(most, 1), Expected::New).await.unwrap_err();
    assert!(error_chain(&refused).contains("retry or delete some of them"), "{refused:?}");
    store.save(&dead_letter(most, 2), Expected::New).await.unwrap();
    store.save(&dead_letter(1, 1), Expected::Any).await.unwrap();
    // A transaction for each would take long on a disk.
    let saves = (0..most).map(|number| {
        let embedded = &embedded;
        async move { embedded.save(&dead_letter(number, 1), Expected::New).await.map(drop) }
    });
    futures_util::future::try_join_all(saves).await.unwrap();
    most += 1;
    let refused = embedded.save(&dead_letter(most, 1), Expected::New).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert!(embedded.remove::<DeadLetter>(&consumer_id(1), &dead_letter_id(0)).await.unwrap());
    embedded.save(&dead_letter(most, 1), Expected::New).await.unwrap();
}
