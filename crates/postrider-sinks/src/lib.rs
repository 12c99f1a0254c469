//! Endpoints and queue sources that are brokers and object stores, one feature each.

#[cfg(any(feature = "mqtt", feature = "kafka"))]
mod connection;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "mqtt")]
mod mqtt;

use std::sync::Arc;

use postrider::api::EndpointKind;
use postrider_core::queue::QueueKind;
use postrider_engine::{Guard, QueueConnector, Sender};

/// The senders of the kinds that this build has.
pub fn senders(guard: &Guard) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    let all: &[fn(&Guard) -> (EndpointKind, Arc<dyn Sender>)] = &[
        #[cfg(feature = "kafka")]
        |guard| (EndpointKind::Kafka, Arc::new(kafka::KafkaSender::new(guard.clone()))),
        #[cfg(feature = "mqtt")]
        |guard| (EndpointKind::Mqtt, Arc::new(mqtt::MqttSender::new(guard.clone()))),
    ];
    all.iter().map(|sender| sender(guard)).collect()
}

/// The clients of the queues that this build has.
pub fn queues(guard: &Guard) -> Vec<(QueueKind, Arc<dyn QueueConnector>)> {
    let all: &[fn(&Guard) -> (QueueKind, Arc<dyn QueueConnector>)] = &[
        #[cfg(feature = "kafka")]
        |guard| (QueueKind::Kafka, Arc::new(kafka::KafkaQueues::new(guard.clone()))),
    ];
    all.iter().map(|queue| queue(guard)).collect()
}
