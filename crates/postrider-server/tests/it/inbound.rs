//! Requests of providers to the URLs of sources.

use std::{collections::BTreeMap, io::Write, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request};
use postrider::{
    SourceId,
    provider::{self, Settings, UnsignedRequest},
};
use postrider_core::catalog::{SealedSecret, Source, SourceResponse, SourceSecret};
use postrider_engine::FetchError;
use postrider_server::Limits;
use postrider_store::{Expected, IdOrUid, Records};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{ORGANIZATION, Reply, World, application_id, settings};

const HOUR: Duration = Duration::from_secs(60 * 60);
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
    receiving_in(World::new(), change).await
}

async fn receiving_in(world: World, change: impl FnOnce(&World, &mut Source)) -> Receiving {
    let application = world.post("/api/v1/app", json!({ "name": "A" })).await.id();
    let now = world.engine.clock().now();
    let mut source = Source {
        managed_by: None,
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
    world.engine.store().save(&source, Expected::New).await.unwrap();
    Receiving { world, application, source }
}

impl Receiving {
    async fn change(&mut self, change: impl FnOnce(&World, &mut Source)) {
        change(&self.world, &mut self.source);
        self.world.engine.store().save(&self.source, Expected::Any).await.unwrap();
        self.world.engine.changed(self.source.application).await.unwrap();
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Reply {
        self.world.send(request.body(body.into()).unwrap()).await
    }

    async fn post(&self, body: impl Into<Body>) -> Reply {
        self.send(Request::post(format!("/in/{TOKEN}")), body).await
    }

    /// Waits for this number of deliveries.
    async fn calls(&self, count: usize) -> Vec<Request<Bytes>> {
        for _ in 0..1_000 {
            let calls = self.world.receiver.calls.lock().unwrap().clone();
            if calls.len() >= count {
                return calls;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("there never were {count} calls");
    }

    async fn messages(&self) -> Vec<Value> {
        let path = format!("/api/v1/app/{}/msg", self.application);
        self.world.get(&path).await.expect(200)["data"].as_array().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_an_unverified_source_becomes_a_message() {
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
async fn unknown_tokens_and_disabled_sources_are_not_found() {
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
    let methods =
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE, Method::PATCH, Method::TRACE];
    for method in methods {
        let request = Request::builder().method(method).uri(format!("/in/{TOKEN}"));
        let reply = receiving.send(request, Body::empty()).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["allow"]),
            (405, &"POST, PUT".parse().unwrap())
        );
    }
    assert!(receiving.messages().await.is_empty());
    let put = Request::put(format!("/in/{TOKEN}"));
    assert_eq!(receiving.send(put, "x").await.status, 200);
    assert_eq!(receiving.messages().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn bodies_beyond_the_limit_are_refused_with_and_without_a_content_length() {
    let receiving = receiving(|_, source| source.max_body = Some(1_000)).await;
    assert_eq!(receiving.post("x".repeat(1_000)).await.status, 200);
    assert_eq!(receiving.post("x".repeat(1_001)).await.status, 413);
    let parts = [0, 1].map(|_| Ok::<_, std::io::Error>("x".repeat(600)));
    let chunked = Body::from_stream(futures_util::stream::iter(parts));
    assert_eq!(receiving.post(chunked).await.status, 413);
    assert_eq!(receiving.messages().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_configured_response_replaces_the_providers() {
    let receiving = receiving(|_, source| {
        source.response = Some(SourceResponse {
            status: 202,
            headers: BTreeMap::from([("x-own".to_owned(), "{json:id}".to_owned())]),
            body: "thanks for {json:id}".to_owned(),
        });
    })
    .await;
    let reply = receiving.post(r#"{"id":1}"#).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (202, "thanks for 1"));
    assert_eq!(reply.headers["x-own"], "1");
}

#[tokio::test(start_paused = true)]
async fn rejected_requests_are_stored_for_inspection_and_never_delivered() {
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
    let rejections = rejections(&receiving, 1).await;
    assert_eq!((rejections[0].status, rejections[0].method.as_str()), (401, "POST"));
    assert_eq!(rejections[0].target, "/in/?a=b");
    let shown = [("authorization", "[hidden]"), ("x-seen", "1")];
    assert_eq!(rejections[0].headers, shown.map(|(name, it)| (name.to_owned(), it.to_owned())));
    assert_eq!(rejections[0].body, "bad");
    assert!(receiving.messages().await.is_empty());
    let counted = r#"postrider_inbound_requests_total{provider="generic",result="rejected"} 1"#;
    let metrics = receiving.world.metrics().await;
    assert!(metrics.contains(counted), "{metrics}");
}

/// A source of a known provider with this secret.
async fn receiving_from(provider: &str, secrets: &[&str]) -> Receiving {
    receiving(|world, source| {
        source.is_open = false;
        provider.clone_into(&mut source.provider);
        source.secrets = secrets.iter().map(|it| secret(world, it)).collect();
    })
    .await
}

fn secret(world: &World, text: &str) -> SourceSecret {
    SourceSecret { secret: seal(world, text), until: None }
}

/// A genuine request of the source's provider.
fn signed(
    receiving: &Receiving,
    secret: &str,
    body: impl Into<Vec<u8>>,
) -> (http::request::Builder, Vec<u8>) {
    let provider = provider::find(&receiving.source.provider).unwrap();
    let url = format!("http://portal.example/in/{TOKEN}");
    let draft = UnsignedRequest { url, body: body.into(), ..UnsignedRequest::default() };
    let now = receiving.world.engine.clock().now().as_seconds();
    let signed = provider::sign(provider, &Settings::new([secret]), draft, now).unwrap();
    let mut request = Request::builder().method(signed.method.as_str());
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let path = signed.url.strip_prefix("http://portal.example").unwrap();
    (request.uri(path), signed.body)
}

async fn post_signed(receiving: &Receiving, secret: &str, body: &str) -> Reply {
    let (request, body) = signed(receiving, secret, body);
    receiving.send(request, body).await
}

#[tokio::test(start_paused = true)]
async fn rejections_contain_no_valid_or_invalid_credentials() {
    const RIGHT: &str = "the-right-credential";
    const WRONG: &str = "a-wrong-credential";
    let own = r#"{"verify": {"scheme": "shared_secret", "source": "form:pass"}}"#;
    for (provider, name, value, query, body) in [
        ("gitlab", "x-gitlab-token", WRONG, "a=1", "{}".to_owned()),
        ("github", "x-gitlab-token", WRONG, "a=1", "{}".to_owned()),
        ("github", "x-some-api-key", WRONG, "a=1", "{}".to_owned()),
        ("github", "x-odd", RIGHT, "a=1", "{}".to_owned()),
        ("github", "x-original-url", TOKEN, "a=1", "{}".to_owned()),
        (
            "meta",
            "x-seen",
            "1",
            "hub.mode=subscribe&hub.verify_token=a-wrong-credential",
            String::new(),
        ),
        ("github", "x-seen", "1", "x=the-right-credential", "{}".to_owned()),
        (
            "microsoft-graph",
            "x-seen",
            "1",
            "a=1",
            json!({ "value": [{ "clientState": WRONG }] }).to_string(),
        ),
        ("github", "x-seen", "1", "a=1", json!({ "any": { "where": RIGHT } }).to_string()),
        ("github", "x-seen", "1", "a=1", "x".repeat((64 << 10) - 10) + RIGHT),
        (own, "x-seen", "1", "a=1", format!("a=1&pass={WRONG}")),
        (own, "x-seen", "1", "a=1", format!("a=1&pass={WRONG}%20")),
    ] {
        let receiving = receiving(|world, source| {
            source.is_open = false;
            source.secrets = vec![secret(world, RIGHT)];
            if provider == own {
                source.model = Some(own.to_owned());
            } else {
                provider.clone_into(&mut source.provider);
            }
        })
        .await;
        let method = if body.is_empty() { Method::GET } else { Method::POST };
        let request = Request::builder().method(method).uri(format!("/in/{TOKEN}?{query}"));
        let reply = receiving.send(request.header(name, value), body).await;
        assert!(reply.status.is_client_error(), "{provider} {}", reply.status);
        let stored = format!("{:?}", rejections(&receiving, 1).await);
        let log = format!("/ingest/api/v1/source/{}/log", receiving.source.id);
        let shown = receiving.world.get(&log).await.expect(200).to_string();
        for secret in [RIGHT, WRONG, TOKEN, "the-right-"] {
            assert!(!stored.contains(secret) && !shown.contains(secret), "{provider}: {shown}");
        }
        assert!(shown.contains("x-") && stored.contains("hidden"), "{provider}: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transmitted_secret_is_neither_stored_nor_forwarded() {
    let mut receiving = receiving_from("gitlab", &["a-shared-token"]).await;
    receiving
        .change(|_, source| {
            let chosen = ["x-gitlab-token", "x-other", "x-copy", "x-original-url"];
            source.forward_headers = Some(chosen.map(str::to_owned).into());
        })
        .await;
    let endpoint = json!({ "url": "https://receiver.example/hook" });
    let path = format!("/api/v1/app/{}/endpoint", receiving.application);
    receiving.world.post(&path, endpoint).await.expect(201);
    let request = Request::post(format!("/in/{TOKEN}?copy=a-shared-token"))
        .header("x-gitlab-token", "a-shared-token")
        .header("x-copy", "Bearer a-shared-token")
        .header("x-original-url", format!("/in/{TOKEN}"))
        .header("x-other", "1");
    assert_eq!(receiving.send(request, "{}").await.status, 200);
    let call = format!("{:?}", receiving.calls(1).await[0]);
    assert!(call.contains("x-other"), "{call}");
    let id = receiving.messages().await[0]["id"].as_str().unwrap().parse().unwrap();
    let named = IdOrUid::Id(id);
    let store = receiving.world.engine.store();
    let message = store.message(receiving.source.application, &named).await.unwrap();
    for text in [call, format!("{message:?}")] {
        assert!(!text.contains("a-shared-token") && !text.contains(TOKEN), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verified_event_is_delivered_byte_for_byte_without_sensitive_headers() {
    let receiving = receiving_from("stripe", &["whsec_one"]).await;
    let endpoint = json!({ "url": "https://receiver.example/hook" });
    let path = format!("/api/v1/app/{}/endpoint", receiving.application);
    receiving.world.post(&path, endpoint).await.expect(201);
    let body = "{\n  \"id\": \"evt_1\",\"type\":\"invoice.paid\", \"text\": \"\\u00e4\" }\r\n";
    let (request, signed) = signed(&receiving, "whsec_one", body);
    let request = request
        .header("authorization", "Bearer x")
        .header("cookie", "a=b")
        .header("x-forwarded-for", "203.0.113.7")
        .header("x-other", "1")
        .header("postrider-source", "forged");
    assert_eq!(receiving.send(request, signed).await.status, 200);
    let calls = receiving.calls(1).await;
    assert_eq!(calls[0].body(), body);
    let headers: BTreeMap<_, _> = calls[0]
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers["postrider-source"], receiving.source.id.to_string());
    assert_eq!(headers["postrider-provider"], "stripe");
    assert_eq!(headers["postrider-event-id"], "evt_1");
    assert_eq!(headers["postrider-event-type"], "invoice.paid");
    assert_eq!(headers["x-other"], "1");
    assert!(headers["content-type"].starts_with("application/json"));
    assert!(headers.contains_key("webhook-signature"));
    for withheld in ["authorization", "cookie", "x-forwarded-for", "stripe-signature"] {
        assert!(!headers.contains_key(withheld), "{withheld}");
    }
    let message = &receiving.messages().await[0];
    assert_eq!(
        (&message["eventType"], &message["eventId"]),
        (&json!("invoice.paid"), &json!("evt_1"))
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_are_forwarded_only_if_the_source_names_their_headers() {
    let mut trello = receiving_from("trello", &["s"]).await;
    let path = format!("/api/v1/app/{}/endpoint", trello.application);
    let endpoint = json!({ "url": "https://receiver.example/hook" });
    trello.world.post(&path, endpoint).await.expect(201);
    let body = r#"{"action": {"type": "a"}}"#;
    assert_eq!(post_signed(&trello, "s", body).await.status, 200);
    let chosen = ["X-Trello-Webhook", "webhook-id", "host"].map(ToOwned::to_owned).to_vec();
    trello.change(|_, source| source.forward_headers = Some(chosen)).await;
    let (request, body) = signed(&trello, "s", body);
    assert_eq!(trello.send(request.header("x-other", "1"), body).await.status, 200);
    let calls = trello.calls(2).await;
    assert!(!calls[0].headers().contains_key("x-trello-webhook"));
    assert!(calls[1].headers().contains_key("x-trello-webhook"));
    assert!(!calls[1].headers().contains_key("x-other"));
    assert_eq!(calls[1].headers()["host"], "receiver.example");
    assert_eq!(calls[1].headers()["postrider-provider"], "trello");

    let events = receiving_from("cloudevents", &["of the query"]).await;
    let path = format!("/in/{TOKEN}?access_token=wrong");
    assert_eq!(events.send(Request::post(path), "{}").await.status, 401);
    assert_eq!(rejections(&events, 1).await[0].target, "/in/?access_token=[hidden]");
}

#[tokio::test(start_paused = true)]
async fn modified_requests_are_rejected_and_every_valid_secret_verifies() {
    let receiving = receiving(|world, source| {
        source.is_open = false;
        "stripe".clone_into(&mut source.provider);
        let until = Some(world.engine.clock().now() + HOUR);
        let old = SourceSecret { until, ..secret(world, "whsec_old") };
        source.secrets = vec![secret(world, "whsec_new"), old];
    })
    .await;
    let event = |id: &str| json!({ "id": id, "type": "a" }).to_string();
    let (request, mut body) = signed(&receiving, "whsec_new", event("evt_1"));
    body[8] ^= 1;
    assert_eq!(receiving.send(request, body).await.status, 401);
    assert_eq!(post_signed(&receiving, "whsec_other", &event("evt_1")).await.status, 401);
    assert_eq!(post_signed(&receiving, "whsec_new", &event("evt_1")).await.status, 200);
    assert_eq!(post_signed(&receiving, "whsec_old", &event("evt_2")).await.status, 200);
    // A write in progress does not survive an hour.
    rejections(&receiving, 2).await;
    tokio::time::advance(HOUR).await;
    assert_eq!(post_signed(&receiving, "whsec_old", &event("evt_3")).await.status, 401);
    let reasons: Vec<_> = rejections(&receiving, 3).await.into_iter().map(|it| it.reason).collect();
    assert!(reasons.iter().all(|it| it.contains("no signature matches")), "{reasons:?}");
    assert_eq!(receiving.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_accepted_once_within_the_window_and_again_after_it() {
    let receiving = receiving(|world, source| {
        source.is_open = false;
        "stripe".clone_into(&mut source.provider);
        source.secrets = vec![secret(world, "s")];
        source.dedupe_window = HOUR;
    })
    .await;
    let event = json!({ "id": "evt_1", "type": "a" }).to_string();
    for round in 1..=4 {
        for _ in 0..3 {
            assert_eq!(post_signed(&receiving, "s", &event).await.status, 200);
        }
        assert_eq!(receiving.messages().await.len(), round);
        tokio::time::advance(HOUR).await;
    }
    let messages = receiving.messages().await;
    // The first has the event id, which is unique in the application.
    let with_id = messages.iter().filter(|it| it["eventId"] == "evt_1").count();
    assert_eq!(with_id, 1);
}

#[tokio::test(start_paused = true)]
async fn one_of_several_simultaneous_repetitions_is_accepted_also_after_the_window() {
    let receiving = receiving_from("stripe", &["s"]).await;
    let event = json!({ "id": "evt_1", "type": "a" }).to_string();
    for round in 1..=3 {
        let posts = (0..20).map(|_| post_signed(&receiving, "s", &event));
        for reply in futures_util::future::join_all(posts).await {
            assert_eq!(reply.status, 200);
        }
        assert_eq!(receiving.messages().await.len(), round);
        tokio::time::advance(receiving.source.dedupe_window).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_event_id_nothing_is_a_duplicate_unless_the_body_identifies_events() {
    let mut receiving = receiving(|_, _| {}).await;
    for _ in 0..2 {
        assert_eq!(receiving.post("same").await.status, 200);
    }
    assert_eq!(receiving.messages().await.len(), 2);
    receiving.change(|_, source| source.dedupe_by_body = true).await;
    for body in ["same", "same", "other"] {
        assert_eq!(receiving.post(body).await.status, 200);
    }
    assert_eq!(receiving.messages().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_logged() {
    let receiving = receiving_from("stripe", &["s"]).await;
    let event = json!({ "id": "evt_1", "type": "a" }).to_string();
    let first = post_signed(&receiving, "s", &event).await;
    assert!(!first.headers.contains_key("postrider-duplicate-of"));
    let message = receiving.messages().await[0]["id"].as_str().unwrap().to_owned();
    let again = post_signed(&receiving, "s", &event).await;
    assert_eq!((again.status.as_u16(), &again.text), (200, &first.text));
    assert_eq!(again.headers["postrider-duplicate-of"], message);
    let traces = rejections(&receiving, 1).await;
    let found = (traces[0].status, traces[0].reason.as_str(), traces[0].duplicate_of);
    assert_eq!(found, (200, &*format!("repeats {message}"), Some(message.parse().unwrap())));
    assert_eq!(traces[0].body, event);
    let path = format!("/ingest/api/v1/source/{}/log", receiving.source.id);
    let log = receiving.world.get(&path).await.expect(200);
    assert_eq!(log["data"][0]["duplicate_of"], message);
    assert_eq!(log["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_a_unique_id_becomes_the_event_id_of_a_message() {
    let receiving = receiving_from("lemonsqueezy", &["s"]).await;
    for status in ["active", "cancelled", "cancelled"] {
        let event = json!({
            "meta": { "event_name": "subscription_updated" },
            "data": { "id": "7", "attributes": { "status": status } },
        });
        assert_eq!(post_signed(&receiving, "s", &event.to_string()).await.status, 200);
    }
    let messages = receiving.messages().await;
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|it| it.get("eventId").is_none()), "{messages:?}");

    // A requested redelivery has the id of the first one.
    let receiving = receiving_from("github", &["s"]).await;
    let (request, body) = signed(&receiving, "s", "{}");
    assert_eq!(receiving.send(request, body).await.status, 200);
    let (request, body) = signed(&receiving, "s", "{}");
    assert_eq!(receiving.send(request, body).await.status, 200);
    let messages = receiving.messages().await;
    let with_id = messages.iter().filter(|it| it["eventId"].is_string()).count();
    assert_eq!((messages.len(), with_id), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_body_identifies_events_if_the_source_says_so() {
    let mut receiving = receiving_from("github", &["s"]).await;
    receiving.change(|_, source| source.dedupe_by_body = true).await;
    for body in ["{}", "{}", r#"{"a":1}"#] {
        assert_eq!(post_signed(&receiving, "s", body).await.status, 200);
    }
    assert_eq!(receiving.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_accepted_although_another_message_has_its_event_id() {
    let receiving = receiving_from("stripe", &["s"]).await;
    let path = format!("/api/v1/app/{}/msg", receiving.application);
    let message = json!({ "eventType": "a", "eventId": "evt_1", "payload": {} });
    receiving.world.post(&path, message).await.expect(202);
    let event = json!({ "id": "evt_1", "type": "a" }).to_string();
    for _ in 0..2 {
        assert_eq!(post_signed(&receiving, "s", &event).await.status, 200);
    }
    assert_eq!(receiving.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_id_and_type_are_dots_is_accepted() {
    let receiving = receiving_from("stripe", &["s"]).await;
    for dots in [".", "..", "%2e%2e"] {
        let event = json!({ "id": dots, "type": dots }).to_string();
        assert_eq!(post_signed(&receiving, "s", &event).await.status, 200);
    }
    let messages = receiving.messages().await;
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|it| it.get("eventId").is_none()), "{messages:?}");
}

#[tokio::test(start_paused = true)]
async fn handshakes_get_a_response_and_become_no_events() {
    let slack = receiving_from("slack", &["s"]).await;
    let question = json!({ "type": "url_verification", "challenge": "abc" }).to_string();
    let reply = post_signed(&slack, "s", &question).await;
    assert_eq!((reply.status.as_u16(), &reply.json["challenge"]), (200, &json!("abc")));
    assert_eq!(post_signed(&slack, "other", &question).await.status, 401);

    let meta = receiving(|world, source| {
        source.is_open = false;
        "meta".clone_into(&mut source.provider);
        source.parameters = BTreeMap::from([("verify_token".to_owned(), seal(world, "v"))]);
    })
    .await;
    let ask = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=123");
        Request::get(format!("/in/{TOKEN}?{query}"))
    };
    let reply = meta.send(ask("v"), Body::empty()).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "123"));
    assert_eq!(meta.send(ask("w"), Body::empty()).await.status, 401);

    let trello = receiving_from("trello", &["s"]).await;
    let head = Request::head(format!("/in/{TOKEN}"));
    assert_eq!(trello.send(head, Body::empty()).await.status, 200);

    let cloudevents = receiving_from("cloudevents", &["s"]).await;
    let options = Request::builder()
        .method(Method::OPTIONS)
        .uri(format!("/in/{TOKEN}"))
        .header("webhook-request-origin", "eventemitter.example.com");
    let reply = cloudevents.send(options, Body::empty()).await;
    assert_eq!(reply.headers["webhook-allowed-origin"], "eventemitter.example.com");
    for receiving in [slack, meta, trello, cloudevents] {
        assert!(receiving.messages().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_without_a_secret_stores_the_first_one_from_a_handshake() {
    let asana = receiving_from("asana", &[]).await;
    let event = json!({ "events": [] }).to_string();
    assert_eq!(post_signed(&asana, "handed over", &event).await.status, 401);
    let hand_over =
        |secret: &str| Request::post(format!("/in/{TOKEN}")).header("x-hook-secret", secret);
    // Simultaneous handshakes: one secret wins, and all requests with it succeed.
    let secrets = ["handed over", "other", "handed over"];
    let posts = secrets.map(|it| asana.send(hand_over(it), "{}"));
    let replies = futures_util::future::join_all(posts).await;
    assert_eq!(replies[0].headers["x-hook-secret"], "handed over");
    assert_eq!(replies.iter().map(|it| it.status.as_u16()).collect::<Vec<_>>(), [200, 401, 200]);
    assert_eq!(asana.send(hand_over("other"), "{}").await.status, 401);
    assert_eq!(post_signed(&asana, "handed over", &event).await.status, 200);
    assert_eq!(post_signed(&asana, "other", &event).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn compressed_events_are_deduplicated_and_forwarded_compressed() {
    let receiving = receiving_from("stripe", &["s"]).await;
    let path = format!("/api/v1/app/{}/endpoint", receiving.application);
    let endpoint = json!({ "url": "https://receiver.example/hook" });
    receiving.world.post(&path, endpoint).await.expect(201);
    let event = json!({ "id": "evt_1", "type": "a.b" }).to_string();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(event.as_bytes()).unwrap();
    let compressed = encoder.finish().unwrap();
    for _ in 0..2 {
        let (request, body) = signed(&receiving, "s", compressed.clone());
        let request = request.header("content-encoding", "gzip");
        assert_eq!(receiving.send(request, body).await.status, 200);
    }
    let messages = receiving.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (&messages[0]["eventType"], &messages[0]["eventId"]),
        (&json!("a.b"), &json!("evt_1"))
    );
    let calls = receiving.calls(1).await;
    assert_eq!(
        (calls[0].body(), &calls[0].headers()["content-encoding"]),
        (&compressed.into(), &"gzip".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn slow_senders_take_no_more_memory_than_their_share() {
    let world = World::with(postrider_server::Settings {
        limits: Limits { request_memory: 60_000, ..settings().limits },
        ..settings()
    });
    let receiving = receiving_in(world, |_, _| {}).await;
    let (sender, parts) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let endless = Body::from_stream(futures_util::stream::unfold(parts, async |mut parts| {
        parts.recv().await.map(|part| (part, parts))
    }));
    let slow = receiving.post(endless);
    let others = async {
        for _ in 0..3 {
            sender.send(Ok(Bytes::from(vec![0; 4_000]))).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let reply = receiving.post(vec![0; 9_000]).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        assert_eq!(receiving.post("small").await.status, 200);
    };
    let (slow, ()) = futures_util::future::join(slow, others).await;
    assert_eq!(slow.status, 408);
    assert_eq!(receiving.post(vec![0; 9_000]).await.status, 200);
}

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:topic";
const SNS: &str = "https://sns.us-east-1.amazonaws.com";
const SNS_KEY: &str = include_str!("../../../postrider/tests/keys/rsa.pem");
const SNS_CERTIFICATE: &[u8] = include_bytes!("../../../postrider/tests/keys/sns.crt");

/// A message as Amazon SNS signs it.
fn of_sns(receiving: &Receiving, body: &Value) -> Vec<u8> {
    let mut settings = Settings::new([TOPIC]);
    settings.parameters.insert("private_key".to_owned(), SNS_KEY.to_owned().into());
    let draft =
        UnsignedRequest { body: body.to_string().into_bytes(), ..UnsignedRequest::default() };
    let now = receiving.world.engine.clock().now().as_seconds();
    let provider = provider::find("aws-sns").unwrap();
    provider::sign(provider, &settings, draft, now).unwrap().body
}

impl Receiving {
    /// Sets the response of the URL.
    fn publish(&self, path: &str, answer: Result<&[u8], FetchError>) {
        let answer = answer.map(Bytes::copy_from_slice);
        self.world.receiver.keys.lock().unwrap().insert(format!("{SNS}{path}"), answer);
    }

    fn fetched(&self) -> Vec<String> {
        self.world.receiver.fetched.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_fetched_once_and_cached() {
    let sns = receiving_from("aws-sns", &[TOPIC]).await;
    sns.publish("/postrider.pem", Ok(SNS_CERTIFICATE));
    let posts = (0..10).map(|n| sns.post(of_sns(&sns, &json!({ "n": n }))));
    for reply in futures_util::future::join_all(posts).await {
        assert_eq!(reply.status, 200);
    }
    assert_eq!(sns.fetched().len(), 1);
    tokio::time::advance(HOUR).await;
    assert_eq!(sns.post(of_sns(&sns, &json!({}))).await.status, 200);
    assert_eq!(sns.fetched().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_verify_is_fetched_again_but_not_for_every_request() {
    let sns = receiving_from("aws-sns", &[TOPIC]).await;
    sns.publish("/postrider.pem", Ok(b"an old one"));
    assert_eq!(sns.post(of_sns(&sns, &json!({}))).await.status, 401);
    sns.publish("/postrider.pem", Ok(SNS_CERTIFICATE));
    assert_eq!(sns.post(of_sns(&sns, &json!({}))).await.status, 401);
    assert_eq!(sns.fetched().len(), 1);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(sns.post(of_sns(&sns, &json!({}))).await.status, 200);
    assert_eq!(sns.fetched().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_key_is_a_temporary_error_and_a_missing_one_a_rejection() {
    let sns = receiving_from("aws-sns", &[TOPIC]).await;
    let reply = sns.post(of_sns(&sns, &json!({}))).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    sns.publish("/postrider.pem", Err(FetchError::Refused("the answer is 404".to_owned())));
    assert_eq!(sns.post(of_sns(&sns, &json!({}))).await.status, 401);
    let reasons: Vec<_> =
        rejections(&sns, 2).await.into_iter().map(|it| (it.status, it.reason)).collect();
    assert_eq!(reasons[0], (503, "nothing is there".to_owned()));
    assert_eq!(reasons[1], (401, "the answer is 404".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_confirmed_once_it_is_verified() {
    let sns = receiving_from("aws-sns", &[TOPIC]).await;
    sns.publish("/postrider.pem", Ok(SNS_CERTIFICATE));
    let confirmation = |url: &str| {
        let body = json!({
            "Type": "SubscriptionConfirmation", "Message": "m", "Token": "t", "SubscribeURL": url
        });
        of_sns(&sns, &body)
    };
    let url = format!("{SNS}/?Action=ConfirmSubscription&Token=t");
    let mut tampered = confirmation(&url);
    let at = tampered.iter().position(|it| *it == b'?').unwrap();
    tampered[at + 1] = b'B';
    assert_eq!(sns.post(tampered).await.status, 401);
    assert_eq!(sns.post(confirmation("https://sns.evil.example/")).await.status, 401);
    assert_eq!(sns.fetched(), [format!("{SNS}/postrider.pem")]);
    assert_eq!(sns.post(confirmation(&url)).await.status, 503);
    sns.publish("/?Action=ConfirmSubscription&Token=t", Ok(b"<ok/>"));
    assert_eq!(sns.post(confirmation(&url)).await.status, 200);
    assert!(sns.messages().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_multiplies_the_body_is_refused_when_it_is_saved_and_when_it_is_used() {
    let model = |bodies: usize| {
        let content = "{body}".repeat(bodies);
        json!({ "verify": [{ "scheme": "hmac", "signature": "header:x", "content": content }] })
    };
    let receiving = receiving(|world, source| {
        // Saved by an earlier version, without the check.
        source.is_open = false;
        source.provider = "custom".to_owned();
        source.model = Some(model(10_000).to_string());
        source.secrets = vec![SourceSecret { secret: seal(world, "s"), until: None }];
    })
    .await;
    let request = Request::post(format!("/in/{TOKEN}")).header("x", "00");
    assert_eq!(receiving.send(request, "x".repeat(1 << 20)).await.status, 401);
    let rejections = rejections(&receiving, 1).await;
    assert!(rejections[0].reason.contains("too much work"), "{}", rejections[0].reason);
    for (bodies, status) in [(1, 201), (2, 201), (3, 422), (200, 422)] {
        let source =
            json!({ "name": "S", "type": "custom", "secrets": ["s"], "model": model(bodies) });
        let reply = receiving.world.post("/ingest/api/v1/source", source).await;
        assert_eq!(reply.status, status, "{bodies} {}", reply.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_configured_response_does_not_multiply_the_body() {
    let receiving = receiving(|_, source| {
        // Saved by an earlier version, without the check.
        let body = "{body}".repeat(10_000);
        source.response = Some(SourceResponse { status: 200, headers: BTreeMap::new(), body });
    })
    .await;
    let reply = receiving.post("x".repeat(100_000)).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text.len() <= 256 << 10, "{}", reply.text.len());
    for (places, status) in [(32, 201), (33, 422)] {
        let response = json!({ "status": 200, "body": "{json:a}".repeat(places) });
        let source = json!({ "name": "S", "type": "generic-webhook", "response": response });
        let reply = receiving.world.post("/ingest/api/v1/source", source).await;
        assert_eq!(reply.status, status, "{places} {}", reply.text);
    }
}

/// Waits for this number of rejections of the source.
async fn rejections(
    receiving: &Receiving,
    count: usize,
) -> Vec<postrider_core::message::Rejection> {
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

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_their_result() {
    let mut receiving = receiving(|_, _| {}).await;
    assert_eq!(receiving.post("hello").await.status, 200);
    let close = |world: &World, source: &mut Source| {
        source.is_open = false;
        source.model = Some("{}".to_owned());
        source.secrets = vec![SourceSecret { secret: seal(world, "s"), until: None }];
    };
    receiving.change(close).await;
    for _ in 0..2 {
        assert_eq!(receiving.post("forged").await.status, 401);
    }
    let path = format!("/ingest/api/v1/source/{}/stats/series", receiving.source.id);
    let counts = |series: &Value| {
        ["received", "duplicates", "rejected"].map(|it| series["total"][it].as_u64().unwrap())
    };
    receiving.world.until(&path, |it| counts(it) == [1, 0, 2]).await;
    let rejecting = receiving.world.get("/api/v1/stats/rejecting-sources").await.expect(200);
    assert_eq!(rejecting["data"][0]["sourceId"], receiving.source.id.to_string());
    assert_eq!(rejecting["data"][0]["counts"]["rejected"], 2);
}
