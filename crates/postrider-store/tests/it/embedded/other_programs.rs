//! Other programs that read the files of a store while it is open.

use std::{path::Path, process::Command};

use postrider_store::{Deliveries, EmbeddedStore, History, IdOrUid, Maintenance, Options};

use crate::fixture::*;

/// Reads a database with another program, which takes itself for the last user of the file when it
/// ends, unless the store has locked it.
fn read_elsewhere(database: &Path) {
    let script = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute('SELECT count(*) FROM sqlite_schema').fetchone())
database.close()";
    let python = Command::new("python3").args(["-c", script]).arg(database).status();
    assert!(python.expect("python3 is installed").success());
}

async fn read_elsewhere_and_append(store: &EmbeddedStore, folder: &Path, number: u64) {
    for name in ["postrider.db", "index.db"] {
        read_elsewhere(&folder.join(name));
        assert!(folder.join(format!("{name}-wal")).exists(), "{name}");
    }
    store.append(vec![free(number, &[1])]).await.unwrap();
    // What a killed process would leave.
    let image = copy_of(folder);
    let reopened = EmbeddedStore::open(image.path(), &Options::default()).unwrap();
    for number in 1..=number {
        let id = IdOrUid::Id(message_id(number));
        assert!(reopened.message(application_id(1), &id).await.unwrap().is_some(), "{number}");
    }
}

/// Copies a folder with another process: this one must not open the files of a store that is open.
fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(folder.join(".")).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    copy
}

#[tokio::test]
async fn another_program_that_reads_the_files_does_not_remove_their_logs() {
    let folder = tempfile::tempdir().unwrap();
    // Small enough that the log is copied and restarted again and again.
    let options = Options { checkpoint_bytes: 50_000, wal_bytes: 100_000, ..Options::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    set_up(&store).await;
    read_elsewhere_and_append(&store, folder.path(), 1).await;
    for number in 2..=300 {
        store.append(vec![free(number, &[1])]).await.unwrap();
    }
    read_elsewhere_and_append(&store, folder.path(), 301).await;
    let backup = tempfile::tempdir().unwrap();
    store.backup(&backup.path().join("copy")).await.unwrap();
    read_elsewhere_and_append(&store, folder.path(), 302).await;
}
