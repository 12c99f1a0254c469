//! RabbitMQ.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, queue::QueueKind};
use postrider_engine::{Queue, Sender, Senders};
use postrider_testing::{ExternalServer, Mode, Proxy, SharedServer};
use serde_json::{Value, json};

use crate::world::{
    PATIENCE, assert_delivered, assert_failed, call, deliver, deliver_during_restart, open,
    receive, senders, senders_allowing, target, text,
};

const KIND: EndpointKind = EndpointKind::Rabbitmq;

static SHARED: SharedServer = SharedServer::new(Weak::new());

fn server() -> Arc<ExternalServer> {
    ExternalServer::shared(&SHARED, "rabbitmq", &["max_message_size=100000"])
}

/// A client of the test.
struct Client {
    _connection: Connection,
    channel: Channel,
}

async fn client(service: &ExternalServer) -> Client {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(service.key("url"), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    Client { _connection: connection, channel }
}

impl Client {
    async fn declare(&self, queue: &str) {
        self.declare_with(queue, FieldTable::default()).await;
    }

    async fn declare_with(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.channel.queue_declare(queue.into(), options, arguments).await.unwrap();
    }

    async fn count(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let found = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        found.unwrap().message_count()
    }

    /// The ids of all messages of a queue, in order.
    async fn ids(&self, queue: &str) -> Vec<String> {
        let mut ids = Vec::new();
        while let Some(message) = self.get(queue).await {
            ids.push(message.properties.message_id().clone().unwrap().to_string());
        }
        ids
    }

    async fn get(&self, queue: &str) -> Option<lapin::message::Delivery> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options).await.unwrap();
        got.map(|message| message.delivery)
    }

    async fn publish(&self, queue: &str, body: &str, properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let sent = self
            .channel
            .basic_publish("".into(), queue.into(), options, body.as_bytes(), properties)
            .await;
        sent.unwrap().await.unwrap();
    }
}

fn config(port: u16, key: &str) -> Value {
    json!({ "url": format!("amqp://127.0.0.1:{port}"), "routingKey": key })
}

fn patient() -> Senders {
    senders(PATIENCE)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_reach_the_bound_queue_with_their_properties() {
    let service = server();
    let client = client(&service).await;
    client.declare("works").await;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let arguments = FieldTable::default();
    client
        .channel
        .exchange_declare("events".into(), ExchangeKind::Topic, durable, arguments.clone())
        .await
        .unwrap();
    let options = QueueBindOptions::default();
    let bound = client
        .channel
        .queue_bind("works".into(), "events".into(), "user.*".into(), options, arguments)
        .await;
    bound.unwrap();
    let mut config = config(service.port(), "{{ type }}");
    config["exchange"] = "events".into();
    config["headers"] = json!({ "name": "{{ payload.name }}" });
    let (senders, target) = (patient(), target(KIND, &config));
    assert_delivered(&senders.check(Arc::clone(&target)).await);
    let calls: Vec<_> = (0..1_000).map(|_| call(&target, r#"{"name":"Ada"}"#)).collect();
    for report in join_all(calls.iter().map(|call| senders.send(call.clone()))).await {
        assert_delivered(&report);
    }
    assert_eq!(client.count("works").await, 1_000);
    let message = client.get("works").await.unwrap();
    assert_eq!(message.data, br#"{"name":"Ada"}"#);
    assert_eq!(message.routing_key.as_str(), "user.created");
    let properties = &message.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(properties.content_type().clone().unwrap().as_str(), "application/json");
    assert_eq!(properties.kind().clone().unwrap().as_str(), "user.created");
    let headers = properties.headers().clone().unwrap();
    let id = properties.message_id().clone().unwrap().to_string();
    assert_eq!(headers.inner()["webhook-id"], AMQPValue::LongString(id.into()));
    assert_eq!(headers.inner()["name"], AMQPValue::LongString("Ada".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_messages_that_reach_no_queue_fail() {
    let service = server();
    let client = client(&service).await;
    client.declare("routed").await;
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "{{ payload }}")));
    for _ in 0..5 {
        let send = async |index: usize| {
            let key = if index.is_multiple_of(3) { "\"nowhere\"" } else { "\"routed\"" };
            (index, senders.send(call(&target, key)).await)
        };
        for (index, report) in join_all((0..300).map(send)).await {
            if index.is_multiple_of(3) {
                let reason = assert_failed(&report, Failure::Misconfigured);
                assert!(reason.contains("`nowhere`"), "{reason}");
            } else {
                assert_delivered(&report);
            }
        }
    }
    assert_eq!(client.count("routed").await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_reach_no_queue_are_dropped_on_request() {
    let service = server();
    let mut config = config(service.port(), "nowhere");
    config["mandatory"] = false.into();
    assert_delivered(&patient().send(call(&target(KIND, &config), "1")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_rejected_and_the_others_are_delivered() {
    let service = server();
    let client = client(&service).await;
    client.declare("large").await;
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "large")));
    let send = async |index: usize| {
        let size = if index == 20 { 200_000 } else { 10 };
        (index, senders.send(call(&target, &format!("\"{}\"", "x".repeat(size)))).await)
    };
    for (index, report) in join_all((0..100).map(send)).await {
        if index == 20 {
            assert_failed(&report, Failure::Rejected);
        } else {
            assert_delivered(&report);
        }
    }
    let ids = client.ids("large").await;
    let distinct: BTreeSet<_> = ids.iter().collect();
    println!("{} duplicates", ids.len() - distinct.len());
    assert_eq!(distinct.len(), 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_or_is_not_allowed_is_misconfigured() {
    let service = server();
    let port = service.port();
    let senders = patient();
    let cases = [
        (format!("amqp://127.0.0.1:{port}"), "missing", "does not exist"),
        (format!("amqp://127.0.0.1:{port}/missing"), "", "virtual host"),
        (format!("amqp://ada:hidden@127.0.0.1:{port}"), "", "refused the user"),
        (format!("amqp://guest:hidden@127.0.0.1:{port}"), "", "refused the user"),
        (format!("amqp://127.0.0.1:{port}"), "amq.rabbitmq.trace", "permission"),
    ];
    for (url, exchange, part) in cases {
        let target =
            target(KIND, &json!({ "url": url, "exchange": exchange, "routingKey": "nowhere" }));
        for _ in 0..2 {
            let reason =
                assert_failed(&senders.send(call(&target, "1")).await, Failure::Misconfigured);
            assert!(reason.contains(part) && !reason.contains("hidden"), "{reason}");
        }
    }
    let target = target(KIND, &config(port, "missing"));
    assert_failed(&senders.check(target).await, Failure::Misconfigured);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_busy() {
    let service = server();
    let client = client(&service).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    client.declare_with("full", arguments).await;
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "full")));
    assert_delivered(&senders.send(call(&target, "1")).await);
    assert_failed(&senders.send(call(&target, "2")).await, Failure::Busy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_is_busy() {
    let service = ExternalServer::start("rabbitmq", &["vm_memory_high_watermark.absolute=1"]);
    let target = target(KIND, &config(service.port(), "any"));
    let senders = patient();
    for _ in 0..2 {
        assert_failed(&senders.send(call(&target, "1")).await, Failure::Busy);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_midway_loses_nothing_that_was_delivered() {
    let service = Arc::new(ExternalServer::start("rabbitmq", &[]));
    client(&service).await.declare("restart").await;
    let (senders, target) = (patient(), target(KIND, &config(service.port(), "restart")));
    let (delivered, failed) = deliver_during_restart(&senders, &target, &service).await;
    let ids = client(&service).await.ids("restart").await;
    let distinct: BTreeSet<_> = ids.iter().collect();
    let duplicates = ids.len() - distinct.len();
    println!("{delivered} delivered, {failed} attempts failed, {duplicates} duplicates");
    assert_eq!(distinct.len(), delivered as usize);
    assert!(failed > 0 && duplicates <= failed as usize);
    service.kill();
    let report = senders.send(call(&target, "1")).await;
    assert!(!report.outcome.delivered());
    assert_failed(&senders.send(call(&target, "1")).await, Failure::Connect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_before_the_confirmation_leads_to_one_duplicate() {
    let service = server();
    let client = client(&service).await;
    client.declare("cut").await;
    let proxy = Proxy::start("127.0.0.1", service.port()).await;
    let (senders, target) = (patient(), target(KIND, &config(proxy.port(), "cut")));
    // One on each channel, so that they are open.
    for report in join_all((0..4).map(|_| senders.send(call(&target, "1")))).await {
        assert_delivered(&report);
    }
    let call = call(&target, "2");
    proxy.set(Mode::Cut);
    assert_failed(&senders.send(call.clone()).await, Failure::Unavailable);
    proxy.set(Mode::Pass);
    assert_eq!(deliver(&senders, &call).await, 0);
    assert_eq!(client.count("cut").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_does_not_come_is_a_timeout() {
    let service = server();
    client(&service).await.declare("slow").await;
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
async fn a_server_that_does_not_speak_the_protocol_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(KIND, &config(listener.local_addr().unwrap().port(), "q"));
    let (senders, call) = (patient(), call(&target, "1"));
    let (report, ()) = tokio::join!(senders.send(call), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad\r\n\r\n")
            .await
            .unwrap();
    });
    assert!(!report.outcome.delivered(), "{}", text(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified_for_the_host_of_the_url() {
    let service = ExternalServer::start("rabbitmq", &["tls=yes"]);
    client(&service).await.declare("tls").await;
    let port: u16 = service.key("tls_port").parse().unwrap();
    let trusted = std::fs::read_to_string(service.key("ca")).unwrap();
    let senders = patient();
    let send = async |host: &str, port: u16, trusted: Option<&str>| {
        let url = format!("amqps://{host}:{port}");
        let config = json!({ "url": url, "routingKey": "tls", "trustedCertificates": trusted });
        senders.send(call(&target(KIND, &config), "1")).await
    };
    assert_delivered(&send("localhost", port, Some(&trusted)).await);
    assert_failed(&send("localhost", port, None).await, Failure::Tls);
    let proxy = Proxy::start("127.0.0.2", port).await;
    assert_failed(&send("127.0.0.2", proxy.port(), Some(&trusted)).await, Failure::Tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_not_called() {
    let service = server();
    let senders = senders_allowing(&[], PATIENCE);
    let target = target(KIND, &config(service.port(), "q"));
    assert_failed(&senders.send(call(&target, "1")).await, Failure::Forbidden);
}

async fn queue(service: &ExternalServer, name: &str) -> Box<dyn Queue> {
    let config = json!({ "url": service.key("url"), "queue": name, "prefetch": 10 });
    open(QueueKind::Rabbitmq, &config).await.unwrap()
}

fn with_id(id: usize) -> BasicProperties {
    BasicProperties::default().with_message_id(format!("id-{id}").into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_delivers_what_was_not_acknowledged_again_with_the_same_id() {
    let service = server();
    let client = client(&service).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    client.declare_with("queue", arguments).await;
    for index in 0..5 {
        client.publish("queue", &index.to_string(), with_id(index)).await;
    }
    let mut queue = queue(&service, "queue").await;
    let first = receive(&mut *queue, 5).await;
    assert_eq!((first[4].id.as_str(), &first[4].body[..]), ("id-4", &b"4"[..]));
    assert_eq!(first[0].deliveries, Some(1));
    queue.acknowledge(&[first[0].receipt.clone(), first[1].receipt.clone()]).await.unwrap();
    queue.give_back(&[first[2].receipt.clone()]).await.unwrap();
    let again = receive(&mut *queue, 1).await;
    assert_eq!((again[0].id.as_str(), again[0].deliveries), ("id-2", Some(2)));
    // A crash before the acknowledgement.
    drop(queue);
    let mut queue = self::queue(&service, "queue").await;
    let rest = receive(&mut *queue, 3).await;
    let ids: BTreeSet<_> = rest.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["id-2", "id-3", "id-4"]));
    let receipts: Vec<_> = rest.iter().map(|it| it.receipt.clone()).collect();
    queue.acknowledge(&receipts).await.unwrap();
    drop(queue);
    assert_eq!(client.count("queue").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_without_an_id_have_one_for_each_delivery() {
    let service = server();
    let client = client(&service).await;
    client.declare("anonymous").await;
    for _ in 0..2 {
        client.publish("anonymous", "same", BasicProperties::default()).await;
    }
    let mut queue = queue(&service, "anonymous").await;
    let messages = receive(&mut *queue, 2).await;
    assert_ne!(messages[0].id, messages[1].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_readers_share_a_queue() {
    let service = server();
    let client = client(&service).await;
    client.declare("two").await;
    for index in 0..20 {
        client.publish("two", "1", with_id(index)).await;
    }
    let (mut a, mut b) = (queue(&service, "two").await, queue(&service, "two").await);
    let (from_a, from_b) = (receive(&mut *a, 10).await, receive(&mut *b, 10).await);
    let ids: BTreeSet<_> = from_a.iter().chain(&from_b).map(|it| &it.id).collect();
    assert_eq!(ids.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_reports_a_broken_connection_and_can_be_opened_again() {
    let service = server();
    let client = client(&service).await;
    client.declare("again").await;
    let proxy = Proxy::start("127.0.0.1", service.port()).await;
    let url = format!("amqp://127.0.0.1:{}", proxy.port());
    let config = json!({ "url": url, "queue": "again" });
    let mut queue = open(QueueKind::Rabbitmq, &config).await.unwrap();
    proxy.set(Mode::Cut);
    client.publish("again", "1", with_id(1)).await;
    assert_eq!(queue.receive(10).await.unwrap_err().failure, Failure::Unavailable);
    proxy.set(Mode::Pass);
    let mut queue = open(QueueKind::Rabbitmq, &config).await.unwrap();
    assert_eq!(receive(&mut *queue, 1).await[0].id, "id-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_does_not_exist_is_misconfigured() {
    let service = server();
    let config = json!({ "url": service.key("url"), "queue": "missing" });
    let error = open(QueueKind::Rabbitmq, &config).await.unwrap_err();
    assert_eq!(error.failure, Failure::Misconfigured);
}
