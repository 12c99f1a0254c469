//! Queues that messages are read from, and their configuration.

pub mod mapping;
pub mod partitions;

pub use postrider::api::QueueKind;

use crate::kind::{
    Fields, KindConfig, Problem, kafka::KafkaQueue, nats::NatsQueue, parse,
    rabbitmq::RabbitmqQueue, redis::RedisQueue, sqs::SqsQueue,
};

/// Where messages are read from.
#[derive(Debug)]
pub enum QueueConfig {
    Nats(NatsQueue),
    Rabbitmq(RabbitmqQueue),
    Redis(RedisQueue),
    Kafka(KafkaQueue),
    Sqs(SqsQueue),
}

impl QueueConfig {
    /// Reads the configuration of a queue.
    pub fn parse(kind: QueueKind, fields: &Fields) -> Result<Self, Vec<Problem>> {
        match kind {
            QueueKind::Nats => parse(fields).map(Self::Nats),
            QueueKind::Rabbitmq => parse(fields).map(Self::Rabbitmq),
            QueueKind::Redis => parse(fields).map(Self::Redis),
            QueueKind::Kafka => parse(fields).map(Self::Kafka),
            QueueKind::Sqs => parse(fields).map(Self::Sqs),
        }
    }

    pub const fn kind(&self) -> QueueKind {
        match self {
            Self::Nats(_) => QueueKind::Nats,
            Self::Rabbitmq(_) => QueueKind::Rabbitmq,
            Self::Redis(_) => QueueKind::Redis,
            Self::Kafka(_) => QueueKind::Kafka,
            Self::Sqs(_) => QueueKind::Sqs,
        }
    }

    /// Fields at the top of the configuration whose whole value is a credential.
    pub const fn secret_fields(kind: QueueKind) -> &'static [&'static str] {
        match kind {
            QueueKind::Nats => NatsQueue::SECRETS,
            QueueKind::Rabbitmq => RabbitmqQueue::SECRETS,
            QueueKind::Redis => RedisQueue::SECRETS,
            QueueKind::Kafka => KafkaQueue::SECRETS,
            QueueKind::Sqs => SqsQueue::SECRETS,
        }
    }

    /// Where it is, as a URL for people, without credentials.
    pub fn address(&self) -> String {
        match self {
            Self::Nats(config) => config.address(),
            Self::Rabbitmq(config) => config.address(),
            Self::Redis(config) => config.address(),
            Self::Kafka(config) => config.address(),
            Self::Sqs(config) => config.address(),
        }
    }
}
