//! The extractors, in a real router.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::any};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use postrider::{
    provider::{self, Settings, UnsignedRequest},
    receiver::{Event, Receiver, Webhook},
};
use serde::Deserialize;
use tower::ServiceExt;

const NOW: u64 = 1_700_000_000;
const SECRET: &str = "whsec_test_secret";

fn stripe() -> Receiver {
    Receiver::new("stripe", [SECRET]).unwrap().clock(|| NOW)
}

/// A genuine request of Stripe's, made at that time.
fn request(body: &'static str, at: u64) -> Request<Body> {
    let stripe = provider::find("stripe").unwrap();
    let draft = UnsignedRequest {
        url: "https://example.com/hook".into(),
        body: body.into(),
        ..UnsignedRequest::default()
    };
    let signed = provider::sign(stripe, &Settings::new([SECRET]), draft, at).unwrap();
    let mut request = Request::post("/hook").header("host", "example.com");
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(signed.body.into()).unwrap()
}

async fn respond(receiver: Receiver, request: Request<Body>) -> (StatusCode, String) {
    async fn echo(webhook: Webhook) -> String {
        format!("{:?} {:?} {}", webhook.event_type, webhook.event_id, webhook.body.len())
    }
    let app = Router::new().route("/hook", any(echo)).with_state(Arc::new(receiver));
    read(app.oneshot(request).await.unwrap()).await
}

async fn read(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const BODY: &str = r#"{"id":"evt_1","type":"charge.succeeded"}"#;

#[tokio::test]
async fn a_handler_runs_only_for_genuine_webhooks() {
    let (status, text) = respond(stripe(), request(BODY, NOW)).await;
    let length = BODY.len();
    let expected = format!(r#"Some("charge.succeeded") Some("evt_1") {length}"#);
    assert_eq!((status, text), (StatusCode::OK, expected));

    let stale = respond(stripe(), request(BODY, NOW - 301)).await;
    let mut tampered = request(BODY, NOW);
    *tampered.body_mut() = Body::from(BODY.replace("evt_1", "evt_2"));
    let tampered = respond(stripe(), tampered).await;
    let unsigned = Request::post("/hook").body(Body::from(BODY)).unwrap();
    let unsigned = respond(stripe(), unsigned).await;
    assert_eq!(stale.0, StatusCode::UNAUTHORIZED);
    assert_eq!((&tampered, &unsigned), (&stale, &stale), "all rejections get the same response");
}

#[tokio::test]
async fn a_handler_gets_the_identity_of_an_event() {
    async fn identity(webhook: Webhook) -> String {
        format!("{} {}", webhook.event_id_is_unique, webhook.identity.unwrap())
    }
    let of = async |body, at| {
        let receiver = Receiver::new("stripe", [SECRET]).unwrap().clock(|| NOW);
        let app = Router::new().route("/hook", any(identity)).with_state(Arc::new(receiver));
        read(app.oneshot(request(body, at)).await.unwrap()).await.1
    };
    let first = of(BODY, NOW).await;
    assert!(first.starts_with("true "), "{first}");
    assert_eq!(of(BODY, NOW - 1).await, first);
    assert_ne!(of(r#"{"id":"evt_2","type":"charge.succeeded"}"#, NOW).await, first);
}

#[tokio::test]
async fn a_long_body_is_rejected_before_it_has_arrived() {
    let receiver = stripe().body_limit(10);
    assert_eq!(respond(receiver, request(BODY, NOW)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 1024])))
    });
    let endless = Request::post("/hook").body(Body::new(StreamBody::new(endless))).unwrap();
    assert_eq!(respond(stripe(), endless).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_arrives_times_out() {
    let silent = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
    let silent = Request::post("/hook").body(Body::new(StreamBody::new(silent))).unwrap();
    let receiver = stripe().body_timeout(Duration::from_secs(5));
    assert_eq!(respond(receiver, silent).await.0, StatusCode::REQUEST_TIMEOUT);
}

#[derive(Debug, Deserialize)]
struct Charge {
    id: String,
}

#[tokio::test]
async fn an_event_is_parsed_after_verification() {
    async fn charge(Event { event, webhook }: Event<Charge>) -> String {
        format!("{} {:?}", event.id, webhook.event_type)
    }
    let app = Router::new().route("/hook", any(charge)).with_state(Arc::new(stripe()));
    let good = read(app.clone().oneshot(request(BODY, NOW)).await.unwrap()).await;
    assert_eq!(good, (StatusCode::OK, r#"evt_1 Some("charge.succeeded")"#.to_owned()));
    let other = read(app.clone().oneshot(request(r#"{"id":7}"#, NOW)).await.unwrap()).await;
    assert_eq!(other.0, StatusCode::BAD_REQUEST);
    let forged = Request::post("/hook").body(Body::from("not even JSON")).unwrap();
    assert_eq!(read(app.oneshot(forged).await.unwrap()).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn handshakes_get_a_response_without_the_handler() {
    let meta = || Receiver::new("meta", ["secret"]).unwrap().parameter("verify_token", "mine");
    let ask = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42");
        Request::get(format!("/hook?{query}")).body(Body::empty()).unwrap()
    };
    assert_eq!(respond(meta(), ask("mine")).await, (StatusCode::OK, "42".to_owned()));
    assert!(respond(meta(), ask("other")).await.0.is_client_error());
}

#[tokio::test]
async fn other_methods_are_rejected_and_unsigned_events_must_be_allowed() {
    let get = Request::get("/hook").body(Body::empty()).unwrap();
    assert_eq!(respond(stripe(), get).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let strava = || Receiver::new("strava", [SECRET]).unwrap();
    let event = || Request::post("/hook").body(Body::from(BODY)).unwrap();
    assert_eq!(respond(strava(), event()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(respond(strava().accept_unsigned(), event()).await.0, StatusCode::OK);
}

#[test]
fn unknown_providers_are_reported_and_secrets_are_hidden() {
    let error = Receiver::new("stripes", [SECRET]).unwrap_err();
    assert!(error.to_string().contains("stripes"), "{error}");
    assert!(!format!("{:?}", stripe()).contains(SECRET));
}
