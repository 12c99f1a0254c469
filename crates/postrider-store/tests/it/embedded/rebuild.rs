//! A lost index that is rebuilt while the store serves.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    time::Duration,
};

use postrider_core::{pace::Pace, retry::Verdict, time::Timestamp};
use postrider_store::{
    AttemptFilter, AttemptsOf, Deliveries, DeliveriesOf, DeliveryFilter, EmbeddedStore,
    EndpointPlace, History, IdOrUid, Maintenance, MessageFilter, Options, Overview, ResendMode,
    Scan, Scope, StatusKind, StoreError,
};

use super::copy_folder;
use crate::fixture::*;

const MESSAGES: u64 = 40;

/// A folder with messages 1 to 40 for endpoint 1: every fourth one failed, message 39 is retried
/// later, message 40 is pending, and the others were delivered.
async fn sample_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append((1..=MESSAGES).map(|number| leased(number, &[1])).collect()).await.unwrap();
    for number in 1..=38 {
        if number % 4 == 0 {
            fail(&store, number, fresh(1, number)).await;
        } else {
            deliver(&store, number, fresh(1, number)).await;
        }
    }
    settle(&store, vec![settlement(39, fresh(1, 39), 500, Verdict::RetryAt(at(900_000)))]).await;
    folder
}

fn remove_index(folder: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        drop(fs::remove_file(folder.join(name)));
    }
}

fn open_at(folder: &Path, size: usize, pause: Duration) -> EmbeddedStore {
    let options = Options { rebuild_pace: Some(Pace { size, pause }), ..Options::default() };
    EmbeddedStore::open(folder, &options).unwrap()
}

/// The store with an index that has all attempts and the newest ten messages, and does not go
/// on: each start does a step.
fn open_stuck(folder: &Path) -> EmbeddedStore {
    for _ in 0..3 {
        drop(open_at(folder, 10, Duration::MAX));
    }
    open_at(folder, 10, Duration::MAX)
}

fn newest(limit: usize) -> Scan<postrider::MessageId> {
    Scan { after: None, ascending: false, limit }
}

async fn message_numbers(
    store: &EmbeddedStore,
    filter: MessageFilter,
    scan: Scan<postrider::MessageId>,
) -> Result<Vec<u64>, StoreError> {
    let page = store.messages(application_id(1), filter, scan).await?;
    Ok(page.items.iter().map(|it| it.id.millis() - START).collect())
}

fn is_rebuilding<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Rebuilding(_)))
}

#[tokio::test]
async fn a_small_index_is_complete_at_once() {
    let folder = sample_folder().await;
    remove_index(folder.path());
    let store = open_embedded(folder.path());
    assert_eq!(store.size().await.unwrap().index_rebuild, None);
    assert_eq!(delivery_states(&store, 1).await.len(), 40);
}

#[tokio::test]
async fn reads_show_what_is_complete_and_refuse_the_rest() {
    let folder = sample_folder().await;
    remove_index(folder.path());
    let store = open_stuck(folder.path());
    let rebuild = store.size().await.unwrap().index_rebuild.unwrap();
    assert!((1..=99).contains(&rebuild.percent), "{rebuild:?}");
    // The newest are there,
    let filter = MessageFilter::default();
    let found = message_numbers(&store, filter.clone(), newest(5)).await.unwrap();
    assert_eq!(found, [40, 39, 38, 37, 36]);
    let recent = MessageFilter { after: Some(rebuild.since), ..filter.clone() };
    let found = message_numbers(&store, recent.clone(), newest(100)).await.unwrap();
    assert!(found.len() >= 8 && found.len() < 40, "{found:?}");
    let ascending = Scan { ascending: true, ..newest(100) };
    assert_eq!(
        message_numbers(&store, recent, ascending.clone()).await.unwrap().len(),
        found.len()
    );
    // a page that is cut says that there are more,
    let page = store.messages(application_id(1), filter.clone(), newest(100)).await.unwrap();
    assert!(page.items.len() < 40 && page.resume.is_some());
    let rest = Scan { after: page.resume, ..newest(100) };
    assert!(is_rebuilding(&message_numbers(&store, filter.clone(), rest).await));
    assert!(is_rebuilding(&message_numbers(&store, filter, ascending).await));
    // and so for everything else that needs the index.
    let (application, endpoint) = (application_id(1), endpoint_id(1));
    let attempts = AttemptFilter::default();
    let of = |number| AttemptsOf::Message(application, message_id(number), None);
    assert_eq!(store.attempts(of(39), attempts.clone(), all()).await.unwrap().items.len(), 1);
    assert!(is_rebuilding(&store.attempts(of(1), attempts, all()).await));
    let of = |number| DeliveriesOf::Message(application, message_id(number));
    let deliveries = DeliveryFilter::default();
    assert_eq!(store.deliveries(of(40), deliveries.clone(), all()).await.unwrap().items.len(), 1);
    assert!(is_rebuilding(&store.deliveries(of(1), deliveries, all()).await));
    assert!(is_rebuilding(&store.stats(application, endpoint, at(0), at(99_999)).await));
    let since = store.stats(application, endpoint, rebuild.since, Timestamp::MAX).await.unwrap();
    assert_eq!((since.pending, since.sending), (1, 1));
}

#[tokio::test]
async fn nothing_else_waits_for_the_index() {
    let folder = sample_folder().await;
    remove_index(folder.path());
    let store = open_stuck(folder.path());
    let (application, endpoint) = (application_id(1), endpoint_id(1));
    assert!(store.message(application, &IdOrUid::Id(message_id(1))).await.unwrap().is_some());
    assert_eq!(store.backlog(application, &[endpoint], 100).await.unwrap(), 2);
    assert_eq!(store.backlog(application, &[endpoint], 1).await.unwrap(), 1);
    let place = EndpointPlace { application, endpoint };
    let queued = store.queued(vec![place], 100).await.unwrap();
    assert_eq!((queued[0].pending, queued[0].oldest_due), (2, Some(at(40))));
    store.append(vec![leased(41, &[1]), free(42, &[1])]).await.unwrap();
    assert_eq!(store.backlog(application, &[endpoint], 100).await.unwrap(), 4);
    assert_eq!(claimed(&store, claim()).await, [(1, 40, 1), (1, 42, 1)]);
    deliver(&store, 50, fresh(1, 41)).await;
    let found = message_numbers(&store, MessageFilter::default(), newest(3)).await.unwrap();
    assert_eq!(found, [42, 41, 40]);
    // They wait until it is complete.
    store.begin_recovery(recovery(0, 100)).await.unwrap();
    assert_eq!(store.recover(NOW, 10).await.unwrap(), None);
    assert!(!store.erase(NOW, 10).await.unwrap());
    drop(store);
    let store = open_embedded(folder.path());
    store.index_complete().await.unwrap();
    assert_eq!(store.recover(NOW, 100).await.unwrap(), Some(9));
}

#[tokio::test]
async fn a_rebuild_continues_where_it_stopped() {
    let folder = sample_folder().await;
    let expected = delivery_states(&open_embedded(folder.path()), 1).await;
    remove_index(folder.path());
    let mut percent = Vec::new();
    loop {
        let store = open_at(folder.path(), 5, Duration::MAX);
        match store.size().await.unwrap().index_rebuild {
            Some(rebuild) => percent.push(rebuild.percent),
            None => break,
        }
    }
    assert!(percent.len() > 3 && percent.is_sorted(), "{percent:?}");
    assert_eq!(delivery_states(&open_embedded(folder.path()), 1).await, expected);
}

#[tokio::test]
async fn a_crash_during_a_rebuild_loses_nothing() {
    let folder = sample_folder().await;
    remove_index(folder.path());
    let store = open_stuck(folder.path());
    store.append((41..=60).map(|number| leased(number, &[1])).collect()).await.unwrap();
    for number in 41..=50 {
        deliver(&store, number + 100, fresh(1, number)).await;
    }
    store.cancel(Scope::Message(application_id(1), message_id(39))).await.unwrap();
    message_numbers(&store, MessageFilter::default(), newest(1)).await.unwrap();
    let image = copy_folder(folder.path(), |name| !name.ends_with("-shm"));
    let copy = open_at(image.path(), 3, Duration::ZERO);
    copy.index_complete().await.unwrap();
    store.close().await.unwrap();
    let store = open_at(folder.path(), 3, Duration::ZERO);
    store.index_complete().await.unwrap();
    let states = delivery_states(&store, 1).await;
    assert_eq!(states.len(), 60);
    assert_eq!(states, delivery_states(&copy, 1).await);
}

/// Overwrites the pages of the index, except the first one, and its log.
fn damage_index(folder: &Path) {
    let path = folder.join("index.db");
    let pages = fs::metadata(&path).unwrap().len() / 4_096;
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    for page in 1..pages {
        file.write_all_at(&[0xa5; 4_096], page * 4_096).unwrap();
    }
}

#[tokio::test]
async fn an_index_that_is_damaged_while_it_is_used_is_rebuilt() {
    let folder = sample_folder().await;
    let expected = delivery_states(&open_embedded(folder.path()), 1).await;
    let store = open_embedded(folder.path());
    damage_index(folder.path());
    // A reader finds it, or the index thread.
    let first = message_numbers(&store, MessageFilter::default(), newest(100)).await;
    assert!(is_rebuilding(&first), "{first:?}");
    let generations = async {
        loop {
            let found = message_numbers(&store, MessageFilter::default(), newest(100)).await;
            if found.is_ok() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), generations).await.unwrap();
    assert_eq!(delivery_states(&store, 1).await, expected);
    store.append(vec![leased(41, &[1])]).await.unwrap();
    assert_eq!(delivery_states(&store, 1).await.len(), 41);
    store.close().await.unwrap();
    assert_eq!(delivery_states(&open_embedded(folder.path()), 1).await.len(), 41);
}

#[tokio::test]
async fn a_damaged_index_that_cannot_be_written_is_rebuilt() {
    let folder = sample_folder().await;
    let store = open_embedded(folder.path());
    damage_index(folder.path());
    // No reader looks at it: the index thread finds the damage.
    store.append((41..=60).map(|number| leased(number, &[1])).collect()).await.unwrap();
    let repaired = async {
        while delivery_count(&store).await != Some(60) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), repaired).await.unwrap();
}

async fn delivery_count(store: &EmbeddedStore) -> Option<usize> {
    let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
    Some(store.deliveries(of, DeliveryFilter::default(), all()).await.ok()?.items.len())
}

#[tokio::test]
async fn a_damaged_entry_of_the_journal_is_skipped() {
    let folder = sample_folder().await;
    let stuck = open_stuck(folder.path());
    drop(stuck);
    let old = fs::read(folder.path().join("index.db")).unwrap();
    {
        let store = open_embedded(folder.path());
        store.append(vec![leased(41, &[1])]).await.unwrap();
    }
    fs::write(folder.path().join("index.db"), old).unwrap();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    db.execute("UPDATE journal SET events = x'0105ff'", []).unwrap();
    drop(db);
    let store = open_embedded(folder.path());
    let repaired = async {
        while delivery_count(&store).await != Some(41) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), repaired).await.unwrap();
}

#[tokio::test]
async fn late_attempts_do_not_change_a_rebuilt_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append((1..=3).map(|number| leased(number, &[1])).collect()).await.unwrap();
    store.cancel(Scope::Endpoint(application_id(1), endpoint_id(1))).await.unwrap();
    deliver(&store, 1, fresh(1, 1)).await;
    fail(&store, 2, fresh(1, 2)).await;
    let expected = delivery_states(&store, 1).await;
    store.close().await.unwrap();
    remove_index(folder.path());
    assert_eq!(delivery_states(&open_embedded(folder.path()), 1).await, expected);
}

#[tokio::test]
async fn a_resent_delivery_that_was_cancelled_is_still_cancelled() {
    let folder = sample_folder().await;
    let store = open_embedded(folder.path());
    let application = application_id(1);
    for number in [4, 8, 12, 16] {
        let id = delivery_id(1, number);
        assert!(store.resend(application, id, at(5), ResendMode::Once).await.unwrap());
    }
    store.cancel(Scope::Message(application, message_id(4))).await.unwrap();
    store.cancel(Scope::Endpoint(application, endpoint_id(1))).await.unwrap();
    // It is sent after all.
    assert!(store.resend(application, delivery_id(1, 12), at(6), ResendMode::Once).await.unwrap());
    let found = store.claim(claim()).await.unwrap();
    deliver(&store, 70, found.deliveries[0].0).await;
    let expected = delivery_states(&store, 1).await;
    let state = |number: usize| expected[number - 1].1;
    assert_eq!([4, 8, 16].map(state), [StatusKind::Cancelled; 3]);
    assert_eq!((state(12), state(20)), (StatusKind::Delivered, StatusKind::Failed));
    store.close().await.unwrap();
    remove_index(folder.path());
    assert_eq!(delivery_states(&open_embedded(folder.path()), 1).await, expected);
}
