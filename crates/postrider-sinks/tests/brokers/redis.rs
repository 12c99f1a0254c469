//! Redis streams.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, queue::QueueKind};
use postrider_engine::{Queue, Sender, Senders};
use postrider_testing::{ExternalServer, Mode, Proxy, SharedServer};
use redis::{AsyncCommands, aio::MultiplexedConnection, streams::StreamRangeReply};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{
    PATIENCE, assert_delivered, assert_failed, call, deliver, deliver_during_restart, open,
    receive, senders, senders_allowing, target, text,
};

const KIND: EndpointKind = EndpointKind::Redis;

static SHARED: SharedServer = SharedServer::new(Weak::new());

fn server() -> Arc<ExternalServer> {
    ExternalServer::shared(&SHARED, "redis", &[])
}

async fn client(service: &ExternalServer) -> MultiplexedConnection {
    let client = redis::Client::open(service.key("url")).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn entries(service: &ExternalServer, stream: &str) -> StreamRangeReply {
    client(service).await.xrange_all(stream).await.unwrap()
}

async fn count(service: &ExternalServer, stream: &str) -> usize {
    entries(service, stream).await.ids.len()
}

fn config(port: u16, stream: &str) -> Value {
    json!({ "url": format!("redis://127.0.0.1:{port}"), "stream": stream })
}

fn patient() -> Senders {
    senders(PATIENCE)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_appended_with_the_default_fields() {
    let service = server();
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "works:{{ type }}")));
    let calls: Vec<_> = (0..300).map(|_| call(&target, r#"{"name":"Ada"}"#)).collect();
    for report in join_all(calls.iter().map(|call| senders.send(call.clone()))).await {
        assert_delivered(&report);
        assert!(report.address.is_some());
    }
    let entries = entries(&service, "works:user.created").await;
    assert_eq!(entries.ids.len(), 300);
    let entry = &entries.ids[0];
    assert_eq!(entry.get::<String>("payload").unwrap(), r#"{"name":"Ada"}"#);
    assert_eq!(entry.get::<String>("type").unwrap(), "user.created");
    assert!(entry.get::<String>("timestamp").unwrap().ends_with('Z'));
    let ids: BTreeSet<_> =
        entries.ids.iter().map(|entry| entry.get::<String>("id").unwrap()).collect();
    assert_eq!(ids, calls.iter().map(|call| call.message.id.to_string()).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_come_from_templates_and_the_stream_is_trimmed() {
    let service = server();
    let mut config = config(service.port(), "fields");
    config["fields"] = json!({ "name": "{{ payload.name }}", "fixed": "x" });
    config["maxLength"] = 100.into();
    let (senders, target) = (patient(), target(KIND, &config));
    let calls = (0..1_000).map(|_| senders.send(call(&target, r#"{"name":"a\nb"}"#)));
    for report in join_all(calls).await {
        assert_delivered(&report);
    }
    let entries = entries(&service, "fields").await;
    assert!(entries.ids.len() < 500, "{}", entries.ids.len());
    assert_eq!(entries.ids[0].map.len(), 2);
    assert_eq!(entries.ids[0].get::<String>("name").unwrap(), "a\nb");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_delivered_twice_is_appended_twice_with_the_same_id() {
    let service = server();
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "twice")));
    let call = call(&target, "1");
    assert_delivered(&senders.send(call.clone()).await);
    assert_delivered(&senders.send(call).await);
    let entries = entries(&service, "twice").await;
    assert_eq!(entries.ids.len(), 2);
    let id = |index: usize| entries.ids[index].get::<String>("id").unwrap();
    assert_eq!(id(0), id(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_the_server() {
    let service = server();
    let senders = patient();
    assert_delivered(&senders.check(target(KIND, &config(service.port(), "s"))).await);
    let mut wrong = config(service.port(), "s");
    wrong["url"] = format!("redis://127.0.0.1:{}/99", service.port()).into();
    assert_failed(&senders.check(target(KIND, &wrong)).await, Failure::Misconfigured);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_texts_that_do_not_fit_are_told_apart() {
    let service = server();
    client(&service).await.set::<_, _, ()>("text", "x").await.unwrap();
    let senders = patient();
    let cases = [
        ("text", Failure::Misconfigured),
        ("{{ payload.missing }}", Failure::Rejected),
        ("{{ payload.a.b.c }}", Failure::Rejected),
        ("a{{ payload.line }}", Failure::Rejected),
    ];
    for (stream, failure) in cases {
        let target = target(KIND, &config(service.port(), stream));
        assert_failed(&senders.send(call(&target, r#"{"line":"a\nb"}"#)).await, failure);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_misconfigured_and_not_shown() {
    let service = ExternalServer::start("redis", &["requirepass=right"]);
    let senders = patient();
    let send = async |user: &str| {
        let url = format!("redis://{user}127.0.0.1:{}", service.port());
        let config = json!({ "url": url, "stream": "s" });
        senders.send(call(&target(KIND, &config), "1")).await
    };
    for user in ["", ":hidden@", "ada:hidden@"] {
        let reason = assert_failed(&send(user).await, Failure::Misconfigured);
        assert!(!reason.contains("hidden"), "{reason}");
    }
    assert_delivered(&send(":right@").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_busy_until_there_is_room() {
    let service = ExternalServer::start("redis", &["maxmemory=1"]);
    let target = target(KIND, &config(service.port(), "s"));
    let senders = patient();
    assert_failed(&senders.send(call(&target, "1")).await, Failure::Busy);
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory").arg(0);
    set.query_async::<()>(&mut client(&service).await).await.unwrap();
    assert_delivered(&senders.send(call(&target, "1")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_replicas_are_a_failure_and_the_entry_is_appended_again() {
    let service = server();
    let mut config = config(service.port(), "replicas");
    config["replicas"] = 1.into();
    let report = patient().send(call(&target(KIND, &config), "1")).await;
    let reason = assert_failed(&report, Failure::Unavailable);
    assert!(reason.contains("0 of 1 replicas"), "{reason}");
    assert_eq!(count(&service, "replicas").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_midway_loses_nothing_that_was_delivered() {
    let service =
        Arc::new(ExternalServer::start("redis", &["appendonly=yes", "appendfsync=always"]));
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "restart")));
    let (delivered, failed) = deliver_during_restart(&senders, &target, &service).await;
    let entries = entries(&service, "restart").await;
    let ids: BTreeSet<_> =
        entries.ids.iter().map(|entry| entry.get::<String>("id").unwrap()).collect();
    assert_eq!(ids.len(), delivered as usize);
    let duplicates = entries.ids.len() - ids.len();
    println!("{delivered} delivered, {failed} attempts failed, {duplicates} duplicates");
    assert!(failed > 0 && duplicates <= failed as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_a_failure_to_connect() {
    let service = ExternalServer::start("redis", &[]);
    let target = target(KIND, &config(service.port(), "down"));
    service.kill();
    assert_failed(&patient().send(call(&target, "1")).await, Failure::Connect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_before_the_response_leads_to_one_duplicate() {
    let service = server();
    let proxy = Proxy::start("127.0.0.1", service.port()).await;
    let (senders, target) = (patient(), target(KIND, &config(proxy.port(), "cut")));
    assert_delivered(&senders.send(call(&target, "1")).await);
    let call = call(&target, "2");
    proxy.set(Mode::Cut);
    assert_failed(&senders.send(call.clone()).await, Failure::Unavailable);
    proxy.set(Mode::Pass);
    assert_eq!(deliver(&senders, &call).await, 0);
    assert_eq!(count(&service, "cut").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_does_not_come_is_a_timeout_and_the_connection_is_replaced() {
    let service = server();
    let proxy = Proxy::start("127.0.0.1", service.port()).await;
    let (senders, target) =
        (senders(Duration::from_secs(1)), target(KIND, &config(proxy.port(), "slow")));
    deliver(&senders, &call(&target, "1")).await;
    proxy.set(Mode::Hold);
    assert_failed(&senders.send(call(&target, "2")).await, Failure::Timeout);
    proxy.set(Mode::Pass);
    deliver(&senders, &call(&target, "3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified_for_the_host_of_the_url() {
    let service = ExternalServer::start("redis", &["tls=yes"]);
    let port: u16 = service.key("tls_port").parse().unwrap();
    let trusted = std::fs::read_to_string(service.key("ca")).unwrap();
    let senders = patient();
    let send = async |host: &str, port: u16, trusted: Option<&str>| {
        let url = format!("rediss://{host}:{port}");
        let config = json!({ "url": url, "stream": "s", "trustedCertificates": trusted });
        senders.send(call(&target(KIND, &config), "1")).await
    };
    assert_delivered(&send("localhost", port, Some(&trusted)).await);
    assert_failed(&send("localhost", port, None).await, Failure::Tls);
    let proxy = Proxy::start("127.0.0.2", port).await;
    let report = send("127.0.0.2", proxy.port(), Some(&trusted)).await;
    let reason = assert_failed(&report, Failure::Tls);
    assert!(reason.contains("127.0.0.2"), "{}", text(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_not_called() {
    let service = server();
    let senders = senders_allowing(&[], PATIENCE);
    let target = target(KIND, &config(service.port(), "s"));
    assert_failed(&senders.send(call(&target, "1")).await, Failure::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_within_a_cluster_is_not_followed() {
    let advertised = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let moved = format!("-MOVED 3999 {}\r\n", advertised.local_addr().unwrap());
    let target = target(KIND, &config(node.local_addr().unwrap().port(), "s"));
    let (senders, call) = (patient(), call(&target, "1"));
    let serve = async {
        let (mut stream, _) = node.accept().await.unwrap();
        let (mut seen, mut named) = (Vec::new(), 0);
        while count_of(&seen, b"XADD") == 0 {
            stream.read_buf(&mut seen).await.unwrap();
            // The client tells its name and version first.
            while named < count_of(&seen, b"SETINFO") {
                stream.write_all(b"+OK\r\n").await.unwrap();
                named += 1;
            }
        }
        stream.write_all(moved.as_bytes()).await.unwrap();
    };
    let (report, ()) = tokio::join!(senders.send(call), serve);
    let reason = assert_failed(&report, Failure::Misconfigured);
    assert!(reason.contains("redirections"), "{reason}");
    let called = tokio::time::timeout(Duration::from_millis(200), advertised.accept()).await;
    assert!(called.is_err());
}

fn count_of(bytes: &[u8], word: &[u8]) -> usize {
    bytes.windows(word.len()).filter(|it| *it == word).count()
}

async fn append(service: &ExternalServer, stream: &str, count: usize) {
    let mut client = client(service).await;
    for index in 0..count {
        let fields = [("payload", index.to_string()), ("kind", "x".to_owned())];
        client.xadd::<_, _, _, _, ()>(stream, "*", &fields).await.unwrap();
    }
}

async fn queue(service: &ExternalServer, stream: &str) -> Box<dyn Queue> {
    let config = json!({ "url": service.key("url"), "stream": stream, "ackWait": "1s" });
    open(QueueKind::Redis, &config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_delivers_what_was_not_acknowledged_again_with_the_same_id() {
    let service = server();
    append(&service, "queue", 5).await;
    let mut queue = queue(&service, "queue").await;
    let first = receive(&mut *queue, 5).await;
    assert_eq!((&first[4].body[..], first[4].deliveries), (&b"4"[..], Some(1)));
    assert_eq!(first[0].headers["kind"], "x");
    queue.acknowledge(&[first[0].receipt.clone(), first[1].receipt.clone()]).await.unwrap();
    queue.give_back(&[first[2].receipt.clone()]).await.unwrap();
    // A crash before the acknowledgement.
    drop(queue);
    let mut queue = self::queue(&service, "queue").await;
    let rest = receive(&mut *queue, 3).await;
    let ids: Vec<_> = rest.iter().map(|it| &it.id).collect();
    assert_eq!(ids, [&first[2].id, &first[3].id, &first[4].id]);
    assert!(rest.iter().all(|message| message.deliveries >= Some(2)));
    let receipts: Vec<_> = rest.iter().map(|it| it.receipt.clone()).collect();
    queue.acknowledge(&receipts).await.unwrap();
    append(&service, "queue", 1).await;
    assert_eq!(receive(&mut *queue, 1).await[0].deliveries, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_without_a_body_becomes_an_object_of_its_fields() {
    let service = server();
    let mut queue = queue(&service, "object").await;
    let fields = [("a", "1"), ("b", "x")];
    client(&service).await.xadd::<_, _, _, _, ()>("object", "*", &fields).await.unwrap();
    assert_eq!(receive(&mut *queue, 1).await[0].body, r#"{"a":"1","b":"x"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_readers_share_a_queue() {
    let service = server();
    append(&service, "two", 20).await;
    let (mut a, mut b) = (queue(&service, "two").await, queue(&service, "two").await);
    let (from_a, from_b) = (receive(&mut *a, 10).await, receive(&mut *b, 10).await);
    let ids: BTreeSet<_> = from_a.iter().chain(&from_b).map(|it| &it.id).collect();
    assert_eq!(ids.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_reports_a_broken_connection_and_can_be_opened_again() {
    let service = ExternalServer::start("redis", &[]);
    let mut queue = queue(&service, "again").await;
    let (received, ()) = tokio::join!(queue.receive(10), async {
        tokio::task::block_in_place(|| service.kill());
    });
    assert_eq!(received.unwrap_err().failure, Failure::Unavailable);
    service.restart();
    append(&service, "again", 1).await;
    assert_eq!(receive(&mut *self::queue(&service, "again").await, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_a_stream_is_misconfigured() {
    let service = server();
    client(&service).await.set::<_, _, ()>("no-stream", "x").await.unwrap();
    let config = json!({ "url": service.key("url"), "stream": "no-stream" });
    let error = open(QueueKind::Redis, &config).await.unwrap_err();
    assert_eq!(error.failure, Failure::Misconfigured);
}
