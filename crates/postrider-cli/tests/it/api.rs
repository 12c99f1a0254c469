//! Properties of the API that need the whole product: durability, rate limits, tokens from the
//! command line, and operational webhooks.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::{
    receiver::{Behavior, Call, Receiver},
    server::{Server, token, until_async},
};

/// Posts with an idempotency key.
async fn post_with_key(server: &Server, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let request = Request::post(format!("{}/api/v1{path}", server.url))
        .header("authorization", format!("Bearer {}", server.token))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Full::new(body.to_string().into()))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn status(server: &Server, method: Method, path: &str, body: Option<Value>) -> u16 {
    server.call(method, path, body).await.unwrap().0
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_idempotency_key_survives_a_crash() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    let endpoint = json!({ "url": receiver.url("ok") });
    let (_, made) = post_with_key(&server, "/app/acme/endpoint", "k", &endpoint).await;
    let message = json!({ "eventType": "test.event", "payload": { "n": 1 } });
    let (code, sent) = post_with_key(&server, "/app/acme/msg", "k", &message).await;
    assert_eq!(code, 202);
    for _ in 0..2 {
        let again = post_with_key(&server, "/app/acme/endpoint", "k", &endpoint).await;
        assert_eq!(again, (201, made.clone()));
        let again = post_with_key(&server, "/app/acme/msg", "k", &message).await;
        assert_eq!(again, (202, sent.clone()));
        server.kill_and_restart();
    }
    let other = json!({ "eventType": "test.event", "payload": { "n": 2 } });
    let (code, refused) = post_with_key(&server, "/app/acme/msg", "k", &other).await;
    assert!((400..500).contains(&code), "{refused}");
    assert!(refused["detail"].is_string(), "{refused}");
    assert_eq!(ids(&server.get("/app/acme/msg").await), [sent["id"].as_str().unwrap()]);
    assert_eq!(ids(&server.get("/app/acme/endpoint").await), [made["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn stored_records_are_unchanged_after_a_crash() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    let event_type = json!({ "name": "second", "description": "", "schemas": { "1": {} } });
    server.post("/event-type", event_type).await;
    let endpoint = json!({ "url": receiver.url("ok"), "uid": "main", "headers": { "x-a": "1" },
        "metadata": { "b": "c" }, "eventTypes": ["test.event"], "throttleRate": 100 });
    server.post("/app/acme/endpoint", endpoint).await;
    let old = server.get("/app/acme/endpoint/main/secret").await;
    server.post("/app/acme/endpoint/main/secret/rotate", json!({})).await;
    let message = json!({ "eventType": "test.event", "payload": { "n": 1 }, "eventId": "first",
        "tags": ["red"], "channels": ["c"] });
    server.post("/app/acme/msg", message.clone()).await;
    receiver.until("ok", |calls| calls.len() == 1).await;
    let paths = [
        "/app",
        "/event-type?with_content=true",
        "/app/acme/endpoint",
        "/app/acme/endpoint/main/headers",
        "/app/acme/endpoint/main/secret",
        "/app/acme/msg?tag=red&channel=c&event_types=test.event",
        "/app/acme/msg/first",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(server.get(path).await);
    }
    server.kill_and_restart();
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(server.get(path).await, before, "{path}");
    }
    assert_eq!(status(&server, Method::POST, "/app/acme/msg", Some(message)).await, 409);

    let new = server.get("/app/acme/endpoint/main/secret").await;
    let id = server.publish("acme", json!({ "n": 2 })).await;
    let calls = receiver.until("ok", |calls| calls.iter().any(|it| it.id() == id)).await;
    let call = calls.iter().find(|it| it.id() == id).unwrap();
    for secret in [old, new] {
        assert!(call.is_verified(secret["key"].as_str().unwrap()), "both sign after a restart");
    }
}

/// Pages through a list to its end and back; returns the ids on the way to the end.
async fn walk(server: &Server, path: &str) -> Vec<String> {
    let mut there: Vec<Vec<String>> = Vec::new();
    let mut page = server.get(path).await;
    loop {
        there.push(ids(&page).into_iter().map(str::to_owned).collect());
        if page["done"] == true {
            break;
        }
        let iterator = page["iterator"].as_str().unwrap();
        page = server.get(&format!("{path}&iterator={iterator}")).await;
    }
    for expected in there.iter().rev().skip(1) {
        let iterator = page["prevIterator"].as_str().unwrap();
        page = server.get(&format!("{path}&iterator={iterator}")).await;
        assert_eq!(ids(&page), *expected, "{path}");
    }
    there.concat()
}

#[tokio::test]
async fn long_lists_are_paged_in_both_directions_also_after_a_crash() {
    let receiver = Receiver::start().await;
    let mut server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "")]);
    server.application("acme").await;
    let (endpoint, _) = server.endpoint("acme", &receiver.url("ok")).await;
    let mut sent = Vec::new();
    for n in 0..40 {
        let status = if n % 4 == 0 { 500 } else { 200 };
        receiver.set_behavior("ok", Behavior::Status(status));
        sent.push(server.publish("acme", json!({ "n": n })).await);
        receiver.until("ok", |calls| calls.len() == n + 1).await;
    }
    sent.reverse();
    let failed: Vec<_> = sent.iter().rev().step_by(4).rev().cloned().collect();
    let all = format!("/app/acme/attempt/endpoint/{endpoint}?limit=250");
    until_async(|| server.get(&all), |list| ids(list).len() == 40).await;
    for _ in 0..2 {
        assert_eq!(walk(&server, "/app/acme/msg?limit=7").await, sent);
        let messages = format!("/app/acme/endpoint/{endpoint}/msg?limit=7");
        assert_eq!(walk(&server, &messages).await, sent);
        assert_eq!(walk(&server, &format!("{messages}&status=2")).await, failed);
        let attempts = format!("/app/acme/attempt/endpoint/{endpoint}?limit=7");
        assert_eq!(walk(&server, &attempts).await.len(), 40);
        let refused = walk(&server, &format!("{attempts}&status_code_class=500")).await;
        assert_eq!(refused.len(), failed.len());
        assert_eq!(walk(&server, &format!("{attempts}&status=2")).await, refused);
        server.kill_and_restart();
    }
}

#[tokio::test]
async fn organizations_are_isolated_from_each_other() {
    let mut server = Server::start();
    server.application("acme").await;
    server.token = token(server.folder.path(), &["--org", "org_other"]);
    assert_eq!(ids(&server.get("/app").await), [""; 0]);
    assert_eq!(server.get("/event-type").await["data"], json!([]));
    assert_eq!(status(&server, Method::GET, "/app/acme", None).await, 404);
    server.application("acme").await;
    assert_eq!(status(&server, Method::DELETE, "/app/acme", None).await, 204);
    server.token = token(server.folder.path(), &[]);
    assert_eq!(status(&server, Method::GET, "/app/acme", None).await, 200);
}

#[tokio::test]
async fn an_application_token_gives_access_to_one_application_only() {
    let mut server = Server::start();
    server.application("acme").await;
    server.application("other").await;
    let id = server.get("/app/acme").await["id"].as_str().unwrap().to_owned();
    server.token = token(server.folder.path(), &["--app", &id]);
    server.get("/app/acme/endpoint").await;
    server.get(&format!("/app/{id}/msg")).await;
    for (method, path, body) in [
        (Method::GET, "/app", None),
        (Method::DELETE, "/app/acme", None),
        (Method::POST, "/app/acme/msg", Some(json!({ "eventType": "e", "payload": {} }))),
        (Method::POST, "/event-type", Some(json!({ "name": "e", "description": "" }))),
        (Method::POST, "/auth/app-portal-access/acme", Some(json!({}))),
    ] {
        assert_eq!(status(&server, method, path, body).await, 403, "{path}");
    }
    let foreign = status(&server, Method::GET, "/app/other/endpoint", None).await;
    assert!([403, 404].contains(&foreign), "{foreign}");
}

#[tokio::test]
async fn trailing_slashes_in_a_path_are_tolerated() {
    let server = Server::start();
    server.application("acme").await;
    for path in ["/app", "/app/acme", "/app/acme/endpoint", "/event-type", "/health"] {
        assert_eq!(
            server.call(Method::GET, &format!("{path}/"), None).await.unwrap(),
            server.call(Method::GET, path, None).await.unwrap(),
            "{path}"
        );
    }
    server.post("/app/acme/msg/", json!({ "eventType": "e", "payload": {} })).await;
}

/// Checks that all calls together took as long as the rate requires. A busy machine may delay some
/// of them, so single intervals mean nothing.
#[track_caller]
fn check_rate(calls: &[Call], rate: u32) {
    let first = calls.iter().map(|it| it.at).min().unwrap();
    let last = calls.iter().map(|it| it.at).max().unwrap();
    let fair = Duration::from_secs(1) * u32::try_from(calls.len() - 1).unwrap() / rate;
    let span = last - first;
    assert!(span >= fair.mul_f64(0.75), "{} calls in {span:?} instead of {fair:?}", calls.len());
}

#[tokio::test]
async fn the_rate_limit_of_an_endpoint_is_kept() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.application("acme").await;
    let endpoint = json!({ "url": receiver.url("slow"), "throttleRate": 10 });
    server.post("/app/acme/endpoint", endpoint).await;
    server.endpoint("acme", &receiver.url("free")).await;
    for n in 0..25 {
        server.publish("acme", json!({ "n": n })).await;
    }
    receiver.until("free", |calls| calls.len() == 25).await;
    assert!(receiver.calls("slow").len() < 25, "the other one does not wait");
    check_rate(&receiver.until("slow", |calls| calls.len() == 25).await, 10);
}

#[tokio::test]
async fn the_rate_limit_of_an_application_is_kept_across_its_endpoints() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.post("/app", json!({ "name": "a", "uid": "acme", "throttleRate": 10 })).await;
    for path in ["one", "two"] {
        server.endpoint("acme", &receiver.url(path)).await;
    }
    for n in 0..12 {
        server.publish("acme", json!({ "n": n })).await;
    }
    let mut calls = receiver.until("one", |calls| calls.len() == 12).await;
    calls.extend(receiver.until("two", |calls| calls.len() == 12).await);
    check_rate(&calls, 10);
}

#[tokio::test]
async fn the_operator_gets_operational_webhooks_about_endpoints_and_deliveries() {
    let receiver = Receiver::start().await;
    let mut server = Server::with_variables(&[
        ("POSTRIDER_OPERATOR_ORG", "org_operator"),
        ("POSTRIDER_RETRY_SCHEDULE", "50ms"),
    ]);
    let organization = "org_main";
    server.token = token(server.folder.path(), &["--org", "org_operator"]);
    server.post("/app", json!({ "name": "news", "uid": organization })).await;
    let (_, secret) = server.endpoint(organization, &receiver.url("news")).await;

    server.token = token(server.folder.path(), &["--org", organization]);
    server.application("acme").await;
    let (id, _) = server.endpoint("acme", &receiver.url("broken")).await;
    receiver.set_behavior("broken", Behavior::Status(500));
    let message = server.publish("acme", json!({})).await;
    let heard = |calls: &[Call], kind: &str| calls.iter().any(|it| event(it)["type"] == kind);
    receiver.until("news", |calls| heard(calls, "message.attempt.exhausted")).await;
    let path = format!("/app/acme/endpoint/{id}");
    server.must(Method::PATCH, &path, Some(json!({ "disabled": true }))).await;
    server.must(Method::PATCH, &path, Some(json!({ "disabled": false }))).await;
    server.must(Method::DELETE, &path, None).await;
    let wanted = [
        "endpoint.created",
        "endpoint.updated",
        "endpoint.disabled",
        "endpoint.enabled",
        "endpoint.deleted",
        "message.attempt.exhausted",
    ];
    let calls = receiver.until("news", |calls| wanted.iter().all(|kind| heard(calls, kind))).await;
    for call in &calls {
        assert!(call.is_verified(&secret));
        assert_eq!(event(call)["data"]["endpointId"], *id);
        assert_eq!(event(call)["data"]["appUid"], "acme");
    }
    let exhausted = calls.iter().map(event).find(|it| it["type"] == wanted[5]).unwrap();
    assert_eq!(exhausted["data"]["msgId"], *message);
    assert_eq!(exhausted["data"]["lastAttempt"]["responseStatusCode"], 500);
}

fn event(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}
