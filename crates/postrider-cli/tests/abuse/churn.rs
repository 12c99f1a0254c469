//! A customer that endlessly creates and deletes resources.

use std::time::Instant;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    attack_time,
    memory::{Growth, MIB},
    neighbour::Neighbour,
    receiver::Receiver,
    server::{Caller, Server},
};

/// How many tasks do so at the same time.
const HANDS: usize = 4;

#[tokio::test]
async fn endless_creating_and_deleting_delays_no_other_customer() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    let receiver = Receiver::start().await;
    let growth = Growth::of(&server);
    let rounds = neighbour.endures(churn(&server, &receiver.url("churn"))).await;
    assert!(rounds > 10, "only {rounds} rounds");
    growth.is_below(128 * MIB);
    let applications = server.get("/app").await;
    assert_eq!(applications["data"].as_array().map(Vec::len), Some(1), "{applications}");
}

async fn churn(server: &Server, url: &str) -> usize {
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        hands.spawn(work(server.caller(), url.to_owned(), hand));
    }
    hands.join_all().await.into_iter().sum()
}

/// Creates an application with an endpoint, an event type and a message, and deletes all of it,
/// again and again.
#[expect(clippy::disallowed_methods, reason = "the attack lasts for a time")]
async fn work(caller: Caller, url: String, hand: usize) -> usize {
    let (begin, mut rounds) = (Instant::now(), 0);
    while begin.elapsed() < attack_time() {
        let name = format!("churn-{hand}-{rounds}");
        let event_type = format!("churn.n{hand}.n{rounds}");
        let application = format!("/app/{name}");
        let steps = [
            (Method::POST, "/app".to_owned(), json!({ "name": name, "uid": name })),
            (Method::POST, format!("{application}/endpoint"), json!({ "url": url })),
            (
                Method::POST,
                "/event-type".to_owned(),
                json!({ "name": event_type, "description": "Comes and goes." }),
            ),
            (
                Method::POST,
                format!("{application}/msg"),
                json!({ "eventType": event_type, "payload": { "text": "x".repeat(1_000) } }),
            ),
            (Method::DELETE, application, json!(null)),
            (Method::DELETE, format!("/event-type/{event_type}?expunge=true"), json!(null)),
        ];
        for (method, path, body) in steps {
            let body = Some(body).filter(|it| !it.is_null());
            let (status, answer) = caller.call(method.clone(), &path, body).await.unwrap();
            assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        }
        rounds += 1;
    }
    rounds
}
