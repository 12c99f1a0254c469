//! Queues that messages are read from, and their configuration.

pub mod mapping;
pub mod partitions;
mod path;

use serde::{Deserialize, Serialize};

use crate::kind::{
    Fields, KindConfig, Problem, kafka::KafkaQueue, nats::NatsQueue, parse,
    rabbitmq::RabbitmqQueue, redis::RedisQueue, sqs::SqsQueue,
};

/// The kinds of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    Nats,
    Rabbitmq,
    Redis,
    Kafka,
    Sqs,
}

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
