//! Publishes messages to NATS JetStream, and reads them from it.

mod classify;
mod connection;
mod queue;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_nats::{HeaderMap, HeaderName, HeaderValue, jetstream::message::PublishMessage};
use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        nats::{Nats, SUBJECT, is_subject},
    },
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, Report, Sender};

use self::connection::NatsConnection;
pub(crate) use self::queue::NatsConnector;
use crate::{content::Content, failed::Failed, shared::Shared};

/// Most endpoints with a connection, and how long one may be unused.
const MAX_CLIENTS: usize = 1_000;
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Publishes messages to NATS JetStream.
#[derive(Debug)]
pub(crate) struct NatsSender {
    guard: Guard,
    clients: Clients<Shared<NatsConnection>>,
}

/// A message for NATS.
struct Outgoing {
    subject: String,
    message: PublishMessage,
}

impl NatsSender {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    async fn connection(&self, target: &Arc<Target>) -> Result<Arc<NatsConnection>, Failed> {
        let config = config(target)?;
        let shared = self.clients.get(target, Shared::new);
        let server = config.server().ok_or_else(unchecked)?;
        shared.get(|| NatsConnection::open(&self.guard, server, Some(target))).await
    }

    async fn publish(&self, call: &Call) -> Result<Report, Failed> {
        let outgoing = outgoing(config(&call.target)?, call)?;
        let connection = self.connection(&call.target).await?;
        let ack = connection.publish(outgoing.subject, outgoing.message).await?;
        let already = if ack.duplicate { ", which had it already" } else { "" };
        let done =
            format!("stored as message {} of the stream {}{already}", ack.sequence, ack.stream);
        Ok(Report::delivered(done))
    }

    async fn check_target(&self, target: &Arc<Target>) -> Result<Report, Failed> {
        let connection = self.connection(target).await?;
        match config(target)?.subject.constant() {
            Some(subject) => {
                let stream = connection.stream_of(subject).await?;
                Ok(Report::delivered(format!("connected; the stream {stream} stores the subject")))
            },
            None => Ok(Report::delivered("connected; the subject depends on the message")),
        }
    }
}

#[async_trait]
impl Sender for NatsSender {
    async fn send(&self, call: Call) -> Report {
        self.publish(&call).await.unwrap_or_else(Failed::report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        self.check_target(&target).await.unwrap_or_else(Failed::report)
    }
}

fn config(target: &Target) -> Result<&Nats, Failed> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::Nats(config) => Ok(config),
        _ => Err(unchecked()),
    }
}

fn unchecked() -> Failed {
    Failed::misconfigured("the stored configuration is not one of a nats endpoint; save it again")
}

fn outgoing(config: &Nats, call: &Call) -> Result<Outgoing, Failed> {
    let content = Content::new(call);
    let subject = content.line("subject", &config.subject)?;
    if !is_subject(&subject) {
        let reason = format!("the subject is `{subject}` for this message, but it {SUBJECT}");
        return Err(Failed::rejected(reason));
    }
    let message = PublishMessage::build()
        .payload(content.body(config.body.as_ref(), config.text.as_ref())?)
        .headers(headers(content.headers(&config.headers)?)?)
        .message_id(call.message.id.to_string());
    Ok(Outgoing { subject, message })
}

fn headers(texts: BTreeMap<String, String>) -> Result<HeaderMap, Failed> {
    let mut headers = HeaderMap::new();
    for (name, text) in texts {
        let unusable = || Failed::rejected(format!("`headers.{name}` cannot be a header"));
        let key: HeaderName = name.parse().map_err(|_| unusable())?;
        let value: HeaderValue = text.parse().map_err(|_| unusable())?;
        headers.insert(key, value);
    }
    Ok(headers)
}
