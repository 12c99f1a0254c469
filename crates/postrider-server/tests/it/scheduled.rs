//! Messages that are to be delivered later.

use http::Method;
use serde_json::{Value, json};

use crate::world::World;

const MESSAGES: &str = "/api/v1/app/a/msg";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

async fn publish(world: &World, id: &str, deliver_at: &str) -> crate::world::Reply {
    let event = json!({ "eventType": "x", "eventId": id, "payload": {}, "deliverAt": deliver_at });
    world.post(MESSAGES, event).await
}

async fn scheduled(world: &World) -> Vec<Value> {
    let page = world.get(&format!("{MESSAGES}?scheduled=true")).await.expect(200);
    page["data"].as_array().unwrap().iter().map(|it| it["eventId"].clone()).collect()
}

async fn pending(world: &World, id: &str) -> Value {
    let page = world.get(&format!("{MESSAGES}/{id}/endpoint")).await.expect(200);
    page["data"][0]["nextAttempt"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_message_can_be_scheduled_up_to_a_year_ahead() {
    let world = world().await;
    publish(&world, "near", "2026-01-01T00:10:00Z").await.expect(202);
    publish(&world, "far", "2026-12-31T00:00:00Z").await.expect(202);
    for (id, at) in [("late", "2027-02-01T00:00:00Z"), ("past", "2025-12-31T00:00:00Z")] {
        let refused = publish(&world, id, at).await.expect(422);
        assert_eq!(refused["detail"][0]["msg"], "must be one minute to one year ahead");
    }
    let now = json!({ "eventType": "x", "eventId": "now", "payload": {} });
    world.post(MESSAGES, now).await.expect(202);
    assert_eq!(scheduled(&world).await, ["far", "near"]);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_message_can_be_moved_and_cancelled() {
    let world = world().await;
    publish(&world, "m", "2026-06-01T00:00:00Z").await.expect(202);
    assert_eq!(pending(&world, "m").await, "2026-06-01T00:00:00Z");
    let at = json!({ "deliverAt": "2026-03-01T00:00:00Z" });
    let moved = world.post(&format!("{MESSAGES}/m/reschedule"), at.clone()).await.expect(200);
    assert_eq!(moved["deliverAt"], at["deliverAt"]);
    assert_eq!(world.get(&format!("{MESSAGES}/m")).await.expect(200)["deliverAt"], at["deliverAt"]);
    assert_eq!(pending(&world, "m").await, at["deliverAt"]);
    let far = json!({ "deliverAt": "2028-01-01T00:00:00Z" });
    world.post(&format!("{MESSAGES}/m/reschedule"), far).await.expect(422);
    let cancel =
        async |id: &str| world.call(Method::POST, &format!("{MESSAGES}/{id}/cancel"), None).await;
    cancel("m").await.expect(204);
    let endpoints = world.get(&format!("{MESSAGES}/m/endpoint")).await.expect(200);
    let delivery = &endpoints["data"][0];
    assert_eq!((&delivery["statusText"], &delivery["nextAttempt"]), (&json!("fail"), &Value::Null));
    let refused = world.post(&format!("{MESSAGES}/m/reschedule"), at.clone()).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("waits for its first attempt"));
    // Again changes nothing.
    cancel("m").await.expect(204);
    cancel("unknown").await.expect(404);
    world.post(&format!("{MESSAGES}/unknown/reschedule"), at).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_time_is_now_is_delivered() {
    let world = world().await;
    publish(&world, "m", "2026-06-01T00:00:00Z").await.expect(202);
    let past = json!({ "deliverAt": "2020-01-01T00:00:00Z" });
    world.post(&format!("{MESSAGES}/m/reschedule"), past.clone()).await.expect(200);
    let path = "/api/v1/app/a/attempt/msg/m";
    world.until(path, |page| page["data"].as_array().is_some_and(|it| it.len() == 1)).await;
    world.post(&format!("{MESSAGES}/m/reschedule"), past).await.expect(409);
    assert!(scheduled(&world).await.is_empty());
}
