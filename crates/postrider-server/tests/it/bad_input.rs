//! Whatever is sent, the answer says what is wrong and where.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::world::{World, plain};

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

/// Sends each body, and expects the place of its mistake to be named.
async fn check(path: &str, cases: impl IntoIterator<Item = (Value, &str)>) {
    let world = world().await;
    for (body, place) in cases {
        let error = world.post(path, body.clone()).await.expect(422);
        let loc = error["detail"][0]["loc"].as_array().unwrap();
        let loc: Vec<_> = loc.iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(loc.join("."), format!("body.{place}"), "{body}");
        assert!(!error["detail"][0]["msg"].as_str().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_values_of_applications_are_named_with_their_places() {
    let cases = [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "A\u{7}" }), "name"),
        (json!({ "name": "A", "uid": "" }), "uid"),
        (json!({ "name": "A", "uid": "app_00000000000000000000000000" }), "uid"),
        (json!({ "name": "A", "uid": "a b" }), "uid"),
        (json!({ "name": "A", "uid": "x".repeat(257) }), "uid"),
        (json!({ "name": "A", "throttleRate": 0 }), "throttleRate"),
        (json!({ "name": "A", "throttleRate": -1 }), "throttleRate"),
        (json!({ "name": "A", "rateLimit": 70_000 }), "rateLimit"),
        (json!({ "name": "A", "metadata": { "k": 1 } }), "metadata.k"),
        (json!({ "name": "A", "metadata": { "k": "x".repeat(5_000) } }), "metadata"),
    ];
    check("/api/v1/app", cases).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_values_of_endpoints_are_named_with_their_places() {
    let url = "https://example.com";
    let cases = [
        (json!({}), "url"),
        (json!({ "url": "" }), "url"),
        (json!({ "url": "no url" }), "url"),
        (json!({ "url": "ftp://example.com" }), "url"),
        (json!({ "url": "https://me:you@example.com" }), "url"),
        (json!({ "url": "http://127.0.0.1/" }), "url"),
        (json!({ "url": "http://0x7f000001/" }), "url"),
        (json!({ "url": "http://169.254.169.254/latest" }), "url"),
        (json!({ "url": "http://[::ffff:10.0.0.1]/" }), "url"),
        (json!({ "url": "https://example.com:0/" }), "url"),
        (json!({ "url": format!("{url}/{}", "x".repeat(65_536)) }), "url"),
        (json!({ "url": url, "eventTypes": [] }), "eventTypes"),
        (json!({ "url": url, "filterTypes": ["a b"] }), "eventTypes.0"),
        (json!({ "url": url, "channels": [] }), "channels"),
        (json!({ "url": url, "channels": ["ok", "?"] }), "channels.1"),
        (
            json!({ "url": url, "channels": (0..11).map(|n| n.to_string()).collect::<Vec<_>>() }),
            "channels",
        ),
        (json!({ "url": url, "secret": "whsec_short" }), "secret"),
        (json!({ "url": url, "headers": { "webhook-id": "1" } }), "headers.webhook-id"),
        (json!({ "url": url, "disabled": "yes" }), "disabled"),
    ];
    check("/api/v1/app/a/endpoint", cases).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_values_of_messages_are_named_with_their_places() {
    let cases = [
        (json!({ "payload": {} }), "eventType"),
        (json!({ "eventType": "x" }), "payload"),
        (json!({ "eventType": "a b", "payload": {} }), "eventType"),
        (json!({ "eventType": "x", "payload": {}, "eventId": "" }), "eventId"),
        (
            json!({ "eventType": "x", "payload": {}, "eventId": "msg_00000000000000000000000000" }),
            "eventId",
        ),
        (json!({ "eventType": "x", "payload": {}, "channels": [] }), "channels"),
        (
            json!({ "eventType": "x", "payload": {}, "channels": ["1", "2", "3", "4", "5", "6"] }),
            "channels",
        ),
        (json!({ "eventType": "x", "payload": {}, "tags": [" "] }), "tags.0"),
        (json!({ "eventType": "x", "payload": {}, "tags": [1] }), "tags.0"),
        (
            json!({ "eventType": "x", "payload": {}, "payloadRetentionPeriod": 4 }),
            "payloadRetentionPeriod",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "payloadRetentionHours": 0 }),
            "payloadRetentionHours",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "payloadRetentionPeriod": 5, "payloadRetentionHours": 5 }),
            "payloadRetentionHours",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "deliverAt": "2026-01-01T00:00:30Z" }),
            "deliverAt",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "deliverAt": "2026-01-03T00:00:00Z" }),
            "deliverAt",
        ),
        (json!({ "eventType": "x", "payload": {}, "deliverAt": "soon" }), "deliverAt"),
        (
            json!({ "eventType": "x", "payload": {}, "transformationsParams": { "rawPayload": 1 } }),
            "transformationsParams.rawPayload",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "transformationsParams": { "headers": { "host": "a" } } }),
            "transformationsParams.headers.host",
        ),
        (json!({ "eventType": "x", "payload": {}, "application": {} }), "application.name"),
    ];
    check("/api/v1/app/a/msg", cases).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_values_of_event_types_are_named_with_their_places() {
    let cases = [
        (json!({ "name": "a b", "description": "" }), "name"),
        (json!({ "name": "x" }), "description"),
        (json!({ "name": "x", "description": "", "schemas": [] }), "schemas"),
        (json!({ "name": "x", "description": "", "schemas": { "1": 1 } }), "schemas.1"),
        (json!({ "name": "x", "description": "", "groupName": "?" }), "groupName"),
        (json!({ "name": "x", "description": "", "featureFlags": ["?"] }), "featureFlags.0"),
    ];
    check("/api/v1/event-type", cases).await;
}

#[tokio::test(start_paused = true)]
async fn all_that_is_wrong_is_told_at_once() {
    let world = world().await;
    let body = json!({ "url": "x", "uid": "?", "channels": [], "throttleRate": 0 });
    let error = world.post("/api/v1/app/a/endpoint", body).await.expect(422);
    insta::assert_json_snapshot!(plain(error));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_json_is_said_to_be_so() {
    let world = world().await;
    for body in ["", "{", "{}}", "{\"name\": \"A\",}", "\u{feff}{}", "nonsense"] {
        for path in ["/api/v1/app", "/api/v1/app/a/msg", "/api/v1/app/a/msg/batch"] {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {}", world.token))
                .body(Body::from(body));
            let error = world.send(request.unwrap()).await.expect(422);
            assert_eq!(error["detail"][0]["loc"], json!(["body"]), "{body}");
            assert_eq!(error["detail"][0]["type"], "value_error.jsondecode", "{body}");
        }
    }
    let latin = Request::post("/api/v1/app")
        .header("authorization", format!("Bearer {}", world.token))
        .body(Body::from(&b"{\"name\":\"\xe4\"}"[..]));
    world.send(latin.unwrap()).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_and_methods_are_answered_in_json() {
    let world = world().await;
    for path in ["/nothing", "/api/v1", "/api/v1/app/a/unknown", "/api/v2/app"] {
        assert_eq!(world.get(path).await.expect(404)["code"], "not_found");
    }
    let reply = world.call(Method::PUT, "/api/v1/app", None).await;
    assert!(reply.headers["allow"].to_str().unwrap().contains("POST"));
    assert_eq!(reply.expect(405)["code"], "method_not_allowed");
    for path in ["/api/v1/app/%ff", "/api/v1/app/a%20b", "/api/v1/event-type/a%2Fb"] {
        let error = world.get(path).await.expect(422);
        assert_eq!(error["detail"][0]["loc"][0], "path");
    }
}

#[tokio::test(start_paused = true)]
async fn slashes_at_the_end_are_tolerated() {
    let world = world().await;
    for path in ["/api/v1/app/", "/api/v1/app/a/", "/api/v1/event-type/", "/api/v1/app/a/msg/"] {
        world.get(path).await.expect(200);
    }
    let event = json!({ "eventType": "x", "payload": {} });
    world.post("/api/v1/app/a/msg/", event).await.expect(202);
    assert_eq!(world.get("/api/v1/health/").await.expect(204), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_token() {
    let world = world().await;
    for path in ["/api/v1/health", "/api/v1/health/ping"] {
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(method).uri(path).body(Body::empty());
            world.send(request.unwrap()).await.expect(204);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn health_reports_an_engine_that_has_stopped() {
    let mut world = world().await;
    world.break_engine();
    let path = "/api/v1/health";
    let detail = "a part of the server has stopped";
    world.until(path, |reply| reply["detail"] == detail).await;
    world.get(path).await.expect(503);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_operation_and_status() {
    let world = world().await;
    world.get("/api/v1/app/unknown").await.expect(404);
    let text = world.get("/metrics").await.text;
    let counted = r#"postrider_http_requests_total{operation="v1.application.get",status="4xx"} 1"#;
    assert!(text.contains(counted), "{text}");
    assert!(
        text.contains(
            r#"postrider_http_request_seconds_count{operation="v1.application.create"} 1"#
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_is_a_passing_trouble() {
    let world = world().await;
    world.engine.store().close().await.unwrap();
    let reply = world.post("/api/v1/app", json!({ "name": "B" })).await;
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(reply.expect(503)["code"], "service_unavailable");
    world.get("/api/v1/health").await.expect(503);
    world.get("/api/v1/health/ping").await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn lists_are_not_read_as_the_fields_of_an_object() {
    let world = world().await;
    for body in [json!([]), json!(["test.event", { "n": 1 }])] {
        let error = world.post("/api/v1/app/a/msg", body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body"]));
        assert_eq!(error["detail"][0]["msg"], "must be a JSON object");
    }
}
