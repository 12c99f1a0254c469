//! Data that is lost from the folder: a start either has everything or says what is missing.

use std::{error::Error, fs, path::Path};

use postrider_core::catalog::Endpoint;
use postrider_store::{
    Deliveries, EmbeddedStore, Expected, History, IdOrUid, Maintenance, MessageFilter, Options,
    Records, StoreError, backup,
};
use tempfile::TempDir;

use crate::fixture::*;

/// Messages in the folder that is damaged.
const MESSAGES: u64 = 30;

fn open(folder: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(folder, &Options::default())
}

fn open_with_loss(folder: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(folder, &Options { accept_loss: true, ..Options::default() })
}

/// The error with its causes.
fn whole_text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// What is left when the process is killed now: the files as they are.
fn image(of: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(of).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// Each in a commit of its own, and the index has all of it.
async fn publish(store: &EmbeddedStore, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        store.append(vec![free(number, &[1])]).await.unwrap();
    }
    store.messages(application_id(1), MessageFilter::default(), all()).await.unwrap();
}

/// The files of a killed process with all messages, and two older states of the same folder:
/// after an orderly end before, and earlier in the life of the process.
async fn killed() -> (TempDir, [TempDir; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    furnish(&store).await;
    publish(&store, 1..=10).await;
    store.close().await.unwrap();
    let ended = image(folder.path());
    let store = open(folder.path()).unwrap();
    publish(&store, 11..=20).await;
    let earlier = image(folder.path());
    publish(&store, 21..=MESSAGES).await;
    (image(folder.path()), [ended, earlier])
}

/// `true` if every message is there, and what cannot be read says so.
async fn is_whole(store: &EmbeddedStore) -> bool {
    for number in 1..=MESSAGES {
        let named = IdOrUid::Id(message_id(number));
        match store.message(application_id(1), &named).await {
            Ok(Some(found)) => assert_eq!(found, *free(number, &[1]).message),
            Ok(None) => return false,
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}"),
        }
    }
    let listed = store.messages(application_id(1), MessageFilter::default(), all()).await;
    listed.unwrap().items.len() == usize::try_from(MESSAGES).unwrap()
}

/// Changes one file of a folder; `false` if this changes nothing.
type Damage = fn(file: &Path, older: &[TempDir; 2]) -> bool;

fn cut(file: &Path, to: impl Fn(u64) -> u64) -> bool {
    let length = fs::metadata(file).unwrap().len();
    fs::File::options().write(true).open(file).unwrap().set_len(to(length)).unwrap();
    to(length) != length
}

fn replace(file: &Path, older: &TempDir) -> bool {
    let from = older.path().join(file.file_name().unwrap());
    from.exists() && fs::read(&from).unwrap() != fs::read(file).unwrap() && {
        fs::copy(from, file).unwrap();
        true
    }
}

const DAMAGES: [(&str, Damage); 7] = [
    ("missing", |file, _| fs::remove_file(file).map(|()| true).unwrap()),
    ("empty", |file, _| cut(file, |_| 0)),
    ("half", |file, _| cut(file, |length| length / 2)),
    ("a page short", |file, _| cut(file, |length| length.saturating_sub(4_096))),
    ("as of the last end", |file, older| replace(file, &older[0])),
    ("as of before", |file, older| replace(file, &older[1])),
    ("random in the middle", |file, _| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for byte in bytes.iter_mut().skip(middle).take(1_024) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            *byte = random.to_le_bytes()[0];
        }
        fs::write(file, &bytes).map(|()| !bytes.is_empty()).unwrap()
    }),
];

/// Files whose damage a start repairs or does not meet.
const HARMLESS: [&str; 6] =
    ["postrider.db-shm", "postrider.mark", "index.db", "index.db-wal", "index.db-shm", "lock"];

#[tokio::test]
async fn every_damage_of_a_file_is_repaired_or_refused_with_its_name() {
    let (killed, older) = killed().await;
    assert!(is_whole(&open(image(killed.path()).path()).unwrap()).await, "undamaged");
    let names: Vec<_> = fs::read_dir(killed.path()).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(names.len(), HARMLESS.len() + 2, "{names:?}");
    for name in names.iter().map(|it| it.file_name().into_string().unwrap()) {
        for (damage, apply) in DAMAGES {
            let folder = image(killed.path());
            if !apply(&folder.path().join(&name), &older) {
                continue;
            }
            let case = format!("{name} {damage}");
            match open(folder.path()) {
                Ok(store) => assert!(is_whole(&store).await, "{case}: silently shortened"),
                Err(error) => {
                    let text = whole_text(&error);
                    assert!(!HARMLESS.contains(&&*name), "{case}: {text}");
                    assert!(text.contains(&name) && text.contains("backup"), "{case}: {text}");
                    assert!(matches!(error, StoreError::Corrupt { .. }), "{case}: {error:?}");
                },
            }
        }
    }
}

type Change = fn(&Path);

#[tokio::test]
async fn a_refused_folder_stays_as_it_is_until_the_loss_is_accepted() {
    let damages: [(&str, &str, Change); 5] = [
        ("postrider.db", "is missing from", |it| fs::remove_file(it).unwrap()),
        ("postrider.db", "is empty", |it| fs::write(it, "").unwrap()),
        ("postrider.db-wal", "at least 20 messages missing, with 20 commits", |it| {
            fs::remove_file(it).unwrap();
        }),
        ("postrider.db-wal", "at least 20 messages missing, with 20 commits", |it| {
            fs::write(it, "").unwrap();
        }),
        ("postrider.db-wal", "at least 1 message missing, with 1 commit)", |it| {
            cut(it, |length| length - 1);
        }),
    ];
    let (killed, _) = killed().await;
    for (name, expected, damage) in damages {
        let folder = image(killed.path());
        damage(&folder.path().join(name));
        let truth = folder.path().join("postrider.db");
        let log = folder.path().join("postrider.db-wal");
        let files = || (fs::read(&truth).ok(), fs::read(&log).ok());
        let before = files();
        for _ in 0..2 {
            let text = whole_text(&open(folder.path()).unwrap_err());
            assert!(text.contains(expected) && text.contains("--accept-loss"), "{name}: {text}");
            assert!(files().0 == before.0, "{name} was changed");
            assert!(before.1.is_none() || files().1 == before.1, "{name}: the log was changed");
        }
        let copy = folder.path().join("copy");
        let text = whole_text(&backup(folder.path(), &copy).unwrap_err());
        assert!(text.contains(expected) || text.contains("does not exist"), "{name}: {text}");
        assert!(!copy.join("postrider.db").exists());
        let store = open_with_loss(folder.path()).unwrap();
        assert!(!is_whole(&store).await);
        store.close().await.unwrap();
        // The mark is set to what there is.
        open(folder.path()).unwrap();
    }
}

#[tokio::test]
async fn every_kind_of_change_counts() {
    type Change = fn(&EmbeddedStore) -> futures_util::future::BoxFuture<'_, ()>;
    let changes: [(&str, Change); 4] = [
        ("a message", |store| Box::pin(publish(store, 100..=100))),
        ("a settlement", |store| Box::pin(deliver(store, 1, fresh(1, 1)))),
        ("a record", |store| {
            Box::pin(async {
                store.save(&event_type("late"), Expected::New).await.unwrap();
            })
        }),
        ("a removal", |store| {
            Box::pin(async {
                assert!(
                    store.remove::<Endpoint>(&application_id(1), &endpoint_id(3)).await.unwrap()
                );
            })
        }),
    ];
    for (name, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        furnish(&store).await;
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let log = |folder: &Path| folder.join("postrider.db-wal");
        let before = fs::read(log(folder.path())).unwrap();
        change(&store).await;
        let image = image(folder.path());
        fs::write(log(image.path()), before).unwrap();
        let text = whole_text(&open(image.path()).unwrap_err());
        assert!(text.contains("1 commit"), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_backup_opens_in_a_folder_of_its_own_and_not_over_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    furnish(&store).await;
    publish(&store, 1..=10).await;
    let old = tempfile::tempdir().unwrap();
    store.backup(&old.path().join("copy")).await.unwrap();
    publish(&store, 11..=15).await;
    store.close().await.unwrap();
    let truth = old.path().join("copy/postrider.db");
    fs::copy(&truth, folder.path().join("postrider.db")).unwrap();
    let text = whole_text(&open(folder.path()).unwrap_err());
    assert!(text.contains("postrider.db") && text.contains("at least 5 messages"), "{text}");
    let fresh = tempfile::tempdir().unwrap();
    fs::copy(&truth, fresh.path().join("postrider.db")).unwrap();
    let store = open(fresh.path()).unwrap();
    assert_eq!(claimed(&store, claim()).await.len(), 10);
}

#[tokio::test]
async fn a_folder_without_a_mark_opens_and_gets_one() {
    let (killed, _) = killed().await;
    fs::remove_file(killed.path().join("postrider.mark")).unwrap();
    drop(open(killed.path()).unwrap());
    let truth = killed.path().join("postrider.db");
    fs::remove_file(truth).unwrap();
    fs::remove_file(killed.path().join("index.db")).unwrap();
    let text = whole_text(&open(killed.path()).unwrap_err());
    assert!(text.contains("postrider.db is missing"), "{text}");
}

#[tokio::test]
async fn without_a_mark_the_index_is_the_witness() {
    let (killed, _) = killed().await;
    fs::remove_file(killed.path().join("postrider.mark")).unwrap();
    fs::remove_file(killed.path().join("postrider.db-wal")).unwrap();
    let text = whole_text(&open(killed.path()).unwrap_err());
    assert!(text.contains("postrider.db-wal is missing, cut off or damaged"), "{text}");
    assert!(!is_whole(&open_with_loss(killed.path()).unwrap()).await);
}

#[tokio::test]
async fn a_first_start_that_was_killed_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let order = ["lock", "postrider.db", "postrider.mark"];
    for count in 0..=order.len() {
        let partial = tempfile::tempdir().unwrap();
        for name in &order[..count] {
            fs::copy(folder.path().join(name), partial.path().join(name)).unwrap();
        }
        drop(open(partial.path()).unwrap());
    }
    // As `SQLite` leaves it before it has written anything.
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("postrider.db"), "").unwrap();
    drop(open(empty.path()).unwrap());
}

#[tokio::test]
async fn a_log_that_began_again_many_times_is_no_older_copy() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { checkpoint_bytes: 50_000, wal_bytes: 100_000, ..Options::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    furnish(&store).await;
    for number in 1..=300 {
        store.append(vec![free(number, &[1, 2, 3])]).await.unwrap();
        if number % 50 == 0 {
            let image = image(folder.path());
            drop(open(image.path()).unwrap());
        }
    }
}
