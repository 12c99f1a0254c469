//! `sns` endpoints.

use std::{collections::BTreeSet, sync::Arc};

use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::Sender;
use serde_json::{Value, json};

use crate::{
    fixtures::{assert_delivered, assert_failed, call, call_with, id, send_all, senders},
    moto::Moto,
    proxy::{Proxy, StandIn},
};

fn config(topic: &str, url: &str) -> Value {
    json!({
        "topicArn": topic, "endpointUrl": url, "subject": "{{ type }}",
        "accessKeyId": "test-key", "secretAccessKey": "test-secret",
    })
}

fn sns(topic: &str, url: &str) -> Arc<Target> {
    crate::fixtures::target(EndpointKind::Sns, config(topic, url))
}

#[tokio::test]
async fn messages_reach_the_subscribers_of_a_topic() {
    let moto = Moto::start();
    let (topic, queue) = moto.topic("", json!({})).await;
    let (target, senders) = (sns(&topic, moto.url()), senders());
    assert_delivered(&[senders.check(Arc::clone(&target)).await]);
    assert_delivered(&send_all(&senders, &target, 0..25).await);
    let received = moto.take(&queue).await;
    let attribute = |message: &Value, name: &str| {
        message["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned()
    };
    let ids: BTreeSet<_> = received.iter().map(|it| attribute(it, "webhook-id")).collect();
    let expected: BTreeSet<_> = (0..25).map(|number| id(number).to_string()).collect();
    assert_eq!((received.len(), ids), (25, expected));
    assert_eq!(attribute(&received[0], "webhook-event-type"), "order.paid");

    let huge = senders.send(call_with(&target, 5, "x".repeat(300 << 10))).await;
    assert_failed(&huge, Failure::Rejected, "at most 262144");
    let missing = sns("arn:aws:sns:us-east-1:123456789012:none", moto.url());
    assert_failed(&senders.send(call(&missing, 1)).await, Failure::Misconfigured, "topicArn");
    assert_failed(&senders.check(missing).await, Failure::Misconfigured, "topicArn");

    messages_of_a_fifo_topic_are_deduplicated(&moto).await;
    a_service_that_comes_back_is_used_again(&moto).await;
}

async fn messages_of_a_fifo_topic_are_deduplicated(moto: &Moto) {
    let (topic, queue) = moto.topic(".fifo", json!({ "FifoQueue": "true" })).await;
    let proxy = Proxy::start(moto.service.port()).await;
    proxy.cut(1);
    let (target, senders) = (sns(&topic, &proxy.url), senders());
    assert_failed(&senders.send(call(&target, 1)).await, Failure::Protocol, "connection");
    assert_delivered(&[senders.send(call(&target, 1)).await]);
    assert_delivered(&[senders.send(call(&target, 2)).await]);
    let received = moto.take(&queue).await;
    let bodies: BTreeSet<_> = received.iter().map(|it| it["Body"].as_str().unwrap()).collect();
    assert_eq!((received.len(), bodies.len()), (2, 2));
}

/// Runs last, because moto forgets everything.
async fn a_service_that_comes_back_is_used_again(moto: &Moto) {
    let (topic, _) = moto.topic("", json!({})).await;
    let (target, senders) = (sns(&topic, moto.url()), senders());
    moto.service.stop();
    assert_failed(&senders.send(call(&target, 1)).await, Failure::Connect, "no connection");
    moto.service.restart();
    // A topic that is missing is reported as such, so the service was asked.
    assert_failed(&senders.send(call(&target, 1)).await, Failure::Misconfigured, "topicArn");
}

#[tokio::test]
async fn what_the_service_says_decides_about_the_next_attempt() {
    for (status, code, failure, reason) in [
        (403, "SignatureDoesNotMatch", Failure::Misconfigured, "secretAccessKey"),
        (403, "AuthorizationError", Failure::Misconfigured, "policy"),
        (400, "Throttling", Failure::Busy, "slowly"),
        (500, "InternalFailure", Failure::Unavailable, "temporary"),
    ] {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>test-secret</Message></Error></ErrorResponse>"
        );
        let service = StandIn::saying(status, "", &body).await;
        let target = sns("arn:aws:sns:us-east-1:123456789012:topic", &service.url);
        assert_failed(&senders().send(call(&target, 1)).await, failure, reason);
    }
}
