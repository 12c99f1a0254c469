//! The kinds that are measured: the service of each, and the configuration of its endpoint.

use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use super::{plain, service::Service};
use crate::bench::{
    load::Bench,
    measure::POSTRIDER,
    postgres::{Database, Server},
};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Http,
    Postgres,
    Mysql,
    Sqlite,
    Redis,
    Nats,
    Rabbitmq,
    Mqtt,
    /// With Tansu, a broker that speaks Kafka's protocol
    Kafka,
    /// With the mock cluster of librdkafka
    KafkaMock,
    Sqs,
    Sns,
    S3,
    Email,
    /// Without readers
    Live,
}

/// A service that is ready for an endpoint.
pub(super) struct Prepared {
    /// Of the endpoint.
    pub(super) config: Value,
    /// Of the plain client, if there is one.
    pub(super) plain: Option<Value>,
    _runs: Vec<Runs>,
}

/// What has to live as long as the endpoint is used.
#[expect(dead_code, reason = "they are only dropped")]
enum Runs {
    Service(Service),
    Database(Database, Arc<Server>),
    Folder(tempfile::TempDir),
}

impl Kind {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled alike")]
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KafkaMock => "kafka-mock",
            _ => self.id(),
        }
    }

    /// The kind of the endpoint.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::Nats => "nats",
            Self::Rabbitmq => "rabbitmq",
            Self::Mqtt => "mqtt",
            Self::Kafka | Self::KafkaMock => "kafka",
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::S3 => "s3",
            Self::Email => "email",
            Self::Live => "live",
        }
    }

    /// Starts its service.
    pub(super) async fn prepare(self, bench: &mut Bench) -> anyhow::Result<Prepared> {
        match self {
            Self::Http => Ok(Prepared::alone(json!({ "url": bench.url(POSTRIDER) }))),
            Self::Live => Ok(Prepared::alone(json!({}))),
            Self::Postgres => postgres(bench).await,
            Self::Sqlite => sqlite(),
            Self::Mysql => with(self, "mariadb", &[], |service| {
                Ok(json!({ "url": service.get("url")?, "createTable": true }))
            }),
            Self::Redis => with(self, "redis", &[], |service| {
                Ok(json!({ "url": service.get("url")?, "stream": "events" }))
            }),
            Self::Nats => {
                let prepared = with(self, "nats", &[], |service| {
                    Ok(json!({ "url": service.get("url")?, "subject": "events" }))
                })?;
                plain::prepare(self.id(), &prepared.config).await?;
                Ok(prepared)
            },
            Self::Rabbitmq => {
                let prepared = with(self, "rabbitmq", &[], |service| {
                    Ok(json!({ "url": service.get("url")?, "routingKey": "events" }))
                })?;
                plain::prepare(self.id(), &prepared.config).await?;
                Ok(prepared)
            },
            // The default of 20 messages in flight is for clients that are devices.
            Self::Mqtt => with(self, "mosquitto", &["max_inflight_messages=1000"], |service| {
                Ok(json!({ "url": service.get("url")?, "topic": "events" }))
            }),
            Self::Kafka => with(self, "kafka-tansu", &["topics=events"], kafka),
            Self::KafkaMock => with(self, "kafka-mock", &["topics=events"], kafka),
            Self::Sqs | Self::Sns => aws(self).await,
            Self::S3 => with(self, "s3", &["bucket=events"], |service| {
                Ok(json!({
                    "bucket": "events", "region": service.get("region")?,
                    "accessKeyId": service.get("access_key")?,
                    "secretAccessKey": service.get("secret_key")?,
                    "endpointUrl": service.get("url")?,
                }))
            }),
            Self::Email => with(self, "smtp", &[], |service| {
                let port: u16 = service.get("port")?.parse()?;
                Ok(json!({
                    "host": "127.0.0.1", "port": port, "tls": "none",
                    "from": "bench@example.com", "to": ["someone@example.com"],
                }))
            }),
        }
    }

    const fn has_plain_client(self) -> bool {
        match self {
            Self::Http | Self::Sqs | Self::Sns | Self::S3 | Self::Email | Self::Live => false,
            Self::Postgres
            | Self::Mysql
            | Self::Sqlite
            | Self::Redis
            | Self::Nats
            | Self::Rabbitmq
            | Self::Mqtt
            | Self::Kafka
            | Self::KafkaMock => true,
        }
    }
}

impl Prepared {
    const fn alone(config: Value) -> Self {
        Self { config, plain: None, _runs: Vec::new() }
    }
}

fn with(
    kind: Kind,
    name: &'static str,
    options: &[&str],
    config: impl Fn(&Service) -> anyhow::Result<Value>,
) -> anyhow::Result<Prepared> {
    let service = Service::start(name, options)?;
    let config = config(&service)?;
    let plain = kind.has_plain_client().then(|| config.clone());
    Ok(Prepared { config, plain, _runs: vec![Runs::Service(service)] })
}

fn kafka(service: &Service) -> anyhow::Result<Value> {
    let brokers: Vec<_> = service.get("bootstrap")?.split(',').collect();
    Ok(json!({ "brokers": brokers, "topic": "events" }))
}

async fn postgres(bench: &mut Bench) -> anyhow::Result<Prepared> {
    let server = bench.server().await?;
    let database = server.database("kinds").await?;
    let config = json!({ "url": database.url(), "createTable": true });
    let plain = Some(config.clone());
    Ok(Prepared { config, plain, _runs: vec![Runs::Database(database, server)] })
}

/// The endpoint's file is in the server's own folder, the plain client's in another one.
fn sqlite() -> anyhow::Result<Prepared> {
    let program = std::env::current_exe()?;
    let binaries = program.parent().context("no folder")?;
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(binaries)?;
    let plain = Some(json!({ "file": folder.path().join("plain.db") }));
    let config = json!({ "database": "events" });
    Ok(Prepared { config, plain, _runs: vec![Runs::Folder(folder)] })
}

/// A queue or a topic of moto, which checks no signatures.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled alike")]
async fn aws(kind: Kind) -> anyhow::Result<Prepared> {
    let service = Service::start("aws", &[])?;
    let url = service.get("url")?.to_owned();
    let mut config = json!({
        "region": service.get("region")?, "accessKeyId": service.get("access_key")?,
        "secretAccessKey": service.get("secret_key")?, "endpointUrl": url,
    });
    let setup = json!({ "url": url, "region": service.get("region")? });
    plain::prepare(kind.id(), &setup).await?;
    match kind {
        Kind::Sqs => config["queueUrl"] = json!(format!("{url}/123456789012/events")),
        _ => config["topicArn"] = json!("arn:aws:sns:us-east-1:123456789012:events"),
    }
    Ok(Prepared { config, plain: None, _runs: vec![Runs::Service(service)] })
}
