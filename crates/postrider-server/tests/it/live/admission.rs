//! Who may read a stream.

use http::{Method, Request};
use postrider_server::ApplicationGrant;
use serde_json::json;

use super::{node::Node, page::Page};
use crate::world::application_id;

#[tokio::test]
async fn only_a_token_of_the_endpoint_opens_a_stream() {
    let node = Node::new(json!({})).await;
    let path = node.stream(json!({})).await;
    let (bare, token) = path.split_once("?token=").unwrap();
    let other = node.world.post(&node.path("endpoint"), json!({ "kind": "live" })).await.id();
    let of_api = &node.world.token;
    for (path, expected) in [
        (bare.to_owned(), 401),
        (format!("{bare}?token=nonsense"), 401),
        (format!("{bare}?token={of_api}"), 401),
        (format!("/live/{other}?token={token}"), 403),
        (format!("/live/nonsense?token={token}"), 403),
        (path.clone(), 200),
    ] {
        let page = Page::open(node.address, &path, &[]).await;
        assert_eq!(page.status, expected, "{path}");
    }
    let bearer = format!("Bearer {token}");
    let page = Page::open(node.address, bare, &[("authorization", &bearer)]).await;
    assert_eq!(page.status, 200);
    // A token of a reader is none for the API.
    let reply = node.world.call_as(token, Method::GET, &node.path("endpoint"), None).await;
    reply.expect(401);
}

#[tokio::test]
async fn tokens_are_created_for_live_endpoints_only_and_within_limits() {
    let node = Node::new(json!({})).await;
    let http = json!({ "url": "https://example.com/hook" });
    let http = node.world.post(&node.path("endpoint"), http).await.id();
    let path = node.path(&format!("endpoint/{http}/live-token"));
    node.world.post(&path, json!({})).await.expect(400);
    let path = node.endpoint_path("/live-token");
    for body in [
        json!({ "expiresIn": 0 }),
        json!({ "expiresIn": 604_801 }),
        json!({ "channels": [] }),
        json!({ "eventTypes": [] }),
        json!({ "channel": ["one"] }),
    ] {
        node.world.post(&path, body).await.expect(422);
    }
    let capabilities = Some([postrider::api::Capability::ViewBase].into());
    let grant = ApplicationGrant { capabilities, ..full(&node) };
    let token = node.world.own_token(grant);
    node.world.call_as(&token, Method::POST, &path, Some(&json!({}))).await.expect(403);
}

fn full(node: &Node) -> ApplicationGrant {
    ApplicationGrant::full(application_id(&node.application))
}

#[tokio::test]
async fn a_token_ends_with_the_token_that_created_it() {
    let node = Node::new(json!({ "heartbeat": "1s" })).await;
    let own = node.world.own_token(full(&node));
    let path = node.endpoint_path("/live-token");
    let created = node.world.call_as(&own, Method::POST, &path, Some(&json!({}))).await.expect(200);
    let url = created["url"].as_str().unwrap().strip_prefix("http://portal.example").unwrap();
    let page = Page::open(node.address, url, &[]).await;
    assert_eq!(page.status, 200);
    node.world.call_as(&own, Method::POST, "/api/v1/auth/logout", None).await.expect(204);
    assert_eq!(page.end().await, "token_revoked");
    assert_eq!(Page::open(node.address, url, &[]).await.status, 401);
}

#[tokio::test]
async fn pages_of_other_origins_need_permission() {
    let listed = json!({ "allowedOrigins": ["https://a.example", "http://localhost:5173"] });
    for (config, origin, expected) in [
        (json!({}), "https://a.example", None),
        (json!({}), "http://hooks.example", Some("-")),
        (listed.clone(), "https://a.example", Some("https://a.example")),
        (listed.clone(), "http://localhost:5173", Some("http://localhost:5173")),
        (listed, "https://b.example", None),
        (json!({ "allowedOrigins": ["*"] }), "https://b.example", Some("*")),
    ] {
        let node = Node::new(config.clone()).await;
        let path = node.stream(json!({})).await;
        let page = Page::open(node.address, &path, &[("origin", origin)]).await;
        let case = format!("{config} {origin}");
        let allowed =
            page.headers.get("access-control-allow-origin").map_or("-", |it| it.to_str().unwrap());
        assert!(!page.headers.contains_key("access-control-allow-credentials"), "{case}");
        match expected {
            Some(expected) => {
                assert_eq!((page.status.as_u16(), allowed), (200, expected), "{case}");
            },
            None => assert_eq!((page.status.as_u16(), allowed), (403, "-"), "{case}"),
        }
    }
}

#[tokio::test]
async fn a_preflight_request_is_answered() {
    let node = Node::new(json!({ "allowedOrigins": ["https://a.example"] })).await;
    let path = node.stream(json!({})).await;
    let (bare, _) = path.split_once('?').unwrap();
    for (path, origin, expected) in [
        (&*path, "https://a.example", "https://a.example"),
        (&*path, "https://b.example", "-"),
        // Without a token the endpoint is not known, and the request itself is checked.
        (bare, "https://b.example", "*"),
    ] {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(path)
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .body(axum::body::Body::empty());
        let reply = node.world.send(request.unwrap()).await;
        assert_eq!(reply.status, 204);
        let header = |name: &str| reply.headers.get(name).map_or("-", |it| it.to_str().unwrap());
        assert_eq!(header("access-control-allow-origin"), expected, "{path} {origin}");
        assert!(header("access-control-allow-headers").contains("last-event-id"));
    }
}
