//! Endpoints and queue sources that are brokers and object stores, one feature each.

#[cfg(any(feature = "sqs", feature = "sns", feature = "s3"))]
mod aws;
#[cfg(any(feature = "mqtt", feature = "kafka"))]
mod connection;
#[cfg(any(
    feature = "kafka",
    feature = "mqtt",
    feature = "nats",
    feature = "rabbitmq",
    feature = "redis"
))]
mod content;
#[cfg(any(
    feature = "kafka",
    feature = "mqtt",
    feature = "nats",
    feature = "rabbitmq",
    feature = "redis"
))]
mod failed;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(
    feature = "kafka",
    feature = "mqtt",
    feature = "nats",
    feature = "rabbitmq",
    feature = "redis"
))]
mod shared;
#[cfg(feature = "sns")]
mod sns;
#[cfg(feature = "sqs")]
mod sqs;

use std::sync::Arc;

use postrider::api::EndpointKind;
use postrider_core::queue::QueueKind;
use postrider_engine::{Guard, QueueConnector, Sender};

/// The sender of a kind.
pub type KindSender = (EndpointKind, Arc<dyn Sender>);

/// The client of a kind of queue.
pub type KindConnector = (QueueKind, Arc<dyn QueueConnector>);

/// The senders of the kinds that this build has.
pub fn senders(guard: &Guard) -> Vec<KindSender> {
    let all: &[fn(&Guard) -> KindSender] = &[
        #[cfg(feature = "kafka")]
        |guard| (EndpointKind::Kafka, Arc::new(kafka::KafkaSender::new(guard.clone()))),
        #[cfg(feature = "mqtt")]
        |guard| (EndpointKind::Mqtt, Arc::new(mqtt::MqttSender::new(guard.clone()))),
        #[cfg(feature = "nats")]
        |guard| (EndpointKind::Nats, Arc::new(nats::NatsSender::new(guard.clone()))),
        #[cfg(feature = "rabbitmq")]
        |guard| (EndpointKind::Rabbitmq, Arc::new(rabbitmq::RabbitmqSender::new(guard.clone()))),
        #[cfg(feature = "redis")]
        |guard| (EndpointKind::Redis, Arc::new(redis::RedisSender::new(guard.clone()))),
        #[cfg(feature = "s3")]
        |guard| (EndpointKind::S3, Arc::new(s3::S3Sender::new(guard))),
        #[cfg(feature = "sns")]
        |guard| (EndpointKind::Sns, Arc::new(sns::SnsSender::new(guard))),
        #[cfg(feature = "sqs")]
        |guard| (EndpointKind::Sqs, Arc::new(sqs::SqsSender::new(guard))),
    ];
    all.iter().map(|sender| sender(guard)).collect()
}

/// The clients of the queues that this build has.
pub fn queues(guard: &Guard) -> Vec<KindConnector> {
    let all: &[fn(&Guard) -> KindConnector] = &[
        #[cfg(feature = "nats")]
        |guard| (QueueKind::Nats, Arc::new(nats::NatsConnector::new(guard.clone()))),
        #[cfg(feature = "rabbitmq")]
        |guard| (QueueKind::Rabbitmq, Arc::new(rabbitmq::RabbitmqConnector::new(guard.clone()))),
        #[cfg(feature = "redis")]
        |guard| (QueueKind::Redis, Arc::new(redis::RedisConnector::new(guard.clone()))),
        #[cfg(feature = "sqs")]
        |guard| (QueueKind::Sqs, Arc::new(sqs::SqsConnector::new(guard))),
        #[cfg(feature = "kafka")]
        |guard| (QueueKind::Kafka, Arc::new(kafka::KafkaQueues::new(guard.clone()))),
    ];
    all.iter().map(|queue| queue(guard)).collect()
}
