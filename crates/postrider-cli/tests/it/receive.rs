//! Receiving webhooks with the real binary: signatures, repetitions, handshakes and slow requests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use postrider::provider::{self, Settings, UnsignedRequest};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    receiver::Receiver,
    server::{MAX_WAIT, Server, until_async},
};

const SECRET: &str = "whsec_of_stripe";

/// A server with a source.
struct Source {
    server: Server,
    id: String,
    application: String,
    url: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Source {
    async fn of(kind: &str, more: Value) -> Self {
        Self::with(kind, more, &[]).await
    }

    async fn with(kind: &str, more: Value, variables: &[(&'static str, &str)]) -> Self {
        let server = Server::with_variables(variables);
        let mut ask = json!({ "name": "A source", "type": kind });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let source = server.ingest("/source", ask).await;
        let text = |name: &str| source[name].as_str().unwrap().to_owned();
        let (id, application, url) = (text("id"), text("appId"), text("ingestUrl"));
        Self { server, id, application, url }
    }

    /// A source of type Stripe that forwards its events to this URL.
    async fn stripe(more: Value, forward: &str) -> Self {
        let mut ask = json!({ "secrets": [{ "key": SECRET }] });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let source = Self::of("stripe", ask).await;
        let path = format!("/source/{}/endpoint", source.id);
        source.server.ingest(&path, json!({ "url": forward })).await;
        source
    }

    async fn messages(&self) -> Vec<Value> {
        let path = format!("/app/{}/msg", self.application);
        self.server.get(&path).await["data"].as_array().unwrap().clone()
    }

    /// Waits for this number of rejected requests and returns them.
    async fn log(&self, count: usize) -> Vec<Value> {
        let path = format!("/ingest/api/v1/source/{}/log", self.id);
        let read = async || self.call(Method::GET, &path).await;
        let is_enough = |it: &Value| it["data"].as_array().is_some_and(|it| it.len() >= count);
        until_async(read, is_enough).await["data"].as_array().unwrap().clone()
    }

    async fn call(&self, method: Method, path: &str) -> Value {
        let token = format!("Bearer {}", self.server.token);
        let request = Request::builder().method(method).uri(format!("{}{path}", self.server.url));
        let reply = send(request.header("authorization", token), "").await;
        serde_json::from_str(&reply.text).unwrap()
    }
}

pub(crate) async fn send(request: http::request::Builder, body: impl Into<Bytes>) -> Reply {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let sent = client.request(request.body(Full::new(body.into())).unwrap());
    let response = tokio::time::timeout(MAX_WAIT, sent).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text }
}

/// Posts a genuine request of a provider.
#[expect(clippy::disallowed_methods, reason = "a provider has its own clock")]
pub(crate) fn signed(
    id: &str,
    secret: &str,
    url: &str,
    body: &str,
) -> (http::request::Builder, Vec<u8>) {
    let provider = provider::find(id).unwrap();
    let draft =
        UnsignedRequest { url: url.to_owned(), body: body.into(), ..UnsignedRequest::default() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let signed = provider::sign(provider, &Settings::new([secret]), draft, now).unwrap();
    let mut request = Request::builder().method(signed.method.as_str()).uri(signed.url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    (request, signed.body)
}

async fn post(source: &Source, provider: &str, secret: &str, body: &str) -> Reply {
    let (request, body) = signed(provider, secret, &source.url, body);
    send(request, body).await
}

fn event(id: &str) -> String {
    format!("{{\"id\": \"{id}\",\n \"type\":\"invoice.paid\"}}")
}

#[tokio::test]
async fn a_signed_event_is_verified_stored_and_forwarded_once_byte_for_byte() {
    let receiver = Receiver::start().await;
    let source = Source::stripe(json!({}), &receiver.url("hook")).await;
    let reply = post(&source, "stripe", SECRET, &event("evt_1")).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    let calls = receiver.until("hook", |calls| !calls.is_empty()).await;
    assert_eq!(calls[0].body, event("evt_1"));
    assert_eq!(calls[0].header("postrider-source"), source.id);
    assert_eq!(calls[0].header("postrider-event-id"), "evt_1");
    assert!(calls[0].header("content-type").starts_with("application/json"));
    assert!(calls[0].header("stripe-signature").is_empty());

    let again = event("evt_1");
    let posts = (0..8).map(|_| post(&source, "stripe", SECRET, &again));
    for reply in futures_util::future::join_all(posts).await {
        assert_eq!(reply.status, 200);
    }
    assert_eq!(post(&source, "stripe", SECRET, &event("evt_2")).await.status, 200);
    let calls = receiver.until("hook", |calls| calls.len() >= 2).await;
    assert_eq!(calls[1].header("postrider-event-id"), "evt_2");
    assert_eq!(source.messages().await.len(), 2);
    assert!(calls.len() == 2);
}

#[tokio::test]
async fn a_tampered_event_is_rejected_listed_and_not_forwarded() {
    let receiver = Receiver::start().await;
    let source = Source::stripe(json!({}), &receiver.url("hook")).await;
    let (request, mut body) = signed("stripe", SECRET, &source.url, &event("evt_1"));
    body[10] ^= 1;
    let reply = send(request, body).await;
    assert_eq!((reply.status, reply.text.as_str()), (401, ""));
    assert_eq!(post(&source, "stripe", "whsec_of_another", &event("evt_1")).await.status, 401);
    let log = source.log(2).await;
    assert!(log.iter().all(|it| it["status_code"] == 401), "{log:?}");
    assert!(log.iter().all(|it| it["error_text"] == "no signature matches"), "{log:?}");
    assert_eq!(post(&source, "stripe", SECRET, &event("evt_2")).await.status, 200);
    let calls = receiver.until("hook", |calls| !calls.is_empty()).await;
    assert_eq!((calls.len(), source.messages().await.len()), (1, 1));
}

#[tokio::test]
async fn a_repeated_event_is_accepted_again_after_the_deduplication_window() {
    let receiver = Receiver::start().await;
    let more = json!({ "dedupeWindowSeconds": 2 });
    let source = Source::stripe(more, &receiver.url("hook")).await;
    for _ in 0..3 {
        assert_eq!(post(&source, "stripe", SECRET, &event("evt_1")).await.status, 200);
    }
    assert_eq!(source.messages().await.len(), 1);
    let again = async || {
        assert_eq!(post(&source, "stripe", SECRET, &event("evt_1")).await.status, 200);
        Value::from(source.messages().await)
    };
    until_async(again, |it| it.as_array().unwrap().len() == 2).await;
}

#[tokio::test]
async fn an_old_token_is_rejected_immediately_and_an_old_secret_after_the_grace_period() {
    let receiver = Receiver::start().await;
    let mut source = Source::stripe(json!({}), &receiver.url("hook")).await;
    let rotate = format!("/source/{}/secret/rotate", source.id);
    let new = json!({ "secret": "whsec_new", "gracePeriodSeconds": 3_600 });
    source.server.ingest(&rotate, new).await;
    for (number, secret) in [SECRET, "whsec_new"].into_iter().enumerate() {
        let event = event(&format!("evt_{number}"));
        assert_eq!(post(&source, "stripe", secret, &event).await.status, 200, "{secret}");
    }
    let path = format!("/source/{}/token/rotate", source.id);
    let rotated = source.server.ingest(&path, json!({})).await;
    assert_eq!(post(&source, "stripe", "whsec_new", &event("evt_3")).await.status, 404);
    rotated["ingestUrl"].as_str().unwrap().clone_into(&mut source.url);
    assert_eq!(post(&source, "stripe", "whsec_new", &event("evt_3")).await.status, 200);
}

#[tokio::test]
async fn handshakes_of_providers_get_the_expected_response() {
    let slack = Source::of("slack", json!({ "secrets": [{ "key": "s" }] })).await;
    let question = r#"{"type": "url_verification", "challenge": "abc"}"#;
    let reply = post(&slack, "slack", "s", question).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, r#"{"challenge":"abc"}"#));
    assert_eq!(reply.headers["content-type"], "application/json");

    let ask = json!({ "secrets": [{ "key": "s" }], "parameters": { "verify_token": "v" } });
    let meta = Source::of("meta", ask).await;
    let query = "hub.mode=subscribe&hub.challenge=123&hub.verify_token=";
    let reply = send(Request::get(format!("{}?{query}v", meta.url)), "").await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "123"));
    let reply = send(Request::get(format!("{}?{query}w", meta.url)), "").await;
    assert_eq!((reply.status, reply.text.as_str()), (401, ""));
    assert_eq!(send(Request::delete(&meta.url), "").await.status, 405);

    let trello = Source::of("trello", json!({ "secrets": [{ "key": "s" }] })).await;
    assert_eq!(send(Request::head(&trello.url), "").await.status, 200);
    // The signature covers the URL as the provider knows it.
    assert_eq!(post(&trello, "trello", "s", r#"{"action": {"id": "1"}}"#).await.status, 200);

    let events = Source::of("cloudevents", json!({ "secrets": [{ "key": "s" }] })).await;
    let options = Request::builder().method(Method::OPTIONS).uri(&events.url);
    let reply = send(options.header("webhook-request-origin", "a.example"), "").await;
    assert_eq!(
        (reply.status, &reply.headers["webhook-allowed-origin"]),
        (200, &"a.example".parse().unwrap())
    );

    let dropbox = Source::of("dropbox", json!({ "secrets": [{ "key": "s" }] })).await;
    let reply = send(Request::get(format!("{}?challenge=xyz", dropbox.url)), "").await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "xyz"));
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_secret_from_a_handshake_is_stored_once_and_verifies_after_a_restart() {
    let mut asana = Source::of("asana", json!({})).await;
    let hand_over = |url: &str, secret: &str| Request::post(url).header("x-hook-secret", secret);
    let events = r#"{"events": []}"#;
    assert_eq!(post(&asana, "asana", "handed over", events).await.status, 401);
    let reply = send(hand_over(&asana.url, "handed over"), "{}").await;
    assert_eq!(
        (reply.status, &reply.headers["x-hook-secret"]),
        (200, &"handed over".parse().unwrap())
    );
    assert_eq!(send(hand_over(&asana.url, "another"), "{}").await.status, 401);
    assert_eq!(post(&asana, "asana", "handed over", events).await.status, 200);
    let old = asana.server.url.clone();
    asana.server.kill_and_restart();
    asana.url = asana.url.replace(&old, &asana.server.url);
    assert_eq!(post(&asana, "asana", "handed over", events).await.status, 200);
    assert_eq!(post(&asana, "asana", "another", events).await.status, 401);
}

/// Writes raw bytes to the server, and returns what it sends until it closes the connection.
async fn raw(source: &Source, parts: &[&[u8]]) -> String {
    let address = source.server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts {
        // The server may reject the request before everything is written.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut response = Vec::new();
    let read = tokio::time::timeout(MAX_WAIT, stream.read_to_end(&mut response));
    drop(read.await.unwrap());
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn slow_and_endless_requests_do_not_affect_others() {
    let limits = [
        ("POSTRIDER_INBOUND__MAX_BODY", "64KiB"),
        ("POSTRIDER_INBOUND__BODY_TIMEOUT", "500ms"),
        ("POSTRIDER_LIMITS__HEADER_TIMEOUT", "500ms"),
    ];
    let source = Source::with("generic-webhook", json!({}), &limits).await;
    let path = source.url.strip_prefix(&source.server.url).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n");
    let chunked = format!("{head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let endless: Vec<&[u8]> = std::iter::once(chunked.as_bytes())
        .chain(std::iter::repeat_n(chunk.as_bytes(), 2_000))
        .collect();
    let announced = format!("{head}content-length: 100000\r\n\r\nx");
    let trickling = format!("{head}content-length: 1000\r\n\r\nx");
    let many = format!("{head}{}\r\n", "x: 1\r\n".repeat(200));
    let long = format!("{head}x: {}\r\n\r\n", "x".repeat(100_000));
    let unfinished = format!("{head}x");
    let cases: [(&[&[u8]], &str); 6] = [
        (&endless, "413"),
        (&[announced.as_bytes()], "413"),
        (&[trickling.as_bytes()], "408"),
        (&[many.as_bytes()], "431"),
        (&[long.as_bytes()], "431"),
        (&[unfinished.as_bytes()], ""),
    ];
    let ask = cases.map(|(parts, _)| raw(&source, parts));
    for (response, (_, status)) in futures_util::future::join_all(ask).await.iter().zip(cases) {
        let expected = if status.is_empty() { String::new() } else { format!("HTTP/1.1 {status}") };
        assert!(response.starts_with(&expected), "{status}: {response}");
    }
    // Others get responses while these requests hang.
    let address = source.server.url.strip_prefix("http://").unwrap();
    let mut hanging = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(trickling.as_bytes()).await.unwrap();
        hanging.push(stream);
    }
    let others =
        tokio::time::timeout(Duration::from_secs(10), send(Request::post(&source.url), "x"));
    assert_eq!(others.await.unwrap().status, 200);
    assert_eq!(source.messages().await.len(), 1);
}
