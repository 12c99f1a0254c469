//! Writes to Kafka topics, and reads from them.
//!
//! The protocol and its framing are `rskafka`'s. Its client is not used, because it connects by
//! itself: here every address, also one that a broker advertises, passes the address guard.

mod broker;
mod cluster;
mod produce;
mod progress;
mod queue;
mod records;
mod watched;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{Destination, kafka::Kafka},
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, Report, Sender};

use self::{
    broker::Context,
    cluster::Cluster,
    produce::{Item, produce},
};
use crate::failed::Failed;

pub(crate) use self::queue::KafkaQueues;

/// Most clusters to which connections are kept, and how long an unused one is kept.
const MAX_CLIENTS: usize = 1_000;
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Writes messages to Kafka topics.
#[derive(Debug)]
pub(crate) struct KafkaSender {
    guard: Guard,
    clients: Clients<Cluster>,
}

impl KafkaSender {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    async fn write(&self, call: &Call) -> Result<Report, Failed> {
        let config = config(&call.target)?;
        let record = records::outgoing(config, call)?;
        let cluster = self.clients.get(&call.target, Cluster::default);
        let context = self.context(&call.target, config);
        let mut is_second = false;
        loop {
            let topic = cluster.topic(context, &record.topic).await?;
            let key = record.key.as_deref();
            let chosen = topic.choose(key, || cluster.next_turn());
            let tried = match chosen {
                Ok((partition, leader)) => {
                    let broker = cluster.broker(leader);
                    let item = Item { partition, record: Arc::clone(&record) };
                    let write = |items| produce(context, &broker, config.compression, items);
                    let written = broker.batcher.submit(item, write).await;
                    written.unwrap_or_else(|| Err(produce::interrupted()))
                },
                Err(refused) => Err(refused),
            };
            let refused = match tried {
                Ok(stored) => return Ok(stored.report(&record.topic)),
                Err(refused) => refused,
            };
            if refused.is_stale {
                topic.expire();
            }
            if is_second || !refused.may_retry {
                return Err(refused.failed);
            }
            is_second = true;
        }
    }

    fn context<'a>(&'a self, target: &'a Target, config: &'a Kafka) -> Context<'a> {
        Context { guard: &self.guard, target: Some(target), access: config.access() }
    }
}

#[async_trait]
impl Sender for KafkaSender {
    async fn send(&self, call: Call) -> Report {
        self.write(&call).await.unwrap_or_else(Failed::report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let checked = async {
            let config = config(&target)?;
            Cluster::default().count_brokers(self.context(&target, config)).await
        };
        match checked.await {
            Ok(count) => Report::delivered(format!("connected; the cluster has {count} brokers")),
            Err(failed) => failed.report(),
        }
    }
}

fn config(target: &Target) -> Result<&Kafka, Failed> {
    let Destination::Kafka(config) = &target.destination else {
        return Err(Failed::new(Failure::Misconfigured, "the endpoint is not of kind `kafka`"));
    };
    Ok(config)
}
