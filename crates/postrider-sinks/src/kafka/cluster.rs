//! The brokers of a cluster, and which of them has which partition.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use postrider_core::{
    kind::kafka::{Access, partition_of},
    outcome::Failure,
};
use rskafka::protocol::{
    messages::{
        MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponseTopic,
    },
    primitives::String_,
};
use tokio::time::Instant;

use super::{
    broker::{Broker, Context, metadata, refused},
    produce::Refused,
};
use crate::{
    failed::Failed,
    shared::{Connection, Shared},
};

/// What is known of a topic is requested again after this time, to find new partitions.
const MAX_AGE: Duration = Duration::from_secs(300);

/// A broker that does not respond within this time is skipped while another may know the topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// Most topics and brokers that are remembered.
const MAX_KNOWN: usize = 1_000;

/// So many messages without a key go to one partition before the next one has its turn.
const RUN: usize = 32;

/// A cluster, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    brokers: Mutex<HashMap<String, Arc<Broker>>>,
    topics: Mutex<HashMap<String, Arc<Shared<Topic>>>>,
    /// All brokers, according to the last response.
    advertised: Mutex<Vec<String>>,
    turn: AtomicUsize,
}

/// A topic, as a broker described it.
#[derive(Debug)]
pub(super) struct Topic {
    /// In the order of their numbers.
    partitions: Vec<Partition>,
    since: Instant,
    is_expired: AtomicBool,
}

#[derive(Debug, PartialEq, Eq)]
struct Partition {
    number: i32,
    /// The broker that has it, `host:port`; none during an election.
    leader: Option<String>,
}

impl Topic {
    fn new(topic: MetadataResponseTopic, brokers: &[MetadataResponseBroker]) -> Self {
        let leader = |id| brokers.iter().find(|it| it.node_id.0 == id).map(name_of);
        let mut partitions: Vec<_> = topic
            .partitions
            .into_iter()
            .map(|it| Partition { number: it.partition_index.0, leader: leader(it.leader_id.0) })
            .collect();
        partitions.sort_by_key(|it| it.number);
        Self { partitions, since: Instant::now(), is_expired: AtomicBool::new(false) }
    }

    /// Notes that it is out of date.
    pub(super) fn expire(&self) {
        self.is_expired.store(true, Ordering::Relaxed);
    }

    pub(super) fn numbers(&self) -> Vec<i32> {
        self.partitions.iter().map(|it| it.number).collect()
    }

    pub(super) fn leader(&self, number: i32) -> Option<&str> {
        let found = self.partitions.iter().find(|it| it.number == number);
        found.and_then(|it| it.leader.as_deref())
    }

    /// The partition of a message and the broker that has it. Those without a key go to any
    /// partition that has a broker.
    pub(super) fn choose(
        &self,
        key: Option<&[u8]>,
        turn: impl Fn() -> usize,
    ) -> Result<(i32, &str), Refused> {
        let chosen = if let Some(key) = key {
            self.partitions.get(partition_of(key, self.partitions.len()))
        } else {
            let led: Vec<_> = self.partitions.iter().filter(|it| it.leader.is_some()).collect();
            turn().checked_rem(led.len()).and_then(|index| led.get(index).copied())
        };
        let leader = chosen.and_then(|it| Some((it.number, it.leader.as_deref()?)));
        leader.ok_or_else(|| {
            let reason = "the partition has no leader; the cluster may be electing one";
            Refused::outdated(Failed::new(Failure::Unavailable, reason))
        })
    }
}

/// What is known is lost when it is out of date.
impl Connection for Topic {
    fn is_lost(&self) -> bool {
        self.is_expired.load(Ordering::Relaxed) || self.since.elapsed() >= MAX_AGE
    }
}

impl Cluster {
    /// What is known of a topic.
    pub(super) async fn topic(
        &self,
        context: Context<'_>,
        name: &str,
    ) -> Result<Arc<Topic>, Failed> {
        let known = {
            let mut topics = lock(&self.topics);
            if topics.len() >= MAX_KNOWN && !topics.contains_key(name) {
                topics.clear();
            }
            Arc::clone(topics.entry(name.to_owned()).or_insert_with(|| Arc::new(Shared::new())))
        };
        known.get(|| self.fetch(context, name)).await
    }

    async fn fetch(&self, context: Context<'_>, name: &str) -> Result<Topic, Failed> {
        let MetadataResponse { brokers, topics, .. } = self.metadata(context, Some(name)).await?;
        let topic = topics.into_iter().find(|it| it.name.0 == name).ok_or_else(|| {
            Failed::new(Failure::Unavailable, "the broker said nothing about the topic")
        })?;
        match topic.error {
            Some(error) => Err(refused(error)),
            None => Ok(Topic::new(topic, &brokers)),
        }
    }

    pub(super) async fn count_brokers(&self, context: Context<'_>) -> Result<usize, Failed> {
        self.metadata(context, None).await.map(|response| response.brokers.len())
    }

    /// Asks one broker after the other, until one responds.
    async fn metadata(
        &self,
        context: Context<'_>,
        topic: Option<&str>,
    ) -> Result<MetadataResponse, Failed> {
        let mut last = Failed::new(Failure::Misconfigured, "`brokers` is empty");
        for name in self.candidates(&context.access) {
            let asked = tokio::time::timeout(METADATA_TIMEOUT, self.ask(context, &name, topic));
            match asked.await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(failed)) if failed.failure == Failure::Misconfigured => return Err(failed),
                Ok(Err(failed)) => last = failed,
                Err(_) => {
                    let reason = format!("broker {name} did not respond within 5 s");
                    last = Failed::new(Failure::Timeout, reason);
                },
            }
        }
        Err(last)
    }

    async fn ask(
        &self,
        context: Context<'_>,
        name: &str,
        topic: Option<&str>,
    ) -> Result<MetadataResponse, Failed> {
        let connection = self.broker(name).connection(context).await?;
        let topics =
            topic.into_iter().map(|it| MetadataRequestTopic { name: String_(it.to_owned()) });
        let response = connection.request(metadata(topics.collect())).await?;
        self.learn(&context.access, response.brokers.iter().map(name_of).collect());
        Ok(response)
    }

    /// Remembers the brokers, and forgets those that the cluster does not have any more.
    fn learn(&self, access: &Access<'_>, mut names: Vec<String>) {
        names.truncate(MAX_KNOWN);
        let is_known = |name: &String| access.brokers.contains(name) || names.contains(name);
        lock(&self.brokers).retain(|name, _| is_known(name));
        *lock(&self.advertised) = names;
    }

    /// First the brokers that the cluster has, then those of the configuration.
    fn candidates(&self, access: &Access<'_>) -> Vec<String> {
        let mut candidates = lock(&self.advertised).clone();
        candidates.truncate(5);
        for name in access.brokers {
            if !candidates.contains(name) {
                candidates.push(name.clone());
            }
        }
        candidates
    }

    pub(super) fn broker(&self, name: &str) -> Arc<Broker> {
        let mut brokers = lock(&self.brokers);
        let broker = brokers.entry(name.to_owned()).or_insert_with(|| Arc::new(Broker::new(name)));
        Arc::clone(broker)
    }

    /// Whose turn it is, among the partitions.
    pub(super) fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) / RUN
    }
}

/// `host:port` as advertised.
fn name_of(broker: &MetadataResponseBroker) -> String {
    let (host, port) = (&broker.host.0, broker.port.0);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(leaders: &[Option<&str>]) -> Topic {
        let partition = |(number, leader): (i32, Option<&str>)| Partition {
            number,
            leader: leader.map(str::to_owned),
        };
        Topic {
            partitions: (0..).zip(leaders.iter().copied()).map(partition).collect(),
            since: Instant::now(),
            is_expired: AtomicBool::new(false),
        }
    }

    #[tokio::test]
    async fn a_key_has_its_partition_and_others_go_where_a_broker_is() {
        let cluster = Cluster::default();
        let topic = topic(&[Some("a"), None, Some("b")]);
        let choose = |key| topic.choose(key, || cluster.next_turn()).map_err(|it| it.is_stale);
        assert_eq!(choose(Some(b"foobar")), Ok((0, "a")));
        assert_eq!(choose(Some(b"a-little-bit-long-string")), Ok((2, "b")));
        let chosen: Vec<_> = (0..RUN * 2).map(|_| choose(None).unwrap().0).collect();
        assert_eq!(chosen[0], 0);
        assert_eq!(chosen[RUN - 1], 0);
        assert_eq!(chosen[RUN], 2);
        let without = self::topic(&[None]);
        assert!(without.choose(None, || 0).is_err());
        assert!(self::topic(&[]).choose(Some(b"x"), || 0).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_is_requested_again_after_a_time_or_a_hint() {
        let old = topic(&[]);
        assert!(!old.is_lost());
        tokio::time::advance(MAX_AGE).await;
        assert!(old.is_lost());
        let expired = topic(&[]);
        expired.expire();
        assert!(expired.is_lost());
    }
}
