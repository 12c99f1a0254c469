//! Redis streams.

use std::ops::Range;

use async_trait::async_trait;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use postrider_testing::ExternalServer;
use redis::{Client, Pipeline};
use serde_json::{Value, json};

use crate::{
    collector::Collector,
    queue::{Broker, until_state},
    server::Server,
};

struct Redis(ExternalServer);

impl Redis {
    fn start() -> Self {
        Self(ExternalServer::start("redis", &["appendonly=yes"]))
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port())
    }

    async fn add(&self, bodies: impl Iterator<Item = String>) {
        let mut pipeline = Pipeline::new();
        for body in bodies {
            pipeline.cmd("XADD").arg("orders").arg("*").arg("payload").arg(body).ignore();
        }
        self.run(&pipeline).await;
    }

    async fn run(&self, pipeline: &Pipeline) {
        let mut connection =
            Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        pipeline.query_async::<()>(&mut connection).await.unwrap();
    }
}

#[async_trait]
impl Broker for Redis {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn config(&self) -> Value {
        json!({ "url": self.url(), "stream": "orders", "ackWait": "5s" })
    }

    fn address(&self) -> String {
        self.url()
    }

    async fn publish(&self, numbers: Range<u64>) {
        self.add(numbers.map(|it| json!({ "n": it }).to_string())).await;
    }

    async fn publish_raw(&self, body: &str) {
        self.add(std::iter::once(body.to_owned())).await;
    }

    fn stop(&self) {
        self.0.kill();
    }

    fn restart(&self) {
        self.0.restart();
    }
}

#[tokio::test]
async fn messages_arrive_and_unusable_ones_are_listed() {
    crate::check_works(&Redis::start()).await;
}

#[tokio::test]
async fn a_killed_server_publishes_each_message_once() {
    crate::check_kill(&Redis::start()).await;
}

#[tokio::test]
async fn a_broker_that_comes_back_is_picked_up() {
    crate::check_broker_restart(&Redis::start()).await;
}

#[tokio::test]
async fn two_nodes_share_the_work_and_one_takes_over() {
    crate::check_two_nodes(&Redis::start()).await;
}

#[tokio::test]
async fn a_message_continues_the_trace_of_its_publisher() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    let (redis, collector) = (Redis::start(), Collector::start().await);
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let server = Server::with_variables(&variables);
    crate::create(&server, &redis).await;
    // No receiver listens there: attempts fail, and are traced all the same.
    server.endpoint("acme", "http://127.0.0.1:65534/").await;
    until_state(&server, |it| it["status"] == "connected").await;
    let mut pipeline = Pipeline::new();
    let fields = [("payload", r#"{"n":0}"#), ("traceparent", &format!("00-{TRACE}-{SPAN}-01"))];
    pipeline.cmd("XADD").arg("orders").arg("*").arg(&fields[..]).ignore();
    redis.run(&pipeline).await;

    let kind = |kind: SpanKind| move |it: &crate::collector::Received| it.span.kind == kind as i32;
    let read = collector.until(1, kind(SpanKind::Consumer)).await.remove(0);
    assert_eq!(read.span.name, "process");
    assert_eq!((read.trace_id(), read.parent()), (TRACE.to_owned(), SPAN.to_owned()));
    assert_eq!(read.attribute("messaging.system"), "redis");
    let consumer = server.get("/consumer/orders").await;
    assert_eq!(read.attribute("postrider.consumer.id"), consumer["id"].as_str().unwrap());
    let message = &server.get("/app/acme/msg").await["data"][0]["id"];
    assert_eq!(read.attribute("postrider.message.id"), message.as_str().unwrap());
    let attempt = collector.until(1, kind(SpanKind::Client)).await.remove(0);
    assert_eq!((attempt.trace_id(), attempt.parent()), (TRACE.to_owned(), read.span_id()));
    assert_eq!(attempt.attribute("postrider.message.id"), message.as_str().unwrap());
}
