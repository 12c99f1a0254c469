//! Subscriptions that their receivers configure.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;
use serde_json::{Value, json};

use crate::world::World;

const ALL: &str = "/api/v1/app/a/autoconfig";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["paid"]).await;
    world
}

/// The contents of a token.
pub(crate) fn contents(reply: &Value) -> Value {
    let token = reply["token"].as_str().unwrap().strip_prefix("auto_v2_").unwrap();
    serde_json::from_slice(&BASE64_STANDARD.decode(token).unwrap()).unwrap()
}

pub(crate) fn credential(contents: &Value) -> &str {
    contents["tok"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_receiver_creates_and_changes_its_endpoint_with_the_token() {
    let world = world().await;
    let created = world.post(ALL, json!({})).await.expect(201);
    let one = format!("{ALL}/{}", created["id"].as_str().unwrap());
    let pending = world.get(&one).await.expect(200);
    assert_eq!((&pending["status"], pending.get("endpId")), (&json!("pending"), None));
    let token = contents(&created);
    assert_eq!(token["surl"], "http://portal.example");
    let call = async |method, path: &str, body: Option<Value>| {
        world.call_as(credential(&token), method, path, body.as_ref()).await
    };
    let subscribe = format!("{one}/endpoint");
    let body = json!({ "url": "https://example.com/1", "eventTypes": ["paid"] });
    let endpoint = call(Method::PUT, &subscribe, Some(body)).await.expect(200);
    let body = json!({ "url": "https://example.com/2", "headers": { "x-a": "1" } });
    let changed = call(Method::PUT, &subscribe, Some(body)).await.expect(200);
    assert_eq!(
        (&changed["id"], &changed["url"]),
        (&endpoint["id"], &json!("https://example.com/2"))
    );
    let active = call(Method::GET, &one, None).await.expect(200);
    assert_eq!((&active["status"], &active["endpId"]), (&json!("active"), &endpoint["id"]));
    let hint = active["tokenCensored"].as_str().unwrap();
    assert!(hint.starts_with("auto_v2_…") && hint.chars().count() == 13, "{hint}");

    let path = format!("/api/v1/app/a/endpoint/{}", endpoint["id"].as_str().unwrap());
    let secret = world.get(&format!("{path}/secret")).await.expect(200);
    assert_eq!(secret["key"], token["esec"]);
    let headers = world.get(&format!("{path}/headers")).await.expect(200);
    assert_eq!(headers["headers"], json!({ "x-a": "1" }));

    // The token can do nothing else, and no other token can subscribe for the receiver.
    call(Method::GET, &path, None).await.expect(403);
    call(Method::DELETE, &one, None).await.expect(403);
    call(Method::GET, ALL, None).await.expect(403);
    let other = world.post(ALL, json!({})).await.expect(201);
    let other = format!("{ALL}/{}", other["id"].as_str().unwrap());
    call(Method::GET, &other, None).await.expect(404);
    let body = json!({ "url": "https://example.com/3" });
    call(Method::PUT, &format!("{other}/endpoint"), Some(body.clone())).await.expect(403);
    world.put(&subscribe, body).await.expect(403);
    let wrong =
        json!({ "url": "https://example.com", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    call(Method::PUT, &subscribe, Some(wrong)).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn rotation_replaces_the_token_and_the_secret() {
    let world = world().await;
    let created = world.post(ALL, json!({})).await.expect(201);
    let one = format!("{ALL}/{}", created["id"].as_str().unwrap());
    let (old, body) = (contents(&created), json!({ "url": "https://example.com/1" }));
    let put = async |token: &Value| {
        let path = format!("{one}/endpoint");
        world.call_as(credential(token), Method::PUT, &path, Some(&body)).await
    };
    let endpoint = put(&old).await.expect(200);
    let rotated = world.post(&format!("{one}/rotate"), json!({})).await.expect(201);
    let new = contents(&rotated);
    assert_ne!(new["esec"], old["esec"]);
    put(&old).await.expect(401);
    put(&new).await.expect(200);
    let path = format!("/api/v1/app/a/endpoint/{}/secret", endpoint["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200)["key"], new["esec"]);

    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let given = json!({ "signingSecret": { "key": key, "gracePeriodSeconds": 0 } });
    let rotated = world.post(&format!("{one}/rotate"), given).await.expect(201);
    assert_eq!(contents(&rotated)["esec"], key);
    world.delete(&one).await.expect(204);
    put(&contents(&rotated)).await.expect(401);
    assert_eq!(world.get(&path).await.expect(200)["key"], key, "the endpoint stays");
    assert_eq!(world.get(ALL).await.expect(200)["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_can_be_a_destination() {
    let world = world().await;
    let created = world.post(ALL, json!({})).await.expect(201);
    let one = format!("{ALL}/{}", created["id"].as_str().unwrap());
    let token = contents(&created);
    let body = json!({ "type": "fifoEndpoint", "config": { "url": "https://example.com/1" } });
    let path = format!("{one}/destination");
    let call = async |path: &str, body: &Value| {
        world.call_as(credential(&token), Method::PUT, path, Some(body)).await
    };
    let destination = call(&path, &body).await.expect(200);
    call(&path, &body).await.expect(200);
    let shown = world.get(&one).await.expect(200);
    assert_eq!((&shown["destId"], shown.get("endpId")), (&destination["id"], None));
    let path = format!("/api/v1/app/a/destination/{}/secret", destination["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200)["key"], token["esec"]);
}
