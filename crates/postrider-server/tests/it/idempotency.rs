//! Requests with the same idempotency key get the same response.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::{Reply, World};

async fn keyed(world: &World, path: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", world.token))
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()));
    world.send(request.unwrap()).await
}

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

async fn count(world: &World, path: &str) -> usize {
    world.get(path).await.expect(200)["data"].as_array().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_takes_effect_once_and_gets_the_same_response() {
    let world = world().await;
    for (path, list, body) in [
        ("/api/v1/app", "/api/v1/app", json!({ "name": "B" })),
        ("/api/v1/app/a/msg", "/api/v1/app/a/msg", json!({ "eventType": "x", "payload": {} })),
        (
            "/api/v1/app/a/msg",
            "/api/v1/app/a/msg",
            json!({ "eventType": "x", "eventId": "m", "payload": {} }),
        ),
        ("/api/v1/event-type", "/api/v1/event-type", json!({ "name": "x", "description": "" })),
        (
            "/api/v1/app/a/msg/batch",
            "/api/v1/app/a/msg",
            json!({ "messages": [{ "eventType": "x", "payload": {} }, { "eventType": "y", "payload": {} }] }),
        ),
    ] {
        let key: String = format!("{path}{body}").chars().take(200).collect();
        let key = key.as_str();
        let first = keyed(&world, path, key, &body).await;
        assert!(first.status.is_success(), "{}", first.text);
        let before = count(&world, list).await;
        let second = keyed(&world, path, key, &body).await;
        assert_eq!((first.status, first.text), (second.status, second.text));
        let slashed = keyed(&world, &format!("{path}/"), key, &body).await;
        assert_eq!(slashed.json, second.json);
        assert_eq!(count(&world, list).await, before, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_body_under_the_same_key_is_refused() {
    let world = world().await;
    for (path, first, second) in [
        ("/api/v1/app", json!({ "name": "B" }), json!({ "name": "C" })),
        (
            "/api/v1/app/a/msg",
            json!({ "eventType": "x", "payload": { "n": 1 } }),
            json!({ "eventType": "x", "payload": { "n": 2 } }),
        ),
        (
            "/api/v1/app/a/msg",
            json!({ "eventType": "x", "payload": {}, "eventId": "m" }),
            json!({ "eventType": "x", "payload": {}, "eventId": "n" }),
        ),
    ] {
        let key = first.to_string();
        assert!(keyed(&world, path, &key, &first).await.status.is_success());
        let refused = keyed(&world, path, &key, &second).await.expect(409);
        assert_eq!(refused["code"], "idempotency_conflict");
    }
}

/// Requests that are refused, with the status, and what corrects them. What they need is there:
/// the application `a`, the endpoint `e` and the event type `taken`.
fn refused_and_corrected() -> Vec<(&'static str, Value, u16, Value)> {
    let url = "https://example.com/hook";
    let access = "/api/v1/auth/app-portal-access/new";
    vec![
        ("/api/v1/app", json!({ "name": "" }), 422, json!({ "name": "B" })),
        (
            "/api/v1/app",
            json!({ "name": "B", "uid": "a" }),
            409,
            json!({ "name": "B", "uid": "b" }),
        ),
        ("/api/v1/app/a/endpoint", json!({ "url": "no url" }), 422, json!({ "url": url })),
        (
            "/api/v1/app/a/endpoint",
            json!({ "url": url, "uid": "e" }),
            409,
            json!({ "url": url, "uid": "f" }),
        ),
        (
            "/api/v1/event-type",
            json!({ "name": "taken", "description": "" }),
            409,
            json!({ "name": "free", "description": "" }),
        ),
        (
            "/api/v1/app/a/msg",
            json!({ "eventType": "a b", "payload": {} }),
            422,
            json!({ "eventType": "a.b", "payload": {} }),
        ),
        (
            "/api/v1/app/a/endpoint/e/send-example",
            json!({ "eventType": "unknown" }),
            404,
            json!({ "eventType": "svix.ping" }),
        ),
        (access, json!({}), 404, json!({ "application": { "name": "New" } })),
        (
            "/ingest/api/v1/source",
            json!({ "name": "S", "type": "no-such-provider" }),
            422,
            json!({ "name": "S", "type": "generic-webhook" }),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_leaves_its_key_to_the_corrected_one() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let event_type = json!({ "name": "taken", "description": "" });
    world.post("/api/v1/event-type", event_type).await.expect(201);
    for (number, (path, bad, status, good)) in refused_and_corrected().into_iter().enumerate() {
        let key = format!("key {number}");
        let refused = keyed(&world, path, &key, &bad).await;
        assert_eq!(refused.status, status, "{path} {}", refused.text);
        let done = keyed(&world, path, &key, &good).await;
        assert!(done.status.is_success(), "{path} {}", done.text);
        let again = keyed(&world, path, &key, &good).await;
        assert_eq!((done.status, &done.text), (again.status, &again.text), "{path}");
        let other = keyed(&world, path, &key, &bad).await;
        assert!(other.status.is_client_error(), "{path} {}", other.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_corrected_request_waits_for_the_refusal_of_the_first() {
    let world = world().await;
    let (bad, good) = (json!({ "name": "B", "uid": "a" }), json!({ "name": "B", "uid": "b" }));
    let calls = [&bad, &good, &good].map(|body| keyed(&world, "/api/v1/app", "key", body));
    let replies = futures_util::future::join_all(calls).await;
    assert_eq!(replies.iter().map(|it| it.status.as_u16()).collect::<Vec<_>>(), [409, 201, 201]);
    assert_eq!(replies[1].text, replies[2].text);
}

#[tokio::test(start_paused = true)]
async fn keys_belong_to_their_caller_and_path() {
    let world = world().await;
    let body = json!({ "name": "B" });
    keyed(&world, "/api/v1/app", "key", &body).await.expect(201);
    let other = crate::world::token(&world.engine, "org_other", None);
    let request = Request::post("/api/v1/app")
        .header("authorization", format!("Bearer {other}"))
        .header("idempotency-key", "key")
        .body(Body::from(json!({ "name": "C" }).to_string()));
    world.send(request.unwrap()).await.expect(201);
    let event_type = json!({ "name": "x", "description": "" });
    keyed(&world, "/api/v1/event-type", "key", &event_type).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn simultaneous_requests_with_the_same_key_take_effect_once() {
    let world = world().await;
    for (path, body) in [
        ("/api/v1/app", json!({ "name": "B" })),
        ("/api/v1/app/a/msg", json!({ "eventType": "x", "payload": {} })),
    ] {
        let calls = (0..8).map(|_| keyed(&world, path, "key", &body));
        let replies = futures_util::future::join_all(calls).await;
        let first = &replies[0].text;
        assert!(replies.iter().all(|it| it.status.is_success() && it.text == *first));
    }
    assert_eq!(count(&world, "/api/v1/app").await, 2);
    assert_eq!(count(&world, "/api/v1/app/a/msg").await, 1);
}

#[tokio::test(start_paused = true)]
async fn odd_keys_are_refused() {
    let world = world().await;
    for key in [String::new(), "k".repeat(257)] {
        let error = keyed(&world, "/api/v1/app", &key, &json!({ "name": "B" })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["header", "idempotency-key"]));
    }
}
