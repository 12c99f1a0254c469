//! `sqs` endpoints.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::Sender;
use serde_json::{Value, json};

use crate::{
    fixtures::{
        assert_delivered, assert_failed, call, call_with, id, send_all, senders, senders_within,
    },
    moto::Moto,
    proxy::{Proxy, StandIn},
};

fn config(queue: &str, url: &str) -> Value {
    json!({
        "queueUrl": queue, "region": "us-east-1", "endpointUrl": url,
        "accessKeyId": "test-key", "secretAccessKey": "test-secret",
    })
}

fn sqs(queue: &str, url: &str) -> Arc<Target> {
    target(config(queue, url))
}

fn target(config: Value) -> Arc<Target> {
    crate::fixtures::target(EndpointKind::Sqs, config)
}

#[tokio::test]
async fn messages_arrive_with_their_attributes() {
    let moto = Moto::start();
    let queue = moto.queue("", json!({})).await;
    let mut config = config(&queue, moto.url());
    config["attributes"] = json!({ "number": "{{ payload.number }}" });
    let target = target(config);
    let senders = senders();
    assert_delivered(&[senders.check(Arc::clone(&target)).await]);
    assert_delivered(&send_all(&senders, &target, 0..35).await);

    let received = moto.take(&queue).await;
    let ids: BTreeSet<_> = received.iter().map(|it| attribute(it, "webhook-id")).collect();
    assert_eq!((received.len(), ids.len()), (35, 35));
    let seventh = id(7).to_string();
    let seventh = received.iter().find(|it| attribute(it, "webhook-id") == seventh).unwrap();
    assert_eq!(seventh["Body"], r#"{"number":7}"#);
    assert_eq!(attribute(seventh, "webhook-event-type"), "order.paid");
    assert_eq!(attribute(seventh, "number"), "7");

    messages_of_a_fifo_queue_arrive_once_and_in_order(&moto).await;
    what_can_never_be_accepted_is_rejected(&moto).await;
    a_missing_queue_is_the_configurations_fault(&moto).await;
    a_lost_confirmation_is_a_temporary_failure_and_the_next_attempt_a_duplicate(&moto).await;
    a_service_that_comes_back_is_used_again(&moto).await;
}

fn attribute(message: &Value, name: &str) -> String {
    message["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned()
}

async fn messages_of_a_fifo_queue_arrive_once_and_in_order(moto: &Moto) {
    let queue = moto.queue(".fifo", json!({ "FifoQueue": "true" })).await;
    let mut config = config(&queue, moto.url());
    config["messageGroupId"] = "{{ type }}".into();
    let (target, senders) = (target(config), senders());
    for number in [1, 2, 2, 3, 1] {
        assert_delivered(&[senders.send(call(&target, number)).await]);
    }
    let received = moto.take(&queue).await;
    let bodies: Vec<_> = received.iter().map(|it| it["Body"].as_str().unwrap()).collect();
    assert_eq!(bodies, [r#"{"number":1}"#, r#"{"number":2}"#, r#"{"number":3}"#]);
    assert_eq!(received[0]["Attributes"]["MessageGroupId"], "order.paid");
}

/// Of a request with several messages, only those at fault are rejected.
async fn what_can_never_be_accepted_is_rejected(moto: &Moto) {
    let queue = moto.queue("", json!({ "MaximumMessageSize": "1024" })).await;
    let (target, senders) = (sqs(&queue, moto.url()), senders());
    let large = "x".repeat(2_000);
    let (first, too_large, binary, last) = tokio::join!(
        senders.send(call(&target, 1)),
        senders.send(call_with(&target, 2, large)),
        senders.send(call_with(&target, 3, &b"\xff"[..])),
        senders.send(call(&target, 4)),
    );
    assert_delivered(&[first, last]);
    assert_failed(&too_large, Failure::Rejected, "smaller");
    assert_failed(&binary, Failure::Rejected, "not a text");
    let huge = senders.send(call_with(&target, 5, "x".repeat(2 << 20))).await;
    assert_failed(&huge, Failure::Rejected, "at most 1048576");
    assert_eq!(moto.take(&queue).await.len(), 2);
}

async fn a_missing_queue_is_the_configurations_fault(moto: &Moto) {
    let queue = format!("{}/123456789012/no-such-queue", moto.url());
    let (target, senders) = (sqs(&queue, moto.url()), senders());
    assert_failed(&senders.send(call(&target, 1)).await, Failure::Misconfigured, "queueUrl");
    assert_failed(&senders.check(target).await, Failure::Misconfigured, "queueUrl");
}

async fn a_lost_confirmation_is_a_temporary_failure_and_the_next_attempt_a_duplicate(moto: &Moto) {
    let queue = moto.queue("", json!({})).await;
    let proxy = Proxy::start(moto.service.port()).await;
    proxy.cut(1);
    let (target, senders) = (sqs(&queue, &proxy.url), senders());
    assert_failed(&senders.send(call(&target, 1)).await, Failure::Protocol, "connection");
    assert_delivered(&[senders.send(call(&target, 1)).await]);
    assert_eq!((moto.take(&queue).await.len(), proxy.left()), (2, 0), "duplicates are possible");
}

/// Runs last, because moto forgets everything.
async fn a_service_that_comes_back_is_used_again(moto: &Moto) {
    let queue = moto.queue("", json!({})).await;
    let (target, senders) = (sqs(&queue, moto.url()), senders());
    assert_delivered(&[senders.send(call(&target, 1)).await]);
    moto.service.stop();
    assert_failed(&senders.send(call(&target, 2)).await, Failure::Connect, "no connection");
    moto.service.restart();
    let request = json!({ "QueueName": queue.rsplit('/').next().unwrap() });
    moto.create(request).await;
    assert_delivered(&[senders.send(call(&target, 3)).await]);
    assert_eq!(moto.take(&queue).await.len(), 1);
}

#[tokio::test]
async fn what_the_service_says_decides_about_the_next_attempt() {
    for (status, code, failure, reason) in [
        (
            403,
            "com.amazon.coral.service#InvalidClientTokenId",
            Failure::Misconfigured,
            "accessKeyId",
        ),
        (400, "com.amazonaws.sqs#InvalidSignatureException", Failure::Misconfigured, "clock"),
        (400, "com.amazonaws.sqs#AccessDeniedException", Failure::Misconfigured, "policy"),
        (400, "com.amazonaws.sqs#RequestThrottled", Failure::Busy, "slowly"),
        (500, "com.amazonaws.sqs#InternalError", Failure::Unavailable, "temporary"),
    ] {
        let body = json!({ "__type": code, "message": "about test-secret" }).to_string();
        let service = StandIn::saying(status, "", &body).await;
        let target = sqs("https://sqs.us-east-1.amazonaws.com/1/q", &service.url);
        assert_failed(&senders().send(call(&target, 1)).await, failure, reason);
    }
    let service = StandIn::saying(200, "", "<html>").await;
    let target = sqs("https://sqs.us-east-1.amazonaws.com/1/q", &service.url);
    assert_failed(&senders().send(call(&target, 1)).await, Failure::Protocol, "not known");
}

#[tokio::test]
async fn a_slow_service_ends_at_the_time_limit() {
    let service = StandIn::silent().await;
    let senders = senders_within(Duration::from_millis(300));
    let target = sqs("https://sqs.us-east-1.amazonaws.com/1/q", &service.url);
    for report in send_all(&senders, &target, 0..3).await {
        assert_failed(&report, Failure::Timeout, "");
    }
}
