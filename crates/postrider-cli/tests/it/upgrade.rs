//! Upgrades of the data of earlier versions, and what an earlier version does with newer data.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    receiver::{Call, Receiver},
    schema::Schema,
    server::{Server, postrider},
};

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
    db.execute_batch(
        "DELETE FROM state WHERE key IN ('usable_from', 'written_by'); PRAGMA user_version = 99",
    )
    .unwrap();
    drop(db);
    let before = contents(&data);

    let mut command = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    let output = command.arg(&data).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("was upgraded to format 99 by a later version"), "{message}");
    assert!(message.contains("install a later version, or start with a backup"), "{message}");
    let (code, said) = migrate(&data, &["--check"]);
    assert!(code == Some(2) && said.contains("it cannot use the data"), "{said}");
    assert!(contents(&data) == before, "the start has changed a file");
}

/// Runs `postrider migrate`; returns its exit code and what it printed.
fn migrate(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = postrider(&["migrate", "--data"]).arg(data).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_later_format_that_only_adds_can_be_rolled_back() {
    let receiver = Receiver::start().await;
    let mut server = Server::embedded(&[]);
    server.application("a").await;
    server.endpoint("a", &receiver.url("ok")).await;
    let first = server.publish("a", json!({ "number": 1 })).await;
    receiver.until("ok", |calls| calls.len() == 1).await;
    assert!(server.terminate().success());
    let data = server.folder.path().join("data");
    let db = Connection::open(data.join("postrider.db")).unwrap();
    db.execute_batch(
        "ALTER TABLE messages ADD COLUMN of_tomorrow INTEGER NOT NULL DEFAULT 7;
        ALTER TABLE pending ADD COLUMN of_tomorrow INTEGER;
        CREATE TABLE things_of_tomorrow (id INTEGER PRIMARY KEY) STRICT;
        UPDATE state SET value = 11 WHERE key = 'usable_from';
        UPDATE state SET value = 2003004 WHERE key = 'written_by';
        PRAGMA user_version = 12",
    )
    .unwrap();
    drop(db);

    server.restart();
    let log = server.log();
    assert!(log.contains("has the format of a later version, which this version can use"), "{log}");
    server.publish("a", json!({ "number": 2 })).await;
    receiver.until("ok", |calls| calls.len() == 2).await;
    assert_eq!(server.get(&format!("/app/a/msg/{first}")).await["payload"]["number"], 1);
    server.kill_and_restart();
    server.publish("a", json!({ "number": 3 })).await;
    receiver.until("ok", |calls| ids(calls).len() == 3).await;
    assert!(server.terminate().success());
    let (code, said) = migrate(&data, &["--check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("has format 12, set by Postrider 2.3.4\n"), "{said}");
    assert!(migrate(&data, &[]).1.contains("already has format 12"));
}

/// Data that a version with an earlier format wrote; `scripts/format-fixture` makes such archives.
struct Fixture {
    name: String,
    folder: TempDir,
    expected: Value,
}

/// Unpacks the archives of a store, each into its own folder.
fn fixtures(store: &str) -> Vec<Fixture> {
    let archives = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    let paths = fs::read_dir(archives).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let paths = paths.filter(|path| name(path).starts_with(store));
    let unpack = |path: PathBuf| {
        let folder = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&path).arg("-C").arg(folder.path());
        assert!(tar.status().unwrap().success());
        let expected = fs::read(folder.path().join("expected.json")).unwrap();
        Fixture { name: name(&path), folder, expected: serde_json::from_slice(&expected).unwrap() }
    };
    paths.map(unpack).collect()
}

/// Settings under which nothing of an archive expires.
const KEEP: [(&str, &str); 2] =
    [("POSTRIDER_RETENTION__PAYLOAD", "36500d"), ("POSTRIDER_RETENTION__ROWS", "36500d")];

#[tokio::test]
async fn data_of_earlier_formats_of_the_embedded_store_is_migrated() {
    let fixtures = fixtures("embedded-");
    assert!(fixtures.len() >= 9);
    for Fixture { name, folder, expected } in fixtures {
        let data = folder.path().join("data");
        // The command upgrades some of them, the server the others.
        if ["embedded-5.tar.gz", "embedded-10.tar.gz"].contains(&name.as_str()) {
            check_command(&data, &name);
        }
        let mut server = Server::on_store(&Arc::new(folder), None, &KEEP);
        assert!(migrate(&data, &["--check"]).1.contains(": nothing to upgrade;"), "{name}");
        check_data(&server, &name, &expected).await;
        // What was migrated is complete after a crash, too.
        server.kill_and_restart();
        check_records(&server, &name, &expected).await;
    }
}

fn check_command(data: &Path, name: &str) {
    let (code, said) = migrate(data, &["--check"]);
    assert_eq!(code, Some(1), "{name}: {said}");
    assert!(said.contains("so make a copy with `postrider backup` first"), "{name}: {said}");
    let (code, said) = migrate(data, &[]);
    assert_eq!(code, Some(0), "{name}: {said}");
    assert!(said.contains("upgraded ") && said.contains(" from format "), "{name}: {said}");
}

#[tokio::test]
async fn data_of_earlier_formats_in_postgresql_is_migrated() {
    let fixtures = fixtures("postgres-");
    assert!(fixtures.len() >= 9);
    for Fixture { name, folder, expected } in fixtures {
        let schema = Arc::new(Schema::create());
        let dump = fs::read_to_string(folder.path().join("dump.sql")).unwrap();
        // Lines with a backslash are commands of psql.
        let statements = dump.lines().filter(|line| !line.starts_with('\\'));
        let statements = statements.collect::<Vec<_>>().join("\n");
        schema.run(&statements.replace("public.", &schema.table("")));
        let mut server = Server::on_store(&Arc::new(folder), Some(&schema), &KEEP);
        check_data(&server, &name, &expected).await;
        server.kill_and_restart();
        check_records(&server, &name, &expected).await;
    }
}

/// Everything is there and works: what waited is delivered, signed with the secret of before, new
/// messages are accepted, and webhooks are verified.
async fn check_data(server: &Server, name: &str, expected: &Value) {
    check_records(server, name, expected).await;
    let receiver = Receiver::start().await;
    for uid in ["good", "bad"] {
        let path = format!("/app/acme/endpoint/{uid}");
        server.must(Method::PATCH, &path, Some(json!({ "url": receiver.url(uid) }))).await;
    }
    let event = json!({ "eventType": "user.created", "payload": { "number": 3 } });
    server.post("/app/acme/msg", event).await;
    receiver.until("good", |calls| calls.len() == 1).await;
    // The three messages that this endpoint did not accept are due now.
    let calls = receiver.until("bad", |calls| ids(calls).len() == 4).await;
    let secret = expected["secrets"]["bad"].as_str().unwrap();
    assert!(calls.iter().all(|call| call.is_verified(secret)), "{name}");
    // The first versions had no sources.
    if let Some(path) = expected["source"].as_str() {
        assert_eq!(received(server, path).await, 200, "{name}");
    }
}

/// The messages of calls, each once.
fn ids(calls: &[Call]) -> BTreeSet<&str> {
    calls.iter().map(Call::id).collect()
}

/// The records and the history are those that the earlier version stored.
async fn check_records(server: &Server, name: &str, expected: &Value) {
    let application = server.get("/app/acme").await;
    assert_eq!(application["metadata"], json!({ "plan": "gold" }), "{name}");
    for (uid, secret) in expected["secrets"].as_object().unwrap() {
        let endpoint = server.get(&format!("/app/acme/endpoint/{uid}")).await;
        assert_eq!(endpoint["disabled"].as_bool().unwrap_or(false), uid == "off", "{name}");
        let found = server.get(&format!("/app/acme/endpoint/{uid}/secret")).await;
        assert_eq!(found["key"], *secret, "{name}: {uid}");
    }
    for (id, payload) in expected["messages"].as_object().unwrap() {
        let message = server.get(&format!("/app/acme/msg/{id}")).await;
        assert_eq!(message["payload"], *payload, "{name}");
        let attempts = server.get(&format!("/app/acme/attempt/msg/{id}")).await;
        assert!(attempts["data"].as_array().unwrap().len() >= 2, "{name}: {attempts}");
    }
}

/// A webhook of GitHub, with its signature for the secret of the archives.
const WEBHOOK: &str = r#"{"zen":"Keep it logically awesome."}"#;
const SIGNATURE: &str = "sha256=b9f180c4171a9926a5055962b54ec47b0ebee85e62e76c83ebdbb382f77b05ac";

/// Posts the webhook to a source; returns the status.
async fn received(server: &Server, path: &str) -> u16 {
    let request = Request::post(format!("{}{path}", server.url))
        .header("content-type", "application/json")
        .header("x-github-event", "ping")
        .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .header("x-hub-signature-256", SIGNATURE)
        .body(Full::new(Bytes::from(WEBHOOK)))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap().status().as_u16()
}
