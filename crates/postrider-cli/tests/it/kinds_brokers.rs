//! Messages at brokers, although the process is killed under load.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::jetstream;
use async_trait::async_trait;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use postrider_testing::ExternalServer;
use redis::AsyncCommands;
use rskafka::client::{
    ClientBuilder,
    partition::{OffsetAt, UnknownTopicHandling},
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, mqttbytes::QoS};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    restart::start_publishers,
    server::{MAX_WAIT, Server, until},
};

/// Messages that are accepted before each kill.
const MESSAGES: usize = 1_000;

/// Number of times the process is killed.
const KILLS: usize = 3;

/// A broker, and the ids of the messages that it has got so far, in any order.
#[async_trait]
trait Broker: Send {
    fn endpoint(&self) -> Value;

    async fn ids(&mut self) -> Vec<String>;
}

struct Nats {
    service: ExternalServer,
    stream: jetstream::stream::Stream,
    read: Vec<String>,
}

impl Nats {
    async fn start() -> Self {
        let service = ExternalServer::start("nats", &[]);
        let client = async_nats::connect(service.key("url")).await.unwrap();
        let config = jetstream::stream::Config {
            name: "load".to_owned(),
            subjects: vec!["load".to_owned()],
            ..jetstream::stream::Config::default()
        };
        let stream = jetstream::new(client).create_stream(config).await.unwrap();
        Self { service, stream, read: Vec::new() }
    }
}

#[async_trait]
impl Broker for Nats {
    fn endpoint(&self) -> Value {
        json!({ "kind": "nats", "config": { "url": self.service.key("url"), "subject": "load" } })
    }

    async fn ids(&mut self) -> Vec<String> {
        let last = self.stream.info().await.unwrap().state.last_sequence;
        for sequence in self.read.len() as u64 + 1..=last {
            let message = self.stream.get_raw_message(sequence).await.unwrap();
            self.read.push(message.headers.get("webhook-id").unwrap().to_string());
        }
        self.read.clone()
    }
}

struct Redis(ExternalServer);

#[async_trait]
impl Broker for Redis {
    fn endpoint(&self) -> Value {
        json!({ "kind": "redis", "config": { "url": self.0.key("url"), "stream": "load" } })
    }

    async fn ids(&mut self) -> Vec<String> {
        let client = redis::Client::open(self.0.key("url")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let found: redis::streams::StreamRangeReply = connection.xrange_all("load").await.unwrap();
        found.ids.iter().map(|entry| entry.get("id").unwrap()).collect()
    }
}

struct RabbitMq {
    service: ExternalServer,
    channel: lapin::Channel,
    _connection: lapin::Connection,
    read: Vec<String>,
}

impl RabbitMq {
    async fn start() -> Self {
        let service = ExternalServer::start("rabbitmq", &[]);
        let properties = lapin::ConnectionProperties::default();
        let connection = lapin::Connection::connect(service.key("url"), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let arguments = lapin::types::FieldTable::default();
        channel.queue_declare("load".into(), options, arguments).await.unwrap();
        Self { service, channel, _connection: connection, read: Vec::new() }
    }
}

#[async_trait]
impl Broker for RabbitMq {
    fn endpoint(&self) -> Value {
        let config = json!({ "url": self.service.key("url"), "routingKey": "load" });
        json!({ "kind": "rabbitmq", "config": config })
    }

    async fn ids(&mut self) -> Vec<String> {
        let options = BasicGetOptions { no_ack: true };
        while let Some(got) = self.channel.basic_get("load".into(), options).await.unwrap() {
            let id = got.delivery.properties.message_id().clone();
            self.read.push(id.unwrap().to_string());
        }
        self.read.clone()
    }
}

struct Mosquitto {
    service: ExternalServer,
    _client: AsyncClient,
    read: Arc<Mutex<Vec<String>>>,
    _reading: JoinSet<()>,
}

impl Mosquitto {
    async fn start() -> Self {
        let service = ExternalServer::start("mosquitto", &["max_queued_messages=0"]);
        let options = MqttOptions::new("reader", "127.0.0.1", service.port());
        let (client, mut events) = AsyncClient::new(options, 10);
        client.subscribe("load", QoS::AtLeastOnce).await.unwrap();
        while !matches!(events.poll().await.unwrap(), Event::Incoming(Incoming::SubAck(_))) {}
        let read = Arc::default();
        let mut reading = JoinSet::new();
        reading.spawn(read_all(events, Arc::clone(&read)));
        Self { service, _client: client, read, _reading: reading }
    }
}

async fn read_all(mut events: EventLoop, read: Arc<Mutex<Vec<String>>>) {
    // It ends with the broker.
    while let Ok(event) = events.poll().await {
        let Event::Incoming(Incoming::Publish(publish)) = event else { continue };
        let properties = publish.properties.unwrap().user_properties;
        let (_, id) = properties.into_iter().find(|(name, _)| name == "webhook-id").unwrap();
        read.lock().unwrap().push(id);
    }
}

#[async_trait]
impl Broker for Mosquitto {
    fn endpoint(&self) -> Value {
        let url = format!("mqtt://127.0.0.1:{}", self.service.port());
        json!({ "kind": "mqtt", "config": { "url": url, "topic": "load" } })
    }

    async fn ids(&mut self) -> Vec<String> {
        self.read.lock().unwrap().clone()
    }
}

/// The mock cluster of librdkafka.
struct Kafka(ExternalServer);

impl Kafka {
    async fn start() -> Self {
        let service = ExternalServer::start("kafka-mock", &["brokers=2"]);
        let mut control = TcpStream::connect(service.key("control")).await.unwrap();
        control.write_all(b"topic load 2\n").await.unwrap();
        let mut line = String::new();
        BufReader::new(control).read_line(&mut line).await.unwrap();
        assert_eq!(line.trim(), "ok");
        Self(service)
    }

    fn brokers(&self) -> Vec<String> {
        self.0.key("bootstrap").split(',').map(str::to_owned).collect()
    }
}

#[async_trait]
impl Broker for Kafka {
    fn endpoint(&self) -> Value {
        json!({ "kind": "kafka", "config": { "brokers": self.brokers(), "topic": "load" } })
    }

    async fn ids(&mut self) -> Vec<String> {
        let client = ClientBuilder::new(self.brokers()).build().await.unwrap();
        let mut ids = Vec::new();
        for partition in 0..2 {
            let partition =
                client.partition_client("load", partition, UnknownTopicHandling::Error).await;
            let partition = partition.unwrap();
            let end = partition.get_offset(OffsetAt::Latest).await.unwrap();
            let mut next = 0;
            while next < end {
                let (records, _) =
                    partition.fetch_records(next, 1..1_000_000, 1_000).await.unwrap();
                next = records.last().unwrap().offset + 1;
                let id = |headers: &std::collections::BTreeMap<String, Vec<u8>>| {
                    String::from_utf8(headers["webhook-id"].clone()).unwrap()
                };
                ids.extend(records.iter().map(|it| id(&it.record.headers)));
            }
        }
        ids
    }
}

/// Publishes, and kills the process while it delivers. Returns the ids of the accepted messages.
async fn publish_and_kill(server: &mut Server) -> HashSet<String> {
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    for round in 1..=KILLS {
        let mut tasks = start_publishers(server, &accepted);
        let accepted = Arc::clone(&accepted);
        let is_enough = move || accepted.lock().unwrap().len() >= MESSAGES * round;
        let waiting = move || until("enough is accepted", is_enough);
        tokio::task::spawn_blocking(waiting).await.unwrap();
        server.kill_and_restart();
        while tasks.join_next().await.is_some() {}
    }
    accepted.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_reaches_each_broker_although_the_process_is_killed() {
    let mut brokers: [Box<dyn Broker>; 5] = [
        Box::new(Nats::start().await),
        Box::new(Redis(ExternalServer::start("redis", &[]))),
        Box::new(RabbitMq::start().await),
        Box::new(Mosquitto::start().await),
        Box::new(Kafka::start().await),
    ];
    let mut server = Server::embedded(&[("POSTRIDER_ALLOW_PORTS", "1-65535")]);
    server.application("acme").await;
    for broker in &brokers {
        server.post("/app/acme/endpoint", broker.endpoint()).await;
    }
    let accepted = publish_and_kill(&mut server).await;
    for broker in &mut brokers {
        let endpoint = broker.endpoint();
        let complete = async {
            loop {
                let ids = broker.ids().await;
                let distinct: HashSet<_> = ids.iter().cloned().collect();
                if accepted.is_subset(&distinct) {
                    return (ids.len(), distinct.len());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (all, distinct) = tokio::time::timeout(MAX_WAIT, complete)
            .await
            .unwrap_or_else(|_| panic!("messages are missing at {endpoint}"));
        println!("{}: {} messages, {} again", endpoint["kind"], distinct, all - distinct);
    }
}
