//! Appends messages to Redis streams, and reads them from consumer groups.

mod classify;
mod connection;
mod queue;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        redis::{MAX_NAME, Redis},
    },
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, Report, Sender};
use redis::Cmd;

use self::connection::RedisConnection;
pub(crate) use self::queue::RedisConnector;
use crate::{content::Content, failed::Failed, shared::Shared};

/// Most endpoints with a connection, and how long one may be unused.
const MAX_CLIENTS: usize = 1_000;
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How long replicas may take, in milliseconds. Other messages wait for as long.
const REPLICA_TIMEOUT_MILLIS: u64 = 1_000;

/// Appends messages to Redis streams.
#[derive(Debug)]
pub(crate) struct RedisSender {
    guard: Guard,
    clients: Clients<Shared<RedisConnection>>,
}

impl RedisSender {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    async fn connection(&self, target: &Arc<Target>) -> Result<Arc<RedisConnection>, Failed> {
        let server = config(target)?.server().ok_or_else(unchecked)?;
        let shared = self.clients.get(target, Shared::new);
        shared.get(|| RedisConnection::open(&self.guard, server, Some(target))).await
    }

    async fn append(&self, call: &Call) -> Result<Report, Failed> {
        let config = config(&call.target)?;
        let (stream, command) = append_command(config, call)?;
        let connection = self.connection(&call.target).await?;
        let id: String = connection.query(&command).await?;
        let mut done = format!("appended to the stream {stream} as {id}");
        if config.replicas > 0 {
            let count = replicated(&connection, config.replicas).await?;
            done = format!("{done}; {count} replicas have it");
        }
        Ok(Report::delivered(done).at(connection.address))
    }

    async fn ping(&self, target: &Arc<Target>) -> Result<Report, Failed> {
        let connection = self.connection(target).await?;
        connection.query::<()>(&redis::cmd("PING")).await?;
        Ok(Report::delivered("connected; the server responds").at(connection.address))
    }
}

#[async_trait]
impl Sender for RedisSender {
    async fn send(&self, call: Call) -> Report {
        self.append(&call).await.unwrap_or_else(Failed::report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        self.ping(&target).await.unwrap_or_else(Failed::report)
    }
}

fn config(target: &Target) -> Result<&Redis, Failed> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::Redis(config) => Ok(config),
        _ => Err(unchecked()),
    }
}

fn unchecked() -> Failed {
    Failed::misconfigured("the stored configuration is not one of a redis endpoint; save it again")
}

/// The stream, and the command that appends the message to it.
fn append_command(config: &Redis, call: &Call) -> Result<(String, Cmd), Failed> {
    let content = Content::new(call);
    let stream = content.line("stream", &config.stream)?;
    if !(1..=MAX_NAME).contains(&stream.len()) {
        let reason = format!(
            "`stream` has {} bytes for this message, but must have 1 to {MAX_NAME}; change the \
             template",
            stream.len()
        );
        return Err(Failed::rejected(reason));
    }
    let mut command = redis::cmd("XADD");
    command.arg(&stream);
    if let Some(length) = config.max_length {
        command.arg("MAXLEN").arg("~").arg(length);
    }
    command.arg("*");
    if config.fields.is_empty() {
        let message = &call.message;
        command.arg("id").arg(message.id.to_string());
        command.arg("type").arg(message.event_type.to_string());
        command.arg("timestamp").arg(message.created_at().to_rfc3339());
        command.arg("payload").arg(&call.body[..]);
    }
    for (name, text) in content.texts("fields", &config.fields)? {
        command.arg(name).arg(text);
    }
    Ok((stream, command))
}

/// Waits until enough replicas have what was written.
async fn replicated(connection: &RedisConnection, wanted: u32) -> Result<u32, Failed> {
    let mut wait = redis::cmd("WAIT");
    wait.arg(wanted).arg(REPLICA_TIMEOUT_MILLIS);
    let count: u32 = connection.query(&wait).await?;
    if count >= wanted {
        return Ok(count);
    }
    Err(Failed::unavailable(format!(
        "the entry was appended, but only {count} of {wanted} replicas have it; it will be \
         appended again; check the replicas, or lower `replicas`"
    )))
}
