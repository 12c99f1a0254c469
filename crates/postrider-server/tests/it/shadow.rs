//! Applications in shadow mode: everything is done and recorded, and nothing is sent.

use serde_json::{Value, json};

use crate::world::World;

const APP: &str = "/api/v1/app/a";

async fn world(mode: &str) -> World {
    let world = World::new();
    let app = json!({ "name": "A", "uid": "a", "mode": mode });
    world.post("/api/v1/app", app).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "e",
                           "headers": { "Authorization": "Bearer x", "X-Mine": "1" } });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

/// Publishes a message, and returns its attempt.
async fn attempt(world: &World, event_id: &str) -> Value {
    let body = json!({ "eventType": "x", "eventId": event_id, "payload": { "n": 1 } });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let path = format!("/api/v1/app/a/attempt/msg/{event_id}");
    let all = world.until(&path, |it| it["data"].as_array().unwrap().len() == 1).await;
    all["data"][0].clone()
}

fn calls(world: &World) -> usize {
    world.receiver.calls.lock().unwrap().len()
}

fn header<'a>(attempt: &'a Value, name: &str) -> Option<&'a str> {
    let headers = attempt["shadow"]["headers"].as_array().unwrap();
    headers.iter().find(|it| it[0] == name).and_then(|it| it[1].as_str())
}

#[tokio::test(start_paused = true)]
async fn an_attempt_records_the_request_that_was_not_sent() {
    let world = world("shadow").await;
    assert_eq!(world.get(APP).await.expect(200)["mode"], "shadow");
    let made = attempt(&world, "m").await;
    assert_eq!(calls(&world), 0);
    assert_eq!((&made["status"], &made["shadow"]["method"]), (&json!(0), &json!("POST")));
    assert_eq!(made["shadow"]["url"], "https://example.com/hook");
    assert_eq!(made["response"], "not sent: the application is in shadow mode");
    assert!(header(&made, "webhook-signature").unwrap().starts_with("v1,"));
    assert_eq!(header(&made, "x-mine"), Some("1"));
    assert_eq!(header(&made, "authorization"), Some("***"));
    let id = made["id"].as_str().unwrap();
    let path = format!("{APP}/msg/m/attempt/{id}/headers");
    let headers = world.get(&path).await.expect(200);
    assert_eq!(
        headers["sentHeaders"]["webhook-signature"],
        header(&made, "webhook-signature").unwrap()
    );
    assert_eq!(headers["sensitive"], json!(["authorization"]));
    assert_eq!(headers.get("responseHeaders").filter(|it| !it.is_null()), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_is_not_sent_when_the_application_goes_live() {
    let world = world("shadow").await;
    attempt(&world, "before").await;
    let live = world.patch(APP, json!({ "mode": "live" })).await.expect(200);
    assert_eq!(live.get("mode"), None, "live is the default");
    let sent = attempt(&world, "after").await;
    assert_eq!(sent.get("shadow"), None);
    assert_eq!(calls(&world), 1);
    let recover = json!({ "since": "2020-01-01T00:00:00Z" });
    world.post("/api/v1/app/a/endpoint/e/recover", recover).await.expect(202);
    world.task().await;
    assert_eq!(calls(&world), 1, "nothing had failed");
    world.post("/api/v1/app/a/msg/before/endpoint/e/resend", json!({})).await.expect(202);
    let path = "/api/v1/app/a/attempt/msg/before";
    world.until(path, |it| it["data"].as_array().unwrap().len() == 2).await;
    assert_eq!(calls(&world), 2, "a resend is sent");
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_know_the_mode_keep_it() {
    let world = world("shadow").await;
    let kept = world.put(APP, json!({ "name": "B", "uid": "a" })).await.expect(200);
    assert_eq!((&kept["name"], &kept["mode"]), (&json!("B"), &json!("shadow")));
    let live = json!({ "name": "B", "uid": "a", "mode": "live" });
    assert_eq!(world.put(APP, live).await.expect(200).get("mode"), None);
    for wrong in [json!("off"), json!(null)] {
        let error = world.patch(APP, json!({ "mode": wrong })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "mode"]));
    }
}

#[tokio::test(start_paused = true)]
async fn shadow_mode_neither_disables_nor_heals_an_endpoint() {
    let world = world("live").await;
    world.receiver.answer(500);
    let failed = attempt(&world, "failed").await;
    assert_eq!(failed["status"], json!(2), "{failed}");
    let before = world.get("/api/v1/app/a/endpoint/e/state").await.expect(200);
    world.patch(APP, json!({ "mode": "shadow" })).await.expect(200);
    let made = attempt(&world, "shadow").await;
    assert!(made["shadow"].is_object(), "the receiver would have failed");
    let after = world.get("/api/v1/app/a/endpoint/e/state").await.expect(200);
    assert_eq!(after.get("failingSince"), before.get("failingSince"));
}

#[tokio::test(start_paused = true)]
async fn other_kinds_and_polling_endpoints_get_nothing_either() {
    let world = world("shadow").await;
    world.delete("/api/v1/app/a/endpoint/e").await.expect(204);
    let slack = json!({ "uid": "s", "kind": "slack",
                        "config": { "url": "https://hooks.slack.com/services/T/B/x" } });
    world.post("/api/v1/app/a/endpoint", slack).await.expect(201);
    let made = attempt(&world, "m1").await;
    assert!(made["shadow"].get("method").is_none(), "{made}");
    world.delete("/api/v1/app/a/endpoint/s").await.expect(204);
    world
        .post("/api/v1/app/a/endpoint", json!({ "uid": "p", "kind": "polling" }))
        .await
        .expect(201);
    assert!(attempt(&world, "m2").await["shadow"].is_object());
    assert_eq!(calls(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn transformations_run_and_are_recorded() {
    let world = world("shadow").await;
    let code = "function handler(webhook) { webhook.payload = { made: webhook.payload.n }; return webhook; }";
    let body = json!({ "code": code, "enabled": true });
    world.patch("/api/v1/app/a/endpoint/e/transformation", body).await.expect(204);
    let made = attempt(&world, "m").await;
    assert_eq!(made["transformation"]["request"]["body"], r#"{"made":1}"#);
    assert!(made["shadow"].is_object());
    assert_eq!(calls(&world), 0);
}
