//! Consumers over a queue in this process, which breaks as the test determines.

pub(crate) mod fake;

use std::time::Duration;

use postrider_store::{MAX_DEAD_LETTERS, Records};
use serde_json::{Value, json};

use self::fake::{FakeQueue, message, queue_config};
use crate::world::{World, settings};

const PATH: &str = "/api/v1/consumer/orders";

/// A server with an application and a consumer that reads the fake queue.
async fn world(fields: Value) -> (World, FakeQueue) {
    let queue = FakeQueue::default();
    let mut world = World::with_queue(settings(), &queue);
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let mut body = json!({ "uid": "orders", "kind": "nats", "config": queue_config() });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    world.post("/api/v1/consumer", body).await.expect(201);
    world.run_consumers();
    (world, queue)
}

fn envelope(number: u32) -> String {
    json!({ "appId": "a", "message": { "eventType": "x", "payload": { "n": number } } }).to_string()
}

async fn payloads(world: &World) -> Vec<Value> {
    let page = world.get("/api/v1/app/a/msg?limit=250").await.expect(200);
    let data = page["data"].as_array().unwrap().iter();
    data.map(|it| it["payload"].clone()).collect()
}

async fn dead_letters(world: &World) -> Vec<Value> {
    let page = world.get(&format!("{PATH}/dead-letter?order=ascending")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

async fn state(world: &World, is_done: impl Fn(&Value) -> bool) -> Value {
    world.until(&format!("{PATH}/state"), is_done).await
}

#[tokio::test(start_paused = true)]
async fn messages_are_published_and_then_acknowledged() {
    let (world, queue) = world(json!({})).await;
    for number in 0..300 {
        queue.put(message(number, &envelope(number)));
    }
    let state = state(&world, |it| it["accepted"] == 300).await;
    assert_eq!(state["status"], "connected");
    assert!(state["lastMessageAt"].is_string());
    queue.until_acknowledged(300).await;
    assert_eq!(queue.batches()[0], 256, "a batch is as large as maxInFlight");
    assert_eq!(payloads(&world).await.len(), 250);
    assert_eq!(dead_letters(&world).await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn redeliveries_are_published_once_whatever_was_lost() {
    let (world, queue) = world(json!({})).await;
    // The connection breaks after the messages are durable, and before the queue knows.
    queue.fail_acknowledgements(2);
    for number in 0..10 {
        queue.put(message(number, &envelope(number)));
    }
    queue.until_acknowledged(10).await;
    let state = state(&world, |it| it["duplicates"] == 20).await;
    assert_eq!((&state["accepted"], &state["status"]), (&json!(10), &json!("connected")));
    assert_eq!(payloads(&world).await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_makes_messages_of_anything() {
    let mapping = json!({
        "application": "$.headers['x-app']",
        "eventType": "order.{{ body.kind }}",
        "eventId": "$.body.id",
        "channels": ["$.body.regions"],
        "payload": "$.body.order",
    });
    let (world, queue) = world(json!({ "mapping": mapping })).await;
    let body = r#"{"kind":"paid","id":"o1","regions":["eu","us"],"order":{"total": 1.50}}"#;
    let mut it = message(1, body);
    it.headers.insert("X-App".to_owned(), "a".to_owned());
    queue.put(it);
    queue.until_acknowledged(1).await;
    let page = world.get("/api/v1/app/a/msg").await;
    assert!(page.text.contains(r#""payload":{"total": 1.50}"#), "{}", page.text);
    let found = &page.json["data"][0];
    assert_eq!(
        (&found["eventType"], &found["eventId"], &found["channels"]),
        (&json!("order.paid"), &json!("o1"), &json!(["eu", "us"]))
    );
}

#[tokio::test(start_paused = true)]
async fn unusable_messages_are_listed_with_the_reason_and_can_be_retried() {
    let (world, queue) = world(json!({})).await;
    queue.put(message(1, "not JSON"));
    queue.put(message(2, &envelope(2).replace("\"x\"", "\"not valid!\"")));
    queue.put(message(3, &envelope(3).replace("\"a\"", "\"later\"")));
    queue.put(message(4, &envelope(4)));
    queue.until_acknowledged(4).await;
    let letters = dead_letters(&world).await;
    let causes: Vec<_> = letters
        .iter()
        .map(|it| (it["cause"].as_str().unwrap(), it["attempts"].as_u64().unwrap()))
        .collect();
    // What can never succeed is tried once, the application could have been created.
    assert_eq!(causes, [("unreadable", 1), ("invalid", 1), ("unknownApplication", 5)]);
    assert!(letters[1]["reason"].as_str().unwrap().contains("eventType"), "{}", letters[1]);
    let filtered = world.get(&format!("{PATH}/dead-letter?cause=invalid")).await.expect(200);
    assert_eq!(filtered["data"].as_array().unwrap().len(), 1);

    let path =
        |number: usize| format!("{PATH}/dead-letter/{}", letters[number]["id"].as_str().unwrap());
    let content = world.get(&path(0)).await.expect(200);
    assert_eq!((&content["body"], &content["bodyEncoding"]), (&json!("not JSON"), &json!("text")));
    assert_eq!(content["headers"], json!({ "n": "1" }));

    // It is still not accepted, and stays on the list.
    let refused = world.post(&format!("{}/retry", path(2)), Value::Null).await;
    assert_eq!((refused.status.as_u16(), &refused.json["code"]), (400, &json!("not_accepted")));
    world.post("/api/v1/app", json!({ "name": "Later", "uid": "later" })).await.expect(201);
    let retried = world.post(&format!("{}/retry", path(2)), Value::Null).await.expect(200);
    let found = world.get("/api/v1/app/later/msg").await.expect(200);
    assert_eq!(found["data"][0]["id"], retried["messageId"]);
    world.delete(&path(0)).await.expect(204);
    world.get(&path(0)).await.expect(404);
    let left = dead_letters(&world).await;
    assert_eq!(left, [letters[1].clone()]);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_is_created_in_time_gets_the_message() {
    let (world, queue) = world(json!({})).await;
    queue.put(message(1, &envelope(1).replace("\"a\"", "\"soon\"")));
    state(&world, |it| it["inFlight"] == 1).await;
    world.post("/api/v1/app", json!({ "name": "Soon", "uid": "soon" })).await.expect(201);
    queue.until_acknowledged(1).await;
    assert_eq!(dead_letters(&world).await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_comes_back_is_picked_up() {
    let (world, queue) = world(json!({})).await;
    state(&world, |it| it["status"] == "connected").await;
    queue.set_down(true);
    let failing = state(&world, |it| it["status"] == "failing").await;
    assert_eq!(failing["reason"], "the queue is down; start it");
    let metrics = world.metrics().await;
    assert!(metrics.contains("postrider_consumer_connected"), "{metrics}");
    queue.put(message(1, &envelope(1)));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(queue.opened() >= 6, "it is tried at least every 30 s: {}", queue.opened());
    assert_eq!(state(&world, |_| true).await["since"], failing["since"]);
    queue.set_down(false);
    queue.until_acknowledged(1).await;
    let connected = state(&world, |it| it["status"] == "connected").await;
    assert!(connected.get("reason").is_none(), "{connected}");
}

#[tokio::test(start_paused = true)]
async fn a_full_list_of_dead_letters_stops_the_consumer_and_loses_nothing() {
    let (world, queue) = world(json!({})).await;
    let id = world.get(PATH).await.id().parse().unwrap();
    fake::fill_dead_letters(world.engine.store().as_ref(), id, MAX_DEAD_LETTERS).await;
    queue.put(message(1, "not JSON"));
    let waiting = state(&world, |it| it["status"] == "waiting").await;
    let reason = waiting["reason"].as_str().unwrap();
    assert!(reason.contains("retry or delete some of them"), "{reason}");
    // It goes back to the queue rather than being held forever.
    queue.until_given_back().await;
    let first = world.get(&format!("{PATH}/dead-letter?order=ascending&limit=1")).await.expect(200);
    let first = first["data"][0]["id"].as_str().unwrap().to_owned();
    world.delete(&format!("{PATH}/dead-letter/{first}")).await.expect(204);
    queue.until_acknowledged(1).await;
    let letters = world.engine.store().list::<postrider_core::catalog::DeadLetter>(
        &id,
        postrider_store::Scan { after: None, ascending: false, limit: 1 },
    );
    assert_eq!(letters.await.unwrap().items[0].message, "1");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_follows_its_changes() {
    let (world, queue) = world(json!({})).await;
    state(&world, |it| it["status"] == "connected").await;
    world.patch(PATH, json!({ "disabled": true })).await.expect(200);
    queue.until_closed().await;
    queue.put(message(1, &envelope(1)));
    assert_eq!(state(&world, |_| true).await["status"], "disabled");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(queue.acknowledged(), 0);
    let shown = world.get(PATH).await.expect(200);
    let body = json!({ "uid": "orders", "kind": "nats", "config": shown["config"] });
    world.put(PATH, body).await.expect(200);
    queue.until_acknowledged(1).await;
    // The masked password is still the one that was given.
    assert_eq!(queue.password().as_deref(), Some("secret"));
    world.delete(PATH).await.expect(204);
    queue.until_closed().await;
    world.get(PATH).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_is_checked_and_credentials_are_hidden() {
    let (world, _queue) = world(json!({})).await;
    let shown = world.get(PATH).await;
    assert!(!shown.text.contains("secret"), "{}", shown.text);
    assert_eq!(shown.json["address"], "nats://queue.example");
    let refused = world
        .post(
            "/api/v1/consumer",
            json!({
                "kind": "nats", "config": { "urll": 1 }, "maxAttempts": 11, "maxInFlight": 0,
                "mapping": { "application": "{{", "eventType": "$.x" },
            }),
        )
        .await;
    assert_eq!(refused.status, 422);
    for place in ["config", "maxAttempts", "maxInFlight", "application", "eventType"] {
        assert!(refused.text.contains(place), "{place}: {}", refused.text);
    }
    let other_kind = json!({ "kind": "kafka", "config": {} });
    let refused = world.post("/api/v1/consumer", other_kind).await;
    assert!(refused.text.contains("not part of this build"), "{}", refused.text);
}
