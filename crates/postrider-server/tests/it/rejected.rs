//! Rejected requests once more: listed across sources, verified again and accepted.

use axum::body::Body;
use http::Request;
use postrider::provider::{self, Settings, UnsignedRequest};
use serde_json::{Value, json};

use crate::world::{World, token};

const LOG: &str = "/ingest/api/v1/log";
const SOURCE: &str = "/ingest/api/v1/source";

/// A source of GitHub with this secret; returns the path of its URL.
async fn source(world: &World, uid: &str, secret: &str) -> String {
    let body =
        json!({ "name": uid, "uid": uid, "type": "github", "secrets": [secret], "appId": "a" });
    let created = world.post(SOURCE, body).await.expect(201);
    let url = created["ingestUrl"].as_str().unwrap();
    url.strip_prefix("http://portal.example").unwrap().to_owned()
}

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

/// Posts an event that is signed with the secret.
async fn post(world: &World, path: &str, secret: &str, body: &str) -> u16 {
    let provider = provider::find("github").unwrap();
    let url = format!("http://portal.example{path}");
    let draft = UnsignedRequest { url, body: body.into(), ..UnsignedRequest::default() };
    let now = world.engine.clock().now().as_seconds();
    let signed = provider::sign(provider, &Settings::new([secret]), draft, now).unwrap();
    let mut request = Request::builder().method(signed.method.as_str()).uri(path);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    world.send(request.body(Body::from(signed.body)).unwrap()).await.status.as_u16()
}

async fn entries(world: &World, query: &str) -> Vec<Value> {
    let page = world.get(&format!("{LOG}{query}")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_request_verifies_after_the_secret_was_corrected_and_can_be_accepted() {
    let world = world().await;
    let path = source(&world, "s", "wrong secret").await;
    assert_eq!(post(&world, &path, "right secret", r#"{"zen":"a"}"#).await, 401);
    let entry = entries(&world, "").await.remove(0);
    let base = format!("{SOURCE}/s/log/{}", entry["id"].as_str().unwrap());
    let verify = async || {
        let path = format!("{base}/verify");
        world.call(http::Method::POST, &path, None).await.expect(200)
    };
    let first = verify().await;
    assert_eq!((&first["verified"], &first["isIncomplete"]), (&json!(false), &json!(false)));
    assert_eq!(first["reason"], entry["error_text"]);
    let rotated = json!({ "secret": "right secret", "gracePeriodSeconds": 0 });
    let reply = world.post(&format!("{SOURCE}/s/secret/rotate"), rotated).await;
    assert!(reply.status.is_success(), "{}", reply.text);
    assert_eq!(verify().await, json!({ "verified": true, "isIncomplete": false }));
    let accept =
        async || world.call(http::Method::POST, &format!("{base}/accept"), None).await.expect(200);
    let accepted = accept().await;
    assert_eq!(accepted["isDuplicate"], false);
    let id = accepted["messageId"].as_str().unwrap();
    assert_eq!(accept().await, json!({ "messageId": id, "isDuplicate": true }));
    world.get(&format!("/api/v1/app/a/msg/{id}")).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_was_cut_off_is_not_accepted() {
    let world = world().await;
    let path = source(&world, "s", "secret").await;
    let long = format!(r#"{{"zen":"{}"}}"#, "a".repeat(70 << 10));
    assert_eq!(post(&world, &path, "another", &long).await, 401);
    let entry = entries(&world, "").await.remove(0);
    let base = format!("{SOURCE}/s/log/{}", entry["id"].as_str().unwrap());
    let post = http::Method::POST;
    let reply = world.call(post.clone(), &format!("{base}/verify"), None).await.expect(200);
    assert_eq!((&reply["verified"], &reply["isIncomplete"]), (&json!(false), &json!(true)));
    let reply = world.call(post.clone(), &format!("{base}/accept"), None).await.expect(400);
    assert_eq!(reply["code"], "not_accepted");
    let unknown = format!("{SOURCE}/s/log/log00000000000000000000000001/accept");
    world.call(post, &unknown, None).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn rejections_of_all_sources_are_filtered_by_reason_and_time() {
    let world = world().await;
    let (one, two) = (source(&world, "one", "secret").await, source(&world, "two", "secret").await);
    for number in 0..3 {
        let body = format!(r#"{{"zen":"{number}"}}"#);
        assert_eq!(post(&world, &one, "another", &body).await, 401);
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
    let unsigned = Request::post(&two).body(Body::from("{}")).unwrap();
    assert_eq!(world.send(unsigned).await.status, 401);
    assert_eq!(entries(&world, "").await.len(), 4);
    let matching = entries(&world, "?reason=NO%20signature%20matches").await;
    assert_eq!(matching.len(), 3);
    assert_eq!(entries(&world, "?reason=missing").await.len(), 1);
    let middle = matching[1]["created_at"].as_str().unwrap().replace('+', "%2B");
    assert_eq!(entries(&world, &format!("?before={middle}")).await.len(), 1);
    assert_eq!(entries(&world, &format!("?after={middle}")).await.len(), 3);
    assert_eq!(entries(&world, &format!("?after={middle}&order=ascending&limit=1")).await.len(), 1);
    let of_one = world.get(&format!("{SOURCE}/one/log?after={middle}")).await.expect(200);
    assert_eq!(of_one["data"].as_array().unwrap().len(), 2);
    let other = token(&world.engine, "org_other", None);
    let page = world.call_as(&other, http::Method::GET, LOG, None).await.expect(200);
    assert_eq!(page["data"], json!([]));
}
