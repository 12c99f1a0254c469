//! Reads entries of a Redis stream through a consumer group.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use postrider_core::{kind::redis::RedisQueue, outcome::Failure, queue::QueueConfig};
use postrider_engine::{
    Guard, PartitionLeases, Queue, QueueConnector, QueueError, QueueMessage, Receipt,
};
use redis::{
    Cmd, Value,
    streams::{StreamAutoClaimReply, StreamId, StreamPendingCountReply, StreamReadReply},
};
use serde_json::{Map, Value as Json};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{classify, connection::RedisConnection};
use crate::failed::Failed;

/// How long the server waits for an entry before it is asked again.
const POLL: Duration = Duration::from_secs(5);

/// How long a response may take in addition.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time between two searches for entries that were not acknowledged.
const MAX_CLAIM_INTERVAL: Duration = Duration::from_secs(10);

/// Where a search for such entries begins and ends.
const FIRST: &str = "0-0";

/// Opens consumer groups.
#[derive(Debug)]
pub(crate) struct RedisConnector {
    guard: Guard,
}

impl RedisConnector {
    pub(crate) const fn new(guard: Guard) -> Self {
        Self { guard }
    }

    async fn open_queue(&self, config: &RedisQueue, consumer: &str) -> Result<StreamQueue, Failed> {
        let server = config.server().ok_or_else(super::unchecked)?;
        let reader = RedisConnection::open(&self.guard, server.clone(), None).await?;
        let connection = RedisConnection::open(&self.guard, server, None).await?;
        let queue = StreamQueue {
            reader: Arc::new(reader),
            reading: JoinSet::new(),
            connection,
            stream: config.stream.clone(),
            group: config.group.clone().unwrap_or_else(|| consumer.to_owned()),
            consumer: consumer.to_owned(),
            body_field: config.body_field.clone(),
            ack_wait: config.ack_wait,
            claim_from: FIRST.to_owned(),
            claim_at: Instant::now(),
        };
        queue.create_group().await?;
        Ok(queue)
    }
}

#[async_trait]
impl QueueConnector for RedisConnector {
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        consumer: &str,
        _partitions: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match &*config {
            QueueConfig::Redis(config) => {
                Ok(Box::new(self.open_queue(config, consumer).await?) as Box<dyn Queue>)
            },
            _ => Err(super::unchecked().into()),
        }
    }
}

/// A consumer group of a stream.
#[derive(Debug)]
struct StreamQueue {
    /// Waits for entries, while other commands use the other connection.
    reader: Arc<RedisConnection>,
    /// The wait for entries, if there is one. It goes on when no caller waits for its result, so that
    /// no entry is lost.
    reading: JoinSet<Result<Option<StreamReadReply>, Failed>>,
    connection: RedisConnection,
    stream: String,
    group: String,
    consumer: String,
    body_field: String,
    ack_wait: Duration,
    /// Where the search for entries that were not acknowledged goes on, and when.
    claim_from: String,
    claim_at: Instant,
}

impl StreamQueue {
    /// Creates the group, and the stream, unless they exist. The group begins with the oldest
    /// entry.
    async fn create_group(&self) -> Result<(), Failed> {
        let mut list = redis::cmd("XINFO");
        list.arg("GROUPS").arg(&self.stream);
        // An error means that there is no stream; if it means something else, so will the next.
        let groups: Vec<BTreeMap<String, Value>> = self.query(&list).await.unwrap_or_default();
        let is_ours = |group: &BTreeMap<String, Value>| {
            group
                .get("name")
                .is_some_and(|name| *name == Value::BulkString(self.group.clone().into()))
        };
        if groups.iter().any(is_ours) {
            return Ok(());
        }
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.stream).arg(&self.group).arg("0").arg("MKSTREAM");
        self.query::<()>(&create).await
    }

    async fn query<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, Failed> {
        timeout(POLL + RESPONSE_TIMEOUT, self.connection.query(command)).await.unwrap_or_else(
            |_| Err(Failed::new(Failure::Timeout, "the Redis server did not respond in time")),
        )
    }

    async fn next(&mut self, max: usize) -> Result<Vec<QueueMessage>, Failed> {
        loop {
            let mut messages = self.claim(max).await?;
            if messages.is_empty() {
                messages = self.read(max).await?;
            }
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    /// Entries that no reader got before.
    async fn read(&mut self, max: usize) -> Result<Vec<QueueMessage>, Failed> {
        if self.reading.is_empty() {
            let (reader, command) = (Arc::clone(&self.reader), self.read_command(max));
            self.reading.spawn(async move { query(&reader, &command).await });
        }
        let finished = self.reading.join_next().await;
        let reply = finished.and_then(Result::ok).unwrap_or_else(|| Err(classify::lost()))?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        Ok(entries.map(|entry| self.message(entry, 1)).collect())
    }

    fn read_command(&self, max: usize) -> Cmd {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.group).arg(&self.consumer).arg("COUNT").arg(max);
        read.arg("BLOCK").arg(u64::try_from(POLL.as_millis()).unwrap_or(u64::MAX));
        read.arg("STREAMS").arg(&self.stream).arg(">");
        read
    }

    /// Entries that somebody read and did not acknowledge for long.
    async fn claim(&mut self, max: usize) -> Result<Vec<QueueMessage>, Failed> {
        if Instant::now() < self.claim_at {
            return Ok(Vec::new());
        }
        let mut claim = redis::cmd("XAUTOCLAIM");
        claim.arg(&self.stream).arg(&self.group).arg(&self.consumer);
        claim.arg(u64::try_from(self.ack_wait.as_millis()).unwrap_or(u64::MAX));
        claim.arg(&self.claim_from).arg("COUNT").arg(max);
        let reply: StreamAutoClaimReply = self.query(&claim).await?;
        if reply.next_stream_id == FIRST {
            self.claim_at = Instant::now() + MAX_CLAIM_INTERVAL.min(self.ack_wait / 2);
        }
        self.claim_from = reply.next_stream_id;
        let mut messages = Vec::new();
        for entry in reply.claimed {
            let deliveries = self.deliveries(&entry.id).await?;
            messages.push(self.message(entry, deliveries));
        }
        Ok(messages)
    }

    /// How often an entry was delivered.
    async fn deliveries(&self, id: &str) -> Result<u32, Failed> {
        let mut pending = redis::cmd("XPENDING");
        pending.arg(&self.stream).arg(&self.group).arg(id).arg(id).arg(1);
        let reply: StreamPendingCountReply = self.query(&pending).await?;
        let count = reply.ids.first().map_or(1, |found| found.times_delivered);
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn message(&self, entry: StreamId, deliveries: u32) -> QueueMessage {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let mut body = None;
        for (name, value) in entry.map {
            let bytes = redis::from_redis_value::<Vec<u8>>(value).unwrap_or_default();
            if name == self.body_field {
                body = Some(Bytes::from(bytes));
            } else {
                headers.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        QueueMessage {
            id: entry.id.clone(),
            body: body.unwrap_or_else(|| object(&headers)),
            headers,
            subject: Some(self.stream.clone()),
            deliveries: Some(deliveries),
            receipt: Receipt::Text(entry.id),
        }
    }
}

async fn query<T: redis::FromRedisValue>(
    connection: &RedisConnection,
    command: &Cmd,
) -> Result<T, Failed> {
    timeout(POLL + RESPONSE_TIMEOUT, connection.query(command)).await.unwrap_or_else(|_| {
        Err(Failed::new(Failure::Timeout, "the Redis server did not respond in time"))
    })
}

/// The fields of an entry without a body.
fn object(fields: &BTreeMap<String, String>) -> Bytes {
    let fields: Map<String, Json> =
        fields.iter().map(|(name, text)| (name.clone(), text.clone().into())).collect();
    Json::Object(fields).to_string().into()
}

#[async_trait]
impl Queue for StreamQueue {
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        Ok(self.next(max).await?)
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let text = |receipt: &Receipt| match receipt {
            Receipt::Text(id) => Some(id.clone()),
            Receipt::Number(_) | Receipt::Position { .. } => None,
        };
        let ids: Vec<_> = receipts.iter().filter_map(text).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut ack = redis::cmd("XACK");
        ack.arg(&self.stream).arg(&self.group).arg(ids);
        Ok(self.query::<()>(&ack).await?)
    }

    /// The entries stay as they are, and are delivered again when `ackWait` is over.
    async fn give_back(&mut self, _receipts: &[Receipt]) -> Result<(), QueueError> {
        Ok(())
    }
}
