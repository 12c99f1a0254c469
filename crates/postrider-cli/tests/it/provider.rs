//! A provider that posts signed events to a source, and retries unacknowledged ones.

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
use postrider::provider::{self, Settings, UnsignedRequest};
use serde_json::json;

use crate::server::{MAX_WAIT, Server};

const SECRET: &str = "whsec_test_of_what_stripe_signs_with";

/// A source of type Stripe, and Stripe itself.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// The application of the source.
    application: String,
    /// Path of the source's URL; the address changes when the server restarts.
    path: String,
    server: Arc<Mutex<String>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Status and headers, if there was a response.
pub(crate) type ProviderResponse = Option<(u16, HeaderMap)>;

impl Provider {
    /// Creates a source with an endpoint.
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

    /// Sets the address of the restarted server.
    pub(crate) fn follow(&self, server: &Server) {
        self.server.lock().unwrap().clone_from(&server.url);
    }

    /// Posts the event once, signed now.
    pub(crate) async fn post(&self, event_id: &str, about: &str) -> ProviderResponse {
        let url = format!("{}{}", self.server.lock().unwrap(), self.path);
        let body = json!({ "id": event_id, "type": "charge.succeeded", "data": about }).to_string();
        let settings = Settings::new([SECRET]);
        let draft = UnsignedRequest { url, body: body.into_bytes(), ..UnsignedRequest::default() };
        let stripe = provider::find("stripe").unwrap();
        let signed = provider::sign(stripe, &settings, draft, now()).unwrap();
        let mut request = Request::builder().method(signed.method.as_str()).uri(signed.url);
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(signed.body.into())).unwrap();
        let exchange = async {
            let response = self.client.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            // A response with a truncated body does not count.
            body.collect().await.ok()?;
            Some((parts.status.as_u16(), parts.headers))
        };
        tokio::time::timeout(MAX_WAIT, exchange)
            .await
            .expect("a server responds or closes the connection")
    }

    /// Posts the event until it is acknowledged, as providers do after 5xx or no response. Returns
    /// the number of requests.
    pub(crate) async fn deliver(&self, event_id: &str) -> usize {
        for times in 1.. {
            match self.post(event_id, "").await {
                Some((200..300, _)) => return times,
                Some((500.., _)) | None => tokio::time::sleep(Duration::from_millis(5)).await,
                Some((status, _)) => panic!("{event_id} got {status}"),
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
