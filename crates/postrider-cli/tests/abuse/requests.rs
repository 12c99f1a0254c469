//! Requests that take long to read or to verify.

use std::fmt::Write;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;

use crate::{
    is_long,
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::Server,
};

/// How often a request is sent.
fn times() -> usize {
    if is_long() { 100 } else { 5 }
}

/// Sends a request repeatedly; the last response.
async fn send(server: &Server, request: Request<()>, body: &Bytes) -> (StatusCode, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut answer = None;
    for _ in 0..times() {
        let mut request = request.clone().map(|()| Full::new(body.clone()));
        let token = format!("Bearer {}", server.token);
        request.headers_mut().insert("authorization", token.try_into().unwrap());
        answer = Some(client.request(request).await.unwrap());
    }
    let (parts, body) = answer.unwrap().into_parts();
    (parts.status, body.collect().await.unwrap().to_bytes())
}

/// An endpoint with many fields that do not exist, and one wrong value.
fn endpoint(fields: usize) -> Bytes {
    let mut body = r#"{"url":"https://example.com","throttleRate":"many""#.to_owned();
    for index in 0..fields {
        write!(body, ",\"f{index}\":0").unwrap();
    }
    (body + "}").into()
}

#[tokio::test]
async fn a_body_with_many_unknown_fields_delays_no_other_customer() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    let growth = Growth::of(&server);
    let url = format!("{}/api/v1/app/neighbour/endpoint", server.url);
    let post = || Request::post(url.clone()).body(()).unwrap();
    let (many, too_many) = (endpoint(6_000), endpoint(98_000));
    let answers =
        async { [send(&server, post(), &many).await, send(&server, post(), &too_many).await] };
    let [refused, too_large] = neighbour.endures(answers).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.1.len() < 8_192, "{}", refused.1.len());
    assert_eq!(too_large.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(String::from_utf8_lossy(&too_large.1).contains("limits.config_body"));
    growth.is_below(64 * MIB);
}

#[tokio::test]
async fn a_model_cannot_multiply_a_request() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    let source = |bodies: usize| {
        let content = "{body}".repeat(bodies);
        let model = json!({ "verify": [{ "scheme": "hmac", "signature": "header:x",
            "content": content }] });
        json!({ "name": "S", "type": "custom", "secrets": ["a", "b", "c"], "model": model })
    };
    let url = format!("{}/ingest/api/v1/source", server.url);
    let post = || Request::post(url.clone()).body(()).unwrap();
    let (status, answer) = send(&server, post(), &source(200).to_string().into()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(String::from_utf8_lossy(&answer).contains("content has more than"), "{answer:?}");

    let (status, created) = send(&server, post(), &source(2).to_string().into()).await;
    assert_eq!(status, StatusCode::CREATED);
    let created: serde_json::Value = serde_json::from_slice(&created).unwrap();
    let url = created.get("ingestUrl").and_then(|it| it.as_str()).unwrap();
    let growth = Growth::of(&server);
    let webhook = Request::post(url).header("x", "00".repeat(32)).body(()).unwrap();
    let body = Bytes::from(vec![b'x'; 5 << 20]);
    let (status, _) = neighbour.endures(send(&server, webhook, &body)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    growth.is_below(64 * MIB);
}
