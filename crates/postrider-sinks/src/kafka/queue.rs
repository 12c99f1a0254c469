//! Reads a topic. There are no consumer groups: nodes share the partitions by leases of ours, and
//! offsets are saved after the messages were stored.

mod fetch;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use postrider_core::{
    kind::kafka::{KafkaQueue, Start},
    outcome::Failure,
    queue::QueueConfig,
};
use postrider_engine::{
    Guard, LeasedPartition, PARTITION_RENEWAL, PartitionLeases, Queue, QueueConnector, QueueError,
    QueueMessage, Receipt,
};
use tokio::time::Instant;

use self::fetch::{Fetched, Position, fetch, first_offset};
use super::{
    broker::Context,
    cluster::{Cluster, Topic},
    progress::Progress,
};
use crate::failed::Failed;

/// A message that was given back is received again after this time.
const PAUSE: Duration = Duration::from_secs(1);

/// Between attempts to reach a broker that has a partition.
const RETRY: Duration = Duration::from_millis(200);

/// After so many failed rounds in a row, the queue is opened again.
const MAX_FAILURES: usize = 5;

/// Reads Kafka topics.
#[derive(Debug)]
pub(crate) struct KafkaQueues {
    guard: Guard,
}

impl KafkaQueues {
    pub(crate) const fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

#[async_trait]
impl QueueConnector for KafkaQueues {
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        _consumer: &str,
        leases: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError> {
        let reader = KafkaReader {
            guard: self.guard.clone(),
            config,
            leases,
            cluster: Cluster::default(),
            partitions: BTreeMap::new(),
            progress: HashMap::new(),
            ready: VecDeque::new(),
            renew_at: Instant::now(),
            failures: 0,
        };
        // Whether the topic exists and may be seen.
        reader.topic().await?;
        Ok(Box::new(reader))
    }
}

/// A topic that is read.
#[derive(Debug)]
struct KafkaReader {
    guard: Guard,
    config: Arc<QueueConfig>,
    leases: Arc<dyn PartitionLeases>,
    cluster: Cluster,
    /// Those that this node has.
    partitions: BTreeMap<i32, Reading>,
    /// Also of partitions that this node has lost: what it received may still be acknowledged.
    progress: HashMap<i32, Progress>,
    /// Received from the broker, and not passed on yet.
    ready: VecDeque<QueueMessage>,
    renew_at: Instant,
    failures: usize,
}

/// Where a partition is read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    next: i64,
    /// The lease ends.
    until: Instant,
    /// It pauses, because messages were given back.
    paused_until: Option<Instant>,
}

impl KafkaReader {
    fn config(&self) -> Result<&KafkaQueue, Failed> {
        let QueueConfig::Kafka(config) = &*self.config else {
            return Err(Failed::new(Failure::Misconfigured, "the queue is not of kind `kafka`"));
        };
        Ok(config)
    }

    fn context(&self) -> Result<Context<'_>, Failed> {
        Ok(Context { guard: &self.guard, target: None, access: self.config()?.access() })
    }

    async fn topic(&self) -> Result<Arc<Topic>, Failed> {
        self.cluster.topic(self.context()?, &self.config()?.topic).await
    }

    /// Renews the leases, begins with partitions that this node got, and stops with those that it
    /// lost.
    async fn renew(&mut self) -> Result<(), QueueError> {
        let topic = self.topic().await?;
        let leased = self.leases.renew(&topic.numbers()).await?;
        let mut begun = Vec::new();
        for lease in &leased {
            if !self.partitions.contains_key(&lease.partition) {
                begun.push((*lease, self.start_of(&topic, *lease).await?));
            }
        }
        self.partitions.retain(|partition, reading| {
            let lease = leased.iter().find(|lease| lease.partition == *partition);
            lease.inspect(|lease| reading.until = lease.until).is_some()
        });
        for (lease, next) in begun {
            let reading = Reading { next, until: lease.until, paused_until: None };
            self.partitions.insert(lease.partition, reading);
            self.progress.insert(lease.partition, Progress::starting_at(next));
        }
        let partitions = &self.partitions;
        self.ready.retain(|message| {
            position(&message.receipt).is_some_and(|(it, _)| partitions.contains_key(&it))
        });
        self.renew_at = Instant::now() + PARTITION_RENEWAL;
        Ok(())
    }

    /// The offset at which reading a partition begins.
    async fn start_of(&self, topic: &Topic, lease: LeasedPartition) -> Result<i64, Failed> {
        if let Some(next) = lease.next_offset {
            return Ok(next);
        }
        let start = self.config()?.start;
        self.first_offset(topic, lease.partition, start).await
    }

    async fn first_offset(
        &self,
        topic: &Topic,
        partition: i32,
        start: Start,
    ) -> Result<i64, Failed> {
        let leader = topic.leader(partition).ok_or_else(no_leader)?;
        let connection = self.cluster.broker(leader).connection(self.context()?).await?;
        let found = first_offset(&connection, &self.config()?.topic, partition, start).await;
        // The partition may have moved.
        found.inspect_err(|_| topic.expire())
    }

    /// Reads once from each broker that has partitions of this node.
    async fn fetch(&mut self) -> Result<(), QueueError> {
        let topic = self.topic().await?;
        let by_leader = self.positions(&topic);
        if by_leader.is_empty() {
            tokio::time::sleep_until(self.renew_at.min(Instant::now() + PAUSE)).await;
            return Ok(());
        }
        let (cluster, context) = (&self.cluster, self.context()?);
        let name = &self.config()?.topic;
        let reads = by_leader.into_iter().map(|(leader, positions)| async move {
            let connection = cluster.broker(leader).connection(context).await?;
            fetch(&connection, name, &positions).await
        });
        let results = join_all(reads).await;
        self.take(&topic, results).await
    }

    /// Where to read, by broker. Partitions whose lease has expired are not read.
    fn positions<'a>(&self, topic: &'a Topic) -> BTreeMap<&'a str, Vec<Position>> {
        let now = Instant::now();
        let mut by_leader: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (partition, reading) in &self.partitions {
            let is_paused = reading.paused_until.is_some_and(|until| until > now);
            if reading.until <= now || is_paused {
                continue;
            }
            let position = Position { partition: *partition, offset: reading.next };
            match topic.leader(*partition) {
                Some(leader) => by_leader.entry(leader).or_default().push(position),
                None => topic.expire(),
            }
        }
        by_leader
    }

    async fn take(
        &mut self,
        topic: &Topic,
        results: Vec<Result<Vec<Fetched>, Failed>>,
    ) -> Result<(), QueueError> {
        let mut problem = None;
        for result in results {
            match result {
                Ok(fetched) => {
                    for partition in fetched {
                        problem = self.take_partition(topic, partition).await?.or(problem);
                    }
                },
                Err(failed) => problem = Some(failed),
            }
        }
        let Some(failed) = problem else {
            self.failures = 0;
            return Ok(());
        };
        topic.expire();
        self.failures += 1;
        if failed.failure == Failure::Misconfigured || self.failures >= MAX_FAILURES {
            return Err(failed.into());
        }
        tokio::time::sleep(RETRY).await;
        Ok(())
    }

    /// Takes what was read from a partition. Returns why nothing could be read, if that may pass.
    async fn take_partition(
        &mut self,
        topic: &Topic,
        fetched: Fetched,
    ) -> Result<Option<Failed>, QueueError> {
        let Fetched { partition, next, messages, problem } = fetched;
        if problem.as_ref().is_some_and(fetch::Problem::is_out_of_range) {
            let first = self.first_offset(topic, partition, Start::Earliest).await?;
            let skipped_from = self.partitions.get(&partition).map(|it| it.next);
            tracing::warn!(
                partition,
                from = skipped_from,
                to = first,
                "messages of a Kafka topic are gone: the retention of the topic has removed them \
                 before they were read"
            );
            self.restart(partition, first);
            return Ok(None);
        }
        if let Some(reading) = self.partitions.get_mut(&partition) {
            reading.next = next.unwrap_or(reading.next);
        }
        let progress = self.progress.entry(partition).or_default();
        for (offset, message) in messages {
            if progress.receive(offset) {
                self.ready.push_back(message);
            }
        }
        Ok(problem.map(|problem| problem.failed))
    }

    fn restart(&mut self, partition: i32, offset: i64) {
        if let Some(reading) = self.partitions.get_mut(&partition) {
            reading.next = offset;
            self.progress.insert(partition, Progress::starting_at(offset));
        }
    }
}

fn no_leader() -> Failed {
    Failed::new(Failure::Unavailable, "a partition has no leader; the cluster may be electing one")
}

const fn position(receipt: &Receipt) -> Option<(i32, i64)> {
    match receipt {
        Receipt::Position { partition, offset } => Some((*partition, *offset)),
        Receipt::Number(_) | Receipt::Text(_) => None,
    }
}

#[async_trait]
impl Queue for KafkaReader {
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        loop {
            if Instant::now() >= self.renew_at {
                self.renew().await?;
            }
            if !self.ready.is_empty() {
                let count = self.ready.len().min(max);
                return Ok(self.ready.drain(..count).collect());
            }
            self.fetch().await?;
        }
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut changed = BTreeMap::new();
        for (partition, offset) in receipts.iter().filter_map(position) {
            if let Some(progress) = self.progress.get_mut(&partition) {
                progress.acknowledge(offset);
                changed.insert(partition, progress.acknowledged_until());
            }
        }
        let changed: Vec<_> = changed.into_iter().collect();
        self.leases.save_offsets(&changed).await
    }

    async fn give_back(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        for (partition, offset) in receipts.iter().filter_map(position) {
            let Some(progress) = self.progress.get_mut(&partition) else { continue };
            // A partition that was lost is read by another node, from the last saved offset.
            if progress.give_back(offset)
                && let Some(reading) = self.partitions.get_mut(&partition)
            {
                reading.next = reading.next.min(offset);
                reading.paused_until = Some(Instant::now() + PAUSE);
            }
        }
        Ok(())
    }
}
