//! A node with an application and a `live` endpoint, served over TCP.

use std::{net::SocketAddr, time::Duration};

use postrider_server::{Limits, Server, Serving, Settings, serve};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::page::{Page, SOON};
use crate::world::{World, settings};

/// A node with an application and a `live` endpoint.
pub(super) struct Node {
    pub(super) world: World,
    pub(super) address: SocketAddr,
    pub(super) application: String,
    pub(super) endpoint: String,
    limits: Limits,
    stop: CancellationToken,
    tasks: JoinSet<std::io::Result<()>>,
}

impl Node {
    /// A node whose endpoint has this configuration.
    pub(super) async fn new(config: Value) -> Self {
        Self::with(config, Limits::default()).await
    }

    #[expect(clippy::large_types_passed_by_value, reason = "it is one test")]
    pub(super) async fn with(config: Value, limits: Limits) -> Self {
        let world = World::with(Settings { limits, ..settings() });
        world.event_types(&["user.created", "user.deleted"]).await;
        let created = world.post("/api/v1/app", json!({ "name": "A" })).await;
        let application = created.id();
        let endpoint = json!({ "kind": "live", "config": config });
        let created = world.post(&format!("/api/v1/app/{application}/endpoint"), endpoint).await;
        let endpoint = created.id();
        let mut node = Self {
            world,
            address: ([127, 0, 0, 1], 0).into(),
            application,
            endpoint,
            limits,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        node.serve(node.world.router.clone()).await;
        node
    }

    async fn serve(&mut self, router: axum::Router) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.address = listener.local_addr().unwrap();
        let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let serving = Serving {
            limits: self.limits,
            trusted_proxies,
            tls: None,
            draining: CancellationToken::new(),
            threads: Vec::new(),
        };
        self.tasks.spawn(serve(listener, router, serving, self.stop.clone()));
    }

    /// Shuts the server down, and starts another one over the same engine.
    pub(super) async fn restart(&mut self) {
        self.shut_down().await;
        self.stop = CancellationToken::new();
        let settings = Settings { limits: self.limits, ..settings() };
        let server = Server::new(self.world.engine.clone(), settings);
        self.serve(server.router()).await;
    }

    pub(super) async fn shut_down(&mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(SOON, self.tasks.join_next()).await;
        ended.expect("the server shuts down").unwrap().unwrap().unwrap();
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/api/v1/app/{}/{rest}", self.application)
    }

    pub(super) fn endpoint_path(&self, rest: &str) -> String {
        self.path(&format!("endpoint/{}{rest}", self.endpoint))
    }

    /// Publishes a message with this value in its payload, and returns its id.
    pub(super) async fn publish(&self, value: Value) -> String {
        let payload = json!({ "value": value });
        self.publish_with(json!({ "eventType": "user.created", "payload": payload })).await
    }

    pub(super) async fn publish_with(&self, message: Value) -> String {
        let created = self.world.post(&self.path("msg"), message).await;
        let id = created.id();
        created.expect(202);
        id
    }

    /// Waits until the message has been delivered.
    pub(super) async fn delivered(&self, message: &str) -> Value {
        let path = self.path(&format!("attempt/msg/{message}"));
        self.world.until(&path, |page| page["data"][0]["status"] == 0).await["data"][0].clone()
    }

    /// The path of the stream, with a new token.
    pub(super) async fn stream(&self, token: Value) -> String {
        let created = self.world.post(&self.endpoint_path("/live-token"), token).await.expect(200);
        let url = created["url"].as_str().unwrap().to_owned();
        url.strip_prefix("http://portal.example").unwrap().to_owned()
    }

    /// A page that reads from now on.
    pub(super) async fn page(&self) -> Page {
        self.page_with(json!({}), &[]).await
    }

    /// A page that goes on after an event.
    pub(super) async fn page_after(&self, last_event_id: &str) -> Page {
        self.page_with(json!({}), &[("last-event-id", last_event_id)]).await
    }

    pub(super) async fn page_with(&self, token: Value, headers: &[(&str, &str)]) -> Page {
        Page::open(self.address, &self.stream(token).await, headers).await
    }

    /// Waits until the server has this number of readers.
    pub(super) async fn readers(&self, count: usize) {
        let line = format!("postrider_live_readers {count}");
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let metrics = self.world.metrics().await;
            if metrics.lines().any(|it| it == line) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "not {line}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
