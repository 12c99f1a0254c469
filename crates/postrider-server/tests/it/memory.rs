//! The memory of requests and responses.

use std::{collections::BTreeSet, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use postrider::api::Capability;
use postrider_server::{ApplicationGrant, Limits, Settings};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{Reply, World, application_id, settings};

const MESSAGES: &str = "/api/v1/app/a/msg";

fn limits() -> Limits {
    Limits { max_payload: 1 << 20, request_memory: 16 << 20, ..settings().limits }
}

async fn world(limits: &Limits) -> World {
    let world = World::with(Settings { limits: *limits, ..settings() });
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

/// Publishes messages of this size.
async fn publish(world: &World, count: usize, bytes: usize) {
    for number in 0..count {
        let payload = json!({ "number": number, "text": "x".repeat(bytes) });
        let message = json!({ "eventType": "t", "payload": payload });
        world.post(MESSAGES, message).await.expect(202);
    }
}

/// A read-only token of the application's own.
async fn customer(world: &World) -> String {
    let id = world.get("/api/v1/app/a").await.id();
    world.own_token(ApplicationGrant {
        id: application_id(&id),
        capabilities: Some([Capability::ViewBase].into()),
        feature_flags: BTreeSet::new(),
        session: None,
        key: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_page_ends_at_a_size_and_the_iterator_continues() {
    let world = world(&Limits { page_bytes: 2 << 20, ..limits() }).await;
    publish(&world, 10, 400_000).await;
    let (mut pages, mut query) = (Vec::new(), "limit=250".to_owned());
    loop {
        let page = world.get(&format!("{MESSAGES}?{query}")).await.expect(200);
        let number = |it: &Value| it["payload"]["number"].as_u64().unwrap();
        pages.push(page["data"].as_array().unwrap().iter().map(number).collect::<Vec<_>>());
        if page["done"] == true {
            break;
        }
        query = format!("limit=250&iterator={}", page["iterator"].as_str().unwrap());
    }
    assert_eq!(pages, [vec![9, 8, 7, 6, 5, 4], vec![3, 2, 1, 0]]);
    // Without payloads, all of them are one page.
    let page = world.get(&format!("{MESSAGES}?limit=250&with_content=false")).await.expect(200);
    assert_eq!((page["data"].as_array().unwrap().len(), &page["done"]), (10, &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn unread_responses_take_no_more_than_a_callers_share() {
    let world = world(&Limits { page_bytes: 3 << 20, ..limits() }).await;
    publish(&world, 3, 1_000_000).await;
    let customer = customer(&world).await;
    let list = |token: &str| {
        let request = Request::get(MESSAGES).header("authorization", format!("Bearer {token}"));
        world.router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let mut unread = Vec::new();
    for _ in 0..10 {
        unread.push(list(&customer).await.unwrap());
    }
    let statuses: Vec<_> = unread.iter().map(|it| it.status().as_u16()).collect();
    // Half of the memory is 8 MiB: two pages of 3 MB, and one that ended early.
    assert_eq!(statuses, [200, 200, 200, 503, 503, 503, 503, 503, 503, 503]);
    assert_eq!(unread[9].headers()["retry-after"], "1");
    let refused = unread.pop().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&refused).contains("limits.request_memory"));
    // The others have half of the rest.
    assert_eq!(world.get(MESSAGES).await.status, 200);
    publish(&world, 1, 10).await;
    drop(unread);
    assert_eq!(list(&customer).await.unwrap().status(), 200);
}

/// A body of a message that arrives in parts, one each second.
#[derive(Clone, Copy)]
struct Parts {
    /// Bytes of each.
    bytes: usize,
    /// Those of a whole message.
    whole: usize,
    /// Those that arrive before nothing else does.
    arriving: usize,
}

impl Parts {
    async fn next(self, sent: usize) -> Option<(Result<Bytes, std::io::Error>, usize)> {
        if sent == self.whole {
            return None;
        }
        if sent == self.arriving {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begin = if sent == 0 { r#"{"eventType":"t","payload":{"x":""# } else { "" };
        let end = if sent + 1 == self.whole { r#""}}"# } else { "" };
        let filler = "x".repeat(self.bytes - begin.len() - end.len());
        Some((Ok(Bytes::from([begin, &filler, end].concat())), sent + 1))
    }

    async fn post(self, world: &World) -> Reply {
        let body = futures_util::stream::unfold(0, move |sent| self.next(sent));
        let request = Request::builder()
            .method(Method::POST)
            .uri(MESSAGES)
            .header("authorization", format!("Bearer {}", world.token))
            .body(Body::from_stream(body));
        world.send(request.unwrap()).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_read_as_long_as_bytes_arrive() {
    let limits = Limits { body_timeout: Duration::from_secs(5), ..limits() };
    let world = world(&Limits { min_transfer_rate: 1_000, ..limits }).await;
    // It takes a minute, at more than the least rate.
    let steady = Parts { bytes: 2_000, whole: 60, arriving: 60 };
    assert_eq!(steady.post(&world).await.status, 202);
    for slow in [Parts { bytes: 100, ..steady }, Parts { arriving: 3, ..steady }] {
        let reply = slow.post(&world).await;
        assert_eq!(reply.status, 408);
        assert!(reply.text.contains("limits.body_timeout"), "{}", reply.text);
    }
}
