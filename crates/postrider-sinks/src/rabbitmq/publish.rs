//! Publishes a batch of messages and waits until the broker has confirmed all of them.
//!
//! The client library attaches a message that the broker returned to any confirmation that comes
//! next, so it is only known which messages were returned when all confirmations of the channel
//! are there. That is why messages are confirmed in batches; several channels keep the broker
//! busy meanwhile.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, options::BasicPublishOptions, types::ShortString,
};
use postrider_core::kind::rabbitmq::Rabbitmq;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    classify::{self, Blame},
    connection::RabbitmqConnection,
};
use crate::failed::Failed;

/// Batches that an endpoint publishes at the same time, each on a channel of its own.
pub(super) const LANES: usize = 4;

/// How often it is checked whether the broker blocks the connection. It has to be blocked at two
/// checks, because some blocks last only for moments.
const BLOCK_CHECK: Duration = Duration::from_millis(500);

/// After so many messages in a row that the user may not publish, the others are not tried alone.
const MAX_REFUSED: usize = 3;

/// A message for RabbitMQ.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub id: String,
    pub routing_key: ShortString,
    pub properties: BasicProperties,
    pub body: Bytes,
}

/// What became of a message.
#[expect(clippy::large_enum_variant, reason = "there is one for a moment")]
enum Ended {
    Confirmed(Confirmation),
    Failed(lapin::Error),
}

/// Publishes messages; returns one result for each, in order.
///
/// If the broker closes the channel because of a message, it is not known which one that was, so
/// those without a confirmation are published again one by one.
pub(super) async fn publish(
    connection: &RabbitmqConnection,
    lane: usize,
    config: &Rabbitmq,
    batch: &[Outgoing],
) -> Vec<Result<(), Failed>> {
    let mut results = publish_once(connection, lane, config, batch).await;
    if batch.len() == 1 {
        return results;
    }
    let mut refused_in_a_row = 0;
    for (outgoing, result) in batch.iter().zip(&mut results) {
        let Some(blame) = result.as_ref().err().and_then(classify::blame) else { continue };
        if blame == Blame::MessageOrUser && refused_in_a_row == MAX_REFUSED {
            continue;
        }
        let alone = std::slice::from_ref(outgoing);
        let again = publish_once(connection, lane, config, alone).await.pop();
        *result = again.unwrap_or_else(|| Err(classify::lost()));
        let is_refused = result.as_ref().err().and_then(classify::blame) == Some(blame);
        refused_in_a_row = if is_refused { refused_in_a_row + 1 } else { 0 };
    }
    results
}

async fn publish_once(
    connection: &RabbitmqConnection,
    lane: usize,
    config: &Rabbitmq,
    batch: &[Outgoing],
) -> Vec<Result<(), Failed>> {
    let to_all = |failed: Failed| vec![Err(failed); batch.len()];
    if connection.is_blocked() {
        return to_all(classify::blocked());
    }
    let channel = match connection.publisher(lane).await {
        Ok(channel) => channel,
        Err(failed) => return to_all(failed),
    };
    let sent = batch.iter().map(|outgoing| send(&channel, config, outgoing));
    tokio::select! {
        ended = join_all(sent) => results(config, batch, ended),
        () = blocked(connection) => to_all(classify::blocked()),
    }
}

async fn send(channel: &Channel, config: &Rabbitmq, outgoing: &Outgoing) -> Ended {
    let sent = async {
        let exchange = ShortString::from(config.exchange.as_str());
        let options = BasicPublishOptions { mandatory: config.mandatory, immediate: false };
        let (key, properties) = (outgoing.routing_key.clone(), outgoing.properties.clone());
        channel.basic_publish(exchange, key, options, &outgoing.body, properties).await?.await
    };
    match sent.await {
        Ok(confirmation) => Ended::Confirmed(confirmation),
        Err(error) => Ended::Failed(error),
    }
}

/// Returns when the broker has blocked the connection for a while.
async fn blocked(connection: &RabbitmqConnection) {
    let mut ticks = interval(BLOCK_CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checks = 0;
    while checks < 2 {
        ticks.tick().await;
        checks = if connection.is_blocked() { checks + 1 } else { 0 };
    }
}

fn results(config: &Rabbitmq, batch: &[Outgoing], ended: Vec<Ended>) -> Vec<Result<(), Failed>> {
    let errors = ended.iter().filter_map(|ended| match ended {
        Ended::Failed(error) => Some(error),
        Ended::Confirmed(_) => None,
    });
    // Messages that were not written yet only know that the channel is closed.
    let failed = classify::first_cause(errors).unwrap_or_else(classify::lost);
    let mut returned = HashSet::new();
    let results: Vec<_> = ended
        .into_iter()
        .map(|ended| match ended {
            Ended::Failed(_) => Err(failed.clone()),
            Ended::Confirmed(confirmation) => {
                let is_ack = confirmation.is_ack();
                let message = confirmation.take_message();
                let id = message.and_then(|it| it.delivery.properties.message_id().clone());
                returned.extend(id.map(|id| id.to_string()));
                if is_ack { Ok(()) } else { Err(classify::not_taken()) }
            },
        })
        .collect();
    let judge = |(outgoing, result): (&Outgoing, Result<(), Failed>)| {
        if returned.contains(&outgoing.id) {
            Err(classify::unroutable(&config.exchange, outgoing.routing_key.as_str()))
        } else {
            result
        }
    };
    batch.iter().zip(results).map(judge).collect()
}
