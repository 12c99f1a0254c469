//! Bits that flipped in what is stored.

use std::{fs, path::Path};

use http::Method;
use rusqlite::Connection;
use serde_json::json;

use super::{on_data, said};
use crate::{
    receiver::{Behavior, Call, Receiver},
    server::{Server, until_async},
};

/// Flips one bit in the middle of a blob of the row with this payload, without the server.
fn flip_bit(data: &Path, column: &str, payload: &str) {
    let db = Connection::open(data.join("postrider.db")).unwrap();
    let find = format!("SELECT sequence, {column} FROM messages WHERE instr(body, ?1)");
    let (sequence, mut blob): (i64, Vec<u8>) =
        db.query_row(&find, [payload.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    let change = format!("UPDATE messages SET {column} = ?2 WHERE sequence = ?1");
    assert_eq!(db.execute(&change, (sequence, blob)).unwrap(), 1);
}

#[tokio::test]
async fn a_damaged_message_fails_alone_and_is_never_sent() {
    for (ordering, column) in [("any", "body"), ("fifo", "body"), ("fifo", "head")] {
        let receiver = Receiver::start().await;
        let mut server = Server::embedded(&[]);
        server.application("acme").await;
        receiver.set_behavior("in", Behavior::Hang);
        let endpoint = json!({ "url": receiver.url("in"), "ordering": ordering });
        let endpoint = server.post("/app/acme/endpoint", endpoint).await;
        let mut ids = Vec::new();
        for name in ["first-of-all", "second-of-all", "third-of-all"] {
            ids.push(server.publish("acme", json!({ "name": name })).await);
        }
        receiver.until("in", |calls| !calls.is_empty()).await;
        server.kill();
        receiver.set_behavior("in", Behavior::Status(200));
        flip_bit(&server.folder.path().join("data"), column, "second-of-all");
        let before = receiver.calls("in").len();
        server.restart();

        let arrived = |calls: &[Call], id: &str| calls.iter().skip(before).any(|it| it.id() == id);
        let calls =
            receiver.until("in", |calls| arrived(calls, &ids[0]) && arrived(calls, &ids[2])).await;
        // The head names what the attempt is shown with.
        if column == "body" {
            let failed = until_async(
                || server.get("/attempt?cause=damaged"),
                |it| !it["data"].as_array().unwrap().is_empty(),
            )
            .await;
            assert_eq!(failed["data"][0]["attempt"]["msgId"], ids[1], "{failed}");
            let of_endpoint = endpoint["id"].as_str().unwrap();
            let path = format!("/app/acme/attempt/endpoint/{of_endpoint}");
            let attempts = server.get(&path).await;
            let of_message = |it: &&serde_json::Value| it["msgId"] == ids[1].as_str();
            let attempt = attempts["data"].as_array().unwrap().iter().find(of_message).unwrap();
            let response = attempt["response"].as_str().unwrap();
            assert!(response.contains("checksum"), "{response}");
        }
        assert!(!arrived(&calls, &ids[1]), "{ordering} {column}: the damaged message was sent");
        let log = server.log();
        assert!(log.contains("does not match its checksum"), "{log}");
        assert!(log.contains("table `messages`"), "{log}");
        server.publish("acme", json!({ "name": "after" })).await;
        let all = before + 3;
        receiver.until("in", |calls| calls.len() >= all).await;
    }
}

#[tokio::test]
async fn a_damaged_message_leaves_its_batch_and_costs_the_others_no_attempt() {
    for ordering in ["any", "fifo"] {
        let receiver = Receiver::start().await;
        let mut server = Server::embedded(&[]);
        server.application("acme").await;
        let batch = json!({ "size": 4, "maxWaitSeconds": 300 });
        let endpoint = json!({ "url": receiver.url("in"), "ordering": ordering, "batch": batch });
        let endpoint = server.post("/app/acme/endpoint", endpoint).await;
        let mut ids = Vec::new();
        for name in ["first-of-all", "second-of-all", "third-of-all"] {
            ids.push(server.publish("acme", json!({ "name": name })).await);
        }
        server.kill();
        flip_bit(&server.folder.path().join("data"), "body", "second-of-all");
        server.restart();
        ids.push(server.publish("acme", json!({ "name": "fourth-of-all" })).await);

        let calls = receiver.until("in", |calls| !calls.is_empty()).await;
        let body: serde_json::Value = serde_json::from_slice(&calls[0].body).unwrap();
        let sent = body["events"].as_array().unwrap().iter().map(|it| it["id"].clone());
        assert_eq!(sent.collect::<Vec<_>>(), [&*ids[0], &*ids[2], &*ids[3]], "{ordering}");
        let path = format!("/app/acme/attempt/endpoint/{}", endpoint["id"].as_str().unwrap());
        let attempts = until_async(
            || server.get(&path),
            |it| it["data"].as_array().is_some_and(|it| it.len() >= ids.len()),
        )
        .await;
        for attempt in attempts["data"].as_array().unwrap() {
            let is_damaged = attempt["msgId"] == *ids[1];
            assert_eq!(attempt["status"], if is_damaged { 2 } else { 0 }, "{attempt}");
        }
        let failed = server.get("/attempt?cause=damaged").await;
        assert_eq!(failed["data"].as_array().unwrap().len(), 1, "{failed}");
        assert_eq!(receiver.calls("in").len(), 1, "{ordering}: one request is enough");
    }
}

#[tokio::test]
async fn damage_in_the_file_is_reported_with_row_and_remedy() {
    let receiver = Receiver::start().await;
    let mut server = Server::embedded(&[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let id = server.publish("acme", json!({ "text": "mandarin oranges" })).await;
    let other = server.publish("acme", json!({ "text": "apples" })).await;
    let is_recorded = |it: &serde_json::Value| !it["data"].as_array().unwrap().is_empty();
    for id in [&id, &other] {
        let path = format!("/app/acme/attempt/msg/{id}");
        until_async(|| server.get(&path), is_recorded).await;
    }
    assert!(on_data(&server, "verify-data", &[]).status.success(), "while it runs");
    server.terminate();

    let file = server.folder.path().join("data/postrider.db");
    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(8).position(|it| it == b"mandarin").unwrap();
    bytes[place] ^= 0x20;
    fs::write(&file, bytes).unwrap();
    server.restart();
    let (status, response) =
        server.call(Method::GET, &format!("/app/acme/msg/{id}"), None).await.unwrap();
    assert!((500..600).contains(&status), "{status}: {response}");
    assert!(!response.to_string().contains("andarin"), "{response}");
    server.get(&format!("/app/acme/msg/{other}")).await;

    let verified = on_data(&server, "verify-data", &[]);
    assert_eq!(verified.status.code(), Some(1), "{}", said(&verified));
    for expected in ["postrider.db", "table `messages`", "row ", "backup", "2 messages"] {
        assert!(said(&verified).contains(expected), "{expected}: {}", said(&verified));
    }
    let copy = server.folder.path().join("copy");
    let copied = on_data(&server, "backup", &[copy.to_str().unwrap()]);
    assert_eq!(copied.status.code(), Some(1), "{}", said(&copied));
    assert!(said(&copied).contains("keep the backups before it"), "{}", said(&copied));
    assert!(copy.join("main-secret").exists() && copy.join("postrider.db").exists());
}
