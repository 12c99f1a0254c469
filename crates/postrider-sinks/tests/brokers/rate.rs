//! Deliveries per second of each kind, beside a plain client of the same library that publishes
//! as fast as it can with confirmations. They are measured on request:
//! `cargo test --release -p postrider-sinks --all-features --test brokers rate -- --ignored --nocapture --test-threads 1`

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use futures_util::{StreamExt, stream};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use postrider::api::EndpointKind;
use postrider_core::target::Target;
use postrider_engine::Sender;
use postrider_testing::ExternalServer;
use serde_json::json;
use tokio::time::Instant;

use crate::world::{PATIENCE, assert_delivered, call, senders, target};

const MESSAGES: usize = 30_000;
const IN_FLIGHT: usize = 1_000;
const ROUNDS: usize = 3;

/// About half a kilobyte.
fn body() -> String {
    json!({ "customer": "c".repeat(20), "text": "x".repeat(450), "total": 12 }).to_string()
}

async fn rate<F: Future<Output = ()>>(publish: impl Fn(usize) -> F) -> f64 {
    let began = Instant::now();
    stream::iter(0..MESSAGES).map(publish).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
    f64::from(u32::try_from(MESSAGES).unwrap())
        / began.elapsed().max(Duration::from_millis(1)).as_secs_f64()
}

async fn rate_of_sender(target: &Arc<Target>) -> f64 {
    let (senders, body) = (senders(PATIENCE), body());
    rate(async |_| assert_delivered(&senders.send(call(target, &body)).await)).await
}

/// Measures in turns, so that a busy moment of the machine affects both.
#[expect(clippy::print_stdout, reason = "it is run by hand")]
async fn compare<F: Future<Output = f64>>(name: &str, target: &Arc<Target>, plain: impl Fn() -> F) {
    for _ in 0..ROUNDS {
        let (ours, theirs) = (rate_of_sender(target).await, plain().await);
        println!("{name}: {ours:.0}/s, plain client {theirs:.0}/s, ratio {:.2}", ours / theirs);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn rate_of_nats() {
    let service = ExternalServer::start("nats", &[]);
    let context = jetstream::new(async_nats::connect(service.key("url")).await.unwrap());
    let stream = jetstream::stream::Config {
        name: "s".into(),
        subjects: vec!["s".into()],
        ..Default::default()
    };
    context.create_stream(stream).await.unwrap();
    let target = target(EndpointKind::Nats, &json!({ "url": service.key("url"), "subject": "s" }));
    let plain = async || {
        let (body, began) = (bytes::Bytes::from(body()), Instant::now());
        rate(async |index| {
            let message = jetstream::message::PublishMessage::build()
                .payload(body.clone())
                .message_id(format!("{began:?}-{index}"));
            context.send_publish("s", message).await.unwrap().await.unwrap();
        })
        .await
    };
    compare("nats", &target, plain).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn rate_of_redis() {
    let service = ExternalServer::start("redis", &["appendonly=yes"]);
    let target = target(EndpointKind::Redis, &json!({ "url": service.key("url"), "stream": "s" }));
    let client = redis::Client::open(service.key("url")).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let client = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let plain = async || {
        let body = body();
        rate(async |index| {
            let mut add = redis::cmd("XADD");
            add.arg("s").arg("*").arg("id").arg(index).arg("type").arg("user.created");
            add.arg("timestamp").arg("2026-11-27T00:00:00Z").arg("payload").arg(&body);
            add.query_async::<()>(&mut client.clone()).await.unwrap();
        })
        .await
    };
    compare("redis", &target, plain).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn rate_of_rabbitmq() {
    let service = ExternalServer::start("rabbitmq", &[]);
    let connection =
        Connection::connect(service.key("url"), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("s".into(), durable, FieldTable::default()).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let target =
        target(EndpointKind::Rabbitmq, &json!({ "url": service.key("url"), "routingKey": "s" }));
    let plain = async || {
        let body = body();
        rate(async |index| {
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(index.to_string().into());
            let sent = channel
                .basic_publish("".into(), "s".into(), options, body.as_bytes(), properties)
                .await;
            assert!(sent.unwrap().await.unwrap().is_ack());
        })
        .await
    };
    compare("rabbitmq", &target, plain).await;
}
