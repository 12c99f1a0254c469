//! Disks that are full, and files that are damaged.

use std::{collections::HashSet, fs};

use http::Method;
use serde_json::{Value, json};

use crate::{
    receiver::{Call, Receiver},
    server::{Server, postrider, until_async},
};

/// An event with a payload of 64 KiB.
fn large() -> Value {
    json!({ "eventType": "test.event", "payload": { "text": "x".repeat(64 << 10) } })
}

#[tokio::test]
async fn a_full_disk_answers_503_loses_nothing_and_goes_on_once_there_is_room() {
    let receiver = Receiver::start().await;
    let mut server = Server::with(&[("POSTRIDER_LIMITS__STORE_PAGES", "600")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let mut accepted = HashSet::new();
    let refused = loop {
        let (status, answer) =
            server.call(Method::POST, "/app/acme/msg", Some(large())).await.unwrap();
        match status {
            202 => accepted.insert(answer["id"].as_str().unwrap().to_owned()),
            _ => break (status, answer),
        };
        assert!(accepted.len() < 1_000, "600 pages hold less");
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert!(refused.1["detail"].is_string(), "{}", refused.1);
    assert!(accepted.len() > 10);
    // Reading works, and the server is still the same.
    server.get("/app/acme/msg?limit=1").await;

    server.terminate();
    server.set("POSTRIDER_LIMITS__STORE_PAGES", "6000");
    server.restart();
    let (status, answer) = server.call(Method::POST, "/app/acme/msg", Some(large())).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    accepted.insert(answer["id"].as_str().unwrap().to_owned());
    let arrived = |calls: &[Call]| {
        let ids: HashSet<_> = calls.iter().map(Call::id).collect();
        accepted.iter().all(|id| ids.contains(id.as_str()))
    };
    receiver.until("ok", arrived).await;
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
    let mut server = Server::start();
    server.application("acme").await;
    server.terminate();
    let data = server.folder.path().join("data");
    fs::write(data.join("postrider.db"), "this is not a database, and long enough to be one")
        .unwrap();
    let output =
        postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("postrider.db"), "{said}");
    assert!(said.contains("backup"), "{said}");
}

#[tokio::test]
async fn a_lost_index_is_made_anew() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let id = server.publish("acme", json!({})).await;
    receiver.until("ok", |calls| calls.len() == 1).await;
    server.terminate();
    for entry in fs::read_dir(server.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("index.db") {
            fs::remove_file(path).unwrap();
        }
    }
    server.restart();
    let path = format!("/app/acme/attempt/msg/{id}");
    let attempts =
        until_async(|| server.get(&path), |it| !it["data"].as_array().unwrap().is_empty()).await;
    assert_eq!(attempts["data"][0]["responseStatusCode"], 200);
}
