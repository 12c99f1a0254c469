//! A provider that posts signed events to a source, and repeats what was not acknowledged.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use postrider::provider::{self, Draft, Settings};
use serde_json::json;

use crate::server::{PATIENCE, Server};

const SECRET: &str = "whsec_test_of_what_stripe_signs_with";

/// A source that Stripe posts to, and Stripe.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// Whose messages the events become.
    application: String,
    /// Behind the server's address, which changes when it starts again.
    path: String,
    server: Arc<Mutex<String>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Status and headers, if there was an answer at all.
pub(crate) type Answer = Option<(u16, HeaderMap)>;

impl Provider {
    /// Makes a source, with an endpoint for what it receives.
    pub(crate) async fn of(server: &Server, endpoint: &str) -> Self {
        let ask = json!({ "name": "Payments", "type": "stripe", "config": { "secret": SECRET } });
        let source = server.ingest("/source", ask).await;
        let text = |name: &str| source[name].as_str().unwrap().to_owned();
        let path = text("ingestUrl");
        let path = path.split_once("/in/").unwrap().1;
        let endpoints = format!("/source/{}/endpoint", text("id"));
        server.ingest(&endpoints, json!({ "url": endpoint })).await;
        Self {
            application: text("appId"),
            path: format!("/in/{path}"),
            server: Arc::new(Mutex::new(server.url.clone())),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// From now on the server is there.
    pub(crate) fn follow(&self, server: &Server) {
        self.server.lock().unwrap().clone_from(&server.url);
    }

    /// Posts the event once, signed now.
    pub(crate) async fn post(&self, event_id: &str, about: &str) -> Answer {
        let url = format!("{}{}", self.server.lock().unwrap(), self.path);
        let body = json!({ "id": event_id, "type": "charge.succeeded", "data": about }).to_string();
        let settings = Settings::new([SECRET]);
        let draft = Draft { url, body: body.into_bytes(), ..Draft::default() };
        let stripe = provider::find("stripe").unwrap();
        let signed = provider::sign(stripe, &settings, draft, now()).unwrap();
        let mut request = Request::builder().method(signed.method.as_str()).uri(signed.url);
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(signed.body.into())).unwrap();
        let answer = async {
            let response = self.client.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            // What ends in the middle of its body is no answer.
            body.collect().await.ok()?;
            Some((parts.status.as_u16(), parts.headers))
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("a server answers, or is gone")
    }

    /// Posts the event again and again until it is acknowledged, as providers do after a 5xx
    /// and where there was no answer. How often.
    pub(crate) async fn deliver(&self, event_id: &str) -> usize {
        for times in 1.. {
            match self.post(event_id, "").await {
                Some((200..300, _)) => return times,
                Some((500.., _)) | None => tokio::time::sleep(Duration::from_millis(5)).await,
                Some((status, _)) => panic!("{event_id} was answered with {status}"),
            }
        }
        unreachable!("it tries without end")
    }

    /// The event ids of all messages of the source.
    pub(crate) async fn messages(&self, server: &Server) -> Vec<String> {
        let mut event_ids = Vec::new();
        let mut next = String::new();
        loop {
            let path = format!("/app/{}/msg?limit=250{next}", self.application);
            let page = server.get(&path).await;
            let ids = page["data"].as_array().unwrap().iter();
            event_ids.extend(ids.map(|it| it["eventId"].as_str().unwrap_or_default().to_owned()));
            match page["iterator"].as_str().filter(|_| page["done"] == false) {
                Some(iterator) => next = format!("&iterator={iterator}"),
                None => return event_ids,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a provider has its own clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
