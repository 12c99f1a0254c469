//! Publishes messages to RabbitMQ, and reads them from its queues.

mod checked;
mod classify;
mod connection;
mod publish;
mod queue;
mod socket;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use postrider_core::{
    kind::{Destination, rabbitmq::Rabbitmq},
    target::Target,
};
use postrider_engine::{Batcher, Call, Clients, Guard, Report, Sender};

pub(crate) use self::queue::RabbitmqConnector;
use self::{
    checked::{short, unchecked},
    connection::{LANES, RabbitmqConnection},
    publish::{Outgoing, publish},
};
use crate::{content::Content, failed::Failed, shared::Shared};

/// Most endpoints with a connection, and how long one may be unused. The client library has a
/// thread for each connection.
const MAX_CLIENTS: usize = 250;
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Most messages of a batch, whose confirmations are awaited together.
const MAX_BATCH: usize = 500;

const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

/// Publishes messages to RabbitMQ.
#[derive(Debug)]
pub(crate) struct RabbitmqSender {
    guard: Guard,
    clients: Clients<Publisher>,
}

/// The connection of an endpoint, and the batches that wait for it: one in each lane.
#[derive(Debug)]
struct Publisher {
    connection: Shared<RabbitmqConnection>,
    lanes: [Batcher<Outgoing, Result<(), Failed>>; LANES],
    next: AtomicUsize,
}

impl Publisher {
    fn new() -> Self {
        Self {
            connection: Shared::new(),
            lanes: std::array::from_fn(|_| Batcher::new(MAX_BATCH)),
            next: AtomicUsize::new(0),
        }
    }
}

impl RabbitmqSender {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    async fn deliver(&self, call: &Call) -> Result<Report, Failed> {
        let config = config(&call.target)?;
        let outgoing = outgoing(config, call)?;
        let done = format!(
            "confirmed by exchange `{}` with routing key `{}`",
            config.exchange, outgoing.routing_key
        );
        let publisher = self.clients.get(&call.target, Publisher::new);
        let lane = publisher.next.fetch_add(1, Ordering::Relaxed) % LANES;
        let write = |batch| self.write(&call.target, &publisher, lane, batch);
        let batcher = publisher.lanes.get(lane).ok_or_else(unchecked)?;
        batcher.submit(outgoing, write).await.unwrap_or_else(|| {
            Err(Failed::unavailable(
                "the broker did not confirm the batch with this message in time; the message may \
                 have been stored",
            ))
        })?;
        Ok(Report::delivered(done))
    }

    async fn write(
        &self,
        target: &Arc<Target>,
        publisher: &Publisher,
        lane: usize,
        batch: Vec<Outgoing>,
    ) -> Vec<Result<(), Failed>> {
        let to_all = |failed: Failed| vec![Err(failed); batch.len()];
        match (config(target), self.connect(target, publisher).await) {
            (Err(failed), _) | (_, Err(failed)) => to_all(failed),
            (Ok(config), Ok(connection)) => publish(&connection, lane, config, &batch).await,
        }
    }

    async fn connect(
        &self,
        target: &Arc<Target>,
        publisher: &Publisher,
    ) -> Result<Arc<RabbitmqConnection>, Failed> {
        let server = config(target)?.server().ok_or_else(unchecked)?;
        let open = || RabbitmqConnection::open(&self.guard, server, Some(target));
        publisher.connection.get(open).await
    }

    async fn check_target(&self, target: &Arc<Target>) -> Result<Report, Failed> {
        let publisher = self.clients.get(target, Publisher::new);
        let connection = self.connect(target, &publisher).await?;
        let config = config(target)?;
        let found = connection.find(&config.exchange, config.routing_key.constant()).await?;
        Ok(Report::delivered(format!("connected; {found}")))
    }
}

#[async_trait]
impl Sender for RabbitmqSender {
    async fn send(&self, call: Call) -> Report {
        self.deliver(&call).await.unwrap_or_else(Failed::report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        self.check_target(&target).await.unwrap_or_else(Failed::report)
    }
}

fn config(target: &Target) -> Result<&Rabbitmq, Failed> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::Rabbitmq(config) => Ok(config),
        _ => Err(unchecked()),
    }
}

fn outgoing(config: &Rabbitmq, call: &Call) -> Result<Outgoing, Failed> {
    let content = Content::new(call);
    Ok(Outgoing {
        id: call.message.id.to_string(),
        routing_key: short("routingKey", content.line("routingKey", &config.routing_key)?)?,
        properties: properties(config, call, &content)?,
        body: content.body(config.body.as_ref(), config.text.as_ref())?,
    })
}

fn properties(
    config: &Rabbitmq,
    call: &Call,
    content: &Content<'_>,
) -> Result<BasicProperties, Failed> {
    let message = &call.message;
    let properties = BasicProperties::default()
        .with_message_id(short("id", message.id.to_string())?)
        .with_type(short("type", message.event_type.to_string())?)
        .with_timestamp(message.created_at().as_seconds())
        .with_delivery_mode(if config.persistent { PERSISTENT } else { TRANSIENT })
        .with_headers(headers(content.headers(&config.headers)?)?);
    let content_type = match (&config.content_type, &config.body, &config.text) {
        (Some(content_type), _, _) => Some(content_type.as_str()),
        (None, Some(_), _) => Some("application/json"),
        (None, None, Some(_)) => Some("text/plain; charset=utf-8"),
        (None, None, None) => content.content_type(),
    };
    Ok(match content_type {
        Some(content_type) => properties.with_content_type(short("contentType", content_type)?),
        None => properties,
    })
}

fn headers(texts: BTreeMap<String, String>) -> Result<FieldTable, Failed> {
    let mut headers = FieldTable::default();
    for (name, text) in texts {
        headers.insert(short("headers", name)?, AMQPValue::LongString(text.into()));
    }
    Ok(headers)
}
