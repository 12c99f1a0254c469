//! The promises of `Search`: reads across the applications of an organization.

use postrider::{OrganizationId, api::EndpointKind};
use postrider_core::{
    catalog::{Application, Endpoint},
    delivery::{Attempt, Delivery},
    message::Message,
    outcome::{Cause, Failure, Outcome},
    payload_match::PayloadMatch,
    retry::{Reason, Verdict},
};
use postrider_store::{
    AttemptFilter, AttemptSearch, EndpointKey, Expected, Hold, MessageFilter, MessageSearch, Reach,
    Records, Scan, StatusKind, Store,
};

use crate::{fixture, fixture::*, store_tests};

fn other_organization() -> OrganizationId {
    "org_other".parse().unwrap()
}

/// Messages 1, 2, 5 of application 1, 3 and 6 of application 2, and 4 of another organization.
async fn publish(store: &dyn Store) {
    let other = Application { organization: other_organization(), ..application(3) };
    store.save(&other, Expected::New).await.unwrap();
    let endpoint = Endpoint { application: application_id(3), ..endpoint(5) };
    store.save(&endpoint, Expected::New).await.unwrap();
    for (number, owner, endpoints) in [
        (1, 1, &[1, 2][..]),
        (2, 1, &[1]),
        (3, 2, &[4]),
        (4, 3, &[5]),
        (5, 1, &[2, 3]),
        (6, 2, &[4]),
    ] {
        let message = Message {
            application: application_id(owner),
            event_type: type_name(if number > 3 { "late" } else { "early" }),
            event_id: Some(if number < 5 { "twin" } else { "single" }.parse().unwrap())
                .filter(|_| number != 2 && number != 6),
            ..message(number)
        };
        store.append(vec![new(message, endpoints, Hold::Leased(NOW))]).await.unwrap();
    }
}

fn of_application(number: u64) -> Reach {
    Reach { application: Some((application_id(number), None)), ..whole() }
}

fn of_endpoint(application: u64, endpoint: u64) -> Reach {
    let of = (application_id(application), Some(endpoint_id(endpoint)));
    Reach { application: Some(of), ..whole() }
}

fn whole() -> Reach {
    Reach::organization(organization())
}

fn newest() -> Scan<postrider::MessageId> {
    Scan { ascending: false, ..all() }
}

async fn messages(store: &dyn Store, reach: Reach, search: MessageSearch) -> Vec<u64> {
    let found = store.search_messages(reach, search, newest()).await.unwrap();
    assert_eq!(found.resume, None);
    found.items.iter().map(|it| it.id.millis() - START).collect()
}

async fn attempts(store: &dyn Store, reach: Reach, search: AttemptSearch) -> Vec<u64> {
    let scan = Scan { ascending: false, ..all() };
    let found = store.search_attempts(reach, search, scan).await.unwrap();
    assert_eq!(found.resume, None);
    found.items.iter().map(|(it, _)| it.id.millis() - START - 200_000).collect()
}

fn delivery(application: u64, endpoint: u64, message: u64) -> Delivery {
    Delivery::first(delivery_id(endpoint, message), application_id(application))
}

/// Delivers 1 to endpoint 1, fails 3 and 6, and retries 5 to endpoint 2.
async fn attempt_all(store: &dyn Store) {
    let give_up = Verdict::GiveUp(Reason::Exhausted);
    let mut reset = settlement(4, delivery(2, 4, 6), 0, give_up);
    reset.attempt.outcome = Outcome::Unanswered(Failure::Connect);
    settle(
        store,
        vec![
            settlement(1, delivery(1, 1, 1), 200, Verdict::Delivered),
            settlement(2, delivery(2, 4, 3), 500, give_up),
            settlement(3, delivery(1, 2, 5), 0, Verdict::RetryAt(at(900_000))),
            reset,
            settlement(5, delivery(3, 5, 4), 500, give_up),
        ],
    )
    .await;
}

store_tests! {
    async fn messages_of_all_applications_of_the_organization_are_listed(store) {
        publish(store).await;
        let any = MessageSearch::default();
        assert_eq!(messages(store, whole(), any.clone()).await, [6, 5, 3, 2, 1]);
        assert_eq!(messages(store, of_application(2), any.clone()).await, [6, 3]);
        assert!(messages(store, of_application(3), any.clone()).await.is_empty());
        assert_eq!(messages(store, of_endpoint(1, 2), any.clone()).await, [5, 1]);
        assert!(messages(store, of_endpoint(2, 2), any.clone()).await.is_empty());
        let other = Reach::organization(other_organization());
        assert_eq!(messages(store, other, any).await, [4]);
        let late = MessageFilter {
            event_types: vec![type_name("late")],
            before: Some(at(6)),
            ..MessageFilter::default()
        };
        let late = MessageSearch { message: late, ..MessageSearch::default() };
        assert_eq!(messages(store, whole(), late).await, [5]);
    }

    async fn pages_across_applications_continue_in_both_directions(store) {
        publish(store).await;
        let page = |after, ascending| Scan { after, ascending, limit: 2 };
        let numbers = async |scan| {
            let found = store.search_messages(whole(), MessageSearch::default(), scan).await;
            let found = found.unwrap();
            let numbers: Vec<_> = found.items.iter().map(|it| it.id.millis() - START).collect();
            (numbers, found.resume)
        };
        let (first, resume) = numbers(page(None, false)).await;
        assert_eq!(first, [6, 5]);
        let (second, resume) = numbers(page(resume, false)).await;
        assert_eq!(second, [3, 2]);
        assert_eq!(numbers(page(resume, false)).await, (vec![1], None));
        assert_eq!(numbers(page(Some(message_id(2)), true)).await.0, [3, 5]);
    }

    async fn messages_are_found_by_the_status_of_their_deliveries(store) {
        publish(store).await;
        attempt_all(store).await;
        let with = |status| MessageSearch { status: Some(status), ..MessageSearch::default() };
        for (reach, status, expected) in [
            (whole(), StatusKind::Delivered, &[1][..]),
            (whole(), StatusKind::Failed, &[6, 3]),
            (whole(), StatusKind::Sending, &[5]),
            (whole(), StatusKind::Pending, &[5, 2, 1]),
            (of_application(1), StatusKind::Failed, &[]),
            (of_application(2), StatusKind::Failed, &[6, 3]),
            (of_application(1), StatusKind::Delivered, &[1]),
            (of_endpoint(1, 2), StatusKind::Sending, &[5]),
            (of_endpoint(1, 2), StatusKind::Pending, &[1]),
            (of_endpoint(2, 4), StatusKind::Failed, &[6, 3]),
        ] {
            let found = messages(store, reach.clone(), with(status)).await;
            assert_eq!(found, expected, "{reach:?} {status:?}");
        }
        store.expunge_message(application_id(1), message_id(2)).await.unwrap();
        assert_eq!(messages(store, whole(), with(StatusKind::Cancelled)).await, [2]);
    }

    async fn a_message_with_several_failed_deliveries_is_listed_once(store) {
        store.append(vec![leased(1, &[1, 2, 3])]).await.unwrap();
        for (number, endpoint) in [(1, 1), (2, 2), (3, 3)] {
            fail(store, number, fresh(endpoint, 1)).await;
        }
        let failed = MessageSearch { status: Some(StatusKind::Failed), ..MessageSearch::default() };
        assert_eq!(messages(store, whole(), failed).await, [1]);
    }

    async fn payloads_are_searched(store) {
        publish(store).await;
        let with = |contains, path, value| MessageSearch {
            payload: PayloadMatch::parse(contains, path, value).unwrap(),
            ..MessageSearch::default()
        };
        assert_eq!(messages(store, whole(), with(Some("\"n\":"), None, None)).await, [6, 5, 3, 2, 1]);
        assert_eq!(messages(store, whole(), with(Some("\"n\":3"), None, None)).await, [3]);
        assert_eq!(messages(store, whole(), with(None, Some("n"), Some("5"))).await, [5]);
        assert!(messages(store, of_application(2), with(None, Some("n"), Some("5"))).await.is_empty());
        assert_eq!(messages(store, of_endpoint(1, 2), with(None, Some("n"), Some("5"))).await, [5]);
        store.expunge_message(application_id(1), message_id(5)).await.unwrap();
        assert!(messages(store, whole(), with(None, Some("n"), Some("5"))).await.is_empty());
    }

    async fn bodies_are_returned_across_applications_only_on_request(store) {
        publish(store).await;
        for with_body in [false, true] {
            let filter = MessageFilter { with_body, ..MessageFilter::default() };
            let payload = PayloadMatch::parse(Some("6"), None, None).unwrap();
            let search = MessageSearch { message: filter, payload, ..MessageSearch::default() };
            let found = store.search_messages(whole(), search, newest()).await.unwrap();
            let body = message(6).body.filter(|_| with_body);
            assert_eq!(found.items[0].body, body);
        }
    }

    async fn attempts_of_all_applications_are_filtered(store) {
        publish(store).await;
        attempt_all(store).await;
        let any = AttemptSearch::default();
        let failed = AttemptFilter { delivered: Some(false), ..AttemptFilter::default() };
        let class = AttemptFilter { status_class: Some(500), ..AttemptFilter::default() };
        let late = MessageFilter { event_types: vec![type_name("late")], ..MessageFilter::default() };
        let late = AttemptFilter { message: late, ..AttemptFilter::default() };
        let cause = |it| AttemptSearch { cause: Some(it), ..any.clone() };
        for (reach, search, expected) in [
            (whole(), any.clone(), &[4, 3, 2, 1][..]),
            (whole(), AttemptSearch { attempt: failed.clone(), ..any.clone() }, &[4, 3, 2]),
            (whole(), AttemptSearch { attempt: class, ..any.clone() }, &[2]),
            (whole(), AttemptSearch { attempt: late, ..any.clone() }, &[4, 3]),
            (whole(), AttemptSearch { status: Some(200), ..any.clone() }, &[1]),
            (whole(), AttemptSearch { status: Some(500), ..any.clone() }, &[2]),
            (whole(), cause(Cause::Response), &[2]),
            (whole(), cause(Cause::Failure(Failure::Timeout)), &[3]),
            (whole(), cause(Cause::Failure(Failure::Connect)), &[4]),
            (of_application(1), any.clone(), &[3, 1]),
            (of_application(2), AttemptSearch { attempt: failed, ..any.clone() }, &[4, 2]),
            (of_endpoint(2, 4), any.clone(), &[4, 2]),
            (of_endpoint(2, 4), cause(Cause::Response), &[2]),
            (of_endpoint(1, 4), any.clone(), &[]),
        ] {
            let found = attempts(store, reach.clone(), search.clone()).await;
            assert_eq!(found, expected, "{reach:?} {search:?}");
        }
    }

    async fn attempts_are_found_by_the_kind_of_their_endpoint(store) {
        publish(store).await;
        attempt_all(store).await;
        let live = Endpoint { kind: EndpointKind::Live, ..endpoint(2) };
        store.save(&live, Expected::Any).await.unwrap();
        let of = |kind| AttemptSearch { kind: Some(kind), ..AttemptSearch::default() };
        assert_eq!(attempts(store, whole(), of(EndpointKind::Live)).await, [3]);
        assert_eq!(attempts(store, whole(), of(EndpointKind::Http)).await, [4, 2, 1]);
    }

    async fn attempts_are_returned_without_their_responses_on_request(store) {
        publish(store).await;
        attempt_all(store).await;
        for without_response in [false, true] {
            let search = AttemptSearch { without_response, ..AttemptSearch::default() };
            let found = store.search_attempts(whole(), search, all()).await.unwrap();
            let (attempt, message): &(Attempt, _) = &found.items[0];
            assert_eq!(attempt.response.is_none(), without_response);
            assert_eq!((message.id, &message.body), (message_id(1), &None));
        }
    }

    async fn names_are_looked_up_in_the_organization_only(store) {
        publish(store).await;
        let mine = organization();
        let messages = store.messages_by_event_id(mine.clone(), "twin".parse().unwrap(), 9).await;
        let mut ids: Vec<_> = messages.unwrap().iter().map(|it| it.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [message_id(1), message_id(3)]);
        let named = Endpoint { uid: Some("mine".parse().unwrap()), ..endpoint(2) };
        store.save(&named, Expected::Any).await.unwrap();
        for (key, expected) in [
            (EndpointKey::Id(endpoint_id(4)), &[4][..]),
            (EndpointKey::Id(endpoint_id(5)), &[]),
            (EndpointKey::Uid("mine".parse().unwrap()), &[2]),
            (EndpointKey::UrlPrefix("https://example.com/".to_owned()), &[1, 2, 3, 4]),
            (EndpointKey::UrlPrefix("https://example.com/3".to_owned()), &[3]),
            (EndpointKey::UrlPrefix("https://example.org/".to_owned()), &[]),
        ] {
            let found = store.endpoints_by_key(mine.clone(), key.clone(), 9).await.unwrap();
            let ids: Vec<_> = found.iter().map(|it| it.id).collect();
            let expected: Vec<_> = expected.iter().map(|it| endpoint_id(*it)).collect();
            assert_eq!(ids, expected, "{key:?}");
        }
    }

    async fn a_rejection_is_found_by_its_id(store) {
        create_sources(store, 1..=1).await;
        store.reject(vec![rejection(7, 1)]).await.unwrap();
        let found = store.rejection_by_id(organization(), rejection_id(7)).await.unwrap();
        assert_eq!(found, Some(rejection(7, 1)));
        let other = store.rejection_by_id(other_organization(), rejection_id(7)).await.unwrap();
        assert_eq!(other, None);
    }
}
