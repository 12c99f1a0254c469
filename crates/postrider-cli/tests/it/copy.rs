//! `postrider copy`: an installation moves with its pending deliveries.

use std::{
    path::Path,
    process::{Output, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
};
use postrider_store::{
    Deliveries, DeliveryOrder, EmbeddedStore, Hold, Maintenance, NewMessage, Options, Target,
};
use serde_json::{Value, json};

use crate::{
    receiver::{Behavior, Receiver},
    schema::Schema,
    server::{Server, postrider, until_async},
};

const RETRIES: [(&str, &str); 1] = [("POSTRIDER_RETRY_SCHEDULE", "2s,2s,2s,2s,2s,2s,2s,2s,2s,2s")];

/// Copies, with the secrets in the folder `kept` if the source is a database.
fn copy(from: &str, to: &str, kept: &Path) -> Output {
    let mut command = postrider(&["copy", "--from", from, "--to", to, "--data"]);
    command.arg(kept).output().unwrap()
}

#[track_caller]
fn copy_ok(from: &str, to: &str, kept: &Path) -> String {
    let output = copy(from, to, kept);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn check_rejected(from: &str, to: &str, kept: &Path, why: &str) {
    let output = copy(from, to, kept);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains(why), "{said}");
    assert!(said.contains("hint: ") || said.contains("; stop that one, or"), "{said}");
}

/// The lists that do not change by themselves, once this number of calls is recorded.
async fn lists(server: &Server, up: &str, arrived: usize) -> Vec<Value> {
    let attempts = format!("/app/acme/attempt/endpoint/{up}");
    let is_recorded = |it: &Value| it["data"].as_array().unwrap().len() == arrived;
    until_async(|| server.get(&attempts), is_recorded).await;
    let mut seen = Vec::new();
    for path in [
        "/app".to_owned(),
        "/event-type".to_owned(),
        "/app/acme/endpoint".to_owned(),
        "/app/acme/msg?with_content=true".to_owned(),
        attempts,
    ] {
        seen.push(server.get(&path).await["data"].clone());
    }
    seen
}

#[tokio::test]
async fn pending_deliveries_survive_a_copy_to_a_database_and_back() {
    let receiver = Receiver::start().await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schema = Arc::new(Schema::create());
    let path = |folder: &Path| folder.join("data").to_str().unwrap().to_owned();
    let (from, to) = (path(first.path()), path(second.path()));
    let first = Arc::new(first);

    let mut server = Server::on_store(&first, None, &RETRIES);
    server.application("acme").await;
    let (up, _) = server.endpoint("acme", &receiver.url("up")).await;
    let (_, secret) = server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::Status(500));
    let id = server.publish("acme", json!({ "n": 1 })).await;
    receiver.until("up", |calls| calls.len() == 1).await;
    receiver.until("down", |calls| !calls.is_empty()).await;
    check_rejected(&from, &schema.url, first.path(), "in use by another postrider");
    let expected = lists(&server, &up, 1).await;
    server.terminate();

    let said = copy_ok(&from, &schema.url, first.path());
    assert!(said.contains("main-secret to the data folder of each node"), "{said}");
    check_rejected(&from, &schema.url, first.path(), "is not empty");
    receiver.set_behavior("down", Behavior::Status(200));
    let calls = receiver.until("down", |_| true).await.len();
    let mut node = Server::on_store(&first, Some(&schema), &RETRIES);
    let arrived = receiver.until("down", |it| it.len() > calls).await;
    assert_eq!(arrived.last().unwrap().id(), id);
    assert!(arrived.last().unwrap().is_verified(&secret));
    assert_eq!(lists(&node, &up, 1).await, expected);
    check_rejected(&schema.url, &to, first.path(), "is in use by");
    receiver.set_behavior("down", Behavior::Status(500));
    let again = node.publish("acme", json!({ "n": 2 })).await;
    receiver.until("down", |it| it.last().is_some_and(|it| it.id() == again)).await;
    let expected = lists(&node, &up, 2).await;
    assert_eq!(node.terminate().code(), Some(0), "{}", node.log());

    let said = copy_ok(&schema.url, &to, &first.path().join("data"));
    assert!(said.contains("main_secret: copied to the folder"), "{said}");
    receiver.set_behavior("down", Behavior::Status(200));
    let calls = receiver.until("down", |_| true).await.len();
    let back = Server::on_store(&Arc::new(second), None, &RETRIES);
    let arrived = receiver.until("down", |it| it.len() > calls).await;
    assert_eq!(arrived.last().unwrap().id(), again);
    assert!(arrived.last().unwrap().is_verified(&secret));
    assert_eq!(lists(&back, &up, 2).await, expected);
}

/// Fills a folder with enough messages that a copy takes some time.
async fn fill(folder: &Path, messages: u64) {
    let store = EmbeddedStore::open(folder, &Options::default()).unwrap();
    let start = 1_790_000_000_000_u64;
    let endpoint = EndpointId::from_parts(start << 12, 1);
    let message = |number: u64| Message {
        id: MessageId::from_parts((start + number) << 12, number),
        application: ApplicationId::from_parts(start << 12, 2),
        event_type: "test.event".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::from_static(b"{}")),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    };
    for part in 0..messages / 1_000 {
        let new = |number: u64| NewMessage {
            message: Arc::new(message(number)),
            targets: vec![Target {
                endpoint,
                hold: Hold::Free(Timestamp::MAX),
                order: DeliveryOrder::Any,
            }],
            idempotency: None,
        };
        let batch = (part * 1_000..(part + 1) * 1_000).map(new).collect();
        store.append(batch).await.unwrap();
    }
    store.close().await.unwrap();
}

/// Waits for the first messages in the target; returns their number.
#[expect(clippy::disallowed_methods, reason = "the connection ends with its client")]
async fn until_some_messages(url: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..20_000 {
        // The copy creates the table.
        let found = client.query_one("SELECT count(*) FROM message", &[]).await;
        match found.map_or(0, |row| row.get(0)) {
            0 => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            count => return count,
        }
    }
    panic!("no message was copied in time");
}

#[tokio::test]
async fn a_killed_copy_resumes_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::create();
    let from = folder.path().join("data");
    fill(&from, 40_000).await;
    let from = from.to_str().unwrap();
    let mut killed = postrider(&["copy", "--from", from, "--to", &schema.url])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = until_some_messages(&schema.url).await;
    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().code(), None, "it was killed in the middle, after {begun}");

    let output =
        postrider(&["serve", "--database-url", &schema.url, "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("node"))
            .output()
            .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("unfinished copy"), "{said}");

    let output = copy(from, &schema.url, folder.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(" 0 of 40000 messages"), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    let is_whole = |kind: &str| {
        let line = table.lines().find(|line| line.starts_with(kind)).unwrap();
        line.split_whitespace().rev().take(2).all(|it| it == "40000")
    };
    assert!(is_whole("messages") && is_whole("deliveries: pending"), "{table}");
}
