//! The promises of `PollLogs`.

use std::{sync::Arc, time::Duration};

use postrider::MessageId;
use postrider_core::{
    catalog::{Application, Endpoint},
    polling::PollConsumer,
};
use postrider_store::{
    AppendOutcome, Deliveries, Expected, Hold, LogKey, LogPage, Maintenance, PollLogs,
    PostgresStore, Records, Retention, SavedConsumer, Store, StoreError, Version,
};

use tokio::task::JoinSet;

use crate::{fixture, fixture::*, schema::Schema, store_tests};

/// The log of endpoint `number`.
const fn log(number: u64) -> LogKey {
    LogKey { application: application_id(1), endpoint: endpoint_id(number) }
}

/// Stores messages and appends them to the log of endpoint 1.
async fn append(store: &dyn Store, numbers: &[u64]) {
    for number in numbers {
        let new = new(message(*number), &[], Hold::Free(at(0)));
        assert_eq!(store.append(vec![new]).await.unwrap(), [AppendOutcome::New]);
    }
    let ids = numbers.iter().map(|number| message_id(*number)).collect();
    assert!(store.append_to_log(log(1), ids, at(0)).await.unwrap());
}

fn entries(page: &LogPage) -> Vec<(u64, MessageId)> {
    page.entries.iter().map(|it| (it.offset, it.message.id)).collect()
}

/// The offsets behind `after` with the numbers of their messages.
async fn read(store: &dyn Store, after: u64, limit: usize) -> Vec<(u64, MessageId)> {
    entries(&store.read_log(log(1), after, limit).await.unwrap())
}

fn saved(id: &str, committed: u64, expected: Option<Version>) -> SavedConsumer {
    SavedConsumer {
        consumer: PollConsumer::new(id.to_owned(), committed, at(0)),
        expected,
        limit: 3,
    }
}

async fn save(store: &dyn Store, saved: SavedConsumer) -> Result<bool, StoreError> {
    store.save_poll_consumer(log(1), saved).await
}

store_tests! {
    async fn offsets_begin_at_1_and_have_the_order_in_which_messages_were_appended(store) {
        assert_eq!(store.log_end(log(1)).await.unwrap(), 0);
        append(store, &[5, 3]).await;
        append(store, &[4]).await;
        let all = [(1, message_id(5)), (2, message_id(3)), (3, message_id(4))];
        assert_eq!(read(store, 0, 10).await, all);
        assert_eq!(read(store, 1, 10).await, all[1..]);
        assert_eq!(read(store, 0, 2).await, all[..2]);
        assert_eq!(read(store, 3, 10).await, []);
        assert_eq!(read(store, u64::MAX, 10).await, []);
        assert_eq!(store.log_end(log(1)).await.unwrap(), 3);
        assert_eq!(store.log_end(log(2)).await.unwrap(), 0);
    }

    async fn a_page_says_whether_it_is_the_last_one(store) {
        append(store, &[1, 2, 3]).await;
        for (after, limit, scanned, is_end) in
            [(0, 2, 2, false), (0, 3, 3, true), (2, 2, 3, true), (3, 2, 3, true), (9, 2, 9, true)]
        {
            let page = store.read_log(log(1), after, limit).await.unwrap();
            assert_eq!((page.scanned, page.is_end), (scanned, is_end), "{after} {limit}");
        }
    }

    async fn a_repeated_message_gets_no_second_offset(store) {
        append(store, &[1, 2]).await;
        let ids = vec![message_id(2), message_id(1), message_id(2)];
        assert!(store.append_to_log(log(1), ids, at(1)).await.unwrap());
        assert_eq!(store.log_end(log(1)).await.unwrap(), 2);
        append(store, &[3]).await;
        assert_eq!(read(store, 2, 10).await, [(3, message_id(3))]);
    }

    async fn only_an_endpoint_has_a_log(store) {
        let appended = store.append_to_log(log(99), vec![message_id(1)], at(0)).await.unwrap();
        assert!(!appended);
        assert!(!store.save_poll_consumer(log(99), saved("a", 0, None)).await.unwrap());
        assert!(store.poll_consumers(log(99)).await.unwrap().is_empty());
    }

    async fn messages_without_a_body_are_passed_over(store) {
        append(store, &[1, 2, 3]).await;
        store.expunge_message(application_id(1), message_id(1)).await.unwrap();
        store.expunge_message(application_id(1), message_id(3)).await.unwrap();
        let page = store.read_log(log(1), 0, 10).await.unwrap();
        assert_eq!(entries(&page), [(2, message_id(2))]);
        assert_eq!((page.scanned, page.is_end), (3, true));
        let page = store.read_log(log(1), 0, 1).await.unwrap();
        assert_eq!((page.entries.len(), page.scanned, page.is_end), (0, 1, false));
    }

    async fn entries_expire_with_their_messages_and_offsets_go_on(store) {
        append(store, &[1, 2]).await;
        let retention = Retention { rows: Duration::from_millis(10), ..ONE_DAY };
        expire(store, at(100), retention).await;
        assert_eq!(read(store, 0, 10).await, []);
        assert_eq!(store.log_end(log(1)).await.unwrap(), 2);
        append(store, &[200]).await;
        assert_eq!(read(store, 0, 10).await, [(3, message_id(200))]);
    }

    async fn a_time_is_found_by_when_messages_were_appended(store) {
        append(store, &[1, 2]).await;
        for (number, time) in [(3, 50), (4, 40), (5, 60)] {
            let ids = vec![message_id(number)];
            store.append_to_log(log(1), ids, at(time)).await.unwrap();
        }
        // The fourth counts as appended at 50: times do not go back.
        for (time, expected) in [(0, 0), (1, 2), (50, 2), (51, 4), (60, 4), (61, 5)] {
            assert_eq!(store.log_offset_at(log(1), at(time)).await.unwrap(), expected, "{time}");
        }
        assert_eq!(store.log_offset_at(log(2), at(0)).await.unwrap(), 0);
    }

    async fn a_consumer_is_saved_only_over_the_version_that_was_read(store) {
        assert!(save(store, saved("a", 0, None)).await.unwrap());
        let mismatch = |result| {
            assert!(matches!(result, Err(StoreError::VersionMismatch { .. })), "{result:?}");
        };
        mismatch(save(store, saved("a", 1, None)).await);
        mismatch(save(store, saved("b", 1, Some(Version(1)))).await);
        let (found, version) = store.poll_consumer(log(1), "a").await.unwrap().unwrap();
        assert_eq!(found.committed, 0);
        assert!(save(store, saved("a", 2, Some(version))).await.unwrap());
        mismatch(save(store, saved("a", 3, Some(version))).await);
        let (found, _) = store.poll_consumer(log(1), "a").await.unwrap().unwrap();
        assert_eq!(found.committed, 2);
        assert_eq!(store.poll_consumer(log(2), "a").await.unwrap(), None);
    }

    async fn the_number_of_consumers_has_a_limit(store) {
        for id in ["c", "a", "B"] {
            assert!(save(store, saved(id, 0, None)).await.unwrap());
        }
        let refused = save(store, saved("d", 0, None)).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        let ids = async || {
            let consumers = store.poll_consumers(log(1)).await.unwrap();
            consumers.into_iter().map(|it| it.id).collect::<Vec<_>>()
        };
        assert_eq!(ids().await, ["B", "a", "c"]);
        assert!(store.remove_poll_consumer(log(1), "a").await.unwrap());
        assert!(!store.remove_poll_consumer(log(1), "a").await.unwrap());
        assert!(save(store, saved("d", 0, None)).await.unwrap());
        assert_eq!(ids().await, ["B", "c", "d"]);
    }

    async fn a_log_is_removed_with_its_endpoint(store) {
        append(store, &[1, 2]).await;
        save(store, saved("a", 0, None)).await.unwrap();
        assert!(store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap());
        assert_eq!(read(store, 0, 10).await, []);
        assert!(store.poll_consumers(log(1)).await.unwrap().is_empty());
        assert!(!store.append_to_log(log(1), vec![message_id(1)], at(0)).await.unwrap());
        expire(store, at(0), ONE_DAY).await;
        // An endpoint with the same id has a new log.
        store.save(&endpoint(1), Expected::Any).await.unwrap();
        append(store, &[3]).await;
        assert_eq!(read(store, 0, 10).await, [(1, message_id(3))]);
        assert!(store.poll_consumers(log(1)).await.unwrap().is_empty());
    }

    async fn logs_are_removed_with_their_application(store) {
        append(store, &[1]).await;
        save(store, saved("a", 0, None)).await.unwrap();
        assert!(store.remove::<Application>(&organization(), &application_id(1)).await.unwrap());
        assert_eq!(read(store, 0, 10).await, []);
        assert!(store.poll_consumers(log(1)).await.unwrap().is_empty());
        assert!(!store.append_to_log(log(1), vec![message_id(1)], at(0)).await.unwrap());
    }

    async fn a_page_has_a_bounded_size(store) {
        let large = |number| {
            let body = Some(vec![b'1'; postrider_store::LIST_BYTES * 2 / 3].into());
            let large = postrider_core::message::Message { body, ..message(number) };
            new(large, &[], Hold::Free(at(0)))
        };
        store.append(vec![large(1), large(2), large(3)]).await.unwrap();
        let ids = (1..=3).map(message_id).collect();
        store.append_to_log(log(1), ids, at(0)).await.unwrap();
        let page = store.read_log(log(1), 0, 10).await.unwrap();
        assert_eq!((page.entries.len(), page.scanned, page.is_end), (2, 2, false));
        assert_eq!(read(store, 2, 10).await, [(3, message_id(3))]);
    }
}

/// Messages that each node appends.
const PER_NODE: u64 = 150;

/// Two nodes append at the same moment, while a reader follows. What it sees has no gap, ever.
#[tokio::test]
async fn a_reader_never_skips_what_two_nodes_append_at_the_same_moment() {
    let schema = Schema::create().await;
    let nodes = [Arc::new(schema.open().await), Arc::new(schema.open().await)];
    set_up(&*nodes[0]).await;
    let mut appending = JoinSet::new();
    for (node, index) in nodes.iter().zip(0..) {
        appending.spawn(append_all(Arc::clone(node), index));
    }
    let reader = schema.open().await;
    let mut seen = Vec::new();
    while seen.len() < 2 * usize::try_from(PER_NODE).unwrap() {
        let after = seen.len() as u64;
        let page = reader.read_log(log(1), after, 7).await.unwrap();
        let offsets: Vec<u64> = page.entries.iter().map(|it| it.offset).collect();
        let expected: Vec<u64> = (after + 1..).take(offsets.len()).collect();
        assert_eq!(offsets, expected, "an offset was visible before a lower one");
        seen.extend(page.entries.into_iter().map(|it| it.message.id));
        tokio::task::yield_now().await;
    }
    appending.join_all().await;
    seen.sort_unstable();
    let mut expected: Vec<_> = (0..2).flat_map(numbers_of).map(message_id).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    for store in nodes.iter().map(|it| &**it).chain([&reader]) {
        store.close().await.unwrap();
    }
    schema.remove().await;
}

/// The messages of a node; those of both nodes have ids that alternate.
fn numbers_of(node: u64) -> impl Iterator<Item = u64> {
    (0..PER_NODE).map(move |index| index * 2 + node)
}

async fn append_all(store: Arc<PostgresStore>, node: u64) {
    for number in numbers_of(node) {
        store.append(vec![new(message(number), &[], Hold::Free(at(0)))]).await.unwrap();
        let ids = vec![message_id(number)];
        assert!(store.append_to_log(log(1), ids.clone(), at(number)).await.unwrap());
        // As after a crash between the log and the settlement.
        if number % 10 < 2 {
            assert!(store.append_to_log(log(1), ids, at(number)).await.unwrap());
        }
    }
}
