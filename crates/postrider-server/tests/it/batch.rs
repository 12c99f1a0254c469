//! Many messages in one call.

use serde_json::json;

use crate::world::{World, plain};

const BATCH: &str = "/api/v1/app/a/msg/batch";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_has_its_own_result() {
    let world = world().await;
    let messages = json!([
        { "eventType": "x", "eventId": "one", "payload": { "n": 1 } },
        { "eventType": "bad name", "payload": {}, "tags": ["?"] },
        { "eventType": "x", "payload": { "n": 2 } },
        { "payload": {} },
        { "eventType": "x", "payload": { "long": "x".repeat(64 << 10) } },
    ]);
    let answered = world.post(BATCH, json!({ "messages": messages })).await.expect(200);
    insta::assert_json_snapshot!(plain(answered));
    let again = json!({ "messages": [{ "eventType": "x", "eventId": "one", "payload": {} }] });
    let answered = world.post(BATCH, again).await.expect(200);
    assert_eq!(answered["data"][0]["status"], 409);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_batch_are_accepted_in_their_order() {
    let world = world().await;
    let messages: Vec<_> =
        (0..1_000).map(|n| json!({ "eventType": "x", "payload": { "n": n } })).collect();
    let answered = world.post(BATCH, json!({ "messages": messages })).await.expect(200);
    let items = answered["data"].as_array().unwrap();
    let ids: Vec<_> = items.iter().map(|it| it["message"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.is_sorted());
    assert!(items.iter().enumerate().all(|(n, it)| it["message"]["payload"]["n"] == n));
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_at_least_one_message_and_at_most_a_thousand() {
    let world = world().await;
    for count in [0, 1_001] {
        let messages = vec![json!({ "eventType": "x", "payload": {} }); count];
        let error = world.post(BATCH, json!({ "messages": messages })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "messages"]));
    }
    let error = world.post(BATCH, json!({})).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "messages"]));
    assert_eq!(error["detail"][0]["type"], "value_error.missing");
}
