//! Shutdowns and crashes of the process: no accepted message is lost.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    receiver::{Behavior, Receiver},
    server::{Server, postrider, until},
};

/// Number of times the process is killed.
const KILLS: usize = 12;

/// Number of concurrent publishers.
const PUBLISHERS: usize = 8;

/// Publishes continuously until stopped, and records the messages that got 202.
pub(crate) fn start_publishers(
    server: &Server,
    accepted: &Arc<Mutex<HashSet<String>>>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let caller = server.caller();
        let accepted = Arc::clone(accepted);
        tasks.spawn(async move {
            for n in 0_u64.. {
                let payload = json!({ "publisher": publisher, "n": n });
                let body = json!({ "eventType": "test.event", "payload": payload });
                // Calls fail while the process is down or going down.
                let response = caller.call(Method::POST, "/app/acme/msg", Some(body)).await;
                if let Ok((202, message)) = response {
                    let id = message["id"].as_str().unwrap().to_owned();
                    accepted.lock().unwrap().insert(id);
                } else {
                    return;
                }
            }
        });
    }
    tasks
}

#[tokio::test]
async fn every_accepted_message_is_delivered_although_the_process_is_killed_repeatedly() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("steady")).await;
    // Some accepted messages are waiting for a retry when the process is killed.
    server.endpoint("acme", &receiver.url("flaky")).await;
    receiver.set_behavior("flaky", Behavior::FailFirst(50));
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    for round in 1..=KILLS {
        let mut tasks = start_publishers(&server, &accepted);
        // Each round kills the process at another point of its work.
        let enough = accepted.lock().unwrap().len() + 37 * round;
        let accepted = Arc::clone(&accepted);
        let wait = move || until("enough is accepted", || accepted.lock().unwrap().len() >= enough);
        tokio::task::spawn_blocking(wait).await.unwrap();
        server.kill_and_restart();
        while tasks.join_next().await.is_some() {}
    }
    let accepted = accepted.lock().unwrap().clone();
    assert!(accepted.len() > 37 * KILLS);
    for path in ["steady", "flaky"] {
        receiver
            .until(path, |calls| {
                let arrived: HashSet<_> = calls.iter().map(crate::receiver::Call::id).collect();
                accepted.iter().all(|id| arrived.contains(id.as_str()))
            })
            .await;
    }
}

#[tokio::test]
async fn a_shutdown_finishes_attempts_in_progress_and_a_restart_continues() {
    let receiver = Receiver::start().await;
    let mut server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "300ms,300ms,300ms")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::FailFirst(1));
    let id = server.publish("acme", json!({})).await;
    receiver.until("down", |calls| calls.len() == 1).await;
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    server.restart();
    let calls = receiver.until("down", |calls| calls.len() == 2).await;
    assert_eq!(calls[1].id(), id);
}

#[tokio::test]
async fn a_second_signal_exits_immediately() {
    let receiver = Receiver::start().await;
    let mut server = Server::with_variables(&[("POSTRIDER_REQUEST_TIMEOUT", "100s")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("hangs")).await;
    receiver.set_behavior("hangs", Behavior::Hang);
    server.publish("acme", json!({})).await;
    receiver.until("hangs", |calls| calls.len() == 1).await;
    server.signal("TERM");
    until("the shutdown is logged", || server.log().contains("shutting down"));
    server.signal("TERM");
    assert!(!server.wait().success());
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_rejected() {
    let server = Server::start();
    let output = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.folder.path().join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("data is in use by another postrider; stop that one, or"), "{said}");
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_a_hint() {
    let server = Server::start();
    let address = server.url.trim_start_matches("http://");
    let folder = tempfile::tempdir().unwrap();
    let output =
        postrider(&["serve", "--listen", address, "--data"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.contains("hint: "), "{said}");
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_a_data_folder() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "100ms,1h")]);
    server.application("acme").await;
    let (_, secret) = server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::Status(500));
    let id = server.publish("acme", json!({ "n": 1 })).await;
    receiver.until("down", |calls| calls.len() == 2).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("data");
    let backup = || {
        let from = server.folder.path().join("data");
        let mut command = postrider(&["backup", "--data"]);
        command.arg(from).arg(&copy).output().unwrap()
    };
    let output = backup();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = String::from_utf8(backup().stderr).unwrap();
    assert!(again.contains("exists already"), "{again}");

    // The copy contains the message, the secrets, and the pending retry.
    let restored = Server::on_folder(folder, &[("POSTRIDER_RETRY_SCHEDULE", "100ms,1h")]);
    let message = restored.get(&format!("/app/acme/msg/{id}")).await;
    assert_eq!(message["payload"], json!({ "n": 1 }));
    receiver.set_behavior("down", Behavior::Status(200));
    let endpoints = restored.get("/app/acme/endpoint").await;
    let endpoint = endpoints["data"][0]["id"].as_str().unwrap();
    let resend = format!("/app/acme/msg/{id}/endpoint/{endpoint}/resend");
    restored.post(&resend, json!({})).await;
    let calls = receiver.until("down", |calls| calls.len() == 3).await;
    assert!(calls[2].is_verified(&secret));
}
