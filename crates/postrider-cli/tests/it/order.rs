//! Endpoints that keep the order of their messages.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    receiver::{Behavior, Call, Receiver, succeeds},
    server::Server,
};

async fn ordered(server: &Server, receiver: &Receiver) {
    server.application("acme").await;
    let endpoint = json!({ "url": receiver.url("ordered"), "ordering": "fifo" });
    server.post("/app/acme/endpoint", endpoint).await;
    receiver.set_behavior("ordered", Behavior::Stubborn);
}

/// The message with this number; every few messages one that fails twice.
fn payload(n: usize) -> Value {
    let mood = if n % 10 == 4 { "stubborn" } else { "easy" };
    json!({ "n": n, "mood": mood })
}

/// Ids of the messages that were delivered.
fn arrived(calls: &[Call]) -> HashSet<&str> {
    let succeeds = |index: &usize| succeeds(&calls[..=*index]);
    (0..calls.len()).filter(succeeds).map(|index| calls[index].id()).collect()
}

/// Checks that no message was attempted before all earlier ones were delivered.
#[track_caller]
fn check(calls: &[Call], accepted: &[String]) {
    for (index, call) in calls.iter().enumerate() {
        let place = accepted.iter().position(|id| id == call.id()).unwrap();
        let arrived = arrived(&calls[..index]);
        let missing: Vec<_> =
            (0..place).filter(|it| !arrived.contains(accepted[*it].as_str())).collect();
        assert!(missing.is_empty(), "message {place} came before {missing:?}");
    }
}

#[tokio::test]
async fn a_failing_message_blocks_the_ones_behind_it() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    ordered(&server, &receiver).await;
    server.endpoint("acme", &receiver.url("free")).await;
    let mut accepted = Vec::new();
    for n in 0..40 {
        accepted.push(server.publish("acme", payload(n)).await);
    }
    let calls = receiver.until("ordered", |calls| arrived(calls).len() == 40).await;
    check(&calls, &accepted);
    assert_eq!(calls.len(), 40 + 2 * 4, "none is called for too often");
    receiver.until("free", |calls| calls.len() == 40).await;
}

#[tokio::test]
async fn the_order_survives_kills() {
    let receiver = Receiver::start().await;
    // On a shared store, the deliveries of a killed node are released only when its lease expires.
    let mut server = Server::with_variables(&[("POSTRIDER_LIMITS__NODE_LEASE", "2s")]);
    ordered(&server, &receiver).await;
    let mut accepted = Vec::new();
    for round in 1..=4 {
        for _ in 0..15 {
            accepted.push(server.publish("acme", payload(accepted.len())).await);
        }
        receiver.until("ordered", |calls| calls.len() >= 11 * round).await;
        server.kill_and_restart();
    }
    let calls = receiver.until("ordered", |calls| arrived(calls).len() == 60).await;
    check(&calls, &accepted);
}

#[tokio::test]
async fn a_message_that_exhausts_its_retries_unblocks_the_next_one() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "50ms")]);
    ordered(&server, &receiver).await;
    let mut accepted = Vec::new();
    for n in 0..6 {
        accepted.push(server.publish("acme", payload(n)).await);
    }
    let calls = receiver.until("ordered", |calls| arrived(calls).len() == 5).await;
    let ids: Vec<_> = calls.iter().map(Call::id).collect();
    let expected = [0, 1, 2, 3, 4, 4, 5].map(|n: usize| accepted[n].as_str());
    assert_eq!(ids, expected);
}
