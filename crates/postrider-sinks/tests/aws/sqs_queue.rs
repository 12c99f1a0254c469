//! Queue sources that are SQS queues.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use postrider_core::{
    outcome::Failure,
    queue::{QueueConfig, QueueKind},
};
use postrider_engine::{
    LeasedPartition, PartitionLeases, Queue, QueueError, QueueMessage, Receipt,
};
use serde_json::json;

use crate::{
    fixtures::{fields, guard},
    moto::Moto,
    proxy::{Proxy, StandIn},
};

/// SQS shares messages among readers itself.
#[derive(Debug)]
struct NoPartitions;

#[async_trait]
impl PartitionLeases for NoPartitions {
    async fn renew(&self, _partitions: &[i32]) -> Result<Vec<LeasedPartition>, QueueError> {
        Ok(Vec::new())
    }

    async fn save_offsets(&self, _next: &[(i32, i64)]) -> Result<(), QueueError> {
        Ok(())
    }
}

async fn open(queue: &str, url: &str) -> Result<Box<dyn Queue>, QueueError> {
    let config = fields(json!({
        "queueUrl": queue, "region": "us-east-1", "endpointUrl": url, "visibilityTimeout": "2s",
        "accessKeyId": "test-key", "secretAccessKey": "test-secret",
    }));
    let config = Arc::new(QueueConfig::parse(QueueKind::Sqs, &config).unwrap());
    let connectors = postrider_sinks::queues(&guard());
    let connector = connectors.into_iter().find(|(kind, _)| *kind == QueueKind::Sqs).unwrap().1;
    connector.open(config, "orders", Arc::new(NoPartitions)).await
}

fn receipts(messages: &[QueueMessage]) -> Vec<Receipt> {
    messages.iter().map(|message| message.receipt.clone()).collect()
}

#[tokio::test]
async fn messages_are_received_until_they_are_acknowledged() {
    let moto = Moto::start();
    let url = moto.queue("", json!({})).await;
    for number in 0..25 {
        moto.put(&url, &format!("{{\"number\":{number}}}")).await;
    }
    let mut queue = open(&url, moto.url()).await.unwrap();
    let mut received = Vec::new();
    while received.len() < 25 {
        received.extend(queue.receive(100).await.unwrap());
    }
    let ids: BTreeSet<_> = received.iter().map(|message| message.id.clone()).collect();
    assert_eq!((ids.len(), received[0].deliveries), (25, Some(1)));

    queue.acknowledge(&receipts(&received[..20])).await.unwrap();
    queue.give_back(&receipts(&received[20..23])).await.unwrap();
    // Those that were not acknowledged come again, with the same ids.
    let again = queue.receive(10).await.unwrap();
    let unacknowledged: BTreeSet<_> = received[20..].iter().map(|it| it.id.clone()).collect();
    assert!(again.iter().all(|message| unacknowledged.contains(&message.id)));
    assert!(again.iter().all(|message| message.deliveries == Some(2)));

    a_lost_confirmation_is_an_error(&moto).await;
    a_missing_queue_is_an_error(&moto).await;
}

async fn a_lost_confirmation_is_an_error(moto: &Moto) {
    let url = moto.queue("", json!({})).await;
    moto.put(&url, "{}").await;
    let received = open(&url, moto.url()).await.unwrap().receive(10).await.unwrap();
    let proxy = Proxy::start(moto.service.port()).await;
    let mut queue = open(&url, &proxy.url).await.unwrap();
    proxy.cut(1);
    let lost = queue.acknowledge(&receipts(&received)).await.unwrap_err();
    assert_eq!((lost.failure, proxy.left()), (Failure::Protocol, 0));
    // The queue knows, so repeating it does no harm, and nothing comes again.
    queue.acknowledge(&receipts(&received)).await.unwrap();
}

async fn a_missing_queue_is_an_error(moto: &Moto) {
    let error = open(&format!("{}/1/none", moto.url()), moto.url()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Misconfigured);
    assert!(error.reason.contains("queueUrl"), "{error}");
}

#[tokio::test]
async fn refused_credentials_are_an_error_without_them() {
    let body = json!({ "__type": "InvalidClientTokenId", "message": "test-secret" }).to_string();
    let service = StandIn::saying(403, "", &body).await;
    let error = open("https://sqs.us-east-1.amazonaws.com/1/q", &service.url).await.unwrap_err();
    assert_eq!(error.failure, Failure::Misconfigured);
    assert!(!error.reason.contains("test-secret"), "{error}");
}
