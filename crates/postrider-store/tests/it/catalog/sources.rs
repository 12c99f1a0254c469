//! The promises of `Catalog` for sources, whose tokens are unique and whose rejections go with them.

use std::time::Duration;

use postrider::SourceId;
use postrider_core::catalog::{Application, Source};
use postrider_store::{
    AppendOutcome, Cluster, Deliveries, Expected, IdOrUid, Maintenance, NewMessage, PostgresStore,
    Records, Rejections, Scan, Store, StoreError, StoreEvent,
};

use crate::{
    database::{Schema, UNPAUSE, WITHOUT_VERSIONS},
    fixture,
    fixture::*,
    store_tests,
};

async fn save_source(store: &dyn Store, source: Source) -> Result<(), StoreError> {
    store.save(&source, Expected::Any).await.map(drop)
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

#[tokio::test]
async fn a_schema_without_sources_is_migrated() {
    let schema = Schema::create().await;
    let digest = |number| NewMessage { idempotency: Some([7; 32]), ..free(number, &[1]) };
    let node = schema.open().await;
    set_up(&node).await;
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
    create_sources(&node, 1..=1).await;
    node.reject(vec![rejection(1, 1)]).await.unwrap();
    assert_eq!(
        (stored_source(&node, 1).await, rejection_numbers(&node, 1).await),
        (Some(source(1)), vec![1])
    );
    node.close().await.unwrap();
    schema.remove().await;
}

#[tokio::test]
async fn other_nodes_are_notified_of_a_changed_source() {
    let schema = Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    // The application has no other requests.
    save_source(&first, Source { application: application_id(7), ..source(1) }).await.unwrap();
    wait_for_change(&second).await;
    first.remove::<Source>(&organization(), &source_id(1)).await.unwrap();
    wait_for_change(&second).await;
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

async fn wait_for_change(node: &PostgresStore) {
    let heard = async {
        while node.next_event().await != StoreEvent::ApplicationChanged(application_id(7)) {}
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("nothing was heard");
}

store_tests! {
    async fn a_source_comes_back_as_it_was_saved(store) {
        let it = named(1, "u");
        store.save(&it, Expected::New).await.unwrap();
        assert_eq!(stored_source(store, 1).await, Some(it.clone()));
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
        save_source(store, bare.clone()).await.unwrap();
        assert_eq!(stored_source(store, 1).await, Some(bare));
        let by_uid = store.get::<Source>(&organization(), &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!(by_uid.unwrap(), None);
    }

    async fn a_source_is_visible_to_its_organization_only(store) {
        create_sources(store, 1..=1).await;
        let other = "org_other".parse().unwrap();
        assert_eq!(store.get::<Source>(&other, &IdOrUid::Id(source_id(1))).await.unwrap(), None);
        assert_eq!(store.list::<Source>(&other, all()).await.unwrap().items, []);
        assert!(!store.remove::<Source>(&other, &source_id(1)).await.unwrap());
        assert!(stored_source(store, 1).await.is_some());
        // But who has the token has the source.
        assert!(store.find::<Source>(token_digest(1)).await.unwrap().is_some());
        assert_eq!(store.find::<Source>(token_digest(2)).await.unwrap(), None);
    }

    async fn sources_share_neither_ids_nor_uids_nor_tokens(store) {
        save_source(store, named(1, "u")).await.unwrap();
        refused(store.save(&named(1, "v"), Expected::New).await.map(drop), "source");
        refused(save_source(store, named(2, "u")).await, "uid");
        let same_token = Source { token_digest: token_digest(1), ..source(2) };
        refused(save_source(store, same_token).await, "token");
        // A token is unique among all organizations, a uid is not.
        let elsewhere = |it| Source { organization: "org_b".parse().unwrap(), ..it };
        let same_token = Source { token_digest: token_digest(1), ..source(3) };
        refused(save_source(store, elsewhere(same_token)).await, "token");
        save_source(store, elsewhere(named(3, "u"))).await.unwrap();
        assert_eq!(stored_source(store, 1).await, Some(named(1, "u")));
        assert_eq!(stored_source(store, 2).await, None);
    }

    async fn a_new_token_finds_the_source_and_the_old_one_does_not(store) {
        create_sources(store, 1..=1).await;
        let rotated = Source { token_digest: token_digest(9), ..source(1) };
        save_source(store, rotated.clone()).await.unwrap();
        assert_eq!(store.find::<Source>(token_digest(1)).await.unwrap(), None);
        assert_eq!(store.find::<Source>(token_digest(9)).await.unwrap(), Some(rotated));
        // It is free for another source then.
        save_source(store, Source { token_digest: token_digest(1), ..source(2) }).await.unwrap();
    }

    async fn sources_page_both_ways(store) {
        create_sources(store, 1..=3).await;
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

    async fn removing_a_source_removes_its_rejections(store) {
        create_sources(store, 1..=2).await;
        store.reject(vec![rejection(1, 1), rejection(2, 2)]).await.unwrap();
        assert!(store.remove::<Source>(&organization(), &source_id(1)).await.unwrap());
        assert!(!store.remove::<Source>(&organization(), &source_id(1)).await.unwrap());
        assert_eq!(stored_source(store, 1).await, None);
        assert_eq!(store.find::<Source>(token_digest(1)).await.unwrap(), None);
        assert_eq!((rejection_numbers(store, 1).await, rejection_numbers(store, 2).await), (vec![], vec![2]));
        // It does not get them back with its name.
        create_sources(store, 1..=1).await;
        assert_eq!(rejection_numbers(store, 1).await, [0; 0]);
    }

    async fn removing_an_application_removes_its_sources(store) {
        create_sources(store, 1..=2).await;
        save_source(store, Source { application: application_id(2), ..source(3) }).await.unwrap();
        store.reject((1..=3).map(|it| rejection(it, it)).collect()).await.unwrap();
        assert!(store.remove::<Application>(&organization(), &application_id(1)).await.unwrap());
        let left = store.list::<Source>(&organization(), all()).await.unwrap().items;
        assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [source_id(3)]);
        assert_eq!((rejection_numbers(store, 1).await, rejection_numbers(store, 3).await), (vec![], vec![3]));
    }
}
