//! Webhooks that return to their server.

use http::{Method, Request};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::{
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::{MAX_WAIT, Server, until_async},
};

/// How often a webhook may pass through one server (`limits.hops`).
const HOPS: usize = 3;

/// A source that verifies nothing, with its own application.
struct Source<'a> {
    server: &'a Server,
    url: String,
    application: String,
}

impl<'a> Source<'a> {
    async fn new(server: &'a Server) -> Self {
        let source = json!({ "name": "open", "type": "generic-webhook" });
        let source = server.ingest("/source", source).await;
        let text = |name: &str| source[name].as_str().unwrap().to_owned();
        Self { server, url: text("ingestUrl"), application: text("appId") }
    }

    /// Creates an endpoint with this URL; status and body of the response.
    async fn add_endpoint(&self, url: &str) -> (u16, Value) {
        let path = format!("/app/{}/endpoint", self.application);
        self.server.call(Method::POST, &path, Some(json!({ "url": url }))).await.unwrap()
    }

    async fn receive(&self) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::post(&self.url).body(Full::<bytes::Bytes>::from("{}")).unwrap();
        let response = tokio::time::timeout(MAX_WAIT, client.request(request)).await;
        assert!(response.unwrap().unwrap().status().is_success());
    }

    /// Waits until an attempt was refused as a loop, and counts the messages.
    async fn messages_at_the_end(&self) -> usize {
        let path = format!("/app/{}/endpoint", self.application);
        let endpoints = self.server.get(&path).await;
        let endpoint = endpoints["data"][0]["id"].as_str().unwrap();
        let path = format!("/app/{}/attempt/endpoint/{endpoint}", self.application);
        until_async(
            async || self.server.get(&path).await,
            |it| {
                let attempts = it["data"].as_array().unwrap();
                attempts.iter().any(|it| it["responseStatusCode"] == 508)
            },
        )
        .await;
        self.messages().await
    }

    async fn messages(&self) -> usize {
        let messages = self.server.get(&format!("/app/{}/msg?limit=250", self.application)).await;
        messages["data"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn an_endpoint_cannot_have_a_url_of_its_own_server() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    let source = Source::new(&server).await;
    let other_name = source.url.replace("127.0.0.1", "127.0.0.2");
    let attack = async {
        for url in [&source.url, &other_name] {
            let (status, answer) = source.add_endpoint(url).await;
            assert_eq!(status, 422, "{url}");
            assert!(answer.to_string().contains("is a URL of this server"), "{answer}");
        }
        source.receive().await;
    };
    neighbour.endures(attack).await;
    assert_eq!(source.messages().await, 1);
}

#[tokio::test]
async fn a_loop_ends_after_a_few_rounds() {
    let server = Server::with_variables(&[("POSTRIDER_ALLOW_OWN_URLS", "true")]);
    let neighbour = Neighbour::of(&server).await;
    let growth = Growth::of(&server);
    let source = Source::new(&server).await;
    assert_eq!(source.add_endpoint(&source.url).await.0, 201);
    let count = neighbour
        .endures(async {
            source.receive().await;
            source.messages_at_the_end().await
        })
        .await;
    assert_eq!(count, HOPS);
    growth.is_below(64 * MIB);
}

#[tokio::test]
async fn a_loop_through_two_servers_ends() {
    let servers = [Server::start(), Server::start()];
    let neighbour = Neighbour::of(&servers[0]).await;
    let [first, second] = [Source::new(&servers[0]).await, Source::new(&servers[1]).await];
    assert_eq!(first.add_endpoint(&second.url).await.0, 201);
    assert_eq!(second.add_endpoint(&first.url).await.0, 201);
    let last = neighbour
        .endures(async {
            first.receive().await;
            second.messages_at_the_end().await
        })
        .await;
    assert_eq!((first.messages().await, last), (HOPS, HOPS));
}
