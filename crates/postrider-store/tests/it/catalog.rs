//! Applications, endpoints, event types.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, EventTypeName, Uid};
use postrider_core::{
    catalog::{Application, AtRest, Endpoint, EventType, Source},
    delivery::Settlement,
    message::Message,
    retry::Verdict,
};
use postrider_store::{
    Hold, IdOrUid, Key, KeyReservation, Record, Rewrite, Scan, SettleBatch, StatusKind, StoreError,
};

use crate::{fixture, fixture::*, store_tests};

fn uid(text: &str) -> Uid {
    text.parse().unwrap()
}

#[track_caller]
fn refused(result: Result<(), StoreError>, expected: &str) {
    match result {
        Err(StoreError::Conflict { what }) => assert_eq!(what, expected),
        other => panic!("expected a conflict over {expected}, got {other:?}"),
    }
}

/// Writes one of everything down differently.
struct Once;

impl Rewrite for Once {
    fn endpoint(&self, it: &Endpoint) -> Option<Endpoint> {
        (it.id == endpoint_id(1)).then(|| Endpoint { headers: AtRest::default(), ..it.clone() })
    }

    fn source(&self, it: &Source) -> Option<Source> {
        (it.id == source_id(1)).then(|| Source { public_url: None, ..it.clone() })
    }

    fn response(&self, key: [u8; 32], answer: &[u8]) -> Option<Vec<u8>> {
        (key == [1; 32]).then(|| [answer, b" again"].concat())
    }
}

store_tests! {
    async fn what_is_encrypted_is_written_down_again(store) {
        for number in [1, 2] {
            store.save(Record::Source(Box::new(source(number))), true).await.unwrap();
            let key = [number.to_be_bytes()[7]; 32];
            store.reserve_key(key, [9; 32], NOW).await.unwrap();
            store.complete_key(key, Some(b"done".to_vec()), NOW).await.unwrap();
        }
        let endpoints = async || store.endpoints(application_id(1), all()).await.unwrap().items;
        let before = endpoints().await;
        assert_eq!(store.rewrite(Arc::new(Once)).await.unwrap(), 3);
        let mut expected = before;
        for it in &mut expected {
            if it.id == endpoint_id(1) {
                it.headers = AtRest::default();
            }
        }
        assert_eq!(endpoints().await, expected);
        let found = store.sources(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [Source { public_url: None, ..source(1) }, source(2)]);
        for (key, expected) in [([1; 32], "done again"), ([2; 32], "done")] {
            let answered = KeyReservation::Completed(expected.into());
            assert_eq!(store.reserve_key(key, [9; 32], NOW).await.unwrap(), answered);
        }
    }

    async fn records_come_back_as_they_were_saved(store) {
        let organization = organization();
        let it = Application { uid: Some(uid("u")), ..application(7) };
        store.save(Record::Application(it.clone()), true).await.unwrap();
        let by_id = store.application(&organization, &IdOrUid::Id(it.id)).await.unwrap();
        let by_uid = store.application(&organization, &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!((by_id.as_ref(), by_uid.unwrap().as_ref()), (Some(&it), Some(&it)));
        assert_eq!(store.application_by_id(it.id).await.unwrap(), Some(it));

        let it = Endpoint { uid: Some(uid("u")), event_types: Some(vec![type_name("a")]), ..endpoint(7) };
        store.save(Record::Endpoint(it.clone()), true).await.unwrap();
        let by_id = store.endpoint(it.application, &IdOrUid::Id(it.id)).await.unwrap();
        let by_uid = store.endpoint(it.application, &IdOrUid::Uid("u".parse().unwrap())).await;
        assert_eq!((by_id, by_uid.unwrap()), (Some(it.clone()), Some(it)));

        let it = event_type("a.b");
        store.save(Record::EventType(it.clone()), true).await.unwrap();
        assert_eq!(store.event_type(&organization, &it.name).await.unwrap(), Some(it));
    }

    async fn names_of_dots_that_were_stored_before_they_were_refused_are_read(store) {
        let (uid, name) = (Uid::stored("..").unwrap(), EventTypeName::stored("..").unwrap());
        let it = Application { uid: Some(uid.clone()), ..application(1) };
        store.save(Record::Application(it.clone()), false).await.unwrap();
        assert_eq!(store.application_by_id(it.id).await.unwrap(), Some(it));
        let it = Endpoint {
            uid: Some(uid.clone()),
            event_types: Some(vec![name.clone()]),
            ..endpoint(1)
        };
        store.save(Record::Endpoint(it.clone()), false).await.unwrap();
        let found = store.endpoint(it.application, &IdOrUid::Id(it.id)).await.unwrap();
        assert_eq!(found, Some(it));
        let it = EventType { name: name.clone(), ..event_type("a") };
        store.save(Record::EventType(it.clone()), true).await.unwrap();
        assert_eq!(store.event_type(&organization(), &name).await.unwrap(), Some(it));
        let it = Message { event_id: Some(uid), event_type: name, ..message(1) };
        store.append(vec![new(it.clone(), &[1], Hold::Leased(NOW))]).await.unwrap();
        let found = store.message(application_id(1), &IdOrUid::Id(it.id)).await.unwrap();
        assert_eq!(found, Some(it));
    }

    async fn nobody_sees_what_belongs_to_another(store) {
        let other = "org_other".parse().unwrap();
        let id = IdOrUid::Id(application_id(1));
        assert_eq!(store.application(&other, &id).await.unwrap(), None);
        assert_eq!(store.applications(&other, all()).await.unwrap().items, []);
        let id = IdOrUid::Id(endpoint_id(1));
        assert_eq!(store.endpoint(application_id(2), &id).await.unwrap(), None);
        assert_eq!(store.endpoints(application_id(2), all()).await.unwrap().items.len(), 1);
        assert_eq!(store.event_type(&other, &type_name("a.b")).await.unwrap(), None);
    }

    async fn what_exists_is_not_created_again(store) {
        refused(store.save(Record::Application(application(1)), true).await, "application");
        refused(store.save(Record::Endpoint(endpoint(1)), true).await, "endpoint");
        store.save(Record::EventType(event_type("a")), true).await.unwrap();
        refused(store.save(Record::EventType(event_type("a")), true).await, "event type");
    }

    async fn what_exists_is_replaced(store) {
        let changed = Application { name: "new".to_owned(), uid: Some(uid("u")), ..application(1) };
        store.save(Record::Application(changed.clone()), false).await.unwrap();
        assert_eq!(store.application_by_id(changed.id).await.unwrap(), Some(changed.clone()));
        let without = Application { uid: None, ..changed };
        store.save(Record::Application(without), false).await.unwrap();
        let named = IdOrUid::Uid("u".parse().unwrap());
        assert_eq!(store.application(&organization(), &named).await.unwrap(), None);
        let archived = EventType { archived: true, ..event_type("a") };
        store.save(Record::EventType(event_type("a")), false).await.unwrap();
        store.save(Record::EventType(archived.clone()), false).await.unwrap();
        let found = store.event_type(&organization(), &archived.name).await.unwrap();
        assert_eq!(found, Some(archived));
    }

    async fn a_uid_is_unique_under_its_parent(store) {
        let named = |number| Application { uid: Some(uid("u")), ..application(number) };
        store.save(Record::Application(named(1)), false).await.unwrap();
        refused(store.save(Record::Application(named(2)), false).await, "uid");
        let elsewhere = Application { organization: "org_b".parse().unwrap(), ..named(9) };
        store.save(Record::Application(elsewhere), true).await.unwrap();

        let named = |number| Endpoint { uid: Some(uid("u")), ..endpoint(number) };
        store.save(Record::Endpoint(named(1)), false).await.unwrap();
        refused(store.save(Record::Endpoint(named(2)), false).await, "uid");
        refused(store.save(Record::Endpoint(named(8)), true).await, "uid");
        let elsewhere = Endpoint { application: application_id(2), ..named(4) };
        store.save(Record::Endpoint(elsewhere), false).await.unwrap();
        // A refused save leaves everything as it was.
        let second = store.endpoint(application_id(1), &IdOrUid::Id(endpoint_id(2))).await.unwrap();
        assert_eq!(second, Some(endpoint(2)));
    }

    async fn what_is_removed_is_gone(store) {
        store.save(Record::EventType(event_type("a")), true).await.unwrap();
        let keys = [
            Key::Endpoint(application_id(1), endpoint_id(1)),
            Key::Application(application_id(1)),
            Key::EventType(organization(), type_name("a")),
        ];
        for key in keys {
            assert!(store.remove(key.clone()).await.unwrap());
            assert!(!store.remove(key).await.unwrap());
        }
        assert_eq!(store.application_by_id(application_id(1)).await.unwrap(), None);
        assert_eq!(store.endpoints(application_id(1), all()).await.unwrap().items, []);
        let second = IdOrUid::Id(endpoint_id(2));
        assert_eq!(store.endpoint(application_id(1), &second).await.unwrap(), None);
        assert_eq!(store.endpoints(application_id(2), all()).await.unwrap().items.len(), 1);
    }

    async fn lists_page_both_ways(store) {
        let id = application_id(1);
        let page = |after: Option<EndpointId>, ascending| Scan { after, ascending, limit: 2 };
        let first = store.endpoints(id, page(None, true)).await.unwrap();
        assert_eq!(first.items, [endpoint(1), endpoint(2)]);
        let second = store.endpoints(id, page(first.resume, true)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![endpoint(3)], None));
        let first = store.endpoints(id, page(None, false)).await.unwrap();
        assert_eq!(first.items, [endpoint(3), endpoint(2)]);
        let second = store.endpoints(id, page(first.resume, false)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![endpoint(1)], None));

        let page = |after: Option<ApplicationId>, ascending| Scan { after, ascending, limit: 1 };
        let first = store.applications(&organization(), page(None, false)).await.unwrap();
        assert_eq!((first.items, first.resume), (vec![application(2)], Some(application_id(2))));
        let second = store.applications(&organization(), page(first.resume, false)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![application(1)], None));
    }

    async fn event_types_are_listed_by_name(store) {
        let archived = EventType { archived: true, ..event_type("b") };
        for it in [event_type("c"), archived.clone(), event_type("a"), event_type("d")] {
            store.save(Record::EventType(it), true).await.unwrap();
        }
        let page = |after: Option<EventTypeName>| Scan { after, ascending: true, limit: 2 };
        let first = store.event_types(&organization(), false, page(None)).await.unwrap();
        assert_eq!(first.items, [event_type("a"), event_type("c")]);
        let second = store.event_types(&organization(), false, page(first.resume)).await.unwrap();
        assert_eq!((second.items, second.resume), (vec![event_type("d")], None));
        let every = store.event_types(&organization(), true, page(None)).await.unwrap();
        assert_eq!(every.items, [event_type("a"), archived]);
        let down = Scan { after: Some(type_name("c")), ascending: false, limit: 9 };
        let down = store.event_types(&organization(), false, down).await.unwrap();
        assert_eq!((down.items, down.resume), (vec![event_type("a")], None));
    }

    async fn endpoints_remember_since_when_they_fail(store) {
        store.append(vec![leased(1, &[1, 2])]).await.unwrap();
        let note = |number, endpoint, failing_since| Settlement {
            failing_since,
            ..settlement(number, fresh(endpoint, 1), 500, Verdict::RetryAt(at(1)))
        };
        let settle = async |settlement| {
            let batch = SettleBatch { settlements: vec![settlement], messages: Vec::new() };
            store.settle(Arc::new(batch)).await.unwrap();
        };
        settle(note(1, 1, Some(Some(at(5))))).await;
        settle(note(2, 2, Some(Some(at(6))))).await;
        let failing = store.failing(application_id(1)).await.unwrap();
        assert_eq!(failing, [(endpoint_id(1), at(5)), (endpoint_id(2), at(6))]);
        settle(note(3, 1, None)).await;
        settle(note(4, 2, Some(None))).await;
        let failing = store.failing(application_id(1)).await.unwrap();
        assert_eq!(failing, [(endpoint_id(1), at(5))]);
        // A change of the endpoint's record does not touch it, unless it disables.
        store.save(Record::Endpoint(endpoint(1)), false).await.unwrap();
        assert_eq!(store.failing(application_id(1)).await.unwrap().len(), 1);
        let disabled = Endpoint { disabled: true, ..endpoint(1) };
        store.save(Record::Endpoint(disabled), false).await.unwrap();
        assert_eq!(store.failing(application_id(1)).await.unwrap(), []);
        assert_eq!(store.failing(application_id(2)).await.unwrap(), []);
    }

    async fn what_is_removed_ends_with_its_deliveries(store) {
        store.append(vec![free(1, &[1, 2]), leased(2, &[1, 3])]).await.unwrap();
        assert!(store.remove(Key::Endpoint(application_id(1), endpoint_id(1))).await.unwrap());
        let cancelled = StatusKind::Cancelled;
        assert_eq!(standings(store, 1).await, [(1, cancelled, 0), (2, cancelled, 0)]);
        assert_eq!(standings(store, 2).await, [(1, StatusKind::Pending, 0)]);
        assert!(store.remove(Key::Application(application_id(1))).await.unwrap());
        assert_eq!(standings(store, 2).await, [(1, cancelled, 0)]);
        assert_eq!(standings(store, 3).await, [(2, cancelled, 0)]);
        assert_eq!(claimed(store, claim_at(at(900_000))).await, []);
        let size = store.size().await.unwrap();
        assert_eq!((size.waiting, size.oldest_due), (0, None));
    }
}
