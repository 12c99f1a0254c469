//! NATS JetStream.

use std::{sync::Arc, time::Duration};

use async_nats::{
    ConnectOptions,
    jetstream::{self, Context, stream},
};
use futures_util::future::join_all;
use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, queue::QueueKind};
use postrider_engine::{Queue, Sender, Senders};
use postrider_testing::{ExternalServer, Mode, Proxy, SharedServer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{
    PATIENCE, assert_delivered, assert_failed, call, deliver, deliver_during_restart, open,
    receive, senders, senders_allowing, target, text,
};

const KIND: EndpointKind = EndpointKind::Nats;

static SHARED: SharedServer = SharedServer::new(std::sync::Weak::new());

fn server() -> Arc<ExternalServer> {
    ExternalServer::shared(&SHARED, "nats", &[])
}

async fn jetstream(url: &str) -> Context {
    jetstream::new(async_nats::connect(url).await.unwrap())
}

/// A stream for the subjects of a test.
async fn stream(service: &ExternalServer, name: &str) -> stream::Stream {
    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{name}.>")],
        max_message_size: 10_000,
        ..stream::Config::default()
    };
    jetstream(service.key("url")).await.create_stream(config).await.unwrap()
}

async fn count(stream: &mut stream::Stream) -> u64 {
    stream.info().await.unwrap().state.messages
}

fn config(port: u16, subject: &str) -> Value {
    json!({ "url": format!("nats://127.0.0.1:{port}"), "subject": subject })
}

fn patient() -> Senders {
    senders(PATIENCE)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_stored_once_with_their_headers() {
    let service = server();
    let mut stream = stream(&service, "works").await;
    let mut config = config(service.port(), "works.{{ type }}");
    config["headers"] = json!({ "x-name": "{{ payload.name }}" });
    let (senders, target) = (patient(), target(KIND, &config));
    let calls: Vec<_> = (0..300).map(|_| call(&target, r#"{"name":"Ada"}"#)).collect();
    for report in join_all(calls.iter().map(|call| senders.send(call.clone()))).await {
        assert_delivered(&report);
    }
    let repeated = senders.send(calls[0].clone()).await;
    assert_delivered(&repeated);
    assert!(text(&repeated).contains("had it already"), "{}", text(&repeated));
    assert_eq!(count(&mut stream).await, 300);
    let stored = stream.get_raw_message(1).await.unwrap();
    assert_eq!(stored.subject.as_str(), "works.user.created");
    assert_eq!(&stored.payload[..], br#"{"name":"Ada"}"#);
    assert_eq!(stored.headers.get("x-name").unwrap().as_str(), "Ada");
    assert_eq!(stored.headers.get("webhook-event-type").unwrap().as_str(), "user.created");
    let id = stored.headers.get("webhook-id").unwrap().as_str();
    assert_eq!(stored.headers.get("Nats-Msg-Id").unwrap().as_str(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_the_stream() {
    let service = server();
    stream(&service, "check").await;
    let senders = patient();
    let report = senders.check(target(KIND, &config(service.port(), "check.a"))).await;
    assert_delivered(&report);
    assert!(text(&report).contains("the stream check"), "{}", text(&report));
    let report = senders.check(target(KIND, &config(service.port(), "elsewhere"))).await;
    assert_failed(&report, Failure::Misconfigured);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_accepted_are_rejected() {
    let service = server();
    stream(&service, "fit").await;
    let senders = patient();
    let cases = [
        ("fit.a", format!("\"{}\"", "x".repeat(20_000))),
        ("fit.a", format!("\"{}\"", "x".repeat(2 << 20))),
        ("fit.{{ payload }}", "\"a b\"".to_owned()),
        ("fit.{{ payload }}", "\"*\"".to_owned()),
        ("fit.{{ payload.a.b.c }}", "1".to_owned()),
    ];
    for (subject, body) in cases {
        let target = target(KIND, &config(service.port(), subject));
        assert_failed(&senders.send(call(&target, &body)).await, Failure::Rejected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_without_a_stream_is_misconfigured() {
    let service = server();
    let target = target(KIND, &config(service.port(), "nowhere"));
    let report = patient().send(call(&target, "1")).await;
    let reason = assert_failed(&report, Failure::Misconfigured);
    assert!(reason.contains("create a stream"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_misconfigured_and_not_shown() {
    let service = ExternalServer::start("nats", &["user=ada", "password=right"]);
    let port = service.port();
    let senders = patient();
    let stream_config =
        stream::Config { name: "s".into(), subjects: vec!["s".into()], ..Default::default() };
    let options = ConnectOptions::with_user_and_password("ada".into(), "right".into());
    let client = options.connect(format!("127.0.0.1:{port}")).await.unwrap();
    jetstream::new(client).create_stream(stream_config).await.unwrap();
    let cases = [
        (format!("nats://ada:hidden@127.0.0.1:{port}"), json!({})),
        (format!("nats://127.0.0.1:{port}"), json!({})),
        (format!("nats://127.0.0.1:{port}"), json!({ "token": "hidden" })),
        (format!("nats://127.0.0.1:{port}"), json!({ "nkey": "hidden" })),
        (format!("nats://127.0.0.1:{port}"), json!({ "credentials": "hidden" })),
    ];
    for (url, mut config) in cases {
        config["url"] = url.into();
        config["subject"] = "s".into();
        let report = senders.send(call(&target(KIND, &config), "1")).await;
        let reason = assert_failed(&report, Failure::Misconfigured);
        assert!(!reason.contains("hidden"), "{reason}");
    }
    let right = json!({ "url": service.key("url"), "subject": "s" });
    assert_delivered(&senders.send(call(&target(KIND, &right), "1")).await);
}

/// A key of the tests: what the server knows, and the seed.
const NKEY: &str = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";
const SEED: &str = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y";

#[tokio::test(flavor = "multi_thread")]
async fn keys_authenticate_and_missing_permissions_are_misconfigured() {
    let users = format!(
        "authorization={{ users: [ \
         {{ user: admin, password: right }}, {{ nkey: {NKEY} }}, \
         {{ user: ada, password: right, permissions: {{ publish: {{ deny: \"s.secret\" }} }} }}, \
         {{ user: deaf, password: right, permissions: {{ subscribe: {{ deny: \"_INBOX.>\" }} }} }} \
         ] }}"
    );
    let service = ExternalServer::start("nats", &[&users]);
    let port = service.port();
    let options = ConnectOptions::with_user_and_password("admin".into(), "right".into());
    let client = options.connect(format!("127.0.0.1:{port}")).await.unwrap();
    let config =
        stream::Config { name: "s".into(), subjects: vec!["s.>".into()], ..Default::default() };
    jetstream::new(client).create_stream(config).await.unwrap();
    let senders = patient();
    let with_key =
        json!({ "url": format!("nats://127.0.0.1:{port}"), "nkey": SEED, "subject": "s.a" });
    assert_delivered(&senders.send(call(&target(KIND, &with_key), "1")).await);
    let of = |user: &str, subject: &str| json!({ "url": format!("nats://{user}:right@127.0.0.1:{port}"), "subject": subject });
    let ada = target(KIND, &of("ada", "s.{{ payload }}"));
    assert_delivered(&senders.send(call(&ada, "\"a\"")).await);
    // The others in flight are not affected.
    let calls = ["\"secret\"", "\"b\"", "\"secret\"", "\"c\""].map(|body| call(&ada, body));
    let reports = join_all(calls.into_iter().map(|call| senders.send(call))).await;
    for index in [0, 2] {
        let reason = assert_failed(&reports[index], Failure::Misconfigured);
        assert!(reason.contains("may not publish to the subject s.secret"), "{reason}");
    }
    assert_delivered(&reports[1]);
    assert_delivered(&reports[3]);
    let deaf = target(KIND, &of("deaf", "s.a"));
    let reason = assert_failed(&senders.send(call(&deaf, "1")).await, Failure::Misconfigured);
    assert!(reason.contains("_INBOX"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_authenticates() {
    let service = ExternalServer::start("nats", &["authorization={ token: right }"]);
    let mut config = config(service.port(), "s");
    config["token"] = "right".into();
    // There is no stream, so reaching JetStream is the success.
    let report = patient().send(call(&target(KIND, &config), "1")).await;
    let reason = assert_failed(&report, Failure::Misconfigured);
    assert!(reason.contains("create a stream"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_midway_has_each_message_once() {
    let service = Arc::new(ExternalServer::start("nats", &[]));
    let mut stream = stream(&service, "restart").await;
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "restart.a")));
    let (delivered, failed) = deliver_during_restart(&senders, &target, &service).await;
    assert!(failed > 0);
    assert_eq!(count(&mut stream).await, u64::from(delivered));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_a_failure_to_connect() {
    let service = ExternalServer::start("nats", &[]);
    let target = target(KIND, &config(service.port(), "down"));
    service.kill();
    assert_failed(&patient().send(call(&target, "1")).await, Failure::Connect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_before_the_confirmation_leads_to_no_duplicate() {
    let service = server();
    let mut stream = stream(&service, "cut").await;
    let proxy = Proxy::start("127.0.0.1", service.port()).await;
    let (senders, target) = (patient(), target(KIND, &config(proxy.port(), "cut.a")));
    assert_delivered(&senders.send(call(&target, "1")).await);
    let call = call(&target, "2");
    proxy.set(Mode::Cut);
    assert_failed(&senders.send(call.clone()).await, Failure::Unavailable);
    proxy.set(Mode::Pass);
    deliver(&senders, &call).await;
    assert_eq!(count(&mut stream).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_does_not_come_is_a_timeout() {
    let service = server();
    let mut stream = stream(&service, "slow").await;
    let proxy = Proxy::start("127.0.0.1", service.port()).await;
    let (senders, target) =
        (senders(Duration::from_secs(1)), target(KIND, &config(proxy.port(), "slow.a")));
    deliver(&senders, &call(&target, "1")).await;
    proxy.set(Mode::Hold);
    let call = call(&target, "2");
    assert_failed(&senders.send(call.clone()).await, Failure::Timeout);
    proxy.set(Mode::Pass);
    deliver(&senders, &call).await;
    assert_eq!(count(&mut stream).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified_for_the_host_of_the_url() {
    let service = ExternalServer::start("nats", &["tls=yes"]);
    let trusted = std::fs::read_to_string(service.key("ca")).unwrap();
    let senders = patient();
    let send = async |url: String, trusted: Option<&str>| {
        let config = json!({ "url": url, "subject": "s", "trustedCertificates": trusted });
        senders.send(call(&target(KIND, &config), "1")).await
    };
    let port = service.port();
    // There is no stream, so reaching JetStream is the success.
    for scheme in ["tls", "nats"] {
        let report = send(format!("{scheme}://localhost:{port}"), Some(&trusted)).await;
        assert_failed(&report, Failure::Misconfigured);
    }
    assert_failed(&send(format!("tls://localhost:{port}"), None).await, Failure::Tls);
    let proxy = Proxy::start("127.0.0.2", port).await;
    let report = send(format!("tls://127.0.0.2:{}", proxy.port()), Some(&trusted)).await;
    assert_failed(&report, Failure::Tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_not_called() {
    let service = server();
    let senders = senders_allowing(&[], PATIENCE);
    let target = target(KIND, &config(service.port(), "s"));
    assert_failed(&senders.send(call(&target, "1")).await, Failure::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_a_server_advertises_are_not_called() {
    let advertised = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hostile = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let info = format!(
        "INFO {{\"server_id\":\"x\",\"version\":\"2.15.0\",\"proto\":1,\"headers\":true,\
         \"max_payload\":1000000,\"connect_urls\":[\"{}\"]}}\r\n",
        advertised.local_addr().unwrap()
    );
    let target = target(KIND, &config(hostile.local_addr().unwrap().port(), "s"));
    let (senders, call) = (patient(), call(&target, "1"));
    let serve = async {
        let (mut stream, _) = hostile.accept().await.unwrap();
        stream.write_all(info.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !seen.windows(4).any(|it| it == b"PING") {
            stream.read_buf(&mut seen).await.unwrap();
        }
        stream.write_all(b"PONG\r\n").await.unwrap();
        while !seen.windows(4).any(|it| it == b"HPUB") {
            stream.read_buf(&mut seen).await.unwrap();
        }
        stream.write_all(info.as_bytes()).await.unwrap();
        // From now on, neither server can be reached.
        drop(stream);
        drop(hostile);
    };
    let (report, ()) = tokio::join!(senders.send(call.clone()), serve);
    assert_failed(&report, Failure::Unavailable);
    assert_failed(&senders.send(call).await, Failure::Connect);
    let called = tokio::time::timeout(Duration::from_millis(200), advertised.accept()).await;
    assert!(called.is_err());
}

async fn publish(service: &ExternalServer, subject: String, count: usize) {
    let jetstream = jetstream(service.key("url")).await;
    for index in 0..count {
        let payload = index.to_string().into();
        jetstream.publish(subject.clone(), payload).await.unwrap().await.unwrap();
    }
}

async fn queue(service: &ExternalServer, stream: &str) -> Box<dyn Queue> {
    let config = json!({ "url": service.key("url"), "stream": stream, "ackWait": "2s" });
    open(QueueKind::Nats, &config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_delivers_what_was_not_acknowledged_again_with_the_same_id() {
    let service = server();
    stream(&service, "queue").await;
    publish(&service, "queue.a".to_owned(), 5).await;
    let mut queue = queue(&service, "queue").await;
    let first = receive(&mut *queue, 5).await;
    assert_eq!(first[0].subject.as_deref(), Some("queue.a"));
    assert_eq!((&first[4].body[..], first[4].deliveries), (&b"4"[..], Some(1)));
    queue.acknowledge(&[first[0].receipt.clone(), first[1].receipt.clone()]).await.unwrap();
    queue.give_back(&[first[2].receipt.clone()]).await.unwrap();
    let again = receive(&mut *queue, 1).await;
    assert_eq!((&again[0].id, again[0].deliveries), (&first[2].id, Some(2)));
    // A crash before the acknowledgement.
    drop(queue);
    let mut queue = self::queue(&service, "queue").await;
    let mut rest = receive(&mut *queue, 3).await;
    rest.sort_by(|a, b| a.body.cmp(&b.body));
    let ids: Vec<_> = rest.iter().map(|it| &it.id).collect();
    assert_eq!(ids, [&first[2].id, &first[3].id, &first[4].id]);
    let receipts: Vec<_> = rest.iter().map(|it| it.receipt.clone()).collect();
    queue.acknowledge(&receipts).await.unwrap();
    publish(&service, "queue.b".to_owned(), 1).await;
    assert_eq!(receive(&mut *queue, 1).await[0].subject.as_deref(), Some("queue.b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_readers_share_a_queue() {
    let service = server();
    stream(&service, "two").await;
    publish(&service, "two.a".to_owned(), 20).await;
    let (mut a, mut b) = (queue(&service, "two").await, queue(&service, "two").await);
    let (from_a, from_b) = (receive(&mut *a, 10).await, receive(&mut *b, 10).await);
    let ids: std::collections::BTreeSet<_> =
        from_a.iter().chain(&from_b).map(|it| &it.id).collect();
    assert_eq!(ids.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_reports_a_broken_connection_and_can_be_opened_again() {
    let service = ExternalServer::start("nats", &[]);
    stream(&service, "again").await;
    let mut queue = queue(&service, "again").await;
    let (received, ()) = tokio::join!(queue.receive(10), async {
        tokio::task::block_in_place(|| service.kill());
    });
    assert_eq!(received.unwrap_err().failure, Failure::Unavailable);
    service.restart();
    publish(&service, "again.a".to_owned(), 1).await;
    assert_eq!(receive(&mut *self::queue(&service, "again").await, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_without_its_stream_is_misconfigured() {
    let service = server();
    let config = json!({ "url": service.key("url"), "stream": "missing" });
    let error = open(QueueKind::Nats, &config).await.unwrap_err();
    assert_eq!(error.failure, Failure::Misconfigured);
    assert!(error.reason.contains("create it"), "{}", error.reason);
}
