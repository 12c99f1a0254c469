//! Reads messages from a stream of NATS JetStream through a durable consumer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, Consumer, pull},
    context::GetStreamErrorKind,
    stream::ConsumerErrorKind,
};
use async_trait::async_trait;
use futures_util::{StreamExt, future::try_join_all};
use postrider_core::{kind::nats::NatsQueue, outcome::Failure, queue::QueueConfig};
use postrider_engine::{
    Guard, PartitionLeases, Queue, QueueConnector, QueueError, QueueMessage, Receipt,
};

use super::{classify, connection::NatsConnection};
use crate::failed::Failed;

/// How long the server waits for a message before it is asked again.
const POLL: Duration = Duration::from_secs(20);

/// Most messages that all nodes together may have without having acknowledged them.
const MAX_UNACKNOWLEDGED: i64 = 10_000;

/// Opens consumers of JetStream.
#[derive(Debug)]
pub(crate) struct NatsConnector {
    guard: Guard,
}

impl NatsConnector {
    pub(crate) const fn new(guard: Guard) -> Self {
        Self { guard }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are handled alike")]
    async fn open_queue(
        &self,
        config: &NatsQueue,
        consumer: &str,
    ) -> Result<JetStreamQueue, Failed> {
        let server = config.server().ok_or_else(super::unchecked)?;
        let connection = NatsConnection::open(&self.guard, server, None).await?;
        let stream = connection.jetstream.get_stream(&config.stream).await;
        let stream = stream.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(error) => {
                classify::queue_error(Some(&error), &config.stream)
            },
            _ => classify::queue_error(None, &config.stream),
        })?;
        let name = config.consumer.clone().unwrap_or_else(|| durable_name(consumer));
        let consumer = stream.get_or_create_consumer(&name, settings(config, &name)).await;
        let consumer = consumer.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(error) => {
                classify::queue_error(Some(&error), &config.stream)
            },
            _ => classify::queue_error(None, &config.stream),
        })?;
        check_consumer(&consumer, config)?;
        let created_at = stream.cached_info().created.unix_timestamp();
        Ok(JetStreamQueue { connection, consumer, created_at, unacknowledged: HashMap::new() })
    }
}

/// A name that NATS accepts.
fn durable_name(consumer: &str) -> String {
    consumer.replace(|it: char| !it.is_ascii_alphanumeric() && it != '-' && it != '_', "_")
}

fn settings(config: &NatsQueue, name: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: config.ack_wait,
        max_ack_pending: MAX_UNACKNOWLEDGED,
        filter_subject: config.filter_subject.clone().unwrap_or_default(),
        ..pull::Config::default()
    }
}

/// A consumer that exists already is used as it is, if messages have to be acknowledged and the
/// subjects are those that are wanted.
fn check_consumer(consumer: &Consumer<pull::Config>, config: &NatsQueue) -> Result<(), Failed> {
    let found = &consumer.cached_info().config;
    if found.ack_policy != AckPolicy::Explicit {
        return Err(Failed::misconfigured(
            "the consumer exists already and does not wait for acknowledgements; delete it, or \
             choose another `consumer`",
        ));
    }
    let wanted = config.filter_subject.as_deref();
    if wanted.is_some_and(|wanted| found.filter_subject != wanted) {
        return Err(Failed::misconfigured(
            "the consumer exists already with another filter subject; delete it, or choose \
             another `consumer`",
        ));
    }
    Ok(())
}

#[async_trait]
impl QueueConnector for NatsConnector {
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        consumer: &str,
        _partitions: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match &*config {
            QueueConfig::Nats(config) => {
                Ok(Box::new(self.open_queue(config, consumer).await?) as Box<dyn Queue>)
            },
            _ => Err(super::unchecked().into()),
        }
    }
}

/// A durable consumer of a stream.
#[derive(Debug)]
struct JetStreamQueue {
    connection: NatsConnection,
    consumer: Consumer<pull::Config>,
    /// When the stream was created, in seconds: a new stream of the same name counts from 1 again.
    created_at: i64,
    /// By sequence number; of a message that was delivered again, the last delivery.
    unacknowledged: HashMap<u64, Message>,
}

impl JetStreamQueue {
    /// Messages that are there, or `None` if there are none.
    async fn fetch(&self, max: usize) -> Result<Vec<Message>, Failed> {
        let batch = self.consumer.fetch().max_messages(max).messages().await;
        collect(batch.map_err(|_| classify::lost())?).await
    }

    /// Waits for a message.
    async fn wait(&self) -> Result<Vec<Message>, Failed> {
        let batch = self.consumer.batch().max_messages(1).expires(POLL).messages().await;
        collect(batch.map_err(|_| classify::lost())?).await
    }

    async fn next(&self, max: usize) -> Result<Vec<Message>, Failed> {
        loop {
            let mut messages = self.fetch(max).await?;
            if messages.is_empty() {
                messages = self.wait().await?;
            }
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    /// Keeps the message until it is acknowledged.
    fn take(&mut self, message: Message) -> Result<QueueMessage, Failed> {
        let malformed = || Failed::new(Failure::Protocol, "a message is not one of JetStream");
        let info = message.info().map_err(|_| malformed())?;
        let sequence = info.stream_sequence;
        let taken = QueueMessage {
            id: format!("{}.{}.{sequence}", info.stream, self.created_at),
            body: message.payload.clone(),
            headers: headers(&message),
            subject: Some(message.subject.to_string()),
            deliveries: u32::try_from(info.delivered).ok(),
            receipt: Receipt::Number(sequence),
        };
        self.unacknowledged.insert(sequence, message);
        Ok(taken)
    }

    fn give(&mut self, receipts: &[Receipt]) -> Vec<Message> {
        let number = |receipt: &Receipt| match receipt {
            Receipt::Number(number) => Some(*number),
            Receipt::Text(_) | Receipt::Position { .. } => None,
        };
        receipts
            .iter()
            .filter_map(number)
            .filter_map(|it| self.unacknowledged.remove(&it))
            .collect()
    }

    /// Responds to messages, and waits until the server has noted the responses.
    async fn respond(&mut self, receipts: &[Receipt], kind: AckKind) -> Result<(), QueueError> {
        let messages = self.give(receipts);
        let responses = messages.iter().map(|message| message.double_ack_with(kind));
        let result = tokio::select! {
            result = try_join_all(responses) => result.map_err(|_| classify::lost()),
            lost = self.connection.lost() => Err(lost),
        };
        result.map(drop).map_err(QueueError::from)
    }
}

async fn collect(mut batch: pull::Batch) -> Result<Vec<Message>, Failed> {
    let mut messages = Vec::new();
    while let Some(message) = batch.next().await {
        messages.push(message.map_err(|_| {
            Failed::unavailable(
                "the consumer or its stream was deleted, or JetStream is restarting",
            )
        })?);
    }
    Ok(messages)
}

fn headers(message: &Message) -> BTreeMap<String, String> {
    let headers = message.headers.iter().flat_map(async_nats::HeaderMap::iter);
    let last = headers.filter_map(|(name, values)| {
        values.last().map(|value| (name.to_string(), value.as_str().to_owned()))
    });
    last.collect()
}

#[async_trait]
impl Queue for JetStreamQueue {
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        let messages = tokio::select! {
            messages = self.next(max) => messages?,
            lost = self.connection.lost() => return Err(lost.into()),
        };
        let taken = messages.into_iter().map(|message| self.take(message));
        Ok(taken.collect::<Result<_, _>>()?)
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.respond(receipts, AckKind::Ack).await
    }

    async fn give_back(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.respond(receipts, AckKind::Nak(None)).await
    }
}
