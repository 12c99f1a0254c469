//! NATS JetStream.

use std::{future::IntoFuture, ops::Range};

use async_nats::{
    ConnectOptions,
    jetstream::{self, stream},
};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use postrider_testing::ExternalServer;
use serde_json::{Value, json};

use crate::queue::Broker;

struct Nats(ExternalServer);

impl Nats {
    async fn start() -> Self {
        let nats = Self(ExternalServer::start("nats", &["user=postrider", "password=secret"]));
        let config = stream::Config {
            name: "ORDERS".to_owned(),
            subjects: vec!["orders.*".to_owned()],
            ..stream::Config::default()
        };
        nats.jetstream().await.create_stream(config).await.unwrap();
        nats
    }

    async fn jetstream(&self) -> jetstream::Context {
        let options = ConnectOptions::with_user_and_password("postrider".into(), "secret".into());
        jetstream::new(options.connect(self.address()).await.unwrap())
    }

    fn url(&self) -> String {
        format!("nats://postrider:secret@127.0.0.1:{}", self.0.port())
    }
}

#[async_trait]
impl Broker for Nats {
    fn kind(&self) -> &'static str {
        "nats"
    }

    fn config(&self) -> Value {
        json!({ "url": self.url(), "stream": "ORDERS", "ackWait": "5s" })
    }

    fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.0.port())
    }

    async fn publish(&self, numbers: Range<u64>) {
        let jetstream = self.jetstream().await;
        let mut confirmations = Vec::new();
        for number in numbers {
            let body = json!({ "n": number }).to_string();
            confirmations.push(jetstream.publish("orders.eu", body.into()).await.unwrap());
        }
        try_join_all(confirmations.into_iter().map(IntoFuture::into_future)).await.unwrap();
    }

    async fn publish_raw(&self, body: &str) {
        let jetstream = self.jetstream().await;
        jetstream.publish("orders.eu", body.to_owned().into()).await.unwrap().await.unwrap();
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
    crate::check_works(&Nats::start().await).await;
}

#[tokio::test]
async fn a_killed_server_publishes_each_message_once() {
    crate::check_kill(&Nats::start().await).await;
}

#[tokio::test]
async fn a_broker_that_comes_back_is_picked_up() {
    crate::check_broker_restart(&Nats::start().await).await;
}

#[tokio::test]
async fn two_nodes_share_the_work_and_one_takes_over() {
    crate::check_two_nodes(&Nats::start().await).await;
}

#[tokio::test]
async fn the_configuration_file_defines_consumers() {
    crate::check_declared(&Nats::start().await).await;
}
