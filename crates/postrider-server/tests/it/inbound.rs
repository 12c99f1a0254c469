//! What providers post to the URLs of sources.

use std::{collections::BTreeMap, time::Duration};

use axum::body::Body;
use http::{Method, Request};
use postrider::SourceId;
use postrider_core::catalog::{SealedSecret, Source, SourceSecret};
use postrider_store::Record;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{ORGANIZATION, Reply, World, application_id};

const TOKEN: &str = "a0token0of0a0source0for0tests";

/// A source of an application, in a server.
struct Receiving {
    world: World,
    application: String,
    source: Source,
}

fn seal(world: &World, text: &str) -> SealedSecret {
    world.engine.vault().seal_text(text, [9; 24])
}

async fn receiving(change: impl FnOnce(&World, &mut Source)) -> Receiving {
    let world = World::new();
    let application = world.post("/api/v1/app", json!({ "name": "A" })).await.id();
    let now = world.engine.clock().now();
    let mut source = Source {
        id: world.engine.clock().source_id(),
        organization: ORGANIZATION.parse().unwrap(),
        application: application_id(&application),
        owns_application: false,
        uid: None,
        name: "A".to_owned(),
        kind: "generic-webhook".to_owned(),
        provider: "generic".to_owned(),
        model: None,
        is_open: true,
        disabled: false,
        metadata: BTreeMap::new(),
        token: seal(&world, TOKEN),
        token_digest: Sha256::digest(TOKEN).into(),
        secrets: Vec::new(),
        parameters: BTreeMap::new(),
        public_url: None,
        response: None,
        dedupe_window: Duration::from_secs(7 * 24 * 60 * 60),
        dedupe_by_body: false,
        tolerance: None,
        max_body: None,
        forward_headers: None,
        created_at: now,
        updated_at: now,
    };
    change(&world, &mut source);
    let record = Record::Source(Box::new(source.clone()));
    world.engine.store().save(record, true).await.unwrap();
    Receiving { world, application, source }
}

impl Receiving {
    async fn change(&mut self, change: impl FnOnce(&World, &mut Source)) {
        change(&self.world, &mut self.source);
        let record = Record::Source(Box::new(self.source.clone()));
        self.world.engine.store().save(record, false).await.unwrap();
        self.world.engine.changed(self.source.application).await.unwrap();
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Reply {
        self.world.send(request.body(body.into()).unwrap()).await
    }

    async fn post(&self, body: impl Into<Body>) -> Reply {
        self.send(Request::post(format!("/in/{TOKEN}")), body).await
    }

    async fn messages(&self) -> Vec<Value> {
        let path = format!("/api/v1/app/{}/msg", self.application);
        self.world.get(&path).await.expect(200)["data"].as_array().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_open_source_gets_becomes_a_message() {
    let receiving = receiving(|_, _| {}).await;
    assert_eq!(receiving.post("hello").await.status, 200);
    let slashed = Request::post(format!("/in/{TOKEN}/?a=b")).header("content-type", "text/plain");
    assert_eq!(receiving.send(slashed, "again").await.status, 200);
    let messages = receiving.messages().await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["eventType"], "webhook");
    assert_eq!(messages[0]["tags"], json!([receiving.source.id.to_string()]));
}

#[tokio::test(start_paused = true)]
async fn tokens_that_lead_nowhere_and_disabled_sources_are_not_found() {
    let mut receiving = receiving(|_, _| {}).await;
    for path in ["/in/other", "/in/other/", "/in/a%20b", "/in/", &format!("/in/{TOKEN}/x")] {
        assert_eq!(receiving.send(Request::post(path), "x").await.status, 404, "{path}");
    }
    assert_eq!(receiving.post("x").await.status, 200);
    receiving.change(|_, source| source.disabled = true).await;
    assert_eq!(receiving.post("x").await.status, 404);
    receiving
        .change(|_, source| {
            source.disabled = false;
            source.token_digest = Sha256::digest("another").into();
        })
        .await;
    assert_eq!(receiving.post("x").await.status, 404);
    assert_eq!(receiving.send(Request::post("/in/another"), "x").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_not_allowed() {
    let receiving = receiving(|_, _| {}).await;
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE] {
        let request = Request::builder().method(method).uri(format!("/in/{TOKEN}"));
        let reply = receiving.send(request, Body::empty()).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["allow"]),
            (405, &"POST".parse().unwrap())
        );
    }
    assert!(receiving.messages().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn bodies_beyond_the_limit_are_refused_however_they_are_announced() {
    let receiving = receiving(|_, source| source.max_body = Some(1_000)).await;
    assert_eq!(receiving.post("x".repeat(1_000)).await.status, 200);
    assert_eq!(receiving.post("x".repeat(1_001)).await.status, 413);
    let parts = [0, 1].map(|_| Ok::<_, std::io::Error>("x".repeat(600)));
    let chunked = Body::from_stream(futures_util::stream::iter(parts));
    assert_eq!(receiving.post(chunked).await.status, 413);
    assert_eq!(receiving.messages().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_chosen_response_takes_the_place_of_the_providers() {
    let receiving = receiving(|_, source| {
        source.response = Some(postrider_core::catalog::SourceResponse {
            status: 202,
            headers: BTreeMap::from([("x-own".to_owned(), "1".to_owned())]),
            body: "thanks".to_owned(),
        });
    })
    .await;
    let reply = receiving.post("x").await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (202, "thanks"));
    assert_eq!(reply.headers["x-own"], "1");
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_is_kept_for_inspection_and_never_delivered() {
    let receiving = receiving(|world, source| {
        source.is_open = false;
        source.model = Some("{}".to_owned());
        source.secrets = vec![SourceSecret { secret: seal(world, "s"), until: None }];
    })
    .await;
    let request = Request::post(format!("/in/{TOKEN}?a=b"))
        .header("authorization", "Bearer x")
        .header("x-seen", "1");
    assert_eq!(receiving.send(request, "bad").await.status, 401);
    let rejections = kept(&receiving, 1).await;
    assert_eq!((rejections[0].status, rejections[0].method.as_str()), (401, "POST"));
    assert_eq!(rejections[0].target, "/in/?a=b");
    assert_eq!(rejections[0].headers, [("x-seen".to_owned(), "1".to_owned())]);
    assert_eq!(rejections[0].body, "bad");
    assert!(receiving.messages().await.is_empty());
}

/// The rejections of the source, once there are so many.
async fn kept(receiving: &Receiving, count: usize) -> Vec<postrider_core::message::Rejection> {
    let id: SourceId = receiving.source.id;
    for _ in 0..1_000 {
        let scan = postrider_store::Scan { after: None, ascending: true, limit: 100 };
        let found = receiving.world.engine.store().rejections(id, scan).await.unwrap();
        if found.items.len() >= count {
            return found.items;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("there never were {count} rejections");
}
