//! Redis streams.

use std::ops::Range;

use async_trait::async_trait;
use postrider_testing::ExternalServer;
use redis::{Client, Pipeline};
use serde_json::{Value, json};

use crate::queue::Broker;

struct Redis(ExternalServer);

impl Redis {
    fn start() -> Self {
        Self(ExternalServer::start("redis", &["appendonly=yes"]))
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port())
    }

    async fn add(&self, bodies: impl Iterator<Item = String>) {
        let mut connection =
            Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let mut pipeline = Pipeline::new();
        for body in bodies {
            pipeline.cmd("XADD").arg("orders").arg("*").arg("payload").arg(body).ignore();
        }
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
