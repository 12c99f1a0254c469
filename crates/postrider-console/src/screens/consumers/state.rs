//! The states of consumers, and the causes of dead letters.

use maud::Markup;
use postrider::api::{ConsumerStatus, DeadLetterCause, QueueKind};

use crate::{
    page::Tone,
    ui::{Icon, badge},
};

pub(super) fn status(status: ConsumerStatus) -> Markup {
    match status {
        ConsumerStatus::Disabled => badge(Tone::Neutral, Icon::Pause, "Paused"),
        ConsumerStatus::Connecting => badge(Tone::Neutral, Icon::Clock, "Connecting"),
        ConsumerStatus::Connected => badge(Tone::Good, Icon::Check, "Connected"),
        ConsumerStatus::Waiting => badge(Tone::Warning, Icon::Clock, "Waiting"),
        ConsumerStatus::Failing => badge(Tone::Bad, Icon::Cross, "Failing"),
    }
}

/// The cause of a dead letter in words.
pub(super) const fn cause(cause: DeadLetterCause) -> &'static str {
    match cause {
        DeadLetterCause::Unreadable => "Unreadable",
        DeadLetterCause::UnknownApplication => "Unknown application",
        DeadLetterCause::Invalid => "Invalid",
        DeadLetterCause::TooLarge => "Too large",
        DeadLetterCause::Refused => "Refused",
    }
}

/// The name of a kind of queue, and what it is.
pub(super) const fn kind(kind: QueueKind) -> (&'static str, &'static str) {
    match kind {
        QueueKind::Nats => ("NATS JetStream", "A durable consumer of a stream."),
        QueueKind::Rabbitmq => ("RabbitMQ", "A queue."),
        QueueKind::Redis => ("Redis", "A consumer group of a stream."),
        QueueKind::Kafka => ("Kafka", "A topic."),
        QueueKind::Sqs => ("Amazon SQS", "A standard or FIFO queue."),
    }
}
