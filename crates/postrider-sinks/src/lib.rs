//! Endpoints and queue sources that are brokers and object stores, one feature each.

#[cfg(any(feature = "sqs", feature = "sns", feature = "s3"))]
mod aws;
#[cfg(any(feature = "mqtt", feature = "kafka"))]
mod connection;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sns")]
mod sns;
#[cfg(feature = "sqs")]
mod sqs;

use std::sync::Arc;

use postrider::api::EndpointKind;
use postrider_core::queue::QueueKind;
use postrider_engine::{Guard, QueueConnector, Sender};

/// The senders of the kinds that this build has.
pub fn senders(guard: &Guard) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    let all: &[fn(&Guard) -> (EndpointKind, Arc<dyn Sender>)] = &[
        #[cfg(feature = "s3")]
        |guard| (EndpointKind::S3, Arc::new(s3::S3Sender::new(guard))),
        #[cfg(feature = "sns")]
        |guard| (EndpointKind::Sns, Arc::new(sns::SnsSender::new(guard))),
        #[cfg(feature = "sqs")]
        |guard| (EndpointKind::Sqs, Arc::new(sqs::SqsSender::new(guard))),
        #[cfg(feature = "mqtt")]
        |guard| (EndpointKind::Mqtt, Arc::new(mqtt::MqttSender::new(guard.clone()))),
    ];
    all.iter().map(|sender| sender(guard)).collect()
}

/// The clients of the queues that this build has.
pub fn queues(guard: &Guard) -> Vec<(QueueKind, Arc<dyn QueueConnector>)> {
    let all: &[fn(&Guard) -> (QueueKind, Arc<dyn QueueConnector>)] = &[
        #[cfg(feature = "sqs")]
        |guard| (QueueKind::Sqs, Arc::new(sqs::SqsConnector::new(guard))),
    ];
    all.iter().map(|queue| queue(guard)).collect()
}
