//! The way that every user goes first.

use serde_json::json;

use crate::world::{World, plain};

#[tokio::test(start_paused = true)]
async fn an_event_goes_from_a_new_application_to_a_delivered_attempt() {
    let mut world = World::new();
    let app = world.post("/api/v1/app", json!({ "name": "First", "uid": "first" })).await;
    let app = app.expect(201);
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "hook" });
    let endpoint = world.post("/api/v1/app/first/endpoint", endpoint).await.expect(201);
    let event = json!({ "eventType": "user.created", "payload": { "b": 1, "a": [2] } });
    let message = world.post("/api/v1/app/first/msg", event).await.expect(202);
    let path = format!("/api/v1/app/first/attempt/msg/{}", message["id"].as_str().unwrap());
    let attempts = world.until(&path, |it| !it["data"].as_array().unwrap().is_empty()).await;
    assert!(world.is_alive());
    insta::assert_json_snapshot!(plain(json!([app, endpoint, message, attempts])));
}
