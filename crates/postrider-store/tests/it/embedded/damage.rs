//! The embedded store with full disks, damaged files, files of other versions, and copies.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use postrider_core::{catalog::Source, message::Message, retry::Verdict};
use postrider_store::{
    AttemptFilter, AttemptsOf, Deliveries, EmbeddedStore, History, Hold, IdOrUid, Maintenance,
    MessageFilter, NewMessage, Options, Records, Rejections, Retention, Scan, Scope, SettleBatch,
    StoreError, backup, verify,
};
use rusqlite::Connection;

use super::copy_folder;
use crate::{fixture::*, later::set_format};

/// A folder with messages 1 to 9, the odd ones delivered.
async fn sample_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append((1..10).map(|number| leased(number, &[1])).collect()).await.unwrap();
    for number in (1..10).step_by(2) {
        deliver(&store, number, fresh(1, number)).await;
    }
    folder
}

#[track_caller]
fn assert_refused(folder: &Path, expected: &str) {
    let error = EmbeddedStore::open(folder, &Options::default()).unwrap_err();
    assert!(error_chain(&error).contains(expected), "{}", error_chain(&error));
}

async fn message_count(store: &EmbeddedStore) -> usize {
    let filter = MessageFilter::default();
    store.messages(application_id(1), filter, all()).await.unwrap().items.len()
}

fn large(number: u64) -> NewMessage {
    let body = Some(Bytes::from(vec![b'x'; 50_000]));
    new(Message { body, ..message(number) }, &[1, 2], Hold::Free(at(number)))
}

#[tokio::test]
async fn a_full_disk_refuses_batches_until_space_is_freed() {
    let folder = tempfile::tempdir().unwrap();
    set_up(&open_embedded(folder.path())).await;
    let options = Options { max_pages: Some(400), ..Options::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    let mut stored = 0;
    let error = loop {
        let batch = vec![large(stored + 1), leased(stored + 2, &[3])];
        match store.append(batch).await {
            Ok(_) => stored += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(stored > 10, "{stored}");
    // The refused batch left nothing, neither on disk nor in memory.
    assert_eq!(message_count(&store).await, usize::try_from(stored).unwrap());
    assert_eq!(store.size().await.unwrap().waiting, stored);
    let found = store.claim(claim()).await.unwrap();
    assert_eq!(found.deliveries.len(), usize::try_from(stored).unwrap());
    // Settlements may still fit, and after bodies were removed everything works again.
    for (number, (delivery, _)) in (0..).zip(&found.deliveries) {
        let settlements = vec![settlement(number, *delivery, 200, Verdict::Delivered)];
        let batch = SettleBatch { settlements, messages: Vec::new() };
        drop(store.settle(batch.into()).await);
    }
    for number in (1..=stored).step_by(2) {
        store.expunge_message(application_id(1), message_id(number)).await.unwrap();
    }
    store.append(vec![large(1_001)]).await.unwrap();
    assert_eq!(message_count(&store).await, usize::try_from(stored).unwrap() + 1);
}

#[tokio::test]
async fn a_refused_transaction_is_undone_in_memory_too() {
    let folder = tempfile::tempdir().unwrap();
    set_up(&open_embedded(folder.path())).await;
    let options = Options { max_pages: Some(150), ..Options::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    store.append(vec![leased(1, &[1]), free(2, &[1])]).await.unwrap();
    let huge = |number| {
        let body = Some(Bytes::from(vec![b'x'; 2_000_000]));
        new(Message { body, ..message(number) }, &[1], Hold::Free(at(0)))
    };
    // They may share a transaction with the small ones, in any order.
    let all = tokio::join!(
        store.append(vec![huge(3)]),
        store.append(vec![free(4, &[2])]),
        store.append(vec![huge(5)]),
        store.append(vec![leased(6, &[2])]),
    );
    assert!(matches!(all.0, Err(StoreError::Full(_))), "{:?}", all.0);
    assert!(matches!(all.2, Err(StoreError::Full(_))), "{:?}", all.2);
    let mut expected = vec![(1, 2, 1)];
    expected.extend(all.1.is_ok().then_some((2, 4, 1)));
    assert_eq!(claimed(&store, claim()).await, expected);
    deliver(&store, 1, fresh(1, 1)).await;
    drop(store);
    let mut left = vec![(1, 2, 1)];
    left.extend(all.1.is_ok().then_some((2, 4, 1)));
    left.extend(all.3.is_ok().then_some((2, 6, 1)));
    assert_eq!(claimed(&open_embedded(folder.path()), claim()).await, left);
}

#[tokio::test]
async fn an_index_without_space_fails_searches_only() {
    let folder = tempfile::tempdir().unwrap();
    set_up(&open_embedded(folder.path())).await;
    let options = Options { max_index_pages: Some(15), ..Options::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    store.append((0..5_000).map(|number| leased(number, &[1, 2, 3])).collect()).await.unwrap();
    let error = store.stats(application_id(1), endpoint_id(1), at(0), at(9_999)).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    deliver(&store, 1, fresh(1, 1)).await;
    assert!(store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap().is_some());
    drop(store);
    // The journal kept what the index could not store.
    let stats = open_embedded(folder.path())
        .stats(application_id(1), endpoint_id(1), at(0), at(9_999))
        .await
        .unwrap();
    assert_eq!((stats.pending, stats.delivered), (4_999, 1));
}

#[tokio::test]
async fn a_lost_or_damaged_index_is_rebuilt() {
    let folder = sample_folder().await;
    let index = folder.path().join("index.db");
    let expected = delivery_states(&open_embedded(folder.path()), 1).await;
    assert_eq!(expected.len(), 9);
    let damage: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&index).unwrap(),
        &|| fs::write(&index, vec![b'?'; 40_000]).unwrap(),
        &|| {
            let bytes = fs::read(&index).unwrap();
            fs::write(&index, &bytes[..4_096]).unwrap();
        },
        &|| {
            let db = Connection::open(&index).unwrap();
            db.pragma_update(None, "user_version", 99).unwrap();
        },
    ];
    for damage in damage {
        damage();
        let store = open_embedded(folder.path());
        assert_eq!(delivery_states(&store, 1).await, expected);
        assert_eq!(message_count(&store).await, 9);
    }
}

#[tokio::test]
async fn the_index_of_another_database_is_not_used() {
    let (mine, other) = (sample_folder().await, tempfile::tempdir().unwrap());
    set_up(&open_embedded(other.path())).await;
    fs::copy(mine.path().join("index.db"), other.path().join("index.db")).unwrap();
    let store = open_embedded(other.path());
    assert_eq!(message_count(&store).await, 0);
}

#[tokio::test]
async fn the_error_for_a_damaged_database_names_the_file() {
    let folder = sample_folder().await;
    fs::write(folder.path().join("postrider.db"), vec![b'?'; 40_000]).unwrap();
    assert_refused(folder.path(), "postrider.db is damaged");
}

#[tokio::test]
async fn a_damaged_message_affects_no_other_message() {
    let folder = sample_folder().await;
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    let damaged = message_id(2).sequence();
    db.execute("UPDATE messages SET head = x'0105ff' WHERE sequence = ?1", [damaged]).unwrap();
    drop(db);
    let store = open_embedded(folder.path());
    let error = store.message(application_id(1), &IdOrUid::Id(message_id(2))).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error_chain(&error).contains("backup"), "{}", error_chain(&error));
    // Its delivery fails, because it has no body; the others are made.
    let found = store.claim(claim()).await.unwrap();
    let claimed: Vec<_> = found
        .deliveries
        .iter()
        .map(|(it, message)| (it.id.message, message.body.is_some()))
        .collect();
    let expected = [(2, false), (4, true), (6, true), (8, true)];
    assert_eq!(claimed, expected.map(|(number, intact)| (message_id(number), intact)));
}

/// Changes a blob of a row.
fn change(folder: &Path, place: (&str, &str, u64), change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let (table, column, sequence) = place;
    let db = Connection::open(folder.join("postrider.db")).unwrap();
    let find = format!("SELECT {column} FROM {table} WHERE sequence = ?1");
    let blob = db.query_row(&find, [sequence], |row| row.get(0)).unwrap();
    let set = format!("UPDATE {table} SET {column} = ?2 WHERE sequence = ?1");
    assert_eq!(db.execute(&set, (sequence, change(blob))).unwrap(), 1);
}

fn first_attempt(folder: &Path) -> u64 {
    let db = Connection::open(folder.join("postrider.db")).unwrap();
    db.query_row("SELECT min(sequence) FROM attempts", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_flipped_bit_is_an_error_that_names_the_row_and_the_remedy() {
    let sample = sample_folder().await;
    let (message, attempt) = (message_id(2).sequence(), first_attempt(sample.path()));
    let columns = [("messages", "head", message), ("messages", "body", message)];
    for place in columns.into_iter().chain([("attempts", "record", attempt)]) {
        let folder = copy_folder(sample.path(), |_| true);
        change(folder.path(), place, |mut blob| {
            let middle = blob.len() / 2;
            blob[middle] ^= 4;
            blob
        });
        let (table, _, sequence) = place;
        let store = open_embedded(folder.path());
        let error = if table == "messages" {
            let key = IdOrUid::Id(message_id(2));
            store.message(application_id(1), &key).await.unwrap_err()
        } else {
            let of = AttemptsOf::Endpoint(application_id(1), endpoint_id(1));
            store.attempts(of, AttemptFilter::default(), all()).await.unwrap_err()
        };
        let said = error_chain(&error);
        let row = format!("postrider.db is damaged: row {sequence} of the table `{table}`");
        assert!(said.contains(&row) && said.contains("backup"), "{place:?}: {said}");
        let found = verify(folder.path()).unwrap();
        assert_eq!((found.messages, found.attempts, found.without_checksum), (9, 5, 0));
        assert!(found.damage.len() == 1 && found.damage[0].contains(&row), "{found:?}");
        let copy = folder.path().join("copy");
        let error = store.backup(&copy).await.unwrap_err();
        assert!(error_chain(&error).contains(&row), "{}", error_chain(&error));
        assert!(copy.join("postrider.db").exists(), "a damaged copy is better than none");
        // What is damaged does not keep what is old.
        store.cancel(Scope::Endpoint(application_id(1), endpoint_id(1))).await.unwrap();
        while store.expire(at(u64::from(u32::MAX)), ONE_DAY).await.unwrap() {}
        drop(store);
        let left = verify(folder.path()).unwrap();
        assert_eq!(left.messages, 0, "{place:?}");
        // Attempts after the newest message stay until there is a newer one.
        assert!(table == "attempts" || left.damage.is_empty(), "{place:?}: {left:?}");
    }
}

#[tokio::test]
async fn rows_without_a_checksum_are_read_and_counted() {
    let folder = sample_folder().await;
    let (message, attempt) = (message_id(2).sequence(), first_attempt(folder.path()));
    let before = verify(folder.path()).unwrap();
    assert_eq!((before.without_checksum, before.damage.as_slice()), (0, [].as_slice()));
    // Version, checksum, and for a message the checksum of its body.
    let plain = |header: usize| move |blob: Vec<u8>| [&[1], &blob[header..]].concat();
    change(folder.path(), ("messages", "head", message), plain(9));
    change(folder.path(), ("attempts", "record", attempt), plain(5));
    let store = open_embedded(folder.path());
    let found = store.message(application_id(1), &IdOrUid::Id(message_id(2))).await.unwrap();
    assert_eq!(found.map(|it| it.id), Some(message_id(2)));
    let of = AttemptsOf::Endpoint(application_id(1), endpoint_id(1));
    let found = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
    assert_eq!(found.items.len(), 5);
    assert_eq!(verify(folder.path()).unwrap().without_checksum, 2);
}

#[tokio::test]
async fn a_damaged_rejection_affects_no_other_rejection() {
    let folder = sample_folder().await;
    {
        let store = open_embedded(folder.path());
        create_sources(&store, 1..=1).await;
        store.reject(vec![rejection(1, 1), rejection(2, 1)]).await.unwrap();
    }
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    db.execute("UPDATE rejections SET record = x'0105ff' WHERE rowid = 1", []).unwrap();
    drop(db);
    let store = open_embedded(folder.path());
    let error = store.rejections(source_id(1), all()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let behind = Scan { after: Some(rejection_id(1)), ..all() };
    let kept = store.rejections(source_id(1), behind).await.unwrap();
    assert_eq!(kept.items, [rejection(2, 1)]);
    assert_eq!(store.find::<Source>(token_digest(1)).await.unwrap(), Some(source(1)));
}

#[tokio::test]
async fn a_backup_contains_the_sources() {
    let folder = sample_folder().await;
    let store = open_embedded(folder.path());
    create_sources(&store, 1..=1).await;
    store.reject(vec![rejection(1, 1)]).await.unwrap();
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("copy");
    store.backup(&to).await.unwrap();
    let restored = open_embedded(&to);
    assert_eq!(restored.find::<Source>(token_digest(1)).await.unwrap(), Some(source(1)));
    let kept = restored.rejections(source_id(1), all()).await.unwrap();
    assert_eq!(kept.items, [rejection(1, 1)]);
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let folder = sample_folder().await;
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    set_format(&db, 99, 98);
    drop(db);
    assert_refused(folder.path(), "was upgraded to format 99 by Postrider 2.3.4");
}

#[test]
fn a_foreign_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    db.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(db);
    assert_refused(folder.path(), "is not a database of postrider");
}

#[tokio::test]
async fn a_copied_folder_opens() {
    let folder = sample_folder().await;
    let copy = copy_folder(folder.path(), |_| true);
    let store = open_embedded(copy.path());
    assert_eq!(message_count(&store).await, 9);
    assert_eq!(claimed(&store, claim()).await.len(), 4);
}

#[tokio::test]
async fn a_backup_shows_a_running_store_at_one_moment() {
    let folder = sample_folder().await;
    let store = open_embedded(folder.path());
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("copy");
    let busy = async {
        for number in 0..200 {
            store.append(vec![free(1_000 + number, &[2])]).await.unwrap();
        }
    };
    let (copied, ()) = tokio::join!(store.backup(&to), busy);
    copied.unwrap();
    assert!(store.backup(&to).await.is_err(), "a backup is not overwritten");
    let restored = open_embedded(&to);
    let found = claimed(&restored, claim()).await;
    assert_eq!(found[..4], [(1, 2, 1), (1, 4, 1), (1, 6, 1), (1, 8, 1)]);
    // Of the messages accepted meanwhile, it contains the first ones without gaps.
    let later: Vec<_> = found[4..].iter().map(|it| it.1).collect();
    assert_eq!(later, (1_000..1_000 + later.len() as u64).collect::<Vec<_>>());
    assert_eq!(delivery_states(&restored, 1).await, delivery_states(&store, 1).await);
    assert!(backup(folder.path(), &to).is_err());
}

#[tokio::test]
async fn expired_messages_are_removed() {
    let folder = sample_folder().await;
    let store = open_embedded(folder.path());
    let retention = Retention {
        rows: Duration::from_secs(1),
        idempotency: Duration::ZERO,
        digests: Duration::ZERO,
        rejections: Duration::ZERO,
        audit_log: Duration::ZERO,
    };
    expire(&store, at(10_000_000), retention).await;
    // The even ones are still pending.
    assert_eq!(message_count(&store).await, 4);
}
