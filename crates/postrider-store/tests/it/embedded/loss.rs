//! Files of the embedded store that are lost or outdated: the store is complete, or it reports the
//! loss.

use std::{fs, path::Path};

use postrider_core::catalog::Endpoint;
use postrider_store::{
    Deliveries, EmbeddedStore, Expected, History, IdOrUid, Maintenance, MessageFilter, Options,
    Records, StoreError, backup,
};
use tempfile::TempDir;

use super::copy_folder;
use crate::fixture::*;

/// Messages in the folder that is damaged.
const MESSAGES: u64 = 30;

fn open(folder: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(folder, &Options::default())
}

fn open_with_loss(folder: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(folder, &Options { accept_loss: true, ..Options::default() })
}

/// The files as they would be left if the process were killed now.
fn crash_image(of: &Path) -> TempDir {
    copy_folder(of, |_| true)
}

/// Appends each message in a separate commit, and waits for the index.
async fn publish(store: &EmbeddedStore, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        store.append(vec![free(number, &[1])]).await.unwrap();
    }
    store.messages(application_id(1), MessageFilter::default(), all()).await.unwrap();
}

/// The files of a killed process with all messages, and two older states of the same folder: after
/// the store was closed, and earlier in the same process.
async fn killed() -> (TempDir, [TempDir; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    set_up(&store).await;
    publish(&store, 1..=10).await;
    store.close().await.unwrap();
    let closed = crash_image(folder.path());
    let store = open(folder.path()).unwrap();
    publish(&store, 11..=20).await;
    let earlier = crash_image(folder.path());
    publish(&store, 21..=MESSAGES).await;
    (crash_image(folder.path()), [closed, earlier])
}

/// `true` if every message is stored; those that cannot be read must fail.
async fn is_complete(store: &EmbeddedStore) -> bool {
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
    ("as it was when the store was closed", |file, older| replace(file, &older[0])),
    ("as it was before", |file, older| replace(file, &older[1])),
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

/// Files whose damage is repaired, or has no effect.
const HARMLESS: [&str; 6] =
    ["postrider.db-shm", "postrider.mark", "index.db", "index.db-wal", "index.db-shm", "lock"];

#[tokio::test]
async fn each_damage_is_repaired_or_reported_with_the_name_of_the_file() {
    let (killed, older) = killed().await;
    assert!(is_complete(&open(crash_image(killed.path()).path()).unwrap()).await, "undamaged");
    let names: Vec<_> = fs::read_dir(killed.path()).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(names.len(), HARMLESS.len() + 2, "{names:?}");
    for name in names.iter().map(|it| it.file_name().into_string().unwrap()) {
        for (damage, apply) in DAMAGES {
            let folder = crash_image(killed.path());
            if !apply(&folder.path().join(&name), &older) {
                continue;
            }
            let case = format!("{name} {damage}");
            match open(folder.path()) {
                Ok(store) => assert!(is_complete(&store).await, "{case}: silently incomplete"),
                Err(error) => {
                    let text = error_chain(&error);
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
async fn a_refused_folder_is_unchanged_until_the_loss_is_accepted() {
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
        let folder = crash_image(killed.path());
        damage(&folder.path().join(name));
        let main = folder.path().join("postrider.db");
        let log = folder.path().join("postrider.db-wal");
        let files = || (fs::read(&main).ok(), fs::read(&log).ok());
        let before = files();
        for _ in 0..2 {
            let text = error_chain(&open(folder.path()).unwrap_err());
            assert!(text.contains(expected) && text.contains("--accept-loss"), "{name}: {text}");
            assert!(files().0 == before.0, "{name} was changed");
            assert!(before.1.is_none() || files().1 == before.1, "{name}: the log was changed");
        }
        let copy = folder.path().join("copy");
        let text = error_chain(&backup(folder.path(), &copy).unwrap_err());
        assert!(text.contains(expected) || text.contains("does not exist"), "{name}: {text}");
        assert!(!copy.join("postrider.db").exists());
        let store = open_with_loss(folder.path()).unwrap();
        assert!(!is_complete(&store).await);
        store.close().await.unwrap();
        // The mark matches what is left.
        open(folder.path()).unwrap();
    }
}

#[tokio::test]
async fn the_loss_of_any_kind_of_change_is_reported() {
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
        set_up(&store).await;
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let log = |folder: &Path| folder.join("postrider.db-wal");
        let before = fs::read(log(folder.path())).unwrap();
        change(&store).await;
        let crash_image = crash_image(folder.path());
        fs::write(log(crash_image.path()), before).unwrap();
        let text = error_chain(&open(crash_image.path()).unwrap_err());
        assert!(text.contains("1 commit"), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_backup_opens_in_an_empty_folder_and_not_in_place_of_newer_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    set_up(&store).await;
    publish(&store, 1..=10).await;
    let old = tempfile::tempdir().unwrap();
    store.backup(&old.path().join("copy")).await.unwrap();
    publish(&store, 11..=15).await;
    store.close().await.unwrap();
    let main = old.path().join("copy/postrider.db");
    fs::copy(&main, folder.path().join("postrider.db")).unwrap();
    let text = error_chain(&open(folder.path()).unwrap_err());
    assert!(text.contains("postrider.db") && text.contains("at least 5 messages"), "{text}");
    let fresh = tempfile::tempdir().unwrap();
    fs::copy(&main, fresh.path().join("postrider.db")).unwrap();
    let store = open(fresh.path()).unwrap();
    assert_eq!(claimed(&store, claim()).await.len(), 10);
}

#[tokio::test]
async fn a_folder_without_a_mark_opens_and_receives_one() {
    let (killed, _) = killed().await;
    fs::remove_file(killed.path().join("postrider.mark")).unwrap();
    drop(open(killed.path()).unwrap());
    let main = killed.path().join("postrider.db");
    fs::remove_file(main).unwrap();
    fs::remove_file(killed.path().join("index.db")).unwrap();
    let text = error_chain(&open(killed.path()).unwrap_err());
    assert!(text.contains("postrider.db is missing"), "{text}");
}

#[tokio::test]
async fn without_a_mark_the_index_shows_the_loss() {
    let (killed, _) = killed().await;
    fs::remove_file(killed.path().join("postrider.mark")).unwrap();
    fs::remove_file(killed.path().join("postrider.db-wal")).unwrap();
    let text = error_chain(&open(killed.path()).unwrap_err());
    assert!(text.contains("postrider.db-wal is missing, cut off or damaged"), "{text}");
    assert!(!is_complete(&open_with_loss(killed.path()).unwrap()).await);
}

#[tokio::test]
async fn a_first_start_that_was_killed_can_be_repeated() {
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
async fn a_restarted_log_is_not_taken_for_an_older_copy() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { checkpoint_bytes: 50_000, wal_bytes: 100_000, ..Options::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    set_up(&store).await;
    for number in 1..=300 {
        store.append(vec![free(number, &[1, 2, 3])]).await.unwrap();
        if number % 50 == 0 {
            let crash_image = crash_image(folder.path());
            drop(open(crash_image.path()).unwrap());
        }
    }
}
