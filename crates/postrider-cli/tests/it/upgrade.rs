//! Rollbacks: what an earlier version does with the data of a newer one.

use std::{fs, path::Path};

use rusqlite::Connection;
use serde_json::json;

use crate::server::{Server, postrider};

/// The files whose content matters.
fn contents(data: &Path) -> [Vec<u8>; 3] {
    ["postrider.db", "index.db", "postrider.mark"].map(|name| fs::read(data.join(name)).unwrap())
}

#[tokio::test]
async fn data_of_a_newer_format_is_refused_and_not_changed() {
    let mut server = Server::embedded(&[]);
    server.application("a").await;
    server.publish("a", json!({})).await;
    assert!(server.terminate().success());
    let data = server.folder.path().join("data");
    let db = Connection::open(data.join("postrider.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = contents(&data);

    let mut command = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    let output = command.arg(&data).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("postrider.db is of format 99, newer than the "), "{message}");
    assert!(message.contains("use the version of postrider that wrote it"), "{message}");
    assert!(contents(&data) == before, "the start has changed a file");
}
