//! Listeners that read their requests as Server-Sent Events.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::{StreamExt, future::join};
use http::{Method, Request};
use postrider_server::ApplicationGrant;
use serde_json::Value;
use tower::ServiceExt;

use crate::world::{World, application_id};

const PATH: &str = "/api/v1/listen/requests?key=0123456789abcdef";

/// A listener.
struct Listener {
    body: BodyDataStream,
    text: String,
}

impl Listener {
    async fn open(world: &World, query: &str) -> Self {
        let request = Request::get(format!("{PATH}{query}"))
            .header("authorization", format!("Bearer {}", world.token))
            .body(Body::empty());
        let response = world.router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event with its data; none after the last one.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|it| it.strip_prefix(name));
                let Some(name) = field("event: ") else { continue };
                let data = serde_json::from_str(field("data: ").unwrap()).unwrap();
                return Some((name.to_owned(), data));
            }
            let bytes = tokio::time::timeout(Duration::from_secs(60), self.body.next()).await;
            let bytes = bytes.expect("an event comes")?.unwrap();
            self.text.push_str(str::from_utf8(&bytes).unwrap());
        }
    }

    /// The path of the URL that the listener receives requests at.
    async fn path(&mut self) -> String {
        let (name, data) = self.next().await.unwrap();
        assert_eq!(name, "start");
        let url = data["data"]["url"].as_str().unwrap();
        format!("/api/{}", url.split_once("/api/").unwrap().1)
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_sees_requests_and_chooses_the_response() {
    let world = World::new();
    let mut listener =
        Listener::open(&world, "&status=503&content_type=text/plain&body=busy").await;
    let path = listener.path().await;
    let request = Request::post(format!("{path}orders?a=1")).header("x-own", "1").body("{}".into());
    let (reply, event) = join(world.send(request.unwrap()), listener.next()).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (503, "busy"));
    assert_eq!(reply.headers["content-type"], "text/plain");
    let (name, data) = event.unwrap();
    assert_eq!(name, "request");
    let request = &data["data"];
    assert_eq!((&request["method"], &request["target"]), (&"POST".into(), &"orders?a=1".into()));
    assert_eq!((&request["headers"]["x-own"], &request["body"]), (&"1".into(), &"e30=".into()));
}

#[tokio::test(start_paused = true)]
async fn the_last_listener_with_a_key_receives_its_requests() {
    let world = World::new();
    let mut first = Listener::open(&world, "").await;
    let path = first.path().await;
    let mut second = Listener::open(&world, "").await;
    assert_eq!(second.path().await, path);
    let (name, data) = first.next().await.unwrap();
    assert_eq!((name.as_str(), &data["reason"]), ("end", &"replaced".into()));
    assert_eq!(first.next().await, None);
    drop(first);
    let request = || Request::post(&path).body(Body::empty()).unwrap();
    let (reply, event) = join(world.send(request()), second.next()).await;
    assert_eq!((reply.status.as_u16(), event.unwrap().0.as_str()), (200, "request"));
    drop(second);
    assert_ne!(world.send(request()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn only_operators_of_the_organization_listen_in_this_way() {
    let world = World::new();
    for query in ["&status=302", "&status=x", "&unknown=1", "&content_type=%0a"] {
        world.get(&format!("{PATH}{query}")).await.expect(422);
    }
    world.get("/api/v1/listen/requests?key=short").await.expect(422);
    world.get("/api/v1/listen/requests").await.expect(422);
    world.call_as("nothing", Method::GET, PATH, None).await.expect(401);
    let app = world.post("/api/v1/app", serde_json::json!({ "name": "a" })).await.id();
    let own = world.own_token(ApplicationGrant::full(application_id(&app)));
    world.call_as(&own, Method::GET, PATH, None).await.expect(403);
}
