//! Messages of brokers, confirmed, with as many in flight as a batch has.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::try_join_all;
use lapin::{
    BasicProperties, Confirmation, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use rskafka::{
    chrono::DateTime,
    client::{
        ClientBuilder,
        partition::{Compression, UnknownTopicHandling},
    },
    record::Record,
};
use rumqttc::v5::{
    AsyncClient, Event, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::PublishProperties},
};
use serde_json::Value;

use crate::{BATCH, EVENT_TYPE, Message, Result, Run, text};

/// Names and values of the headers that an endpoint sends.
fn headers(message: &Message) -> [(&'static str, String); 3] {
    [
        ("webhook-id", message.id.clone()),
        ("webhook-timestamp", "1767225600".to_owned()),
        ("webhook-event-type", EVENT_TYPE.to_owned()),
    ]
}

pub(crate) async fn redis(run: &mut Run) -> Result {
    let client = redis::Client::open(run.text("url")?)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    while let Some(messages) = run.batch() {
        let mut pipeline = redis::pipe();
        for message in &messages {
            let mut fields = headers(message).to_vec();
            fields.push(("payload", message.payload.clone()));
            pipeline.xadd("plain", "*", &fields).ignore();
        }
        pipeline.query_async::<()>(&mut connection).await?;
    }
    Ok(())
}

pub(crate) async fn create_stream(config: &Value) -> Result {
    let client = async_nats::connect(text(config, "url")?).await?;
    let stream = async_nats::jetstream::stream::Config {
        name: "events".to_owned(),
        subjects: vec!["events".to_owned(), "plain".to_owned()],
        ..Default::default()
    };
    async_nats::jetstream::new(client).create_stream(stream).await?;
    Ok(())
}

pub(crate) async fn nats(run: &mut Run) -> Result {
    let client = async_nats::connect(run.text("url")?).await?;
    let stream = async_nats::jetstream::new(client);
    while let Some(messages) = run.batch() {
        let mut confirmations = Vec::with_capacity(messages.len());
        for message in messages {
            let mut map = async_nats::HeaderMap::new();
            map.insert("Nats-Msg-Id", message.id.as_str());
            for (name, value) in headers(&message) {
                map.insert(name, value.as_str());
            }
            let sent = stream.publish_with_headers("plain", map, message.payload.into()).await?;
            confirmations.push(sent.into_future());
        }
        try_join_all(confirmations).await?;
    }
    Ok(())
}

pub(crate) async fn declare_queue(config: &Value) -> Result {
    let properties = ConnectionProperties::default();
    let connection = lapin::Connection::connect(text(config, "url")?, properties).await?;
    let channel = connection.create_channel().await?;
    for queue in ["events", "plain"] {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

pub(crate) async fn rabbitmq(run: &mut Run) -> Result {
    let properties = ConnectionProperties::default();
    let connection = lapin::Connection::connect(run.text("url")?, properties).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    while let Some(messages) = run.batch() {
        let mut confirmations = Vec::with_capacity(messages.len());
        for message in messages {
            let mut table = FieldTable::default();
            for (name, value) in headers(&message) {
                table.insert(name.into(), lapin::types::AMQPValue::LongString(value.into()));
            }
            let persistent = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(message.id.into())
                .with_headers(table);
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let payload = message.payload.into_bytes();
            confirmations.push(
                channel
                    .basic_publish("".into(), "plain".into(), options, &payload, persistent)
                    .await?,
            );
        }
        for confirmation in try_join_all(confirmations).await? {
            if !matches!(confirmation, Confirmation::Ack(None)) {
                return Err("RabbitMQ did not confirm a message".into());
            }
        }
    }
    Ok(())
}

pub(crate) async fn mqtt(run: &mut Run) -> Result {
    let url = url::Url::parse(run.text("url")?)?;
    let host = url.host_str().unwrap_or_default();
    let mut options = MqttOptions::new("plain", host, url.port().unwrap_or(1883));
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, BATCH);
    let mut in_flight = 0;
    while let Some(messages) = run.batch() {
        for message in messages {
            let properties = headers(&message).map(|(name, value)| (name.to_owned(), value));
            let properties = PublishProperties {
                user_properties: properties.into(),
                content_type: Some("application/json".to_owned()),
                ..Default::default()
            };
            let (qos, payload) = (QoS::AtLeastOnce, message.payload);
            client.try_publish_with_properties("plain", qos, false, payload, properties)?;
            in_flight += 1;
        }
        while in_flight > 0 {
            if let Event::Incoming(Incoming::PubAck(_)) = events.poll().await? {
                in_flight -= 1;
            }
        }
    }
    Ok(())
}

pub(crate) async fn kafka(run: &mut Run) -> Result {
    let brokers = run.config["brokers"].as_array().into_iter().flatten();
    let brokers = brokers.filter_map(Value::as_str).map(str::to_owned).collect();
    let client = ClientBuilder::new(brokers).build().await?;
    let topic = run.text("topic")?.to_owned();
    let partition = client.partition_client(topic, 0, UnknownTopicHandling::Error).await?;
    while let Some(messages) = run.batch() {
        let record = |message: Message| Record {
            key: None,
            headers: headers(&message)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into_bytes()))
                .collect::<BTreeMap<_, _>>(),
            value: Some(message.payload.into_bytes()),
            timestamp: DateTime::UNIX_EPOCH,
        };
        let records = messages.into_iter().map(record).collect();
        partition.produce(records, Compression::NoCompression).await?;
    }
    Ok(())
}
