//! The kinds of endpoints and of queues.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happens to a message that an endpoint receives.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum EndpointKind {
    /// It is posted to a URL, signed.
    #[default]
    Http,
    /// It becomes a row of a PostgreSQL table.
    Postgres,
    /// It becomes a row of a MySQL or MariaDB table.
    Mysql,
    /// It becomes a row of a table in a SQLite file on the server.
    Sqlite,
    /// It is sent by e-mail.
    Email,
    /// Web pages and programs that follow a stream get it.
    Live,
    /// It is posted to a Slack channel.
    Slack,
    /// It is posted to a Discord channel.
    Discord,
    /// It is posted to a channel of Microsoft Teams.
    Teams,
    /// It is sent to a Telegram chat.
    Telegram,
    /// A program on the server gets it.
    Command,
    /// It is published to a NATS JetStream subject.
    Nats,
    /// It is published to a RabbitMQ exchange.
    Rabbitmq,
    /// It is added to a Redis stream.
    Redis,
    /// It is published to an MQTT topic.
    Mqtt,
    /// It is produced to a Kafka topic.
    Kafka,
    /// It is sent to an Amazon SQS queue.
    Sqs,
    /// It is published to an Amazon SNS topic.
    Sns,
    /// It is written to an object store that speaks Amazon S3's protocol.
    S3,
    /// It is appended to a log, which clients poll.
    Polling,
}

/// The configuration of a kind other than [`EndpointKind::Http`]: the fields that the
/// documentation of the kind describes. Responses show `***` instead of credentials.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct EndpointConfig(pub Map<String, Value>);

impl EndpointConfig {
    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for EndpointConfig {
    /// Omits the values, which often contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A name that no kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a kind of endpoint")]
pub struct UnknownKind;

impl EndpointKind {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::Http,
        Self::Postgres,
        Self::Mysql,
        Self::Sqlite,
        Self::Email,
        Self::Live,
        Self::Slack,
        Self::Discord,
        Self::Teams,
        Self::Telegram,
        Self::Command,
        Self::Nats,
        Self::Rabbitmq,
        Self::Redis,
        Self::Mqtt,
        Self::Kafka,
        Self::Sqs,
        Self::Sns,
        Self::S3,
        Self::Polling,
    ];

    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Email => "email",
            Self::Live => "live",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Telegram => "telegram",
            Self::Command => "command",
            Self::Nats => "nats",
            Self::Rabbitmq => "rabbitmq",
            Self::Redis => "redis",
            Self::Mqtt => "mqtt",
            Self::Kafka => "kafka",
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::S3 => "s3",
            Self::Polling => "polling",
        }
    }

    /// Whether this is [`Self::Http`].
    pub const fn is_http(&self) -> bool {
        matches!(self, Self::Http)
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EndpointKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownKind)
    }
}

/// The kinds of queues that messages are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    /// A stream of NATS JetStream.
    Nats,
    /// A RabbitMQ queue.
    Rabbitmq,
    /// A Redis stream.
    Redis,
    /// A Kafka topic.
    Kafka,
    /// An Amazon SQS queue.
    Sqs,
}

impl QueueKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Nats, Self::Rabbitmq, Self::Redis, Self::Kafka, Self::Sqs];

    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Rabbitmq => "rabbitmq",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Sqs => "sqs",
        }
    }
}

impl fmt::Display for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_in_json() {
        for kind in EndpointKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        for kind in QueueKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!("ftp".parse::<EndpointKind>(), Err(UnknownKind));
    }
}
