//! Endpoints and queue sources that are brokers and object stores, one feature each.

#[cfg(any(feature = "mqtt", feature = "kafka"))]
mod connection;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod content;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod failed;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod shared;

use std::sync::Arc;

use postrider::api::EndpointKind;
use postrider_core::queue::QueueKind;
use postrider_engine::{Guard, QueueConnector, Sender};

/// The senders of the kinds that this build has.
pub fn senders(guard: &Guard) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    vec![
        #[cfg(feature = "mqtt")]
        (EndpointKind::Mqtt, Arc::new(mqtt::MqttSender::new(guard.clone()))),
        #[cfg(feature = "nats")]
        (EndpointKind::Nats, Arc::new(nats::NatsSender::new(guard.clone()))),
        #[cfg(feature = "redis")]
        (EndpointKind::Redis, Arc::new(redis::RedisSender::new(guard.clone()))),
    ]
}

/// The clients of the queues that this build has.
pub fn queues(guard: &Guard) -> Vec<(QueueKind, Arc<dyn QueueConnector>)> {
    vec![
        #[cfg(feature = "nats")]
        (QueueKind::Nats, Arc::new(nats::NatsConnector::new(guard.clone()))),
        #[cfg(feature = "redis")]
        (QueueKind::Redis, Arc::new(redis::RedisConnector::new(guard.clone()))),
    ]
}
