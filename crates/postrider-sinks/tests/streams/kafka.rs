//! `kafka` endpoints, against Tansu and the mock cluster of librdkafka.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use postrider::api::EndpointKind;
use postrider_core::{
    kind::kafka::partition_of,
    outcome::{Failure, Outcome},
    target::Target,
};
use postrider_engine::Sender;
use postrider_testing::{ExternalServer, Mode, Proxy};
use rskafka::{
    client::{
        Client, ClientBuilder,
        partition::{OffsetAt, UnknownTopicHandling},
    },
    record::RecordAndOffset,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::world::{
    assert_delivered, assert_failed, call, eventually, send, senders, senders_allowing, text,
};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn target(config: &Value) -> Arc<Target> {
    crate::world::target(EndpointKind::Kafka, config)
}

pub(crate) fn brokers(service: &ExternalServer) -> Vec<String> {
    service.key("bootstrap").split(',').map(str::to_owned).collect()
}

/// A client that is not ours.
async fn client(service: &ExternalServer) -> Client {
    ClientBuilder::new(brokers(service)).build().await.unwrap()
}

/// A stand-in for Kafka with a topic.
pub(crate) async fn start(name: &'static str, topic: &str, partitions: i32) -> ExternalServer {
    let service = ExternalServer::start(name, &["brokers=2"]);
    create(&service, topic, partitions).await;
    service
}

async fn create(service: &ExternalServer, topic: &str, partitions: i32) {
    if service.has("control") {
        tell(service, &format!("topic {topic} {partitions}")).await;
    } else {
        let controller = client(service).await.controller_client().unwrap();
        controller.create_topic(topic, partitions, 1, 5_000).await.unwrap();
    }
}

/// Gives a command to the mock cluster.
pub(crate) async fn tell(service: &ExternalServer, command: &str) {
    let mut stream = TcpStream::connect(service.key("control")).await.unwrap();
    stream.write_all(format!("{command}\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    assert_eq!(line.trim(), "ok", "{command}");
}

async fn records(service: &ExternalServer, topic: &str, partition: i32) -> Vec<RecordAndOffset> {
    let client = client(service).await;
    let partition =
        client.partition_client(topic, partition, UnknownTopicHandling::Error).await.unwrap();
    let end = partition.get_offset(OffsetAt::Latest).await.unwrap();
    let mut records = Vec::new();
    while let next = records.last().map_or(0, |it: &RecordAndOffset| it.offset + 1)
        && next < end
    {
        records.extend(partition.fetch_records(next, 1..1_000_000, 1_000).await.unwrap().0);
    }
    records
}

async fn all_records(
    service: &ExternalServer,
    topic: &str,
    partitions: i32,
) -> Vec<RecordAndOffset> {
    let read = (0..partitions).map(|partition| records(service, topic, partition));
    join_all(read).await.into_iter().flatten().collect()
}

async fn a_message_becomes_a_record(name: &'static str) {
    let service = start(name, "orders", 3).await;
    let target = target(&json!({
        "brokers": brokers(&service),
        "topic": "{{ payload.topic }}",
        "key": "{{ payload.customer }}",
        "headers": { "region": "{{ payload.region }}" },
    }));
    let call = call(&target, r#"{"topic":"orders","customer":"ada","region":"eu"}"#);
    let id = call.message.id.to_string();
    let report = senders(10 * SECOND).send(call).await;
    assert_delivered(&report);
    let partition = i32::try_from(partition_of(b"ada", 3)).unwrap();
    let said = text(&report);
    assert!(said.contains(&format!("partition {partition} of `orders` at offset 0")), "{said}");
    let found = records(&service, "orders", partition).await;
    let record = &found[0].record;
    assert_eq!(record.key.as_deref(), Some(&b"ada"[..]));
    let body = br#"{"topic":"orders","customer":"ada","region":"eu"}"#;
    assert_eq!(record.value.as_deref(), Some(&body[..]));
    let header = |name: &str| record.headers.get(name).map(Vec::as_slice);
    assert_eq!(header("webhook-id"), Some(id.as_bytes()));
    assert_eq!(header("webhook-event-type"), Some(&b"user.created"[..]));
    assert_eq!(header("region"), Some(&b"eu"[..]));
}

#[tokio::test]
async fn a_message_becomes_a_record_in_tansu() {
    a_message_becomes_a_record("kafka-tansu").await;
}

#[tokio::test]
async fn a_message_becomes_a_record_in_the_mock_cluster() {
    a_message_becomes_a_record("kafka-mock").await;
}

async fn many_messages_are_written_in_batches(name: &'static str) {
    let service = start(name, "t", 4).await;
    for compression in ["none", "gzip"] {
        let target = target(&json!({
            "brokers": brokers(&service), "topic": "t", "compression": compression,
        }));
        let senders = senders(20 * SECOND);
        let reports = join_all((0..1_500).map(|_| send(&senders, &target, "{}"))).await;
        for report in &reports {
            assert_delivered(report);
        }
    }
    assert_eq!(all_records(&service, "t", 4).await.len(), 3_000);
}

#[tokio::test]
async fn many_messages_are_written_in_batches_to_tansu() {
    many_messages_are_written_in_batches("kafka-tansu").await;
}

#[tokio::test]
async fn many_messages_are_written_in_batches_to_the_mock_cluster() {
    many_messages_are_written_in_batches("kafka-mock").await;
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_a_mistake_in_the_configuration() {
    for name in ["kafka-tansu", "kafka-mock"] {
        let service = start(name, "exists", 1).await;
        let config = json!({ "brokers": brokers(&service), "topic": "{{ payload }}" });
        let target = target(&config);
        let senders = senders(10 * SECOND);
        let report = send(&senders, &target, r#""missing""#).await;
        assert_failed(&report, Failure::Misconfigured, "does not exist");
        assert_failed(&send(&senders, &target, r#""a b""#).await, Failure::Rejected, "characters");
        assert_delivered(&send(&senders, &target, r#""exists""#).await);
        let checked = senders.check(Arc::clone(&target)).await;
        assert!(text(&checked).contains("brokers"), "{}", text(&checked));
    }
}

#[tokio::test]
async fn a_partition_that_moves_is_followed() {
    let service = start("kafka-mock", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    let senders = senders(10 * SECOND);
    tell(&service, "leader t 0 1").await;
    assert_delivered(&send(&senders, &target, "1").await);
    tell(&service, "leader t 0 2").await;
    assert_delivered(&send(&senders, &target, "2").await);
    // The broker of the partition ends, and another one has it then.
    tell(&service, "leader t 0 1").await;
    tell(&service, "down 2").await;
    eventually("the partition is followed", async || {
        send(&senders, &target, "3").await.outcome.delivered()
    })
    .await;
    assert_eq!(records(&service, "t", 0).await.len(), 3);
}

#[tokio::test]
async fn errors_of_the_broker_are_classified() {
    let service = start("kafka-mock", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    let senders = senders(10 * SECOND);
    let cases = [
        (7, Failure::Timeout),
        (10, Failure::Rejected),
        (19, Failure::Busy),
        (29, Failure::Misconfigured),
        (-1, Failure::Unavailable),
    ];
    for (code, failure) in cases {
        tell(&service, &format!("errors 0 {code}")).await;
        let report = send(&senders, &target, "{}").await;
        assert_failed(&report, failure, &format!("(Kafka error {code})"));
    }
    // Tried again after the topic was looked up.
    for code in [5, 6, 56] {
        tell(&service, &format!("errors 0 {code}")).await;
        assert_delivered(&send(&senders, &target, "{}").await);
    }
}

#[tokio::test]
async fn a_record_that_does_not_fit_fails_alone() {
    let service = start("kafka-mock", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    let senders = senders(10 * SECOND);
    assert_delivered(&send(&senders, &target, "0").await);
    // While the first record is written, the others wait and become one batch. It is refused, and
    // so is its first half, which is one record.
    tell(&service, "errors 0 0 10 10").await;
    let reports = join_all(["1", "2", "3", "4"].map(|body| send(&senders, &target, body))).await;
    let failed: Vec<_> = reports.iter().map(|it| it.outcome).collect();
    let rejected = Outcome::Unanswered(Failure::Rejected);
    let accepted = Outcome::ACCEPTED;
    assert_eq!(failed, [accepted, rejected, accepted, accepted]);
    assert_eq!(records(&service, "t", 0).await.len(), 4);
}

#[tokio::test]
async fn a_cluster_that_comes_back_is_used_again() {
    let service = start("kafka-mock", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    let senders = senders(5 * SECOND);
    assert_delivered(&send(&senders, &target, "1").await);
    for command in ["down 1", "down 2"] {
        tell(&service, command).await;
    }
    let report = send(&senders, &target, "2").await;
    assert!(!report.outcome.delivered());
    for command in ["up 1", "up 2"] {
        tell(&service, command).await;
    }
    eventually("the cluster is used again", async || {
        send(&senders, &target, "3").await.outcome.delivered()
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_restarted_is_used_again() {
    let service = start("kafka-tansu", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    let senders = senders(5 * SECOND);
    assert_delivered(&send(&senders, &target, "1").await);
    service.kill();
    eventually("the end of the connection is noticed", async || {
        let report = send(&senders, &target, "2").await;
        report.outcome == Outcome::Unanswered(Failure::Connect)
    })
    .await;
    assert_failed(&send(&senders, &target, "2").await, Failure::Connect, "broker 127.0.0.1");
    service.restart();
    // Tansu keeps topics in memory.
    create(&service, "t", 1).await;
    assert_delivered(&send(&senders, &target, "3").await);
}

#[tokio::test]
async fn a_slow_broker_ends_a_call_at_its_time_limit() {
    let service = start("kafka-mock", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    let senders = senders(SECOND);
    assert_delivered(&send(&senders, &target, "1").await);
    for command in ["delay 1 3000", "delay 2 3000"] {
        tell(&service, command).await;
    }
    assert_failed(&send(&senders, &target, "2").await, Failure::Timeout, "");
    for command in ["delay 1 0", "delay 2 0"] {
        tell(&service, command).await;
    }
    eventually("the broker is used again", async || {
        send(&senders, &target, "3").await.outcome.delivered()
    })
    .await;
}

#[tokio::test]
async fn a_message_whose_confirmation_is_lost_is_sent_again_with_the_same_id() {
    let service = start("kafka-mock", "t", 1).await;
    tell(&service, "leader t 0 1").await;
    let bootstrap = brokers(&service);
    let port = bootstrap[0].rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start("127.0.0.1", port).await;
    tell(&service, &format!("advertise 1 127.0.0.1 {}", proxy.address().port())).await;
    let target = target(&json!({ "brokers": bootstrap, "topic": "t" }));
    let senders = senders(5 * SECOND);
    assert_delivered(&send(&senders, &target, "0").await);
    proxy.set(Mode::Cut);
    let call = call(&target, "1");
    let report = senders.send(call.clone()).await;
    assert_failed(&report, Failure::Unavailable, "may have been stored");
    proxy.set(Mode::Pass);
    assert_delivered(&senders.send(call.clone()).await);
    let found = records(&service, "t", 0).await;
    let id = call.message.id.to_string().into_bytes();
    let copies = found.iter().filter(|it| it.record.headers.get("webhook-id") == Some(&id));
    assert_eq!(copies.count(), 2);
}

#[tokio::test]
async fn addresses_that_brokers_advertise_are_checked() {
    let service = start("kafka-mock", "t", 1).await;
    let target = target(&json!({ "brokers": brokers(&service), "topic": "t" }));
    for command in ["leader t 0 1", "advertise 1 10.1.2.3 9092"] {
        tell(&service, command).await;
    }
    let report = send(&senders(5 * SECOND), &target, "{}").await;
    assert_failed(&report, Failure::Forbidden, "broker 10.1.2.3:9092");
    let nothing_allowed = senders_allowing(SECOND, &[]);
    assert_failed(&send(&nothing_allowed, &target, "{}").await, Failure::Forbidden, "");
}
