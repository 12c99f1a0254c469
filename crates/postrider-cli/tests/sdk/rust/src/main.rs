//! Tests a server with the official Rust client, which also verifies the deliveries.

mod operations;
mod receiver;
mod sources;

use std::{collections::BTreeSet, env, time::Duration};

use serde_json::json;
use svix::{
    Error, Svix, Webhook,
    api::{
        ApplicationListOptions, MessageAttemptListByEndpointOptions,
        MessageAttemptListByMsgOptions, MessageCreateOptions, MessageGetOptions,
        MessageListOptions, SvixOptions,
    },
    models::{
        AppPortalAccessIn, ApplicationIn, ApplicationPatch, EndpointHeadersIn,
        EndpointHeadersPatchIn, EndpointIn, EndpointPatch, EndpointSecretRotateIn,
        EndpointUpsertIn, EventTypeIn, EventTypePatch, EventTypeUpsertIn,
        MessageAttemptTriggerType, MessageIn, MessageOut, MessageStatus,
    },
};

use receiver::{Call, Receiver};

/// Maximum wait for anything.
const MAX_WAIT: Duration = Duration::from_secs(60);

const APP: &str = "rust";
const EVENT: &str = "rust.made";

fn app() -> String {
    APP.to_owned()
}

fn main_endpoint() -> String {
    "main".to_owned()
}

fn connect(url: &str, token: &str) -> Svix {
    let server_url = Some(url.to_owned());
    let options = SvixOptions { server_url, num_retries: Some(0), ..SvixOptions::default() };
    Svix::new(token.to_owned(), Some(options))
}

#[track_caller]
fn refused<T: std::fmt::Debug>(status: u16, result: Result<T, Error>) {
    match result {
        Err(Error::Http(error)) => {
            assert_eq!(error.status, status, "{:?}", error.payload);
            assert!(!error.payload.unwrap().detail.is_empty());
        },
        Err(Error::Validation(error)) => {
            assert_eq!(error.status, status, "{:?}", error.payload);
            assert!(!error.payload.unwrap().detail.is_empty());
        },
        other => panic!("not refused with {status}: {other:?}"),
    }
}

/// Repeats a request until it returns a value.
async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let ask = async {
        loop {
            if let Some(response) = ask().await {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(MAX_WAIT, ask).await.unwrap()
}

fn verifies(call: &Call, secret: &str) -> bool {
    Webhook::new(secret).unwrap().verify(&call.body, &call.headers).is_ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = env::var("POSTRIDER_URL").unwrap();
    let svix = connect(&url, &env::var("POSTRIDER_TOKEN").unwrap());
    let mut receiver =
        Receiver::start(&["main", "broken", "shaped", "fifo", "ops", "ingest-shaped"]).await;
    println!("svix 2.9.1");
    applications(&svix, &url).await;
    event_types(&svix).await;
    endpoints(&svix, &receiver).await;
    let message = messages(&svix, &mut receiver).await;
    attempts(&svix, &mut receiver, &message).await;
    rotation(&svix, &mut receiver).await;
    recovery(&svix, &mut receiver).await;
    portal(&svix, &url).await;
    sources::set_up_and_take_down(&svix, &receiver).await;
    operations::call_all(&svix, &url, &mut receiver).await;
    svix.message().expunge_content(app(), message.id.clone()).await.unwrap();
    svix.endpoint().delete(app(), main_endpoint()).await.unwrap();
    svix.application().delete(app()).await.unwrap();
    refused(404, svix.application().get(app()).await);
}

async fn applications(svix: &Svix, url: &str) {
    let application = ApplicationIn {
        uid: Some(app()),
        metadata: Some([("a".to_owned(), "b".to_owned())].into()),
        ..ApplicationIn::new("Rust".to_owned())
    };
    let made = svix.application().create(application.clone(), None).await.unwrap();
    assert_eq!(made.uid.as_deref(), Some(APP));
    refused(409, svix.application().create(application.clone(), None).await);
    let same = svix.application().get_or_create(application.clone(), None).await.unwrap();
    assert_eq!(same, made);
    let other = ApplicationIn { name: "Rust 2".to_owned(), ..application };
    let replaced = svix.application().upsert(app(), other).await.unwrap();
    assert_eq!((replaced.id, &*replaced.name), (made.id, "Rust 2"));
    let patch = ApplicationPatch { name: Some("Rust 3".to_owned()), ..ApplicationPatch::new() };
    assert_eq!(svix.application().patch(app(), patch).await.unwrap().name, "Rust 3");
    let options = ApplicationListOptions { limit: Some(1), ..ApplicationListOptions::default() };
    let page = svix.application().list(Some(options)).await.unwrap();
    assert_eq!((page.data.len(), page.done), (1, true));
    refused(404, svix.application().get("unknown".to_owned()).await);
    refused(422, svix.application().create(ApplicationIn::new(String::new()), None).await);
    refused(401, connect(url, "nonsense").application().list(None).await);
}

async fn event_types(svix: &Svix) {
    let event_type = EventTypeIn::new(EVENT.to_owned(), "1".to_owned());
    svix.event_type().create(event_type.clone(), None).await.unwrap();
    refused(409, svix.event_type().create(event_type, None).await);
    let replaced = EventTypeUpsertIn {
        schemas: Some(json!({ "1": { "type": "object" } })),
        ..EventTypeUpsertIn::new("2".to_owned())
    };
    let replaced = svix.event_type().upsert(EVENT.to_owned(), replaced).await.unwrap();
    assert_eq!(replaced.description, "2");
    let patch = EventTypePatch { deprecated: Some(true), ..EventTypePatch::new() };
    assert!(svix.event_type().patch(EVENT.to_owned(), patch).await.unwrap().deprecated);
    let listed = svix.event_type().list(None).await.unwrap();
    assert!(listed.data.iter().any(|it| it.name == EVENT));
}

async fn endpoints(svix: &Svix, receiver: &Receiver) {
    let endpoint = EndpointIn {
        uid: Some(main_endpoint()),
        event_types: Some([EVENT.to_owned()].into()),
        throttle_rate: Some(100),
        headers: Some([("x-tenant".to_owned(), "rust".to_owned())].into()),
        ..EndpointIn::new(receiver.url("main"))
    };
    let made = svix.endpoint().create(app(), endpoint, None).await.unwrap();
    assert_eq!(made.event_types, Some([EVENT.to_owned()].into()));
    assert_eq!(made.throttle_rate, Some(100));
    assert_eq!(svix.endpoint().get(app(), main_endpoint()).await.unwrap(), made);
    let patch = EndpointPatch { description: Some("d".to_owned()), ..EndpointPatch::new() };
    let patched = svix.endpoint().patch(app(), main_endpoint(), patch).await.unwrap();
    assert_eq!((&*patched.description, patched.event_types), ("d", made.event_types));
    let update = EndpointUpsertIn {
        uid: Some(main_endpoint()),
        ..EndpointUpsertIn::new(receiver.url("main"))
    };
    let replaced = svix.endpoint().upsert(app(), main_endpoint(), update).await.unwrap();
    assert_eq!((replaced.id, replaced.event_types), (made.id, None));

    let headers = EndpointHeadersIn::new([("x-a".to_owned(), "1".to_owned())].into());
    svix.endpoint().set_headers(app(), main_endpoint(), headers).await.unwrap();
    let patch = EndpointHeadersPatchIn::new([("x-b".to_owned(), "2".to_owned())].into());
    svix.endpoint().patch_headers(app(), main_endpoint(), patch).await.unwrap();
    let headers = svix.endpoint().get_headers(app(), main_endpoint()).await.unwrap();
    let expected = [("x-a", "1"), ("x-b", "2")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(headers.headers, expected.into());
}

async fn messages(svix: &Svix, receiver: &mut Receiver) -> MessageOut {
    let secret = svix.endpoint().get_secret(app(), main_endpoint()).await.unwrap().key;
    let payload = json!({ "hello": "wörld", "n": [1, 2.5, null] });
    let message = MessageIn {
        event_id: Some("first".to_owned()),
        tags: Some(["red".to_owned()].into()),
        ..MessageIn::new(EVENT.to_owned(), payload.clone())
    };
    let options =
        MessageCreateOptions { with_content: Some(true), ..MessageCreateOptions::default() };
    let sent = svix.message().create(app(), message.clone(), Some(options)).await.unwrap();
    assert_eq!(sent.payload, payload);
    let arrived = receiver.next("main").await;
    assert!(verifies(&arrived, &secret));
    assert!(!verifies(&arrived, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!((arrived.header("webhook-id"), arrived.header("x-a")), (&*sent.id, "1"));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&arrived.body).unwrap(), payload);
    refused(409, svix.message().create(app(), message, None).await);

    let keyed = || MessageCreateOptions {
        idempotency_key: Some("key".to_owned()),
        ..MessageCreateOptions::default()
    };
    let raw = MessageIn::new_raw_payload(EVENT.to_owned(), "<x/>".to_owned())
        .with_content_type("text/xml".to_owned());
    let first = svix.message().create(app(), raw.clone(), Some(keyed())).await.unwrap();
    let second = svix.message().create(app(), raw, Some(keyed())).await.unwrap();
    assert_eq!((first.id, first.payload), (second.id, json!({})));
    let arrived = receiver.next("main").await;
    assert_eq!((&*arrived.body, arrived.header("content-type")), (&b"<x/>"[..], "text/xml"));

    let with_content = MessageGetOptions { with_content: Some(true) };
    let got = svix.message().get(app(), "first".to_owned(), Some(with_content)).await.unwrap();
    assert_eq!((&got.id, got.payload), (&sent.id, payload));
    let options =
        MessageListOptions { tag: Some("red".to_owned()), ..MessageListOptions::default() };
    let listed = svix.message().list(app(), Some(options)).await.unwrap();
    assert_eq!(listed.data.iter().map(|it| &it.id).collect::<Vec<_>>(), [&sent.id]);
    sent
}

async fn attempts(svix: &Svix, receiver: &mut Receiver, message: &MessageOut) {
    let attempts = svix.message_attempt();
    let attempt = eventually(async || {
        let options = MessageAttemptListByMsgOptions::default();
        let page = attempts.list_by_msg(app(), message.id.clone(), Some(options)).await;
        page.unwrap().data.pop()
    })
    .await;
    assert_eq!((attempt.status, attempt.response_status_code), (MessageStatus::Success, 200));
    assert_eq!(attempt.trigger_type, MessageAttemptTriggerType::Scheduled);
    let options = MessageAttemptListByEndpointOptions {
        tag: Some("red".to_owned()),
        event_types: Some(BTreeSet::from([EVENT.to_owned(), "other".to_owned()])),
        status: Some(MessageStatus::Success),
        with_msg: Some(true),
        ..MessageAttemptListByEndpointOptions::default()
    };
    let page = attempts.list_by_endpoint(app(), main_endpoint(), Some(options)).await.unwrap();
    let found: Vec<_> = page.data.iter().map(|it| &it.msg.as_ref().unwrap().id).collect();
    assert_eq!(found, [&message.id]);
    let id = message.id.clone();
    let to = attempts.list_attempted_destinations(app(), id.clone(), None).await.unwrap();
    assert_eq!(to.data[0].status, MessageStatus::Success);
    let sent = attempts.list_attempted_messages(app(), main_endpoint(), None).await.unwrap();
    assert_eq!(sent.data.len(), 2);
    let got = attempts.get(app(), id.clone(), attempt.id.clone(), None).await.unwrap();
    assert_eq!(got.id, attempt.id);
    attempts.resend(app(), id.clone(), main_endpoint(), None).await.unwrap();
    assert_eq!(receiver.next("main").await.header("webhook-id"), id);
    attempts.expunge_content(app(), id, attempt.id).await.unwrap();
}

async fn rotation(svix: &Svix, receiver: &mut Receiver) {
    let old = svix.endpoint().get_secret(app(), main_endpoint()).await.unwrap().key;
    let rotate = EndpointSecretRotateIn::new();
    let rotated =
        svix.endpoint().rotate_secret(app(), main_endpoint(), rotate, None).await.unwrap();
    let new = svix.endpoint().get_secret(app(), main_endpoint()).await.unwrap().key;
    assert_eq!(rotated.key, new);
    assert_ne!(new, old);
    let message = MessageIn::new(EVENT.to_owned(), json!({}));
    svix.message().create(app(), message, None).await.unwrap();
    let arrived = receiver.next("main").await;
    assert!(verifies(&arrived, &old) && verifies(&arrived, &new));
}

async fn recovery(svix: &Svix, receiver: &mut Receiver) {
    let broken = || "broken".to_owned();
    let endpoint = EndpointIn {
        uid: Some(broken()),
        channels: Some([broken()].into()),
        ..EndpointIn::new(receiver.url("broken"))
    };
    svix.endpoint().create(app(), endpoint, None).await.unwrap();
    receiver.set_status("broken", 500);
    let message = MessageIn {
        channels: Some([broken()].into()),
        ..MessageIn::new(EVENT.to_owned(), json!({}))
    };
    let id = svix.message().create(app(), message, None).await.unwrap().id;
    eventually(async || {
        let stats = svix.endpoint().get_stats(app(), broken(), None).await.unwrap();
        (stats.fail == 1).then_some(())
    })
    .await;
    receiver.set_status("broken", 200);
    let since = serde_json::from_value(json!({ "since": "2020-01-01T00:00:00Z" })).unwrap();
    let task = svix.endpoint().recover(app(), broken(), since, None).await.unwrap();
    assert!(task.id.starts_with("qtask_"));
    // Two failed attempts, and then the recovery.
    for _ in 0..3 {
        assert_eq!(receiver.next("broken").await.header("webhook-id"), id);
    }
}

async fn portal(svix: &Svix, url: &str) {
    let access = AppPortalAccessIn::new();
    let access = svix.authentication().app_portal_access(app(), access, None).await.unwrap();
    let owner = connect(url, &access.token);
    assert_eq!(owner.endpoint().list(app(), None).await.unwrap().data.len(), 2);
    refused(403, owner.application().list(None).await);
    owner.authentication().logout(None).await.unwrap();
}
