//! Messages.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::{World, plain};

const ALL: &str = "/api/v1/app/a/msg";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

async fn raw(world: &World, path: &str, body: &str) -> crate::world::Reply {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", world.token))
        .body(Body::from(body.to_owned()));
    world.send(request.unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_kept_byte_for_byte() {
    let world = world().await;
    let payload = r#"{ "z":1.0,  "a" : [1e2, "\u00e4ä"],"z":2 }"#;
    let body = format!(r#"{{"eventType":"x","payload":{payload}}}"#);
    let created = raw(&world, ALL, &body).await;
    assert_eq!(created.status, 202);
    assert!(created.text.contains(payload), "{}", created.text);
    let id = created.id();
    let read = world.get(&format!("{ALL}/{id}")).await;
    assert!(read.text.contains(payload), "{}", read.text);
}

#[tokio::test(start_paused = true)]
async fn a_message_has_all_its_fields() {
    let world = world().await;
    let body = json!({
        "eventType": "user.created",
        "eventId": "first",
        "payload": { "n": 1 },
        "channels": ["one", "two:3", "one"],
        "tags": [r"a/b\c#d"],
        "deliverAt": "2026-01-01T01:00:00Z",
        "payloadRetentionPeriod": 5,
    });
    let created = world.post(ALL, body).await.expect(202);
    let read = world.get(&format!("{ALL}/first")).await.expect(200);
    assert_eq!(created, read);
    insta::assert_json_snapshot!(plain(created));
}

#[tokio::test(start_paused = true)]
async fn every_operation_that_publishes_requires_an_object_as_payload() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let example = "/api/v1/app/a/endpoint/e/send-example";
    for payload in [json!(1), json!("{}"), json!([{}]), json!(true)] {
        let event = json!({ "eventType": "x", "payload": payload });
        for path in ["/api/v1/app/a/msg", example] {
            let error = world.post(path, event.clone()).await.expect(422);
            assert_eq!(error["detail"][0]["loc"], json!(["body", "payload"]), "{path} {payload}");
            assert_eq!(error["detail"][0]["msg"], "must be a JSON object");
        }
        let batch = json!({ "messages": [event, { "eventType": "x", "payload": {} }] });
        let items = world.post("/api/v1/app/a/msg/batch", batch).await.expect(200);
        assert_eq!(items["data"][0]["status"], 422);
        assert_eq!(items["data"][1]["status"], 202);
        let name = "listed";
        let schemas = json!({ "1": { "examples": [payload] } });
        let event_type = json!({ "name": name, "description": "", "schemas": schemas });
        world.put("/api/v1/event-type/listed", event_type).await;
        let error = world.post(example, json!({ "eventType": name })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "eventType"]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_example_is_no_longer_than_another_payload() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let example = json!({ "eventType": "x", "payload": { "n": "x".repeat(64 << 10) } });
    let path = "/api/v1/app/a/endpoint/e/send-example";
    let error = world.post(path, example).await.expect(413);
    assert_eq!(error["detail"], "the payload is longer than 65536 bytes (`max_payload`)");
}

#[tokio::test(start_paused = true)]
async fn payloads_are_left_out_on_request() {
    let world = world().await;
    let body = json!({ "eventType": "x", "payload": { "n": 1 } });
    let created = world.post(&format!("{ALL}?with_content=false"), body).await.expect(202);
    assert_eq!(created["payload"], json!({}));
    let one = format!("{ALL}/{}", created["id"].as_str().unwrap());
    let read = world.get(&format!("{one}?with_content=false")).await.expect(200);
    assert_eq!(read["payload"], json!({}));
    let listed = world.get(&format!("{ALL}?with_content=false")).await.expect(200);
    assert_eq!(listed["data"][0]["payload"], json!({}));
    assert_eq!(world.get(&one).await.expect(200)["payload"], json!({ "n": 1 }));
}

#[tokio::test(start_paused = true)]
async fn an_expunged_payload_says_so_and_cannot_be_sent_again() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let body = json!({ "eventType": "x", "eventId": "m", "payload": { "n": 1 } });
    world.post(ALL, body).await.expect(202);
    world.delete(&format!("{ALL}/m/content")).await.expect(204);
    let read = world.get(&format!("{ALL}/m")).await.expect(200);
    assert_eq!(read["payload"], json!({ "expired": true }));
    let refused = world.post(&format!("{ALL}/m/endpoint/e/resend"), Value::Null).await.expect(400);
    assert_eq!(refused["code"], "payload_expired");
    world.delete(&format!("{ALL}/unknown/content")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn an_event_id_is_unique_in_its_application() {
    let world = world().await;
    let body = json!({ "eventType": "x", "eventId": "m", "payload": {} });
    world.post(ALL, body.clone()).await.expect(202);
    let conflict = world.post(ALL, body).await.expect(409);
    assert_eq!(conflict["code"], "conflict");
    let listed = world.get(ALL).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn publishing_can_create_the_application() {
    let world = World::new();
    let body = json!({ "eventType": "x", "payload": {}, "application": { "name": "New" } });
    world.post("/api/v1/app/new/msg", body.clone()).await.expect(202);
    world.post("/api/v1/app/new/msg", body).await.expect(202);
    let app = world.get("/api/v1/app/new").await.expect(200);
    assert_eq!((&app["name"], &app["uid"]), (&json!("New"), &json!("new")));
    let other =
        json!({ "eventType": "x", "payload": {}, "application": { "name": "", "uid": "b" } });
    let error = world.post("/api/v1/app/other/msg", other).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "application", "name"]));
    let bare = json!({ "eventType": "x", "payload": {} });
    world.post("/api/v1/app/other/msg", bare).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_raw_payload_is_shown_as_the_text_that_it_is() {
    let world = world().await;
    let params = json!({ "rawPayload": "<a/>", "headers": { "content-type": "text/xml" } });
    let body =
        json!({ "eventType": "x", "eventId": "m", "payload": {}, "transformationsParams": params });
    let created = world.post(ALL, body).await.expect(202);
    assert_eq!(created["payload"], json!({ "rawPayload": "<a/>" }));
    assert_eq!(world.get(&format!("{ALL}/m")).await.expect(200), created);
}

#[tokio::test(start_paused = true)]
async fn a_payload_above_its_limit_is_refused_regardless_of_its_content_length() {
    let world = world().await;
    let long = "x".repeat(64 << 10);
    let body = json!({ "eventType": "x", "payload": { "long": long } });
    let refused = world.post(ALL, body).await.expect(413);
    assert_eq!(refused["code"], "payload_too_large");
    // Even longer, and in pieces without a length.
    let pieces = std::iter::repeat_n(Ok::<_, std::convert::Infallible>("x".repeat(1 << 10)), 200);
    let request = Request::post(ALL)
        .header("authorization", format!("Bearer {}", world.token))
        .body(Body::from_stream(futures_util::stream::iter(pieces)));
    assert_eq!(world.send(request.unwrap()).await.status, 413);
}

#[tokio::test(start_paused = true)]
async fn borrowing_types_have_the_same_json_as_the_api_types() {
    let world = world().await;
    let body = json!({
        "eventType": "user\u{2e}created",
        "eventId": "m",
        "payload": { "n": [1, null] },
        "channels": ["c"],
        "tags": ["t"],
        "payloadRetentionHours": 7,
    });
    let created = world.post(ALL, body).await;
    assert_eq!(created.status, 202, "{}", created.text);
    let parsed: postrider::api::MessageOut = serde_json::from_str(&created.text).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), created.json);
}

#[tokio::test(start_paused = true)]
async fn an_expunged_payload_is_not_sent_even_if_its_delivery_is_in_memory() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e", "throttleRate": 1 });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    for n in 0..5 {
        let body = json!({ "eventType": "x", "eventId": format!("m{n}"), "payload": {} });
        world.post(ALL, body).await.expect(202);
    }
    world.delete(&format!("{ALL}/m4/content")).await.expect(204);
    let stats = "/api/v1/app/a/endpoint/e/stats";
    let stats = world.until(stats, |it| it["success"] == 4).await;
    assert_eq!(stats["canceled"], 1);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let attempts = world.get("/api/v1/app/a/attempt/msg/m4").await.expect(200);
    assert_eq!(attempts["data"], json!([]));
}
