//! Loops: endpoints with a URL of the server, and webhooks that return to it.

use http::{Method, Request};
use serde_json::json;

use crate::world::{Reply, World};

const OWN: &str = "http://portal.example/in/token";
const OTHER: &str = "http://receiver.example/hook";

/// A source that verifies nothing: its path, its application and its URL.
async fn source(world: &World) -> (String, String, String) {
    let source = json!({ "name": "open", "type": "generic-webhook" });
    let source = world.post("/ingest/api/v1/source", source).await.expect(201);
    let text = |name: &str| source[name].as_str().unwrap().to_owned();
    (format!("/ingest/api/v1/source/{}", text("id")), text("appId"), text("ingestUrl"))
}

#[track_caller]
fn is_refused(reply: &Reply) {
    assert_eq!(reply.status.as_u16(), 422, "{}", reply.text);
    assert!(reply.text.contains("is a URL of this server"), "{}", reply.text);
    assert!(reply.text.contains("`allow_own_urls`"), "{}", reply.text);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_with_a_url_of_the_server_is_refused() {
    let world = World::new();
    let (source, application, _) = source(&world).await;
    for path in [format!("/api/v1/app/{application}/endpoint"), format!("{source}/endpoint")] {
        is_refused(&world.post(&path, json!({ "url": OWN })).await);
        let id = world.post(&path, json!({ "url": OTHER })).await.id();
        let path = format!("{path}/{id}");
        is_refused(&world.put(&path, json!({ "url": OWN })).await);
        if path.starts_with("/api") {
            is_refused(&world.patch(&path, json!({ "url": OWN })).await);
        }
        assert_eq!(world.get(&path).await.expect(200)["url"], OTHER);
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_returns_too_often_is_refused_and_logged() {
    let world = World::new();
    let (source, application, url) = source(&world).await;
    world.post(&format!("/api/v1/app/{application}/endpoint"), json!({ "url": OTHER })).await.id();
    let url = url.strip_prefix("http://portal.example").unwrap();
    let mut hops = String::new();
    for (calls, expected) in [(1, 200), (2, 200), (3, 200), (3, 508)] {
        let request = Request::builder().method(Method::POST).uri(url);
        let request = request.header("postrider-hops", &hops).body("{}".into()).unwrap();
        let reply = world.send(request).await;
        assert_eq!(reply.status.as_u16(), expected, "{}", reply.text);
        let received = || world.receiver.calls.lock().unwrap().clone();
        while received().len() < calls {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        hops = received()[calls - 1].headers()["postrider-hops"].to_str().unwrap().to_owned();
    }
    let log = world
        .until(&format!("{source}/log"), |it| {
            it["data"].as_array().is_some_and(|it| !it.is_empty())
        })
        .await;
    assert_eq!(log["data"][0]["status_code"], 508);
    let reason = log["data"][0]["error_text"].as_str().unwrap();
    assert!(reason.contains("3 times (`limits.hops`)"), "{reason}");
}
