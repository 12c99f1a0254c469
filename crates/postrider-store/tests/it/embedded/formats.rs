//! Data folders of other formats.

use std::fs;

use postrider_core::data_format::{DataFormat, Opening};
use postrider_store::{
    Deliveries, EmbeddedStore, EmbeddedTransferStore, Maintenance, Options, StatusKind, backup,
    format_of, verify,
};
use rusqlite::Connection;

use crate::{
    fixture::*,
    later::{set_format, upgrade_folder},
};

/// A folder with a delivered message and a pending one.
async fn sample_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    store.append(vec![leased(1, &[1]), free(2, &[1])]).await.unwrap();
    deliver(&store, 1, fresh(1, 1)).await;
    folder
}

/// The conformance suite also runs on such a folder.
#[tokio::test]
async fn a_later_format_that_only_adds_is_used() {
    let folder = sample_folder().await;
    upgrade_folder(folder.path());
    let store = open_embedded(folder.path());
    store.append(vec![free(3, &[1])]).await.unwrap();
    assert_eq!(claimed(&store, claim()).await, [(1, 2, 1), (1, 3, 1)]);
    deliver(&store, 3, fresh(1, 3)).await;
    store.close().await.unwrap();
    let report = format_of(folder.path()).unwrap().unwrap();
    let own = report.own.version;
    assert_eq!(report.found, DataFormat { version: own + 1, usable_from: own });
    assert_eq!(
        (report.opening(), report.writer().as_str()),
        (Opening::UseLater, "Postrider 2.3.4")
    );
    // What this version wrote has the later version's defaults.
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    let added = "SELECT count(*), min(added), max(added) FROM messages";
    let found: (u32, u32, u32) =
        db.query_row(added, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!(found, (3, 7, 7));
}

#[tokio::test]
async fn a_backup_of_a_later_format_is_complete_and_a_copy_is_refused() {
    let folder = sample_folder().await;
    upgrade_folder(folder.path());
    assert_eq!(verify(folder.path()).unwrap().damage, [""; 0]);
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("backup");
    backup(folder.path(), &to).unwrap();
    assert_eq!(format_of(&to).unwrap(), format_of(folder.path()).unwrap());
    let db = Connection::open(to.join("postrider.db")).unwrap();
    assert!(db.table_exists(None, "later").unwrap());
    drop(db);
    assert_eq!(delivery_states(&open_embedded(&to), 1).await[0], (1, StatusKind::Delivered, 1));
    let error = EmbeddedTransferStore::source(folder.path(), &Options::default()).unwrap_err();
    let said = with_causes(&error);
    assert!(said.contains("copy it with Postrider 2.3.4"), "{said}");
}

/// The error and its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_later_format_that_changes_something_is_refused() {
    let folder = sample_folder().await;
    let own = format_of(folder.path()).unwrap().unwrap().own.version;
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    set_format(&db, own + 2, own + 1);
    drop(db);
    let error = EmbeddedStore::open(folder.path(), &Options::default()).unwrap_err();
    let said = error_chain(&error);
    for part in [
        format!("was upgraded to format {} by Postrider 2.3.4", own + 2),
        format!("earlier versions than those of format {} cannot use it", own + 1),
        format!("this is Postrider {} with format {own}", env!("CARGO_PKG_VERSION")),
        "install Postrider 2.3.4, or start with a backup".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
}

#[tokio::test]
async fn a_new_folder_says_from_which_format_on_it_is_usable() {
    let folder = sample_folder().await;
    let report = format_of(folder.path()).unwrap().unwrap();
    assert_eq!((report.found, report.opening()), (report.own, Opening::Use));
    assert!(env!("CARGO_PKG_VERSION").starts_with(&report.written_by.unwrap().to_string()));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(format_of(empty.path()).unwrap(), None);
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

/// The reason why format 11 is breaking: programs of format 10 accept only blobs that begin with 1.
#[tokio::test]
async fn rows_of_format_11_are_not_those_of_format_10() {
    let folder = sample_folder().await;
    let db = Connection::open(folder.path().join("postrider.db")).unwrap();
    for blobs in ["SELECT head FROM messages", "SELECT record FROM attempts"] {
        let blob: Vec<u8> = db.query_row(blobs, [], |row| row.get(0)).unwrap();
        assert_ne!(blob[0], 1, "{blobs}");
    }
}
