//! Publishes to MQTT 5 brokers with `QoS` 1: a delivery succeeds after the broker's confirmation.

mod link;
mod packet;
mod session;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        mqtt::{Mqtt, check_property, check_topic},
    },
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, Report, Sender};
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Publish, PublishProperties},
};

use self::link::Link;
use crate::{content::Content, failed::Failed, shared::Shared};

/// Most brokers to which connections are kept, and how long an unused one is kept.
const MAX_CLIENTS: usize = 1_000;
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Publishes messages to MQTT brokers.
#[derive(Debug)]
pub(crate) struct MqttSender {
    guard: Guard,
    clients: Clients<Shared<Link>>,
}

impl MqttSender {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    async fn publish(&self, call: &Call) -> Result<Report, Failed> {
        let config = config(&call.target)?;
        let publish = publish(config, call)?;
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let client = self.clients.get(&call.target, Shared::new);
        let id = client_id(config, &call.message.id.to_string());
        let open = || Link::open(&self.guard, &call.target, config, id);
        let link = client.get(open).await?;
        let matched = link.publish(publish).await?;
        let note = if matched { "" } else { "; no client is subscribed to it" };
        let done = format!("published to `{topic}`, confirmed by the broker (QoS 1){note}");
        Ok(Report::delivered(done).at(Some(link.address())))
    }
}

#[async_trait]
impl Sender for MqttSender {
    async fn send(&self, call: Call) -> Report {
        self.publish(&call).await.unwrap_or_else(Failed::report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let checked = async {
            let config = config(&target)?;
            let id = client_id(config, "check");
            let link = Link::open(&self.guard, &target, config, id).await?;
            Ok::<_, Failed>(link.address())
        };
        match checked.await {
            Ok(address) => {
                Report::delivered("connected; the broker accepted the client").at(Some(address))
            },
            Err(failed) => failed.report(),
        }
    }
}

fn config(target: &Target) -> Result<&Mqtt, Failed> {
    let Destination::Mqtt(config) = &target.destination else {
        return Err(Failed::new(Failure::Misconfigured, "the endpoint is not of kind `mqtt`"));
    };
    Ok(config)
}

/// The broker disconnects a client when another one connects with the same id. So each connection
/// has an id of its own: the broker assigns it, or the id of the message that it was opened for is
/// a part of it, which no other node delivers at the same time.
fn client_id(config: &Mqtt, unique: &str) -> String {
    config.client_id.as_ref().map(|prefix| format!("{prefix}-{unique}")).unwrap_or_default()
}

fn publish(config: &Mqtt, call: &Call) -> Result<Publish, Failed> {
    let content = Content::new(call);
    let topic = content.line("topic", &config.topic)?;
    check_topic(&topic).map_err(Failed::rejected)?;
    let user_properties: Vec<_> = content.headers(&config.headers)?.into_iter().collect();
    for (_, value) in &user_properties {
        check_property(value).map_err(Failed::rejected)?;
    }
    let properties = PublishProperties {
        message_expiry_interval: config.expiry_seconds(),
        content_type: content.content_type().map(str::to_owned),
        user_properties,
        ..PublishProperties::default()
    };
    let mut publish = Publish::new(topic, QoS::AtLeastOnce, call.body.clone(), Some(properties));
    publish.retain = config.retain;
    Ok(publish)
}
