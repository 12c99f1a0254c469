//! Background tasks of the real process: they survive its death and do nothing twice.

use std::{collections::HashMap, time::SystemTime};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    receiver::Receiver,
    server::{Server, until_async},
};

const EPOCH: &str = "2020-01-01T00:00:00Z";

/// Messages that a task works on, and how often the process is killed meanwhile. On PostgreSQL and a
/// busy machine, the task does 30 in a second.
const MESSAGES: usize = 2_000;
const KILLS: usize = 3;

/// Publishes the messages in batches.
async fn publish(server: &Server, count: usize, more: &Value) {
    for first in (0..count).step_by(1_000) {
        let message = |n: usize| {
            let mut message = json!({ "eventType": "test.event", "payload": { "n": n } });
            message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            message
        };
        let messages: Vec<_> = (first..count.min(first + 1_000)).map(message).collect();
        let body = json!({ "messages": messages });
        let (status, replies) =
            server.call(Method::POST, "/app/acme/msg/batch", Some(body)).await.unwrap();
        assert_eq!(status, 200);
        assert!(!replies.to_string().contains("error"), "{replies}");
    }
}

async fn start(server: &Server, path: &str, body: Value) -> String {
    let (status, task) = server.call(Method::POST, path, Some(body)).await.unwrap();
    assert_eq!(status, 202, "{task}");
    format!("/background-task/{}", task["id"].as_str().unwrap())
}

/// Kills the process while the task runs, each time after some progress, and returns the task as it
/// ends.
async fn kill_until_finished(server: &mut Server, task: &str) -> Value {
    for _ in 0..KILLS {
        let before = server.get(task).await["progress"]["found"].as_u64().unwrap();
        let has_progress = |now: &Value| {
            now["status"] != "running" || now["progress"]["found"].as_u64().unwrap() > before
        };
        until_async(|| server.get(task), has_progress).await;
        server.kill_and_restart();
    }
    until_async(|| server.get(task), |it| it["status"] != "running").await
}

#[tokio::test]
async fn a_task_that_is_killed_sends_every_message_and_counts_it_once() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    publish(&server, MESSAGES, &json!({})).await;
    let endpoint = json!({ "url": receiver.url("late"), "uid": "late" });
    server.call(Method::POST, "/app/acme/endpoint", Some(endpoint)).await.unwrap();
    let path = "/app/acme/endpoint/late/replay-missing";
    let task = start(&server, path, json!({ "since": EPOCH })).await;
    let ended = kill_until_finished(&mut server, &task).await;
    assert_eq!(ended["status"], "finished", "{ended}");
    assert_eq!(ended["data"]["messagesSent"], MESSAGES, "{ended}");
    let calls = receiver
        .until("late", |calls| {
            let mut times = HashMap::new();
            for call in calls {
                *times.entry(call.id()).or_insert(0) += 1;
            }
            times.len() == MESSAGES
        })
        .await;
    // A call in flight when the process is killed is repeated; a resend would repeat all of them.
    assert!(calls.len() < MESSAGES + KILLS * 500, "{} calls", calls.len());
    let stats = "/app/acme/endpoint/late/stats";
    until_async(|| server.get(stats), |it| it["success"] == MESSAGES).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a sender has its own clock")]
async fn a_task_that_is_killed_cancels_every_delivery_once() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("never")).await;
    let now = Timestamp::try_from(SystemTime::now()).unwrap();
    let deliver_at = (now + SignedDuration::from_hours(12)).to_string();
    publish(&server, MESSAGES, &json!({ "deliverAt": deliver_at })).await;
    let body = json!({ "createdBefore": "2100-01-01T00:00:00Z" });
    let task = start(&server, "/app/acme/cancel-msgs", body).await;
    let ended = kill_until_finished(&mut server, &task).await;
    assert_eq!(ended["data"], json!({ "messagesCanceled": MESSAGES }), "{ended}");
}
