//! Queues that are Kafka topics, against Tansu and the mock cluster of librdkafka.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use postrider_core::queue::{QueueConfig, QueueKind};
use postrider_engine::{
    LeasedPartition, PartitionLeases, Queue, QueueError, QueueMessage, Receipt,
};
use postrider_testing::ExternalServer;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    kafka::{brokers, start, target, tell},
    world::{assert_delivered, eventually, guard, send, senders},
};

const SECOND: Duration = Duration::from_secs(1);

/// Leases in memory: this reader has the partitions that it is said to have.
#[derive(Debug, Default)]
struct Leases {
    has: Mutex<Vec<i32>>,
    offsets: Mutex<HashMap<i32, i64>>,
}

impl Leases {
    fn with(partitions: &[i32]) -> Arc<Self> {
        let leases = Self::default();
        *leases.has.lock().unwrap() = partitions.to_vec();
        Arc::new(leases)
    }

    fn offset(&self, partition: i32) -> Option<i64> {
        self.offsets.lock().unwrap().get(&partition).copied()
    }
}

#[async_trait]
impl PartitionLeases for Leases {
    async fn renew(&self, partitions: &[i32]) -> Result<Vec<LeasedPartition>, QueueError> {
        let has = self.has.lock().unwrap();
        let lease = |partition: &i32| LeasedPartition {
            partition: *partition,
            next_offset: self.offset(*partition),
            until: Instant::now() + 15 * SECOND,
        };
        Ok(partitions.iter().filter(|it| has.contains(it)).map(lease).collect())
    }

    async fn save_offsets(&self, next: &[(i32, i64)]) -> Result<(), QueueError> {
        let mut offsets = self.offsets.lock().unwrap();
        for (partition, offset) in next {
            let saved = offsets.entry(*partition).or_default();
            *saved = (*saved).max(*offset);
        }
        Ok(())
    }
}

async fn open(
    service: &ExternalServer,
    topic: &str,
    leases: &Arc<Leases>,
) -> Result<Box<dyn Queue>, QueueError> {
    let config = json!({ "brokers": brokers(service), "topic": topic });
    let Value::Object(fields) = config else { unreachable!() };
    let config = Arc::new(QueueConfig::parse(QueueKind::Kafka, &fields).unwrap());
    let queues = postrider_sinks::queues(&guard(&["127.0.0.0/8"]));
    let (_, kafka) = queues.into_iter().find(|(kind, _)| *kind == QueueKind::Kafka).unwrap();
    kafka.open(config, "consumer", Arc::clone(leases) as Arc<dyn PartitionLeases>).await
}

async fn receive(queue: &mut Box<dyn Queue>, count: usize) -> Vec<QueueMessage> {
    let mut messages = Vec::new();
    let all = async {
        while messages.len() < count {
            messages.extend(queue.receive(7).await.unwrap());
        }
    };
    tokio::time::timeout(20 * SECOND, all).await.expect("the messages did not arrive");
    messages
}

fn receipts(messages: &[QueueMessage]) -> Vec<Receipt> {
    messages.iter().map(|message| message.receipt.clone()).collect()
}

async fn publish(service: &ExternalServer, count: usize) {
    let target = target(&json!({
        "brokers": brokers(service), "topic": "in", "key": "{{ payload }}", "compression": "gzip",
    }));
    let senders = senders(10 * SECOND);
    let bodies: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    for report in join_all(bodies.iter().map(|body| send(&senders, &target, body))).await {
        assert_delivered(&report);
    }
}

async fn readers_share_the_partitions_and_go_on_where_they_were(name: &'static str) {
    let service = start(name, "in", 3).await;
    publish(&service, 60).await;
    let (one, two) = (Leases::with(&[0, 2]), Leases::with(&[1]));
    let mut first = open(&service, "in", &one).await.unwrap();
    let mut messages = first.receive(1_000).await.unwrap();
    first.acknowledge(&receipts(&messages)).await.unwrap();
    drop(first);
    // Another process goes on after what was acknowledged.
    let mut first = open(&service, "in", &one).await.unwrap();
    let mut second = open(&service, "in", &two).await.unwrap();
    let deadline = Instant::now() + 20 * SECOND;
    while messages.len() < 60 {
        assert!(Instant::now() < deadline, "only {} messages arrived", messages.len());
        for queue in [&mut first, &mut second] {
            let received = tokio::time::timeout(SECOND, queue.receive(10)).await;
            let received = received.map_or_else(|_| Vec::new(), Result::unwrap);
            queue.acknowledge(&receipts(&received)).await.unwrap();
            messages.extend(received);
        }
    }
    let ids: BTreeSet<_> = messages.iter().map(|it| it.id.clone()).collect();
    let bodies: BTreeSet<_> = messages.iter().map(|it| it.body.clone()).collect();
    assert_eq!((messages.len(), ids.len(), bodies.len()), (60, 60, 60));
    assert!(ids.iter().all(|id| id.starts_with("in/")), "{ids:?}");
    assert!(messages.iter().all(|it| it.subject.is_some()));
    assert!(messages.iter().all(|it| it.headers.contains_key("webhook-id")));
    let offsets = [one.offset(0), two.offset(1), one.offset(2)];
    assert_eq!(offsets.into_iter().flatten().sum::<i64>(), 60);
}

#[tokio::test]
async fn readers_share_the_partitions_of_tansu() {
    readers_share_the_partitions_and_go_on_where_they_were("kafka-tansu").await;
}

#[tokio::test]
async fn readers_share_the_partitions_of_the_mock_cluster() {
    readers_share_the_partitions_and_go_on_where_they_were("kafka-mock").await;
}

#[tokio::test]
async fn the_saved_offset_waits_for_messages_that_are_given_back() {
    let service = start("kafka-tansu", "in", 1).await;
    publish(&service, 10).await;
    let leases = Leases::with(&[0]);
    let mut queue = open(&service, "in", &leases).await.unwrap();
    let messages = receive(&mut queue, 10).await;
    let (given_back, done): (Vec<_>, Vec<_>) = receipts(&messages)
        .into_iter()
        .partition(|receipt| matches!(receipt, Receipt::Position { offset: 3 | 5, .. }));
    queue.acknowledge(&done).await.unwrap();
    assert_eq!(leases.offset(0), Some(3));
    queue.give_back(&given_back).await.unwrap();
    publish(&service, 1).await;
    let again = receive(&mut queue, 3).await;
    let ids: Vec<_> = again.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["in/0/3", "in/0/5", "in/0/10"]);
    queue.acknowledge(&receipts(&again)).await.unwrap();
    assert_eq!(leases.offset(0), Some(11));
}

#[tokio::test]
async fn a_cluster_that_comes_back_is_read_again() {
    let service = start("kafka-mock", "in", 1).await;
    publish(&service, 5).await;
    let leases = Leases::with(&[0]);
    let mut queue = open(&service, "in", &leases).await.unwrap();
    let messages = receive(&mut queue, 5).await;
    queue.acknowledge(&receipts(&messages)).await.unwrap();
    for command in ["down 1", "down 2"] {
        tell(&service, command).await;
    }
    let error = tokio::time::timeout(20 * SECOND, queue.receive(10)).await.unwrap().unwrap_err();
    assert!(error.reason.contains("broker"), "{error}");
    for command in ["up 1", "up 2"] {
        tell(&service, command).await;
    }
    eventually("the queue can be opened again", async || {
        open(&service, "in", &leases).await.is_ok()
    })
    .await;
    let mut queue = open(&service, "in", &leases).await.unwrap();
    publish(&service, 2).await;
    let ids: Vec<_> = receive(&mut queue, 2).await.into_iter().map(|it| it.id).collect();
    assert_eq!(ids, ["in/0/5", "in/0/6"]);
}

#[tokio::test]
async fn a_partition_that_moves_is_followed() {
    let service = start("kafka-mock", "in", 1).await;
    tell(&service, "leader in 0 1").await;
    publish(&service, 3).await;
    let leases = Leases::with(&[0]);
    let mut queue = open(&service, "in", &leases).await.unwrap();
    assert_eq!(receive(&mut queue, 3).await.len(), 3);
    tell(&service, "leader in 0 2").await;
    publish(&service, 3).await;
    assert_eq!(receive(&mut queue, 3).await.len(), 3);
}

#[tokio::test]
async fn a_topic_that_does_not_exist_cannot_be_opened() {
    let service = start("kafka-mock", "in", 1).await;
    let error = open(&service, "missing", &Leases::with(&[0])).await.unwrap_err();
    assert!(error.reason.contains("does not exist"), "{error}");
}
