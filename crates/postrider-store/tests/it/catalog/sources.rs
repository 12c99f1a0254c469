//! The promises of `Catalog` about sources: unique tokens, and rejections that are removed with them.

use std::time::Duration;

use postrider::SourceId;
use postrider_core::catalog::{Application, Source};
use postrider_store::{
    AppendOutcome, Cluster, Deliveries, Expected, IdOrUid, Maintenance, PostgresStore, Records,
    Rejections, Scan, Store, StoreError, StoreEvent, Version,
};

use crate::{
    fixture,
    fixture::*,
    schema::{REVERT_PAUSING, REVERT_VERSIONS, Schema},
    store_tests,
};

async fn save_source(store: &dyn Store, source: Source) -> Result<Version, StoreError> {
    store.save(&source, Expected::Any).await
}

fn named(number: u64, uid: &str) -> Source {
    Source { uid: Some(uid.parse().unwrap()), ..source(number) }
}

#[tokio::test]
async fn a_schema_without_sources_is_migrated() {
    let schema = Schema::create().await;
    let node = schema.open().await;
    set_up(&node).await;
    node.append(vec![free_with_digest(1, &[1])]).await.unwrap();
    node.close().await.unwrap();
    let client = schema.client().await;
    let former = "DROP TABLE source; DROP TABLE rejection;
        DELETE FROM schema_version WHERE version > 1";
    client.batch_execute(&format!("{REVERT_VERSIONS}{REVERT_PAUSING}{former}")).await.unwrap();
    let migrated = PostgresStore::migrate(&schema.options()).await.unwrap();
    assert_eq!(migrated.from, 1);
    let node = schema.open().await;
    assert_eq!(
        node.append(vec![free_with_digest(2, &[1])]).await.unwrap(),
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
    save_source(&first, Source { application: application_id(7), ..source(1) }).await.unwrap();
    wait_for_change(&second).await;
    first.remove::<Source>(&organization(), &source_id(1)).await.unwrap();
    wait_for_change(&second).await;
    first.close().await.unwrap();
    second.close().await.unwrap();
    schema.remove().await;
}

async fn wait_for_change(node: &PostgresStore) {
    let change = async {
        while node.next_event().await != StoreEvent::ApplicationChanged(application_id(7)) {}
    };
    tokio::time::timeout(Duration::from_secs(10), change).await.expect("no event of the change");
}

store_tests! {
    async fn a_saved_source_is_read_back_unchanged(store) {
        let it = named(1, "u");
        store.save(&it, Expected::New).await.unwrap();
        assert_eq!(stored_source(store, 1).await, Some(it.clone()));
        let by_uid = store.get::<Source>(&organization(), &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!(by_uid.unwrap(), Some(it.clone()));
        let by_token = store.find::<Source>(it.token_digest).await.unwrap();
        assert_eq!(by_token, Some(it.clone()));
        // Optional fields can be left out.
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
        // The token finds it without naming the organization.
        assert!(store.find::<Source>(token_digest(1)).await.unwrap().is_some());
        assert_eq!(store.find::<Source>(token_digest(2)).await.unwrap(), None);
    }

    async fn source_ids_uids_and_tokens_are_unique(store) {
        save_source(store, named(1, "u")).await.unwrap();
        assert_conflict(store.save(&named(1, "v"), Expected::New).await, "source");
        assert_conflict(save_source(store, named(2, "u")).await, "uid");
        let same_token = Source { token_digest: token_digest(1), ..source(2) };
        assert_conflict(save_source(store, same_token).await, "token");
        // A token is unique among all organizations, a uid is not.
        let elsewhere = |it| Source { organization: "org_b".parse().unwrap(), ..it };
        let same_token = Source { token_digest: token_digest(1), ..source(3) };
        assert_conflict(save_source(store, elsewhere(same_token)).await, "token");
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
        // Another source can use the old token.
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
        // A new source with the same id does not have them.
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
