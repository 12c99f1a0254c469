//! Reads messages from a queue of RabbitMQ.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use postrider_core::{kind::rabbitmq::RabbitmqQueue, queue::QueueConfig};
use postrider_engine::{
    Guard, PartitionLeases, Queue, QueueConnector, QueueError, QueueMessage, Receipt,
};

use super::{classify, connection::RabbitmqConnection, short};
use crate::failed::Failed;

/// A header of quorum queues: how often the message was delivered before.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// Opens queues.
#[derive(Debug)]
pub(crate) struct RabbitmqConnector {
    guard: Guard,
}

impl RabbitmqConnector {
    pub(crate) const fn new(guard: Guard) -> Self {
        Self { guard }
    }

    async fn open_queue(&self, config: &RabbitmqQueue) -> Result<AmqpQueue, Failed> {
        let server = config.server().ok_or_else(super::unchecked)?;
        let connection = RabbitmqConnection::open(&self.guard, server, None).await?;
        let channel = connection.channel().await?;
        let refused = |error: lapin::Error| queue_error(&error);
        channel.basic_qos(config.prefetch, BasicQosOptions::default()).await.map_err(refused)?;
        // The server chooses a tag that it never used before.
        let (queue, tag) = (short("queue", config.queue.as_str())?, short("tag", "")?);
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue, tag, options, FieldTable::default()).await;
        let consumer = consumer.map_err(refused)?;
        Ok(AmqpQueue {
            consumer,
            channel,
            prefetch: config.prefetch,
            unacknowledged: HashMap::new(),
            failed: None,
            _connection: connection,
        })
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other types have no text")]
fn queue_error(error: &lapin::Error) -> Failed {
    let failed = classify::error(error);
    // There is no message that could be at fault.
    match failed.failure {
        postrider_core::outcome::Failure::Rejected => Failed::misconfigured(
            "the RabbitMQ server does not accept the settings for this kind of queue; streams \
             cannot be read",
        ),
        _ => failed,
    }
}

#[async_trait]
impl QueueConnector for RabbitmqConnector {
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        _consumer: &str,
        _partitions: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match &*config {
            QueueConfig::Rabbitmq(config) => {
                Ok(Box::new(self.open_queue(config).await?) as Box<dyn Queue>)
            },
            _ => Err(super::unchecked().into()),
        }
    }
}

/// A consumer of a queue.
#[derive(Debug)]
struct AmqpQueue {
    consumer: Consumer,
    channel: Channel,
    prefetch: u16,
    unacknowledged: HashMap<u64, Delivery>,
    /// What the next call returns, because this one has messages to return.
    failed: Option<Failed>,
    _connection: RabbitmqConnection,
}

impl AmqpQueue {
    /// Waits for a delivery.
    async fn next(&mut self) -> Result<Delivery, Failed> {
        match self.consumer.next().await {
            Some(delivery) => delivery.map_err(|error| queue_error(&error)),
            None if self.channel.status().connected() => {
                Err(Failed::misconfigured("the queue was deleted; create it again"))
            },
            None => Err(classify::lost()),
        }
    }

    fn take(&mut self, delivery: Delivery) -> QueueMessage {
        let tag = delivery.delivery_tag;
        let message = QueueMessage {
            id: id(&delivery, self.consumer.tag().as_str()),
            body: delivery.data.clone().into(),
            headers: headers(&delivery),
            subject: Some(delivery.routing_key.to_string()),
            deliveries: deliveries(&delivery),
            receipt: Receipt::Number(tag),
        };
        self.unacknowledged.insert(tag, delivery);
        message
    }

    fn give(&mut self, receipts: &[Receipt]) -> Vec<Delivery> {
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

    /// Waits until the server has processed what was sent on the channel before: it responds in
    /// order, and acknowledgements have no response of their own.
    async fn settle(&self) -> Result<(), QueueError> {
        let settled = self.channel.basic_qos(self.prefetch, BasicQosOptions::default()).await;
        Ok(settled.map_err(|error| queue_error(&error))?)
    }
}

/// The publisher's id of the message. Without one, the server offers nothing by which a message
/// could be recognized when it is delivered again, so each delivery has an id of its own.
fn id(delivery: &Delivery, consumer_tag: &str) -> String {
    match delivery.properties.message_id() {
        Some(id) if !id.as_str().is_empty() => id.to_string(),
        _ => format!("{consumer_tag}.{}", delivery.delivery_tag),
    }
}

/// Only quorum queues count; others tell the first delivery from later ones.
fn deliveries(delivery: &Delivery) -> Option<u32> {
    let table = delivery.properties.headers().as_ref();
    let count = table.and_then(|table| table.inner().get(DELIVERY_COUNT)).and_then(number);
    match count {
        Some(before) => u32::try_from(before).ok()?.checked_add(1),
        None => (!delivery.redelivered).then_some(1),
    }
}

fn number(value: &AMQPValue) -> Option<i64> {
    text(value)?.parse().ok()
}

fn headers(delivery: &Delivery) -> BTreeMap<String, String> {
    let properties = &delivery.properties;
    let own = [("content-type", properties.content_type()), ("type", properties.kind())];
    let own = own
        .into_iter()
        .filter_map(|(name, text)| text.as_ref().map(|text| (name.to_owned(), text.to_string())));
    let table = properties.headers().iter().flat_map(FieldTable::inner);
    let table = table.filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
    own.chain(table).collect()
}

/// A header as text, unless it is a list, a table or bytes.
fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::Boolean(it) => Some(it.to_string()),
        AMQPValue::ShortShortInt(it) => Some(it.to_string()),
        AMQPValue::ShortShortUInt(it) => Some(it.to_string()),
        AMQPValue::ShortInt(it) => Some(it.to_string()),
        AMQPValue::ShortUInt(it) => Some(it.to_string()),
        AMQPValue::LongInt(it) => Some(it.to_string()),
        AMQPValue::LongUInt(it) => Some(it.to_string()),
        AMQPValue::LongLongInt(it) => Some(it.to_string()),
        AMQPValue::Float(it) => Some(it.to_string()),
        AMQPValue::Double(it) => Some(it.to_string()),
        AMQPValue::Timestamp(it) => Some(it.to_string()),
        AMQPValue::ShortString(it) => Some(it.to_string()),
        AMQPValue::LongString(it) => Some(String::from_utf8_lossy(it.as_bytes()).into_owned()),
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => None,
    }
}

#[async_trait]
impl Queue for AmqpQueue {
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed.into());
        }
        let first = self.next().await?;
        let mut messages = vec![self.take(first)];
        while messages.len() < max
            && let Some(delivery) = self.next().now_or_never()
        {
            match delivery {
                Ok(delivery) => messages.push(self.take(delivery)),
                Err(failed) => {
                    self.failed = Some(failed);
                    break;
                },
            }
        }
        Ok(messages)
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        for delivery in self.give(receipts) {
            let acknowledged = delivery.acker.ack(BasicAckOptions::default()).await;
            acknowledged.map_err(|error| queue_error(&error))?;
        }
        self.settle().await
    }

    async fn give_back(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let options = BasicNackOptions { multiple: false, requeue: true };
        for delivery in self.give(receipts) {
            let returned = delivery.acker.nack(options).await;
            returned.map_err(|error| queue_error(&error))?;
        }
        self.settle().await
    }
}
