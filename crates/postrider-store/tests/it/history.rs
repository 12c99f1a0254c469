//! The promises of `History`: messages, attempts and deliveries, as readers see them.

mod expunge;

use postrider::MessageId;
use postrider_core::{
    delivery::{Attempt, Delivery, Status},
    message::Message,
    retry::Verdict,
};
use postrider_store::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, Hold, IdOrUid, MessageFilter,
    ResendMode, Scan, Stats, StatusFilter, StatusKind, Store,
};

use crate::{fixture, fixture::*, store_tests};

fn with_body() -> MessageFilter {
    MessageFilter { with_body: true, ..MessageFilter::default() }
}

/// Messages 1 to 6 of application 1, for endpoints 1 and 2, and one of application 2.
async fn publish(store: &dyn Store) {
    let batch = (1..=6).map(|number| {
        let odd = number % 2 == 1;
        let message = Message {
            event_type: type_name(if odd { "odd" } else { "even" }),
            channels: if odd { vec!["x".to_owned(), "y".to_owned()] } else { Vec::new() },
            tags: if number > 4 { vec!["late".to_owned()] } else { Vec::new() },
            ..message(number)
        };
        new(message, &[1, 2], Hold::Leased(NOW))
    });
    store.append(batch.collect()).await.unwrap();
    let other = Message { application: application_id(2), ..message(7) };
    store.append(vec![new(other, &[4], Hold::Leased(NOW))]).await.unwrap();
}

async fn listed(store: &dyn Store, filter: MessageFilter) -> Vec<u64> {
    let found = store.messages(application_id(1), filter, all()).await.unwrap();
    assert_eq!(found.resume, None);
    found.items.iter().map(|it| it.id.millis() - START).collect()
}

/// The numbers of the attempts found, with those of their messages.
async fn attempts(store: &dyn Store, of: AttemptsOf, filter: AttemptFilter) -> Vec<(u64, u64)> {
    let found = store.attempts(of, filter, all()).await.unwrap();
    assert_eq!(found.resume, None);
    let number = |it: &Attempt| it.id.millis() - START - 200_000;
    found.items.iter().map(|(it, message)| (number(it), message.id.millis() - START)).collect()
}

const FIRST_ENDPOINT: AttemptsOf = AttemptsOf::Endpoint(application_id(1), endpoint_id(1));

store_tests! {
    async fn a_message_is_found_only_in_its_application(store) {
        publish(store).await;
        let id = IdOrUid::Id(message_id(2));
        let found = store.message(application_id(1), &id).await.unwrap().unwrap();
        assert_eq!((found.id, found.body), (message_id(2), message(2).body));
        assert_eq!(store.message(application_id(2), &id).await.unwrap(), None);
        let unknown = IdOrUid::Uid("nothing".parse().unwrap());
        assert_eq!(store.message(application_id(1), &unknown).await.unwrap(), None);
    }

    async fn messages_are_filtered(store) {
        publish(store).await;
        let none = MessageFilter::default();
        assert_eq!(listed(store, none.clone()).await, [1, 2, 3, 4, 5, 6]);
        let between =
            MessageFilter { after: Some(at(2)), before: Some(at(5)), ..none.clone() };
        assert_eq!(listed(store, between).await, [2, 3, 4]);
        let channel = MessageFilter { channel: Some("y".to_owned()), ..none.clone() };
        assert_eq!(listed(store, channel.clone()).await, [1, 3, 5]);
        let both = MessageFilter { tag: Some("late".to_owned()), ..channel };
        assert_eq!(listed(store, both).await, [5]);
        let types = vec![type_name("even"), type_name("other")];
        assert_eq!(listed(store, MessageFilter { event_types: types, ..none.clone() }).await, [2, 4, 6]);
        let unknown = vec![type_name("unheard.of")];
        assert!(listed(store, MessageFilter { event_types: unknown, ..none }).await.is_empty());
    }

    async fn bodies_are_returned_only_on_request(store) {
        publish(store).await;
        let page = Scan { limit: 1, ..all() };
        for (filter, body) in [(MessageFilter::default(), None), (with_body(), message(1).body)] {
            let found = store.messages(application_id(1), filter, page.clone()).await.unwrap();
            assert_eq!(found.items[0].body, body);
        }
    }

    async fn messages_page_both_ways(store) {
        publish(store).await;
        let mut seen = Vec::new();
        let mut page = Scan { after: None::<MessageId>, ascending: false, limit: 4 };
        let even = MessageFilter { event_types: vec![type_name("even")], ..with_body() };
        loop {
            let found = store.messages(application_id(1), even.clone(), page.clone()).await.unwrap();
            seen.extend(found.items.iter().map(|it| it.id.millis() - START));
            match found.resume {
                Some(resume) => page.after = Some(resume),
                None => break,
            }
            page.limit = 1;
        }
        assert_eq!(seen, [6, 4, 2]);
        let back = Scan { after: Some(message_id(2)), ascending: true, limit: 2 };
        let found = store.messages(application_id(1), with_body(), back).await.unwrap();
        let ids: Vec<_> = found.items.iter().map(|it| it.id).collect();
        assert_eq!((ids, found.resume), (vec![message_id(3), message_id(4)], Some(message_id(4))));
    }

    async fn a_page_ends_at_its_byte_limit_and_the_next_one_continues(store) {
        let large = |number| Message { body: Some(vec![b'7'; 400_000].into()), ..message(number) };
        for number in 1..=7 {
            let new = new(large(number), &[1], Hold::Leased(NOW));
            store.append(vec![new]).await.unwrap();
        }
        let numbers = |ids: Vec<MessageId>| ids.iter().map(|it| it.millis() - START).collect();
        let (mut pages, mut rows) = (Vec::<Vec<u64>>::new(), Vec::<Vec<u64>>::new());
        let mut page = all();
        while pages.is_empty() || page.after.is_some() {
            let found = store.messages(application_id(1), with_body(), page.clone()).await.unwrap();
            assert!(found.items.iter().all(|it| it.body.is_some()));
            pages.push(numbers(found.items.iter().map(|it| it.id).collect()));
            page.after = found.resume;
        }
        let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
        let filter = DeliveryFilter { message: with_body(), ..DeliveryFilter::default() };
        let mut page = Scan { ascending: false, ..all() };
        while rows.is_empty() || page.after.is_some() {
            let found = store.deliveries(of, filter.clone(), page.clone()).await.unwrap();
            rows.push(numbers(found.items.iter().map(|it| it.id.message).collect()));
            page.after = found.resume;
        }
        assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
        assert_eq!(rows, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
        let found = store.messages(application_id(1), MessageFilter::default(), all()).await.unwrap();
        assert_eq!((found.items.len(), found.resume), (7, None));
    }

    async fn a_settled_attempt_is_read_back_unchanged(store) {
        publish(store).await;
        let sent = attempt(1, fresh(1, 1), 204);
        deliver(store, 1, fresh(1, 1)).await;
        let found = store.attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap().unwrap();
        assert_eq!((found.number, found.trigger, found.at), (1, sent.trigger, sent.at));
        assert_eq!((found.url, found.address), (sent.url, sent.address));
        assert_eq!((found.duration, found.response), (sent.duration, sent.response));
        assert_eq!(store.attempt(application_id(1), message_id(2), attempt_id(1)).await.unwrap(), None);
        assert_eq!(store.attempt(application_id(1), message_id(1), attempt_id(2)).await.unwrap(), None);
    }

    async fn attempts_are_listed_by_endpoint_and_by_message(store) {
        publish(store).await;
        let retry = Verdict::RetryAt(at(300_000));
        settle(store, vec![
            settlement(1, fresh(1, 1), 500, retry),
            settlement(2, fresh(2, 1), 0, retry),
            settlement(3, fresh(1, 2), 200, Verdict::Delivered),
        ]).await;
        deliver(store, 4, Delivery { attempt: 2, ..fresh(1, 1) }).await;
        let any = AttemptFilter::default();
        assert_eq!(attempts(store, FIRST_ENDPOINT, any.clone()).await, [(1, 1), (3, 2), (4, 1)]);
        let of = |endpoint| AttemptsOf::Message(application_id(1), message_id(1), endpoint);
        assert_eq!(attempts(store, of(None), any.clone()).await, [(1, 1), (2, 1), (4, 1)]);
        assert_eq!(attempts(store, of(Some(endpoint_id(2))), any.clone()).await, [(2, 1)]);
        let foreign = AttemptsOf::Endpoint(application_id(2), endpoint_id(1));
        assert_eq!(attempts(store, foreign, any.clone()).await, []);
        let foreign = AttemptsOf::Message(application_id(2), message_id(1), None);
        assert_eq!(attempts(store, foreign, any.clone()).await, []);
        let page = Scan { limit: 2, ascending: false, ..all() };
        let found = store.attempts(FIRST_ENDPOINT, any.clone(), page).await.unwrap();
        assert_eq!(found.items.iter().map(|it| it.0.id).collect::<Vec<_>>(), [attempt_id(4), attempt_id(3)]);
        assert_eq!(found.resume, Some(attempt_id(3)));
        assert_eq!(found.items[0].1.body, None);
        let page = Scan { limit: 2, ascending: false, after: found.resume };
        let shown = AttemptFilter { message: with_body(), ..any };
        let found = store.attempts(FIRST_ENDPOINT, shown, page).await.unwrap();
        assert_eq!((found.items[0].0.id, found.resume), (attempt_id(1), None));
        assert_eq!(found.items[0].1.body, message(1).body);
    }

    async fn attempts_are_filtered(store) {
        publish(store).await;
        let retry = Verdict::RetryAt(at(300_000));
        let codes = [200, 404, 500, 503, 0, 299].into_iter().zip(1..);
        let settled = codes.map(|(status, number)| {
            let verdict = if matches!(status, 200 | 299) { Verdict::Delivered } else { retry };
            settlement(number, fresh(1, number), status, verdict)
        });
        settle(store, settled.collect()).await;
        let any = AttemptFilter::default();
        let numbers = async |filter| {
            attempts(store, FIRST_ENDPOINT, filter).await.into_iter().map(|it| it.0).collect::<Vec<_>>()
        };
        let delivered = |it| AttemptFilter { delivered: Some(it), ..any.clone() };
        assert_eq!(numbers(delivered(true)).await, [1, 6]);
        assert_eq!(numbers(delivered(false)).await, [2, 3, 4, 5]);
        let class = |it| AttemptFilter { status_class: Some(it), ..any.clone() };
        assert_eq!(numbers(class(500)).await, [3, 4]);
        assert_eq!(numbers(class(400)).await, [2]);
        assert_eq!(numbers(class(0)).await, [5]);
        let message = |message| AttemptFilter { message, ..any.clone() };
        let none = MessageFilter::default();
        let types = vec![type_name("odd")];
        assert_eq!(numbers(message(MessageFilter { event_types: types, ..none.clone() })).await, [1, 3, 5]);
        let tag = Some("late".to_owned());
        assert_eq!(numbers(message(MessageFilter { tag, ..none.clone() })).await, [5, 6]);
        let channel = Some("x".to_owned());
        assert_eq!(numbers(message(MessageFilter { channel, ..none.clone() })).await, [1, 3, 5]);
        let (after, before) = (Some(at(200_002)), Some(at(200_005)));
        assert_eq!(numbers(message(MessageFilter { after, before, ..none })).await, [2, 3, 4]);
    }

    /// Ids are made when attempts begin, and attempts end in another order.
    async fn attempts_are_listed_in_the_order_in_which_they_began(store) {
        publish(store).await;
        for number in [3, 6, 1, 4, 2, 5] {
            deliver(store, number, fresh(1, number)).await;
        }
        let numbers: Vec<_> = (1..=6).map(|it| (it, it)).collect();
        assert_eq!(attempts(store, FIRST_ENDPOINT, AttemptFilter::default()).await, numbers);
        let mut seen = Vec::new();
        let mut page = Scan { after: None, ascending: false, limit: 2 };
        loop {
            let found = store.attempts(FIRST_ENDPOINT, AttemptFilter::default(), page.clone()).await.unwrap();
            seen.extend(found.items.iter().map(|(it, _)| (it.id, it.at)));
            page.after = found.resume;
            if page.after.is_none() {
                break;
            }
        }
        let newest_first = (1..=6).rev().map(|it| (attempt_id(it), at(200_000 + it)));
        assert_eq!(seen, newest_first.collect::<Vec<_>>());
    }

    async fn deliveries_are_listed_by_endpoint_and_by_message(store) {
        publish(store).await;
        settle(store, vec![
            settlement(1, fresh(1, 1), 200, Verdict::Delivered),
            settlement(2, fresh(1, 2), 500, Verdict::RetryAt(at(300_000))),
            settlement(3, fresh(1, 3), 410, Verdict::GiveUp(postrider_core::retry::Reason::Forbidden)),
        ]).await;
        store.resend(application_id(1), delivery_id(3, 1), at(300_000), ResendMode::Once).await.unwrap();
        store.cancel(postrider_store::Scope::Message(application_id(1), message_id(5))).await.unwrap();
        let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
        let listed = async |status: Option<StatusKind>, of, scan| {
            let filter = DeliveryFilter { status: status.map(StatusFilter::Is), ..DeliveryFilter::default() };
            let found = store.deliveries(of, filter, scan).await.unwrap();
            let ids: Vec<_> = found.items.iter().map(|it| it.id).collect();
            (ids, found.resume)
        };
        let kinds = [
            (StatusKind::Delivered, vec![1]),
            (StatusKind::Pending, vec![4, 6]),
            (StatusKind::Sending, vec![2]),
            (StatusKind::Failed, vec![3]),
            (StatusKind::Cancelled, vec![5]),
        ];
        for (kind, numbers) in kinds {
            let expected: Vec<_> = numbers.into_iter().map(|it| delivery_id(1, it)).collect();
            assert_eq!(listed(Some(kind), of, all()).await, (expected, None));
        }
        let page = Scan { limit: 2, ascending: false, after: Some(delivery_id(1, 6)) };
        let expected = vec![delivery_id(1, 5), delivery_id(1, 4)];
        assert_eq!(listed(None, of, page).await, (expected, Some(delivery_id(1, 4))));
        let page = Scan { limit: 1, ascending: false, after: None };
        let expected = (vec![delivery_id(1, 6)], Some(delivery_id(1, 6)));
        assert_eq!(listed(Some(StatusKind::Pending), of, page).await, expected);

        let of = DeliveriesOf::Message(application_id(1), message_id(1));
        let three: Vec<_> = (1..=3).map(|endpoint| delivery_id(endpoint, 1)).collect();
        assert_eq!(listed(None, of, all()).await, (three.clone(), None));
        let page = Scan { limit: 1, ascending: true, after: Some(three[0]) };
        assert_eq!(listed(None, of, page).await, (vec![three[1]], Some(three[1])));
        let pending = vec![three[2], three[1]];
        let page = Scan { ascending: false, ..all() };
        assert_eq!(listed(Some(StatusKind::Pending), of, page).await, (pending, None));
        let foreign = DeliveriesOf::Message(application_id(2), message_id(1));
        assert_eq!(listed(None, foreign, all()).await, (vec![], None));
    }

    async fn a_pending_delivery_shows_when_it_is_due(store) {
        publish(store).await;
        settle(store, vec![settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(300_000)))]).await;
        let of = DeliveriesOf::Message(application_id(1), message_id(1));
        let found = store.deliveries(of, DeliveryFilter::default(), all()).await.unwrap();
        let expected = [Status::Sending(at(300_000)), Status::Pending(at(1))];
        assert_eq!(found.items.iter().map(|it| it.status).collect::<Vec<_>>(), expected);
        assert_eq!(found.items.iter().map(|it| it.attempts).collect::<Vec<_>>(), [1, 0]);
    }

    /// A delivery that was attempted is not pending again when it is requested again.
    async fn a_resent_delivery_counts_as_sending(store) {
        publish(store).await;
        fail(store, 1, fresh(1, 1)).await;
        deliver(store, 2, fresh(1, 2)).await;
        for message in 1..=2 {
            store.resend(application_id(1), delivery_id(1, message), NOW, ResendMode::Once).await.unwrap();
        }
        let sending = StatusKind::Sending;
        assert_eq!(delivery_states(store, 1).await[..2], [(1, sending, 1), (2, sending, 1)]);
        let stats = store.stats(application_id(1), endpoint_id(1), at(0), at(100)).await.unwrap();
        assert_eq!((stats.pending, stats.sending), (4, 2));
        claimed(store, claim()).await;
        assert_eq!(delivery_states(store, 1).await[..2], [(1, sending, 1), (2, sending, 1)]);
    }

    async fn stats_count_deliveries_by_status(store) {
        publish(store).await;
        settle(store, vec![
            settlement(1, fresh(1, 1), 200, Verdict::Delivered),
            settlement(2, fresh(1, 2), 200, Verdict::Delivered),
            settlement(3, fresh(1, 3), 410, Verdict::GiveUp(postrider_core::retry::Reason::Forbidden)),
            settlement(4, fresh(1, 4), 500, Verdict::RetryAt(at(300_000))),
        ]).await;
        store.cancel(postrider_store::Scope::Message(application_id(1), message_id(5))).await.unwrap();
        let stats = store.stats(application_id(1), endpoint_id(1), at(0), at(100)).await.unwrap();
        assert_eq!(stats, Stats { delivered: 2, pending: 1, sending: 1, failed: 1, cancelled: 1 });
        let stats = store.stats(application_id(1), endpoint_id(1), at(2), at(5)).await.unwrap();
        assert_eq!(stats, Stats { delivered: 1, pending: 0, sending: 1, failed: 1, cancelled: 0 });
        assert_eq!(store.stats(application_id(1), endpoint_id(3), at(0), at(9)).await.unwrap(), Stats::default());
    }

    async fn a_backlog_counts_unfinished_deliveries_up_to_a_limit(store) {
        let backlog = async |application, at_most| {
            let endpoints: &[_] = match application {
                1 => &[1, 2, 3],
                2 => &[4],
                _ => &[],
            };
            let endpoints: Vec<_> = endpoints.iter().copied().map(endpoint_id).collect();
            store.backlog(application_id(application), &endpoints, at_most).await.unwrap()
        };
        assert_eq!(backlog(1, 100).await, 0);
        publish(store).await;
        assert_eq!((backlog(1, 100).await, backlog(2, 100).await), (12, 1));
        settle(store, vec![
            settlement(1, fresh(1, 1), 200, Verdict::Delivered),
            settlement(2, fresh(1, 2), 500, Verdict::RetryAt(at(300_000))),
            settlement(3, fresh(1, 3), 410, Verdict::GiveUp(postrider_core::retry::Reason::Forbidden)),
        ]).await;
        store.cancel(postrider_store::Scope::Message(application_id(1), message_id(5))).await.unwrap();
        assert_eq!((backlog(1, 100).await, backlog(2, 100).await), (8, 1));
        assert_eq!((backlog(1, 7).await, backlog(1, 0).await, backlog(3, 9).await), (7, 0, 0));
    }

    async fn a_message_is_found_by_its_event_id(store) {
        let named = Message { event_id: Some("e".parse().unwrap()), ..message(1) };
        store.append(vec![new(named.clone(), &[1], Hold::Leased(NOW))]).await.unwrap();
        let event_id = IdOrUid::Uid("e".parse().unwrap());
        assert_eq!(store.message(application_id(1), &event_id).await.unwrap(), Some(named));
        assert_eq!(store.message(application_id(2), &event_id).await.unwrap(), None);
    }

    async fn deliveries_are_filtered_by_their_messages(store) {
        publish(store).await;
        deliver(store, 1, fresh(1, 3)).await;
        fail(store, 2, fresh(1, 5)).await;
        let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
        let numbers = async |status: Option<StatusKind>, message| {
            let filter = DeliveryFilter { status: status.map(StatusFilter::Is), message };
            let found = store.deliveries(of, filter, all()).await.unwrap();
            assert_eq!(found.resume, None);
            found.items.iter().map(|it| it.id.message.millis() - START).collect::<Vec<_>>()
        };
        let none = MessageFilter::default();
        let odd = MessageFilter { event_types: vec![type_name("odd")], ..none.clone() };
        assert_eq!(numbers(None, odd.clone()).await, [1, 3, 5]);
        assert_eq!(numbers(Some(StatusKind::Pending), odd.clone()).await, [1]);
        assert_eq!(numbers(Some(StatusKind::Failed), odd.clone()).await, [5]);
        let filter = DeliveryFilter { status: Some(StatusFilter::Unfinished), message: odd };
        let found = store.deliveries(of, filter, all()).await.unwrap();
        assert_eq!(found.items.iter().map(|it| it.id.message).collect::<Vec<_>>(), [message_id(1)]);
        let between = MessageFilter { after: Some(at(2)), before: Some(at(5)), ..none.clone() };
        assert_eq!(numbers(None, between.clone()).await, [2, 3, 4]);
        assert_eq!(numbers(Some(StatusKind::Delivered), between).await, [3]);
        let late = MessageFilter { tag: Some("late".to_owned()), ..with_body() };
        assert_eq!(numbers(None, late.clone()).await, [5, 6]);
        for (message, body) in [(none, None), (with_body(), message(1).body)] {
            for of in [of, DeliveriesOf::Message(application_id(1), message_id(1))] {
                let filter = DeliveryFilter { message: message.clone(), status: None };
                let page = Scan { limit: 1, ..all() };
                let found = store.deliveries(of, filter, page).await.unwrap();
                assert_eq!(found.items[0].message.body, body);
            }
        }
    }

    async fn attempts_of_a_message_page_both_ways(store) {
        publish(store).await;
        let retry = Verdict::RetryAt(at(300_000));
        let again = |number| Delivery { attempt: number, ..fresh(1, 1) };
        for number in 1..=5 {
            settle(store, vec![settlement(u64::from(number), again(number), 500, retry)]).await;
        }
        let of = AttemptsOf::Message(application_id(1), message_id(1), None);
        for ascending in [true, false] {
            let mut seen = Vec::new();
            let mut page = Scan { after: None, ascending, limit: 2 };
            loop {
                let found = store.attempts(of, AttemptFilter::default(), page.clone()).await.unwrap();
                seen.extend(found.items.iter().map(|it| it.0.id));
                assert!(found.items.len() <= 2);
                page.after = found.resume;
                if page.after.is_none() {
                    break;
                }
            }
            let mut expected: Vec<_> = (1..=5).map(attempt_id).collect();
            if !ascending {
                expected.reverse();
            }
            assert_eq!(seen, expected);
        }
    }

    /// One call may search only a part, but following the pages finds everything.
    async fn a_search_with_few_matches_finds_all_of_them(store) {
        for first in (0..12_000).step_by(2_000) {
            let batch = (first..first + 2_000).map(|number| {
                let rare = number % 5_000 == 4_321;
                let event_type = type_name(if rare { "rare" } else { "common" });
                new(Message { event_type, ..message(number) }, &[1], Hold::Leased(NOW))
            });
            store.append(batch.collect()).await.unwrap();
        }
        let retry = Verdict::RetryAt(at(300_000));
        let retried = [(1, 4_321), (2, 9_321)];
        settle(store, retried.map(|(n, it)| settlement(n, fresh(1, it), 500, retry)).into()).await;
        let rare = MessageFilter { event_types: vec![type_name("rare")], ..MessageFilter::default() };
        for ascending in [true, false] {
            let mut seen = Vec::new();
            let mut page = Scan { after: None, ascending, limit: 10 };
            loop {
                let found =
                    store.messages(application_id(1), rare.clone(), page.clone()).await.unwrap();
                seen.extend(found.items.iter().map(|it| it.id.millis() - START));
                page.after = found.resume;
                if page.after.is_none() {
                    break;
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, [4_321, 9_321]);
            let sending = Some(StatusKind::Sending);
            for (message, status) in [(rare.clone(), None), (MessageFilter::default(), sending)] {
                let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
                let filter = DeliveryFilter { message, status: status.map(StatusFilter::Is) };
                let mut seen = 0;
                let mut page = Scan { after: None, ascending, limit: 10 };
                loop {
                    let found = store.deliveries(of, filter.clone(), page.clone()).await.unwrap();
                    seen += found.items.len();
                    page.after = found.resume;
                    if page.after.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, 2, "{filter:?}");
            }
        }
    }

    async fn the_last_sequence_covers_messages_and_attempts(store) {
        assert_eq!(store.last_sequence().await.unwrap(), 0);
        store.append(vec![leased(3, &[1]), leased(2, &[1])]).await.unwrap();
        assert_eq!(store.last_sequence().await.unwrap(), message_id(3).sequence());
        deliver(store, 1, fresh(1, 3)).await;
        assert_eq!(store.last_sequence().await.unwrap(), attempt_id(1).sequence());
    }
}
