//! Polling endpoints: what clients receive, and what their tokens allow.

use std::time::Duration;

use http::Method;
use postrider::api::Capability;
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};

use crate::{
    autoconfig,
    world::{Reply, World, application_id},
};

const ENDPOINT: &str = "/api/v1/app/a/polling-endpoint/p";
const WORKER: &str = "/api/v1/app/a/polling-endpoint/p/consumer/worker";
const POLLER: &str = "/api/v1/app/a/poller/p";
const TOKEN: &str = "/api/v1/auth/app/a/poller/p/token";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["paid", "sent"]).await;
    let endpoint = json!({ "kind": "polling", "uid": "p" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

/// Publishes messages of the type with the numbers from `first` on, and waits for the log.
async fn publish(world: &World, event_type: &str, numbers: std::ops::RangeInclusive<u64>) {
    let before = last_offset(&world.get(&format!("{ENDPOINT}/consumer")).await.expect(200));
    let count = numbers.clone().count() as u64;
    for number in numbers {
        let body = json!({ "eventType": event_type, "eventId": format!("e{number}"),
            "payload": { "n": number }, "channels": ["c"] });
        world.post("/api/v1/app/a/msg", body).await.expect(202);
    }
    let path = format!("{ENDPOINT}/consumer");
    world.until(&path, |it| last_offset(it) == before + count).await;
}

fn last_offset(consumers: &Value) -> u64 {
    consumers["lastOffset"].as_u64().unwrap()
}

/// The numbers of the messages with their offsets, which are none in version 1.
fn received(reply: Reply) -> Vec<(Option<u64>, u64)> {
    let reply = reply.expect(200);
    let messages = reply["data"].as_array().unwrap().iter();
    messages.map(|it| (it["offset"].as_u64(), it["payload"]["n"].as_u64().unwrap())).collect()
}

fn offsets(numbers: &[u64]) -> Vec<(Option<u64>, u64)> {
    numbers.iter().map(|number| (Some(*number), *number)).collect()
}

fn without_offsets(numbers: &[u64]) -> Vec<(Option<u64>, u64)> {
    numbers.iter().map(|number| (None, *number)).collect()
}

async fn commit(world: &World, offset: u64) -> Reply {
    world.post(&format!("{WORKER}/commit"), json!({ "offset": offset })).await
}

#[tokio::test(start_paused = true)]
async fn messages_are_leased_until_they_are_committed() {
    let world = world().await;
    publish(&world, "paid", 1..=5).await;
    let poll = async || world.get(&format!("{WORKER}?limit=2")).await;
    assert_eq!(received(poll().await), offsets(&[1, 2]));
    let refused = poll().await.expect(409);
    assert_eq!(refused["code"], "leased");
    commit(&world, 2).await.expect(204);
    assert_eq!(received(poll().await), offsets(&[3, 4]));
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(received(poll().await), offsets(&[3, 4]));
    // The client that had them first commits late.
    commit(&world, 3).await.expect(204);
    poll().await.expect(409);
    commit(&world, 4).await.expect(204);
    let last = poll().await.expect(200);
    assert_eq!((last["data"].as_array().unwrap().len(), &last["done"]), (1, &json!(true)));
    assert_eq!(commit(&world, 6).await.expect(400)["code"], "not_received");
    commit(&world, 1).await.expect(204);
    commit(&world, 5).await.expect(204);
    let nothing = poll().await.expect(200);
    assert_eq!((nothing["data"].as_array().unwrap().len(), &nothing["done"]), (0, &json!(true)));
    publish(&world, "sent", 6..=6).await;
    assert_eq!(received(poll().await), offsets(&[6]));
}

#[tokio::test(start_paused = true)]
async fn each_consumer_reads_everything_and_a_new_one_may_begin_at_the_end() {
    let world = world().await;
    publish(&world, "paid", 1..=2).await;
    assert_eq!(received(world.get(WORKER).await), offsets(&[1, 2]));
    let other = format!("{ENDPOINT}/consumer/other");
    assert_eq!(received(world.get(&other).await), offsets(&[1, 2]));
    let late = format!("{ENDPOINT}/consumer/late?starting_position=latest");
    assert_eq!(received(world.get(&late).await), []);
    publish(&world, "paid", 3..=3).await;
    assert_eq!(received(world.get(&late).await), offsets(&[3]));
    let listed = world.get(&format!("{ENDPOINT}/consumer")).await.expect(200);
    let shown = |it: &Value| {
        (
            it["id"].clone(),
            it["committedOffset"].clone(),
            it["lag"].clone(),
            it["leasedUntil"].is_string(),
        )
    };
    let shown: Vec<_> = listed["data"].as_array().unwrap().iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            (json!("late"), json!(2), json!(1), true),
            (json!("other"), json!(0), json!(3), true),
            (json!("worker"), json!(0), json!(3), true),
        ]
    );
    world.delete(&format!("{ENDPOINT}/consumer/late")).await.expect(204);
    world.delete(&format!("{ENDPOINT}/consumer/late")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn the_last_iterator_acknowledges_what_came_with_it() {
    let world = world().await;
    publish(&world, "paid", 1..=3).await;
    let consumer = format!("{POLLER}/consumer/worker");
    let first = world.get(&format!("{consumer}?limit=2")).await;
    let iterator = first.json["iterator"].as_str().unwrap().to_owned();
    assert_eq!(received(first), without_offsets(&[1, 2]));
    world.get(&consumer).await.expect(409);
    let next = format!("{consumer}?limit=2&iterator={iterator}");
    let second = world.get(&next).await;
    assert_eq!(second.json["done"], true);
    assert_eq!(received(second), without_offsets(&[3]));
    // Repeated, because the response was lost.
    assert_eq!(world.get(&next).await.expect(409)["code"], "leased");
    tokio::time::advance(Duration::from_secs(31)).await;
    let again = world.get(&next).await;
    let last = again.json["iterator"].as_str().unwrap().to_owned();
    assert_eq!(received(again), without_offsets(&[3]));
    assert_eq!(received(world.get(&format!("{consumer}?iterator={last}")).await), []);
    assert_eq!(world.get(&next).await.expect(409)["code"], "iterator_outdated");
    world.get(&format!("{consumer}?iterator=x")).await.expect(422);
    // Both versions have the same progress.
    publish(&world, "paid", 4..=4).await;
    assert_eq!(received(world.get(WORKER).await), offsets(&[4]));
}

#[tokio::test(start_paused = true)]
async fn a_client_can_keep_its_iterator_and_filter() {
    let world = world().await;
    publish(&world, "paid", 1..=2).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let between = world.engine.clock().now();
    publish(&world, "sent", 3..=4).await;
    let begin = world.get(POLLER).await.expect(200);
    assert_eq!((&begin["data"], &begin["done"]), (&json!([]), &json!(false)));
    let read = async |query: &str, iterator: &Value| {
        let iterator = iterator.as_str().unwrap();
        world.get(&format!("{POLLER}?iterator={iterator}{query}")).await
    };
    let all = read("", &begin["iterator"]).await;
    let end = all.json["iterator"].clone();
    assert_eq!(received(all), without_offsets(&[1, 2, 3, 4]));
    assert_eq!(received(read("", &end).await), []);
    let sent = read("&event_type=sent&limit=1", &begin["iterator"]).await;
    assert_eq!(received(sent), without_offsets(&[3]));
    assert_eq!(received(read("&channel=other", &begin["iterator"]).await), []);
    let begin = world.get(&format!("{POLLER}?after={}", between.to_rfc3339())).await.expect(200);
    assert_eq!(received(read("", &begin["iterator"]).await), without_offsets(&[3, 4]));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_moves_to_a_time() {
    let world = world().await;
    publish(&world, "paid", 1..=2).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let between = world.engine.clock().now();
    publish(&world, "paid", 3..=4).await;
    assert_eq!(received(world.get(WORKER).await), offsets(&[1, 2, 3, 4]));
    let seek = format!("{POLLER}/consumer/worker/seek");
    let moved = world.post(&seek, json!({ "after": between.to_rfc3339() })).await.expect(200);
    commit(&world, 4).await.expect(400);
    let iterator = moved["iterator"].as_str().unwrap();
    let path = format!("{POLLER}/consumer/worker?iterator={iterator}");
    assert_eq!(received(world.get(&path).await), without_offsets(&[3, 4]));
}

#[tokio::test(start_paused = true)]
async fn expunged_messages_are_skipped() {
    let world = world().await;
    publish(&world, "paid", 1..=3).await;
    for id in ["e1", "e2"] {
        world.delete(&format!("/api/v1/app/a/msg/{id}/content")).await.expect(204);
    }
    assert_eq!(received(world.get(&format!("{WORKER}?limit=1")).await), offsets(&[3]));
}

#[tokio::test(start_paused = true)]
async fn a_token_polls_its_endpoint_and_nothing_else() {
    let world = world().await;
    world
        .post("/api/v1/app/a/endpoint", json!({ "kind": "polling", "uid": "q" }))
        .await
        .expect(201);
    publish(&world, "paid", 1..=1).await;
    let first = world.get(TOKEN).await.expect(200);
    let token = first["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("sk_poll_"), "{token}");
    assert_eq!(world.get(TOKEN).await.expect(200), first);
    let call = async |token: &str, path: &str| world.call_as(token, Method::GET, path, None).await;
    assert_eq!(received(call(&token, WORKER).await), offsets(&[1]));
    let body = json!({ "offset": 1 });
    let commit = format!("{WORKER}/commit");
    world.call_as(&token, Method::POST, &commit, Some(&body)).await.expect(204);
    call(&token, POLLER).await.expect(200);
    call(&token, &format!("{ENDPOINT}/consumer")).await.expect(200);
    for (path, status) in [
        ("/api/v1/app/a/polling-endpoint/q/consumer/worker", 403),
        ("/api/v1/app/a/poller/q", 403),
        ("/api/v1/app/a/endpoint/p", 403),
        ("/api/v1/app/a/msg", 403),
        ("/api/v1/app", 403),
        (TOKEN, 403),
        ("/api/v1/app/b/poller/p", 404),
    ] {
        call(&token, path).await.expect(status);
    }
    let mut forged: Vec<char> = token.chars().collect();
    let at = forged.len() - 5;
    forged[at] = if forged[at] == 'A' { 'B' } else { 'A' };
    let forged: String = forged.into_iter().collect();
    for wrong in ["sk_poll_", "sk_poll_AAAA", &forged] {
        call(wrong, WORKER).await.expect(401);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_ends_after_its_grace_period() {
    let world = world().await;
    let token = async || world.get(TOKEN).await.expect(200)["token"].as_str().unwrap().to_owned();
    let rotate = async |body| world.post(&format!("{TOKEN}/rotate"), body).await.expect(201);
    let status = async |token: &str| world.call_as(token, Method::GET, WORKER, None).await.status;
    let first = token().await;
    let second = rotate(json!({})).await["token"].as_str().unwrap().to_owned();
    assert_eq!(token().await, second);
    assert_eq!(status(&first).await, 200);
    assert_eq!(status(&second).await, 200);
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(status(&first).await, 200);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(status(&first).await, 401);
    let third = rotate(json!({ "oldTokenExpiry": 0, "expiry": 60 })).await;
    assert!(third["expiresAt"].is_string());
    assert_eq!(status(&second).await, 401);
    let third = third["token"].as_str().unwrap();
    assert_eq!(status(third).await, 200);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(status(third).await, 401);
    for body in [json!({ "expiry": 0 }), json!({ "oldTokenExpiry": 86_401 })] {
        world.post(&format!("{TOKEN}/rotate"), body).await.expect(422);
    }
    let log = world.get("/api/v1/audit-log?operation=v1.authentication.rotate-poller-token").await;
    let log = log.expect(200);
    assert_eq!(log["data"].as_array().unwrap().len(), 2);
    assert!(!log.to_string().contains("sk_poll_"));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_the_application_need_a_capability() {
    let world = world().await;
    let application = world.get("/api/v1/app/a").await.id();
    for (capability, reads, consumes) in [
        (Capability::ViewBase, 200, 403),
        (Capability::CreateAttempts, 200, 403),
        (Capability::ManageEndpoint, 200, 200),
    ] {
        let grant = ApplicationGrant {
            capabilities: Some([capability].into()),
            ..ApplicationGrant::full(application_id(&application))
        };
        let token = world.own_token(grant);
        world.call_as(&token, Method::GET, POLLER, None).await.expect(reads);
        world.call_as(&token, Method::GET, WORKER, None).await.expect(consumes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_polling_endpoint_is_a_destination() {
    let world = world().await;
    let body = json!({ "type": "pollingEndpoint", "uid": "d", "eventTypes": ["paid"],
        "batchSize": 100, "maxWaitSecs": 5 });
    let created = world.post("/api/v1/app/a/destination", body.clone()).await.expect(201);
    // The official Rust client cannot read a configuration.
    assert_eq!((&created["type"], created.get("config")), (&json!("pollingEndpoint"), None));
    world.put("/api/v1/app/a/destination/d", body).await.expect(200);
    let refused = json!({ "type": "pollingEndpoint", "config": { "url": "https://example.com" } });
    world.post("/api/v1/app/a/destination", refused).await.expect(422);
    let id = created["id"].as_str().unwrap();
    let endpoint = world.get("/api/v1/app/a/endpoint/d").await.expect(200);
    assert_eq!((&endpoint["kind"], &endpoint["ordering"]), (&json!("polling"), &json!("fifo")));
    for sink in ["d", id, endpoint["id"].as_str().unwrap()] {
        world.get(&format!("/api/v1/app/a/poller/{sink}")).await.expect(200);
        let consumer = format!("/api/v1/app/a/polling-endpoint/{sink}/consumer/w");
        world.get(&consumer).await.expect(200);
    }
    let other = json!({ "url": "https://example.com", "uid": "h" });
    world.post("/api/v1/app/a/endpoint", other).await.expect(201);
    let refused = world.get("/api/v1/app/a/poller/h").await.expect(400);
    assert_eq!(refused["code"], "not_polling");
    world.get("/api/v1/app/a/poller/none").await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_polls_with_its_token() {
    let world = world().await;
    let created = world.post("/api/v1/app/a/autoconfig", json!({})).await.expect(201);
    let token = autoconfig::contents(&created);
    let token = autoconfig::credential(&token);
    let id = created["id"].as_str().unwrap();
    let path = format!("/api/v1/app/a/autoconfig/{id}/destination");
    let body = json!({ "type": "pollingEndpoint" });
    let subscribed = world.call_as(token, Method::PUT, &path, Some(&body)).await.expect(200);
    let sink = subscribed["id"].as_str().unwrap();
    let consumer = format!("/api/v1/app/a/polling-endpoint/{sink}/consumer/w");
    world.call_as(token, Method::GET, &consumer, None).await.expect(200);
    world.call_as(token, Method::GET, WORKER, None).await.expect(403);
}

#[tokio::test(start_paused = true)]
async fn arguments_have_limits() {
    let world = world().await;
    for query in ["limit=0", "limit=251", "lease_duration_ms=3600001", "starting_position=middle"] {
        world.get(&format!("{WORKER}?{query}")).await.expect(422);
    }
    world.get(&format!("{ENDPOINT}/consumer/{}", "x".repeat(257))).await.expect(422);
    for number in 0..100 {
        world.get(&format!("{ENDPOINT}/consumer/c{number}")).await.expect(200);
    }
    let refused = world.get(&format!("{ENDPOINT}/consumer/one-more")).await.expect(400);
    assert_eq!(refused["code"], "too_many");
    commit(&world, 0).await.expect(404);
}
