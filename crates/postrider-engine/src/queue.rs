//! Queues that messages are read from: the contract of their clients.

mod partitions;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use postrider_core::{outcome::Failure, queue::QueueConfig};
use tokio::time::Instant;

pub use self::partitions::StoredPartitions;

/// A message of a queue that was received and not acknowledged yet.
#[derive(Clone, Debug)]
pub struct QueueMessage {
    /// Identifies the message in its queue, also when it is delivered again: the same message
    /// always has the same id.
    pub id: String,
    pub body: Bytes,
    /// Headers, attributes or fields, by name.
    pub headers: BTreeMap<String, String>,
    /// The subject, routing key or key.
    pub subject: Option<String>,
    /// How often the message was delivered, this time included, if the queue counts that.
    pub deliveries: Option<u32>,
    /// What the client needs to acknowledge it.
    pub receipt: Receipt,
}

/// What a client needs to acknowledge a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Receipt {
    Number(u64),
    Text(String),
    /// A position in a partition.
    Position {
        partition: i32,
        offset: i64,
    },
}

/// Why a queue cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct QueueError {
    pub failure: Failure,
    /// Why, and what to do, for the operator; without credentials.
    pub reason: String,
}

/// A connection to a queue. It is dropped after an error, and the queue is opened again; messages
/// that were not acknowledged are then delivered again.
#[async_trait]
pub trait Queue: Send + fmt::Debug {
    /// Waits for messages and returns at most `max` of them. It can be dropped while it waits,
    /// without losing a message for longer than the queue's own timeout.
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError>;

    /// Acknowledges messages: they are stored, or on the dead-letter list. When it returns, the
    /// queue knows, or an error says that it may not.
    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError>;

    /// Returns messages to the queue, to be delivered again later.
    async fn give_back(&mut self, receipts: &[Receipt]) -> Result<(), QueueError>;
}

/// Opens queues of one kind.
#[async_trait]
pub trait QueueConnector: Send + Sync + fmt::Debug + 'static {
    /// Connects to a queue, on behalf of the consumer with this name. Queues whose broker shares
    /// messages among several readers and remembers what was acknowledged ignore `partitions`.
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        consumer: &str,
        partitions: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError>;
}

/// How often a client renews the leases on its partitions.
pub const PARTITION_RENEWAL: Duration = Duration::from_secs(5);

/// Who reads which partition of a queue, and how far: kept by Postrider, for brokers whose client
/// does neither. The nodes of an installation share the partitions evenly.
#[async_trait]
pub trait PartitionLeases: Send + Sync + fmt::Debug + 'static {
    /// Renews this node's leases, takes partitions that are free and gives up what is more than
    /// this node's share. Returns the partitions that it has now, of those that the queue has.
    ///
    /// Call it every [`PARTITION_RENEWAL`], and read no partition that it does not return, nor one
    /// whose lease has expired. What was read before may still be acknowledged.
    async fn renew(&self, partitions: &[i32]) -> Result<Vec<LeasedPartition>, QueueError>;

    /// Saves for partitions that everything before this offset has been acknowledged. An offset
    /// never goes back, so it does not matter whether the partition was lost in the meantime.
    async fn save_offsets(&self, next: &[(i32, i64)]) -> Result<(), QueueError>;
}

/// A partition that this node may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedPartition {
    pub partition: i32,
    /// The first offset that was not acknowledged; `None` if none ever was.
    pub next_offset: Option<i64>,
    pub until: Instant,
}
