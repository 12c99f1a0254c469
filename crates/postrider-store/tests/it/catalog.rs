//! The promises of `Catalog`.

mod connectors;
mod consumers;
mod schema_reports;
mod sources;

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, EventTypeName, Uid};
use postrider_core::{
    catalog::{Application, AtRest, Consumer, Endpoint, EventType, Source},
    delivery::Settlement,
    message::Message,
    retry::Verdict,
};
use postrider_store::{
    Expected, Hold, IdOrUid, KeyReservation, Maintenance, PostgresStore, Record, Records, Rewrite,
    RewritePosition, Scan, StatusKind, Store, StoreError, Version,
};

use crate::{
    fixture,
    fixture::*,
    schema::{REVERT_VERSIONS, Schema},
    store_tests,
};

fn uid(text: &str) -> Uid {
    text.parse().unwrap()
}

/// Changes one endpoint, one source, one consumer and one response.
struct RewriteOne;

impl Rewrite for RewriteOne {
    fn endpoint(&self, it: &Endpoint) -> Option<Endpoint> {
        (it.id == endpoint_id(1)).then(|| Endpoint { headers: AtRest::default(), ..it.clone() })
    }

    fn source(&self, it: &Source) -> Option<Source> {
        (it.id == source_id(1)).then(|| Source { public_url: None, ..it.clone() })
    }

    fn consumer(&self, it: &Consumer) -> Option<Consumer> {
        (it.id == consumer_id(1)).then(|| Consumer { config: AtRest::default(), ..it.clone() })
    }

    fn response(&self, key: [u8; 32], answer: &[u8]) -> Option<Vec<u8>> {
        (key == [1; 32]).then(|| [answer, b" again"].concat())
    }
}

store_tests! {
    async fn encrypted_values_are_rewritten(store) {
        create_sources(store, 1..=2).await;
        create_consumers(store, 1..=2).await;
        for number in [1_u8, 2] {
            let key = [number; 32];
            store.reserve_key(key, [9; 32], NOW).await.unwrap();
            store.complete_key(key, Some(b"done".to_vec()), NOW).await.unwrap();
        }
        let endpoints = async || store.list::<Endpoint>(&application_id(1), all()).await.unwrap().items;
        let before = endpoints().await;
        let (mut position, mut replaced) = (Some(RewritePosition::default()), 0);
        while let Some(at) = position {
            let page = store.rewrite(at, 1, Arc::new(RewriteOne)).await.unwrap();
            (position, replaced) = (page.next, replaced + page.replaced);
        }
        assert_eq!(replaced, 4);
        store.forget_replaced().await.unwrap();
        let mut expected = before;
        for it in &mut expected {
            if it.id == endpoint_id(1) {
                it.headers = AtRest::default();
            }
        }
        assert_eq!(endpoints().await, expected);
        let found = store.list::<Source>(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [Source { public_url: None, ..source(1) }, source(2)]);
        let found = store.all_consumers(None, 10).await.unwrap();
        assert_eq!(found, [Consumer { config: AtRest::default(), ..consumer(1) }, consumer(2)]);
        for (key, expected) in [([1; 32], "done again"), ([2; 32], "done")] {
            let answered = KeyReservation::Completed(expected.into());
            assert_eq!(store.reserve_key(key, [9; 32], NOW).await.unwrap(), answered);
        }
    }

    async fn saved_records_are_read_back_unchanged(store) {
        let organization = organization();
        let it = Application { uid: Some(uid("u")), ..application(7) };
        store.save(&it, Expected::New).await.unwrap();
        let by_id = store.get::<Application>(&organization, &IdOrUid::Id(it.id)).await.unwrap();
        let by_uid = store.get::<Application>(&organization, &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!((by_id.as_ref(), by_uid.unwrap().as_ref()), (Some(&it), Some(&it)));
        assert_eq!(store.find::<Application>(it.id).await.unwrap(), Some(it));

        let it = Endpoint { uid: Some(uid("u")), event_types: Some(vec![type_name("a")]), ..endpoint(7) };
        store.save(&it, Expected::New).await.unwrap();
        let by_id = store.get::<Endpoint>(&it.application, &IdOrUid::Id(it.id)).await.unwrap();
        let by_uid = store.get::<Endpoint>(&it.application, &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!((by_id, by_uid.unwrap()), (Some(it.clone()), Some(it)));

        let it = event_type("a.b");
        store.save(&it, Expected::New).await.unwrap();
        assert_eq!(store.get::<EventType>(&organization, &IdOrUid::Id(it.name.clone())).await.unwrap(), Some(it));
    }

    async fn stored_names_of_two_dots_can_still_be_read(store) {
        let (uid, name) = (Uid::stored("..").unwrap(), EventTypeName::stored("..").unwrap());
        let it = Application { uid: Some(uid.clone()), ..application(1) };
        store.save(&it, Expected::Any).await.unwrap();
        assert_eq!(store.find::<Application>(it.id).await.unwrap(), Some(it));
        let it = Endpoint {
            uid: Some(uid.clone()),
            event_types: Some(vec![name.clone()]),
            ..endpoint(1)
        };
        store.save(&it, Expected::Any).await.unwrap();
        let found = store.get::<Endpoint>(&it.application, &IdOrUid::Id(it.id)).await.unwrap();
        assert_eq!(found, Some(it));
        let it = EventType { name: name.clone(), ..event_type("a") };
        store.save(&it, Expected::New).await.unwrap();
        assert_eq!(store.get::<EventType>(&organization(), &IdOrUid::Id(name.clone())).await.unwrap(), Some(it));
        let it = Message { event_id: Some(uid), event_type: name, ..message(1) };
        store.append(vec![new(it.clone(), &[1], Hold::Leased(NOW))]).await.unwrap();
        let found = store.message(application_id(1), &IdOrUid::Id(it.id)).await.unwrap();
        assert_eq!(found, Some(it));
    }

    async fn a_record_is_visible_to_its_parent_only(store) {
        let other = "org_other".parse().unwrap();
        let id = IdOrUid::Id(application_id(1));
        assert_eq!(store.get::<Application>(&other, &id).await.unwrap(), None);
        assert_eq!(store.list::<Application>(&other, all()).await.unwrap().items, []);
        let id = IdOrUid::Id(endpoint_id(1));
        assert_eq!(store.get::<Endpoint>(&application_id(2), &id).await.unwrap(), None);
        assert_eq!(store.list::<Endpoint>(&application_id(2), all()).await.unwrap().items.len(), 1);
        assert_eq!(store.get::<EventType>(&other, &IdOrUid::Id(type_name("a.b"))).await.unwrap(), None);
    }

    async fn an_existing_record_is_not_created_again(store) {
        assert_conflict(store.save(&application(1), Expected::New).await, "application");
        assert_conflict(store.save(&endpoint(1), Expected::New).await, "endpoint");
        store.save(&event_type("a"), Expected::New).await.unwrap();
        assert_conflict(store.save(&event_type("a"), Expected::New).await, "event type");
    }

    async fn an_existing_record_is_replaced(store) {
        let changed = Application { name: "new".to_owned(), uid: Some(uid("u")), ..application(1) };
        store.save(&changed, Expected::Any).await.unwrap();
        assert_eq!(store.find::<Application>(changed.id).await.unwrap(), Some(changed.clone()));
        let without = Application { uid: None, ..changed };
        store.save(&without, Expected::Any).await.unwrap();
        let named = IdOrUid::Uid("u".parse().unwrap());
        assert_eq!(store.get::<Application>(&organization(), &named).await.unwrap(), None);
        let archived = EventType { archived: true, ..event_type("a") };
        store.save(&event_type("a"), Expected::Any).await.unwrap();
        store.save(&archived, Expected::Any).await.unwrap();
        let found = store.get::<EventType>(&organization(), &IdOrUid::Id(archived.name.clone())).await.unwrap();
        assert_eq!(found, Some(archived));
    }

    async fn a_save_succeeds_only_with_the_expected_version(store) {
        let key = IdOrUid::Id(application_id(1));
        let get = async || {
            store.get_versioned::<Application>(&organization(), &key).await.unwrap().unwrap()
        };
        let named = |name: &str| Application { name: name.to_owned(), ..application(1) };
        let (_, read) = get().await;
        let saved = store.save(&named("first"), Expected::Version(read)).await.unwrap();
        assert_ne!(saved, read);
        // The second writer has read the same version as the first one, so its save fails.
        let outdated = store.save(&named("second"), Expected::Version(read)).await;
        assert!(
            matches!(outdated, Err(StoreError::VersionMismatch { what: "application" })),
            "{outdated:?}"
        );
        assert_eq!(get().await, (named("first"), saved));
        let again = store.save(&named("second"), Expected::Version(saved)).await.unwrap();
        let forced = store.save(&named("third"), Expected::Any).await.unwrap();
        assert!(read < saved && saved < again && again < forced);
        assert_eq!(get().await, (named("third"), forced));
    }

    async fn a_record_that_was_removed_in_between_is_not_saved(store) {
        let parts = store.find_versioned::<Application>(application_id(1)).await.unwrap().unwrap();
        store.remove::<Application>(&organization(), &application_id(1)).await.unwrap();
        let saved = store.save(&parts.0, Expected::Version(parts.1)).await;
        assert!(matches!(saved, Err(StoreError::VersionMismatch { .. })), "{saved:?}");
        assert_eq!(store.find::<Application>(application_id(1)).await.unwrap(), None);
    }

    async fn every_kind_of_record_has_a_version(store) {
        let it = endpoint(1);
        let saved = store.save(&it, Expected::Any).await.unwrap();
        assert_versioned(store, &it, saved).await;
        let it = event_type("a");
        let saved = store.save(&it, Expected::New).await.unwrap();
        assert_versioned(store, &it, saved).await;
        let it = source(1);
        let saved = store.save(&it, Expected::New).await.unwrap();
        assert_versioned(store, &it, saved).await;
    }

    async fn a_uid_is_unique_under_its_parent(store) {
        let named = |number| Application { uid: Some(uid("u")), ..application(number) };
        store.save(&named(1), Expected::Any).await.unwrap();
        assert_conflict(store.save(&named(2), Expected::Any).await, "uid");
        let elsewhere = Application { organization: "org_b".parse().unwrap(), ..named(9) };
        store.save(&elsewhere, Expected::New).await.unwrap();

        let named = |number| Endpoint { uid: Some(uid("u")), ..endpoint(number) };
        store.save(&named(1), Expected::Any).await.unwrap();
        assert_conflict(store.save(&named(2), Expected::Any).await, "uid");
        assert_conflict(store.save(&named(8), Expected::New).await, "uid");
        let elsewhere = Endpoint { application: application_id(2), ..named(4) };
        store.save(&elsewhere, Expected::Any).await.unwrap();
        // A refused save leaves everything as it was.
        let second = store.get::<Endpoint>(&application_id(1), &IdOrUid::Id(endpoint_id(2))).await.unwrap();
        assert_eq!(second, Some(endpoint(2)));
    }

    async fn a_removed_record_is_not_found(store) {
        store.save(&event_type("a"), Expected::New).await.unwrap();
        for exists in [true, false] {
            let (application, endpoint) = (application_id(1), endpoint_id(1));
            let removed = store.remove::<Endpoint>(&application, &endpoint).await.unwrap();
            assert_eq!(removed, exists);
            let removed = store.remove::<Application>(&organization(), &application).await;
            assert_eq!(removed.unwrap(), exists);
            let removed = store.remove::<EventType>(&organization(), &type_name("a")).await;
            assert_eq!(removed.unwrap(), exists);
        }
        assert_eq!(store.find::<Application>(application_id(1)).await.unwrap(), None);
        assert_eq!(store.list::<Endpoint>(&application_id(1), all()).await.unwrap().items, []);
        let second = IdOrUid::Id(endpoint_id(2));
        assert_eq!(store.get::<Endpoint>(&application_id(1), &second).await.unwrap(), None);
        assert_eq!(store.list::<Endpoint>(&application_id(2), all()).await.unwrap().items.len(), 1);
    }

    async fn lists_page_both_ways(store) {
        let id = application_id(1);
        let page = |after: Option<EndpointId>, ascending| Scan { after, ascending, limit: 2 };
        let first = store.list::<Endpoint>(&id, page(None, true)).await.unwrap();
        assert_eq!(first.items, [endpoint(1), endpoint(2)]);
        let second = store.list::<Endpoint>(&id, page(first.resume, true)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![endpoint(3)], None));
        let first = store.list::<Endpoint>(&id, page(None, false)).await.unwrap();
        assert_eq!(first.items, [endpoint(3), endpoint(2)]);
        let second = store.list::<Endpoint>(&id, page(first.resume, false)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![endpoint(1)], None));

        let page = |after: Option<ApplicationId>, ascending| Scan { after, ascending, limit: 1 };
        let first = store.list::<Application>(&organization(), page(None, false)).await.unwrap();
        assert_eq!((first.items, first.resume), (vec![application(2)], Some(application_id(2))));
        let second = store.list::<Application>(&organization(), page(first.resume, false)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![application(1)], None));
    }

    async fn event_types_are_listed_by_name(store) {
        let archived = EventType { archived: true, ..event_type("b") };
        for it in [event_type("c"), archived.clone(), event_type("a"), event_type("d")] {
            store.save(&it, Expected::New).await.unwrap();
        }
        let page = |after: Option<EventTypeName>| Scan { after, ascending: true, limit: 2 };
        let first = store.list::<EventType>(&organization(), page(None)).await.unwrap();
        assert_eq!(first.items, [event_type("a"), event_type("c")]);
        let second = store.list::<EventType>(&organization(), page(first.resume)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![event_type("d")], None));
        let every = store.list_with_hidden::<EventType>(&organization(), page(None)).await.unwrap();
        assert_eq!(every.items, [event_type("a"), archived]);
        let down = Scan { after: Some(type_name("c")), ascending: false, limit: 9 };
        let down = store.list::<EventType>(&organization(), down).await.unwrap();
        assert_eq!((down.items, down.resume), (vec![event_type("a")], None));
    }

    async fn the_start_of_an_endpoints_failures_is_stored(store) {
        store.append(vec![leased(1, &[1, 2])]).await.unwrap();
        let note = |number, endpoint, failing_since| Settlement {
            failing_since,
            ..settlement(number, fresh(endpoint, 1), 500, Verdict::RetryAt(at(1)))
        };
        settle(store, vec![note(1, 1, Some(Some(at(5))))]).await;
        settle(store, vec![note(2, 2, Some(Some(at(6))))]).await;
        let failing = store.failing(application_id(1)).await.unwrap();
        assert_eq!(failing, [(endpoint_id(1), at(5)), (endpoint_id(2), at(6))]);
        settle(store, vec![note(3, 1, None)]).await;
        settle(store, vec![note(4, 2, Some(None))]).await;
        let failing = store.failing(application_id(1)).await.unwrap();
        assert_eq!(failing, [(endpoint_id(1), at(5))]);
        // A save of the endpoint keeps it, unless it disables the endpoint.
        store.save(&endpoint(1), Expected::Any).await.unwrap();
        assert_eq!(store.failing(application_id(1)).await.unwrap().len(), 1);
        disable(store, 1, true).await;
        assert_eq!(store.failing(application_id(1)).await.unwrap(), []);
        assert_eq!(store.failing(application_id(2)).await.unwrap(), []);
    }

    async fn removing_a_record_cancels_its_deliveries(store) {
        store.append(vec![free(1, &[1, 2]), leased(2, &[1, 3])]).await.unwrap();
        assert!(store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap());
        let cancelled = StatusKind::Cancelled;
        assert_eq!(delivery_states(store, 1).await, [(1, cancelled, 0), (2, cancelled, 0)]);
        assert_eq!(delivery_states(store, 2).await, [(1, StatusKind::Pending, 0)]);
        assert!(store.remove::<Application>(&organization(), &application_id(1)).await.unwrap());
        assert_eq!(delivery_states(store, 2).await, [(1, cancelled, 0)]);
        assert_eq!(delivery_states(store, 3).await, [(2, cancelled, 0)]);
        assert_eq!(claimed(store, claim_at(at(900_000))).await, []);
        let size = store.size().await.unwrap();
        assert_eq!((size.waiting, size.oldest_due), (0, None));
    }
}

#[tokio::test]
async fn records_from_before_versions_have_version_1() {
    let schema = Schema::create().await;
    let node = schema.open().await;
    set_up(&node).await;
    node.save(&application(1), Expected::Any).await.unwrap();
    node.close().await.unwrap();
    schema.client().await.batch_execute(REVERT_VERSIONS).await.unwrap();
    let migrated = PostgresStore::migrate(&schema.options()).await.unwrap();
    assert_eq!(migrated.from, 4);
    let node = schema.open().await;
    let found = node.find_versioned::<Application>(application_id(1)).await.unwrap();
    assert_eq!(found, Some((application(1), Version(1))));
    let saved = node.save(&application(1), Expected::Version(Version(1))).await.unwrap();
    assert_eq!(saved, Version(2));
    node.close().await.unwrap();
    schema.remove().await;
}

/// Two nodes change one record, and retry when the other one has changed it since they read it.
#[tokio::test]
async fn concurrent_changes_by_two_nodes_are_all_kept() {
    const CHANGES: usize = 20;
    let schema = Schema::create().await;
    let (first, second) = (schema.open().await, schema.open().await);
    set_up(&first).await;
    let change = async |node: &PostgresStore, name: &str| {
        let mut outdated = 0;
        for number in 0..CHANGES {
            loop {
                let found = node.find_versioned::<Application>(application_id(1)).await;
                let (mut record, version) = found.unwrap().unwrap();
                record.metadata.insert(format!("{name}{number}"), String::new());
                match node.save(&record, Expected::Version(version)).await {
                    Ok(_) => break,
                    Err(StoreError::VersionMismatch { .. }) => outdated += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        outdated
    };
    let outdated = tokio::join!(change(&first, "a"), change(&second, "b"));
    let (record, version) =
        first.find_versioned::<Application>(application_id(1)).await.unwrap().unwrap();
    let kept = application(1).metadata.len();
    assert_eq!(record.metadata.len(), kept + 2 * CHANGES, "{outdated:?}");
    assert_eq!(version, Version(1 + 2 * CHANGES as u64));
    drop((first, second));
    schema.remove().await;
}

/// Saves the record twice with the same expected version: only the first save succeeds.
async fn assert_versioned<R: Record>(store: &dyn Store, record: &R, version: Version) {
    let (read, found) = store
        .get_versioned::<R>(&record.parent(), &IdOrUid::Id(record.id()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, version);
    store.save(&read, Expected::Version(version)).await.unwrap();
    let second = store.save(&read, Expected::Version(version)).await;
    assert!(matches!(second, Err(StoreError::VersionMismatch { .. })), "{second:?}");
}
