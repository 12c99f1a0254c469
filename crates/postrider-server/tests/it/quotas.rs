//! What one application may use.

use std::{collections::BTreeSet, time::Duration};

use http::{Method, StatusCode};
use postrider_server::{ApplicationGrant, Quotas, Settings};
use serde_json::{Value, json};

use crate::world::{Reply, World, application_id, settings};

const APP: &str = "/api/v1/app/acme";
const ENDPOINTS: &str = "/api/v1/app/acme/endpoint";
const MESSAGES: &str = "/api/v1/app/acme/msg";

/// A world with an application, event types and these quotas; and the application's id.
async fn world(quotas: Quotas) -> (World, String) {
    let world = World::with(Settings { quotas, ..settings() });
    let app = world.post("/api/v1/app", json!({ "name": "Acme", "uid": "acme" })).await.id();
    world.event_types(&["a.a", "a.b", "a.c"]).await;
    (world, app)
}

const NONE: Quotas = Quotas {
    endpoints: None,
    event_types: None,
    channels: None,
    headers: None,
    sources: None,
    requests_per_second: None,
    messages_per_second: None,
    pending: None,
};

fn endpoint(more: &Value) -> Value {
    let mut endpoint = json!({ "url": "https://example.com/" });
    let fields = endpoint.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    endpoint
}

async fn publish(world: &World) -> Reply {
    world.post(MESSAGES, json!({ "eventType": "a.a", "payload": {} })).await
}

#[track_caller]
fn assert_limited(reply: &Reply, quota: &str) {
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", reply.text);
    assert_eq!(reply.json["code"], "quota_exceeded");
    assert!(reply.text.contains(quota), "{}", reply.text);
    assert!(reply.headers.contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn the_endpoints_of_an_application_are_limited() {
    let (world, _) = world(Quotas { endpoints: Some(2), ..NONE }).await;
    world.post(ENDPOINTS, endpoint(&json!({ "uid": "one" }))).await.expect(201);
    let path = format!("{ENDPOINTS}/two");
    world.put(&path, endpoint(&json!({}))).await.expect(201);
    let refused = world.post(ENDPOINTS, endpoint(&json!({}))).await.expect(422);
    assert!(refused.to_string().contains("quotas.endpoints"), "{refused}");
    world.put(&format!("{ENDPOINTS}/three"), endpoint(&json!({}))).await.expect(422);
    // What is there can be replaced, and makes room when it goes.
    world.put(&path, endpoint(&json!({ "description": "x", "uid": "two" }))).await.expect(200);
    world.delete(&path).await.expect(204);
    world.post(ENDPOINTS, endpoint(&json!({}))).await.expect(201);
    let usage = world.get(&format!("{APP}/usage")).await.expect(200);
    assert_eq!(usage["endpoints"], json!({ "used": 2, "limit": 2 }));
    assert!(world.metrics().await.contains(r#"quota_refusals_total{quota="endpoints"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn parallel_requests_do_not_make_more_endpoints() {
    let (world, _) = world(Quotas { endpoints: Some(3), ..NONE }).await;
    let all = (0..20).map(|_| world.post(ENDPOINTS, endpoint(&json!({}))));
    let replies = futures_util::future::join_all(all).await;
    let made = replies.iter().filter(|it| it.status == StatusCode::CREATED).count();
    assert_eq!(made, 3);
}

#[tokio::test(start_paused = true)]
async fn the_lists_of_an_endpoint_are_limited() {
    let quotas = Quotas { event_types: Some(2), channels: Some(1), headers: Some(1), ..NONE };
    let (world, _) = world(quotas).await;
    let two_headers = json!({ "headers": { "x-a": "1", "x-b": "2" } });
    for (body, field) in [
        (json!({ "eventTypes": ["a.a", "a.b", "a.c"] }), "event_types"),
        (json!({ "channels": ["x", "y"] }), "channels"),
        (two_headers.clone(), "headers"),
    ] {
        let refused = world.post(ENDPOINTS, endpoint(&body)).await.expect(422);
        assert!(refused.to_string().contains(&format!("quotas.{field}")), "{refused}");
    }
    let body = endpoint(&json!({ "eventTypes": ["a.a", "a.b"], "channels": ["x"], "uid": "e" }));
    world.post(ENDPOINTS, body).await.expect(201);
    let path = format!("{ENDPOINTS}/e");
    world.patch(&path, json!({ "eventTypes": ["a.a", "a.b", "a.c"] })).await.expect(422);
    world.put(&format!("{path}/headers"), two_headers).await.expect(422);
    world.patch(&path, json!({ "description": "x" })).await.expect(200);
    let usage = world.get(&format!("{APP}/usage")).await.expect(200);
    assert_eq!(usage["eventTypesPerEndpoint"], json!({ "used": 2, "limit": 2 }));
    assert_eq!(usage["channelsPerEndpoint"], json!({ "used": 1, "limit": 1 }));
    assert_eq!(usage["headersPerEndpoint"], json!({ "used": 0, "limit": 1 }));
}

#[tokio::test(start_paused = true)]
async fn an_applications_own_requests_have_a_rate_and_the_organizations_do_not() {
    let (world, app) = world(Quotas { requests_per_second: Some(5), ..NONE }).await;
    let grant = |id: &str| ApplicationGrant {
        id: application_id(id),
        capabilities: None,
        feature_flags: BTreeSet::default(),
        session: None,
        key: None,
    };
    let own = world.own_token(grant(&app));
    let ask = async |token: &str| world.call_as(token, Method::GET, APP, None).await;
    for _ in 0..5 {
        ask(&own).await.expect(200);
    }
    assert_limited(&ask(&own).await, "quotas.requests_per_second");
    for _ in 0..50 {
        ask(&world.token).await.expect(200);
    }
    let other = world.post("/api/v1/app", json!({ "name": "Other" })).await.id();
    let others = world.own_token(grant(&other));
    let path = format!("/api/v1/app/{other}");
    world.call_as(&others, Method::GET, &path, None).await.expect(200);
    let usage = world.get(&format!("{APP}/usage")).await.expect(200);
    assert_eq!(usage["requestsPerSecond"], json!({ "used": 5, "limit": 5 }));
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..5 {
        ask(&own).await.expect(200);
    }
    assert_limited(&ask(&own).await, "quotas.requests_per_second");
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_messages_is_limited_for_every_principal() {
    let (world, _) = world(Quotas { messages_per_second: Some(3), ..NONE }).await;
    for _ in 0..2 {
        publish(&world).await.expect(202);
    }
    // One more fits; each message of a batch counts.
    let messages = vec![json!({ "eventType": "a.a", "payload": {} }); 3];
    let batch = json!({ "messages": messages });
    let data = world.post(&format!("{MESSAGES}/batch"), batch).await.expect(200)["data"].clone();
    let statuses: Vec<_> = data.as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, [202, 429, 429], "{data}");
    assert_limited(&publish(&world).await, "quotas.messages_per_second");
    tokio::time::advance(Duration::from_secs(1)).await;
    publish(&world).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn pending_deliveries_are_limited() {
    let (world, _) = world(Quotas { pending: Some(20), ..NONE }).await;
    world.post(ENDPOINTS, endpoint(&json!({}))).await.expect(201);
    let usage = format!("{APP}/usage");
    let nothing_waits = |usage: &Value| usage["pendingDeliveries"]["used"] == 0;
    // What is delivered does not count, however much it is.
    for _ in 0..6 {
        for _ in 0..15 {
            publish(&world).await.expect(202);
        }
        world.until(&usage, nothing_waits).await;
    }
    world.receiver.answer(500);
    let mut accepted = 0;
    while publish(&world).await.status == StatusCode::ACCEPTED {
        accepted += 1;
        assert!(accepted < 100, "nothing is refused");
    }
    assert!((10..=30).contains(&accepted), "{accepted} messages were accepted");
    assert_limited(&publish(&world).await, "quotas.pending");
    let used = world.get(&usage).await.expect(200)["pendingDeliveries"].clone();
    assert_eq!(used["limit"], 20);
    assert!(used["used"].as_u64().unwrap() >= 10, "{used}");
    world.receiver.answer(200);
    world.until(&usage, nothing_waits).await;
    tokio::time::advance(Duration::from_secs(2)).await;
    publish(&world).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn the_sources_of_an_application_are_limited() {
    let (world, app) = world(Quotas { sources: Some(1), ..NONE }).await;
    let source =
        |app: Option<&str>| json!({ "name": "s", "type": "generic-webhook", "appId": app });
    let path = "/ingest/api/v1/source";
    world.post(path, source(Some(&app))).await.expect(201);
    let refused = world.post(path, source(Some(&app))).await.expect(422);
    assert!(refused.to_string().contains("quotas.sources"), "{refused}");
    let records = |count: usize| {
        let source = |n| json!({ "uid": format!("s{n}"), "name": "s", "type": "generic-webhook", "appId": "other" });
        let sources: Vec<_> = (0..count).map(source).collect();
        json!({ "records": { "applications": [{ "uid": "other", "name": "O" }], "sources": sources } })
    };
    let apply = "/api/v1/environment/apply";
    let refused = world.post(apply, records(2)).await.expect(422);
    assert!(refused.to_string().contains("quotas.sources"), "{refused}");
    world.post(apply, records(1)).await.expect(200);
    // Sources with applications of their own are not limited.
    world.post(path, source(None)).await.expect(201);
    world.post(path, source(None)).await.expect(201);
}
