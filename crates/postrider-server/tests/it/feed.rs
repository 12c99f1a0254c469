//! The feed of an organization.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::{Method, Request};
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{OPERATOR, World, application_id, token};

/// A reader of a feed.
struct Feed {
    body: BodyDataStream,
    text: String,
}

/// An entry of a feed.
#[derive(Debug)]
struct Entry {
    id: String,
    event: String,
    data: Value,
}

impl Feed {
    async fn open(world: &World, token: &str, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(format!("/api/v1/live{query}"))
            .header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next entry, without comments and notes to the client.
    async fn next(&mut self) -> Entry {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                if !field("event:").is_empty() {
                    let data = serde_json::from_str(&field("data:")).unwrap();
                    return Entry { id: field("id:"), event: field("event:"), data };
                }
            }
            let bytes = tokio::time::timeout(Duration::from_secs(60), self.body.next()).await;
            let bytes = bytes.expect("an entry comes").expect("the stream goes on").unwrap();
            self.text.push_str(str::from_utf8(&bytes).unwrap());
        }
    }
}

async fn world() -> World {
    let world = World::new();
    for uid in ["a", "b"] {
        world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.expect(201);
        let endpoint = json!({ "url": format!("https://{uid}.example.com/"), "uid": "e" });
        world.post(&format!("/api/v1/app/{uid}/endpoint"), endpoint).await.expect(201);
    }
    world
}

async fn publish(world: &World, app: &str, event_type: &str) -> String {
    let message = json!({ "eventType": event_type, "payload": { "secret": 1 } });
    world.post(&format!("/api/v1/app/{app}/msg"), message).await.id()
}

#[tokio::test(start_paused = true)]
async fn messages_and_attempts_appear_as_they_happen() {
    let world = world().await;
    let mut feed = Feed::open(&world, &world.token, "", None).await;
    let id = publish(&world, "a", "x").await;
    let message = feed.next().await;
    assert_eq!((message.event.as_str(), message.id.as_str()), ("message", id.as_str()));
    assert_eq!(
        (&message.data["msg"]["eventType"], &message.data["msg"]["payload"]),
        (&json!("x"), &json!({}))
    );
    let attempt = feed.next().await;
    assert_eq!(attempt.event, "attempt");
    assert_eq!(attempt.data["attempt"]["msgId"], id.as_str());
    assert_eq!(attempt.data["attempt"]["responseStatusCode"], 200);
    let second = publish(&world, "b", "y").await;
    assert_eq!(feed.next().await.id, second);
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_what_it_asks_for() {
    let world = world().await;
    let mut failed = Feed::open(&world, &world.token, "?kinds=attempt&status=2", None).await;
    let mut types = Feed::open(&world, &world.token, "?kinds=message&event_types=y", None).await;
    let a = application_id(&world.get("/api/v1/app/a").await.id());
    let own = world.own_token(ApplicationGrant::full(a));
    let mut of_b = Feed::open(&world, &world.token, "?app_id=b&endpoint_id=e", None).await;
    let mut of_a = Feed::open(&world, &own, "", None).await;
    let first = publish(&world, "b", "x").await;
    world.until("/api/v1/attempt", |it| it["data"].as_array().unwrap().len() == 1).await;
    world.receiver.answer(500);
    let second = publish(&world, "a", "y").await;
    assert_eq!(failed.next().await.data["attempt"]["msgId"], second.as_str());
    assert_eq!(types.next().await.id, second);
    assert_eq!(of_b.next().await.data["attempt"]["msgId"], first.as_str());
    assert_eq!(of_a.next().await.id, second);
    for query in ["?kinds=unknown", "?status=1", "?endpoint_id=e", "?unknown=1"] {
        world.get(&format!("/api/v1/live{query}")).await.expect(422);
    }
    let path = "/api/v1/live?app_id=b";
    world.call_as(&own, Method::GET, path, None).await.expect(404);
    world.call_as("nothing", Method::GET, "/api/v1/live", None).await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_back_gets_what_it_missed() {
    let world = world().await;
    let query = "?kinds=message";
    let mut feed = Feed::open(&world, &world.token, query, None).await;
    let first = publish(&world, "a", "x").await;
    assert_eq!(feed.next().await.id, first);
    drop(feed);
    let second = publish(&world, "a", "x").await;
    // From the window of this node.
    let mut feed = Feed::open(&world, &world.token, query, Some(&first)).await;
    assert_eq!(feed.next().await.id, second);
    drop(feed);
    // Without a window: from the store.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let third = publish(&world, "a", "x").await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let mut feed = Feed::open(&world, &world.token, query, Some(&second)).await;
    let mut next = feed.next().await.id;
    while next == first {
        // What is about as old as the last entry may come again.
        next = feed.next().await.id;
    }
    assert_eq!(next, third);
    let fourth = publish(&world, "a", "x").await;
    assert_eq!(feed.next().await.id, fourth);
}

#[tokio::test(start_paused = true)]
async fn changes_of_endpoints_appear_if_somebody_receives_operational_webhooks() {
    let world = world().await;
    let operator = token(&world.engine, OPERATOR, None);
    let listener = json!({ "name": "listener", "uid": "org_test" });
    let path = "/api/v1/app";
    world.call_as(&operator, Method::POST, path, Some(&listener)).await.expect(201);
    let mut feed = Feed::open(&world, &world.token, "?kinds=state", None).await;
    world.patch("/api/v1/app/a/endpoint/e", json!({ "disabled": true })).await.expect(200);
    let state = loop {
        let entry = feed.next().await;
        if entry.data["eventType"] == "endpoint.disabled" {
            break entry;
        }
    };
    assert_eq!(state.event, "state");
    assert_eq!(state.data["data"]["trigger"], "manual");
    assert_eq!(state.data["endpointId"], world.get("/api/v1/app/a/endpoint/e").await.id());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_token_was_revoked() {
    let world = world().await;
    let a = application_id(&world.get("/api/v1/app/a").await.id());
    let own = world.own_token(ApplicationGrant::full(a));
    let mut feed = Feed::open(&world, &own, "", None).await;
    world.call_as(&own, Method::POST, "/api/v1/auth/logout", None).await.expect(204);
    let end = feed.next().await;
    assert_eq!((end.event.as_str(), &end.data["reason"]), ("end", &json!("token_revoked")));
}
