//! `mqtt` endpoints, against Mosquitto.

use std::{fmt::Write as _, fs, sync::Arc, time::Duration};

use futures_util::future::join_all;
use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::Sender;
use postrider_testing::{ExternalServer, Mode, Proxy};
use rumqttc::v5::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::Publish},
};
use serde_json::{Value, json};

use crate::world::{assert_delivered, assert_failed, call, eventually, send, senders, text};

const SECOND: Duration = Duration::from_secs(1);

fn target(config: &Value) -> Arc<Target> {
    crate::world::target(EndpointKind::Mqtt, config)
}

fn url(service: &ExternalServer) -> String {
    format!("mqtt://127.0.0.1:{}", service.port())
}

/// Reads everything below a topic.
struct Subscriber {
    events: EventLoop,
    _client: AsyncClient,
}

impl Subscriber {
    async fn new(port: u16, filter: &str) -> Self {
        let options = MqttOptions::new("subscriber", "127.0.0.1", port);
        let (client, mut events) = AsyncClient::new(options, 10);
        client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        while !matches!(events.poll().await.unwrap(), Event::Incoming(Incoming::SubAck(_))) {}
        Self { events, _client: client }
    }

    async fn next(&mut self) -> Publish {
        let wait = async {
            loop {
                if let Event::Incoming(Incoming::Publish(publish)) =
                    self.events.poll().await.unwrap()
                {
                    return publish;
                }
            }
        };
        tokio::time::timeout(10 * SECOND, wait).await.expect("no message arrived")
    }
}

fn property(publish: &Publish, name: &str) -> Option<String> {
    let properties = &publish.properties.as_ref()?.user_properties;
    properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

#[tokio::test]
async fn a_message_is_published_with_its_id_and_type() {
    let broker = ExternalServer::start("mosquitto", &[]);
    let mut subscriber = Subscriber::new(broker.port(), "events/#").await;
    let target = target(&json!({
        "url": url(&broker),
        "topic": "events/{{ type }}/{{ payload.name }}",
        "headers": { "region": "{{ payload.region }}" },
        "messageExpiry": "1h",
    }));
    let call = call(&target, r#"{"name":"Ada","region":"eu"}"#);
    let id = call.message.id.to_string();
    let report = senders(5 * SECOND).send(call).await;
    assert_delivered(&report);
    assert!(text(&report).contains("events/user.created/Ada"), "{}", text(&report));
    let found = subscriber.next().await;
    assert_eq!(found.topic, "events/user.created/Ada");
    assert_eq!(found.payload, r#"{"name":"Ada","region":"eu"}"#);
    assert_eq!(property(&found, "webhook-id"), Some(id));
    assert_eq!(property(&found, "webhook-event-type").as_deref(), Some("user.created"));
    assert_eq!(property(&found, "region").as_deref(), Some("eu"));
    let properties = found.properties.unwrap();
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert!(properties.message_expiry_interval.is_some_and(|seconds| seconds > 3_000));
}

#[tokio::test]
async fn many_messages_are_in_flight_on_one_connection() {
    let broker = ExternalServer::start("mosquitto", &["log_type=all"]);
    let target = target(&json!({ "url": url(&broker), "topic": "t", "clientId": "me" }));
    let senders = senders(5 * SECOND);
    let reports = join_all((0..2_000).map(|_| send(&senders, &target, "{}"))).await;
    for report in &reports {
        assert_delivered(report);
    }
    assert!(text(&reports[0]).contains("no client is subscribed"), "{}", text(&reports[0]));
}

#[tokio::test]
async fn a_broker_that_comes_back_is_used_again() {
    let broker = ExternalServer::start("mosquitto", &[]);
    let target = target(&json!({ "url": url(&broker), "topic": "t", "retain": true }));
    let senders = senders(2 * SECOND);
    assert_delivered(&send(&senders, &target, "{}").await);
    broker.kill();
    eventually("the outage is noticed", async || {
        !send(&senders, &target, "{}").await.outcome.delivered()
    })
    .await;
    assert_failed(&send(&senders, &target, "{}").await, Failure::Connect, "");
    broker.restart();
    assert_delivered(&send(&senders, &target, r#"{"n":1}"#).await);
    // Retained by the broker for later subscribers.
    let mut subscriber = Subscriber::new(broker.port(), "t").await;
    assert_eq!(subscriber.next().await.payload, r#"{"n":1}"#);
}

#[tokio::test]
async fn wrong_credentials_are_a_mistake_in_the_configuration() {
    let broker = ExternalServer::start("mosquitto", &["user=ada", "password=right"]);
    let config = |password: &str| {
        json!({
            "url": url(&broker), "topic": "t", "username": "ada", "password": password,
        })
    };
    let senders = senders(5 * SECOND);
    let report = send(&senders, &target(&config("wrong-password")), "{}").await;
    assert_failed(&report, Failure::Misconfigured, "`username` and `password`");
    assert!(!text(&report).contains("wrong-password"));
    assert_delivered(&send(&senders, &target(&config("right")), "{}").await);
    assert_delivered(&senders.check(target(&config("right"))).await);
    let checked = senders.check(target(&config("wrong"))).await;
    assert_failed(&checked, Failure::Misconfigured, "`username`");
}

#[tokio::test]
async fn what_does_not_fit_is_rejected_and_nothing_else_suffers() {
    let broker = ExternalServer::start("mosquitto", &["max_packet_size=2000"]);
    let senders = senders(5 * SECOND);
    let topic = target(&json!({ "url": url(&broker), "topic": "{{ payload.topic }}" }));
    let large = format!(r#"{{"topic":"t","x":"{}"}}"#, "x".repeat(3_000));
    let bodies = [&large, r#"{"topic":"a/#"}"#, r#"{"no":"topic"}"#, r#"{"topic":"fine"}"#, &large];
    let reports = join_all(bodies.map(|body| send(&senders, &topic, body))).await;
    assert_failed(&reports[0], Failure::Rejected, "at most 2000");
    assert_failed(&reports[1], Failure::Rejected, "wildcards");
    assert_failed(&reports[2], Failure::Rejected, "empty");
    assert_delivered(&reports[3]);
    assert_failed(&reports[4], Failure::Rejected, "at most 2000");
}

#[tokio::test]
async fn a_message_larger_than_the_limit_of_topics_is_rejected() {
    let broker = ExternalServer::start("mosquitto", &["message_size_limit=1000"]);
    let target = target(&json!({ "url": url(&broker), "topic": "t" }));
    let senders = senders(5 * SECOND);
    let report = send(&senders, &target, &format!(r#""{}""#, "x".repeat(2_000))).await;
    assert_failed(&report, Failure::Rejected, "larger");
    assert_delivered(&send(&senders, &target, "{}").await);
}

#[tokio::test]
async fn a_topic_that_is_not_allowed_is_a_mistake_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("acl");
    fs::write(&list, "topic readwrite allowed/#\n").unwrap();
    let mut option = String::new();
    write!(option, "acl_file={}", list.display()).unwrap();
    let broker = ExternalServer::start("mosquitto", &[&option]);
    let senders = senders(5 * SECOND);
    let topic = |topic| target(&json!({ "url": url(&broker), "topic": topic }));
    assert_delivered(&send(&senders, &topic("allowed/x"), "{}").await);
    let report = send(&senders, &topic("other"), "{}").await;
    assert_failed(&report, Failure::Misconfigured, "access list");
}

#[tokio::test]
async fn a_message_whose_confirmation_is_lost_is_sent_again_with_the_same_id() {
    let broker = ExternalServer::start("mosquitto", &[]);
    let mut subscriber = Subscriber::new(broker.port(), "t").await;
    let proxy = Proxy::start("127.0.0.1", broker.port()).await;
    let target = target(&json!({ "url": format!("mqtt://{}", proxy.address()), "topic": "t" }));
    let senders = senders(5 * SECOND);
    assert_delivered(&send(&senders, &target, "0").await);
    subscriber.next().await;
    proxy.set(Mode::Cut);
    let call = call(&target, "1");
    let report = senders.send(call.clone()).await;
    assert_failed(&report, Failure::Unavailable, "may have arrived");
    proxy.set(Mode::Pass);
    assert_delivered(&senders.send(call.clone()).await);
    let copies = [subscriber.next().await, subscriber.next().await];
    let id = Some(call.message.id.to_string());
    assert!(copies.iter().all(|it| property(it, "webhook-id") == id), "{copies:?}");
}

#[tokio::test]
async fn a_slow_broker_ends_a_call_at_its_time_limit() {
    let broker = ExternalServer::start("mosquitto", &[]);
    let proxy = Proxy::start("127.0.0.1", broker.port()).await;
    let target = target(&json!({ "url": format!("mqtt://{}", proxy.address()), "topic": "t" }));
    let senders = senders(SECOND / 2);
    assert_delivered(&send(&senders, &target, "0").await);
    proxy.set(Mode::Lose);
    assert_failed(&send(&senders, &target, "1").await, Failure::Timeout, "500 ms");
    proxy.set(Mode::Pass);
    assert_delivered(&send(&senders, &target, "2").await);
}

#[tokio::test]
async fn tls_verifies_the_broker() {
    let broker = ExternalServer::start("mosquitto", &["tls=yes"]);
    let url = format!("mqtts://127.0.0.1:{}", broker.key("tls_port"));
    let senders = senders(5 * SECOND);
    let authority = fs::read_to_string(broker.key("ca")).unwrap();
    let trusting = target(&json!({ "url": url, "topic": "t", "trustedCertificates": authority }));
    assert_delivered(&send(&senders, &trusting, "{}").await);
    let report = send(&senders, &target(&json!({ "url": url, "topic": "t" })), "{}").await;
    assert_failed(&report, Failure::Tls, "trustedCertificates");
}

#[tokio::test]
async fn a_server_of_another_protocol_is_recognized() {
    let broker = ExternalServer::start("mosquitto", &["tls=yes"]);
    let plain = format!("mqtt://127.0.0.1:{}", broker.key("tls_port"));
    let senders = senders(2 * SECOND);
    let report = send(&senders, &target(&json!({ "url": plain, "topic": "t" })), "{}").await;
    assert_failed(&report, Failure::Unavailable, "port");
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_not_called() {
    let senders = crate::world::senders_allowing(SECOND, &[]);
    let target = target(&json!({ "url": "mqtt://127.0.0.1:1883", "topic": "t" }));
    assert_failed(&send(&senders, &target, "{}").await, Failure::Forbidden, "");
}
