//! Messages of another system in the history.

use jiff::{SignedDuration, Timestamp};
use postrider::MessageId;
use serde_json::{Value, json};

use crate::world::World;

const IMPORT: &str = "/api/v1/app/a/msg/import";

/// A server with an application and an endpoint, and its time.
async fn world() -> (World, Timestamp) {
    let world = World::new();
    let app = world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    (world, app["createdAt"].as_str().unwrap().parse().unwrap())
}

fn message(id: &str, at: Timestamp) -> Value {
    json!({ "id": id, "eventType": "x.y", "payload": { "n": 1 }, "timestamp": at.to_string() })
}

async fn import(world: &World, messages: Value) -> Value {
    world.post(IMPORT, json!({ "messages": messages })).await.expect(200)
}

#[tokio::test(start_paused = true)]
async fn imported_messages_are_history_and_are_not_delivered() {
    let (world, now) = world().await;
    let hour_ago = now - SignedDuration::from_hours(1);
    let own =
        MessageId::from_parts(hour_ago.as_millisecond().cast_unsigned() << 12 | 5, 7).to_string();
    let mut named = message("msg_2srOrx2ZWZBpBUvZwXKQmoEYga2", hour_ago);
    named["eventId"] = json!("event-1");
    named["channels"] = json!(["c"]);
    let messages = json!([
        message("msg_2srOrx2ZWZBpBUvZwXKQmoEYga3", hour_ago),
        message(&own, hour_ago),
        named,
    ]);
    let result = import(&world, messages.clone()).await;
    assert_eq!(result, json!({ "created": 3, "existing": 0, "refused": [] }));
    let again = import(&world, messages).await;
    assert_eq!(again, json!({ "created": 0, "existing": 3, "refused": [] }));

    for (name, event_id) in [
        ("msg_2srOrx2ZWZBpBUvZwXKQmoEYga3", json!("msg_2srOrx2ZWZBpBUvZwXKQmoEYga3")),
        (own.as_str(), Value::Null),
        ("event-1", json!("event-1")),
    ] {
        let found = world.get(&format!("/api/v1/app/a/msg/{name}")).await.expect(200);
        let found_at: Timestamp = found["timestamp"].as_str().unwrap().parse().unwrap();
        assert_eq!(found_at.as_millisecond(), hour_ago.as_millisecond(), "{name}");
        assert_eq!(found["eventId"], event_id);
        let deliveries = world.get(&format!("/api/v1/app/a/msg/{name}/endpoint")).await.expect(200);
        assert_eq!(deliveries["data"], json!([]), "{name}");
    }
    let found = world.get(&format!("/api/v1/app/a/msg/{own}")).await.expect(200);
    assert_eq!(found["id"], own.as_str());
    let resend = format!("/api/v1/app/a/msg/{own}/endpoint/e/resend");
    world.post(&resend, json!({})).await.expect(202);
    let list = world.get("/api/v1/app/a/msg").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn messages_that_cannot_be_history_are_refused_one_by_one() {
    let (world, now) = world().await;
    let with = |id: &str, field: &str, value: Value| {
        let mut message = message(id, now);
        message[field] = value;
        message
    };
    let messages = json!([
        message("good", now),
        message("old", now - SignedDuration::from_hours(24 * 400)),
        message("future", now + SignedDuration::from_hours(1)),
        with("type", "eventType", json!("bad name")),
        with("payload", "payload", json!([])),
        with("tags", "tags", json!(["?"])),
        with("no tags", "tags", json!([])),
    ]);
    let result = import(&world, messages).await;
    assert_eq!(result["created"], 1, "{result}");
    let refused: Vec<_> = result["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["id"].as_str().unwrap(), it["code"].as_str().unwrap()))
        .collect();
    let expected = [
        ("old", "expired"),
        ("future", "invalid"),
        ("type", "invalid"),
        ("payload", "invalid"),
        ("tags", "invalid"),
        ("no tags", "invalid"),
    ];
    assert_eq!(refused, expected, "an id with a space cannot become an event id: {result}");
    for count in [0, 1_001] {
        let messages = vec![message("m", now); count];
        let error = world.post(IMPORT, json!({ "messages": messages })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "messages"]));
    }
    let path = IMPORT.replace("/a/", "/b/");
    world.post(&path, json!({ "messages": [message("m", now)] })).await.expect(404);
}
