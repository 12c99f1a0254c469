//! `s3` endpoints.

use std::{collections::BTreeMap, process::Command, sync::Arc, time::Duration};

use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::{Sender, Senders};
use postrider_testing::{ExternalServer, packages};
use serde_json::{Value, json};

use crate::{
    fixtures::{
        assert_delivered, assert_failed, call, call_with, id, said, send_all, senders,
        senders_within,
    },
    proxy::{Proxy, StandIn},
};

/// Reads the whole bucket with another client: keys and contents.
const READ: &str = r#"
import boto3, gzip, json, sys
url, bucket, prefix = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1",
    aws_access_key_id="test-key", aws_secret_access_key="test-secret")
objects = {}
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for item in page.get("Contents", []):
        content = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        objects[item["Key"]] = (gzip.decompress(content) if item["Key"].endswith(".gz") else content).decode()
print(json.dumps(objects))
"#;

fn read(service: &ExternalServer, prefix: &str) -> BTreeMap<String, String> {
    let python = packages().join("python/bin/python");
    let arguments = ["-c", READ, service.key("url"), service.key("bucket"), prefix];
    let output = Command::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How often each message is in the bucket, by its number.
fn counts(service: &ExternalServer, prefix: &str) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for line in read(service, prefix).values().flat_map(|content| content.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        *counts.entry(line["payload"]["number"].as_u64().unwrap()).or_default() += 1;
    }
    counts
}

fn once(numbers: std::ops::Range<u64>) -> BTreeMap<u64, usize> {
    numbers.map(|number| (number, 1)).collect()
}

fn config(service: &ExternalServer, url: &str, key: &str) -> Value {
    json!({
        "bucket": service.key("bucket"), "region": "us-east-1", "endpointUrl": url,
        "accessKeyId": "test-key", "secretAccessKey": "test-secret", "key": key,
    })
}

fn target(config: Value) -> Arc<Target> {
    crate::fixtures::target(EndpointKind::S3, config)
}

/// An endpoint that waits shortly.
fn quick(service: &ExternalServer, url: &str, key: &str) -> Arc<Target> {
    let mut config = config(service, url, key);
    config["maxWait"] = "300ms".into();
    target(config)
}

/// Senders whose process has been running for a while, and an endpoint that has been used.
async fn warm(target: &Arc<Target>) -> Senders {
    let senders = senders();
    assert_delivered(&[senders.send(call(target, 0)).await]);
    senders
}

#[tokio::test]
async fn every_message_is_written_exactly_once() {
    let service = ExternalServer::start("s3", &[]);
    let url = service.key("url").to_owned();
    messages_are_written_together(&service, &url).await;
    tokio::join!(
        a_start_finds_what_was_written_before(&service, &url),
        a_lost_confirmation_does_not_write_twice(&service),
        a_write_of_unknown_result_is_found_later(&service),
        one_object_for_each_message(&service, &url),
        wrong_configurations_are_told_apart(&service, &url),
    );
    a_service_that_comes_back_is_used_again(&service, &url).await;
}

async fn messages_are_written_together(service: &ExternalServer, url: &str) {
    let mut config = config(service, url, "together/{{ date }}/{{ payload.kind }}/");
    config["gzip"] = true.into();
    config["maxWait"] = "300ms".into();
    let target = target(config);
    let senders = senders();
    assert_delivered(&[senders.check(Arc::clone(&target)).await]);
    let body = |number: u64| {
        format!("{{\n\"number\": {number}, \"kind\": \"{}\" }}", if number < 4 { "a" } else { "b" })
    };
    let sending = (0..8).map(|number| senders.send(call_with(&target, number, body(number))));
    let reports = futures_util::future::join_all(sending).await;
    assert_delivered(&reports);
    let objects = read(service, "together/");
    let keys: Vec<_> = objects.keys().collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(
        keys[0].starts_with(&format!("together/2026-01-01/a/{}-{}-", id(3), id(0))),
        "{keys:?}"
    );
    assert!(keys[0].ends_with(".ndjson.gz"), "{keys:?}");
    assert!(said(&reports[0]).contains(keys[0].as_str()), "{}", said(&reports[0]));
    assert_eq!(counts(service, "together/"), once(0..8));
    let line: Value = serde_json::from_str(objects[keys[0]].lines().next().unwrap()).unwrap();
    assert_eq!((&line["type"], &line["id"]), (&json!("order.paid"), &json!(id(0).to_string())));
}

/// The messages come again after a crash, in other groups and together with new ones.
async fn a_start_finds_what_was_written_before(service: &ExternalServer, url: &str) {
    let target = quick(service, url, "start/{{ hour }}-");
    let before = warm(&target).await;
    assert_delivered(&send_all(&before, &target, 1..20).await);
    assert_delivered(&send_all(&before, &target, 20..40).await);
    drop(before);
    // Calls begin when the messages of the process before are a second old.
    let after = senders();
    let call_later = |number: u64| {
        let mut call = call(&target, number);
        call.at = postrider_core::time::Timestamp::from_millis(crate::fixtures::ACCEPTED + 1_000);
        call
    };
    let sending = (10..60).map(|number| after.send(call_later(number)));
    let reports = futures_util::future::join_all(sending).await;
    assert_delivered(&reports);
    assert_eq!(counts(service, "start/00-"), once(0..60));
}

async fn a_lost_confirmation_does_not_write_twice(service: &ExternalServer) {
    let proxy = Proxy::start(service.port()).await;
    let target = quick(service, &proxy.url, "lost/");
    let senders = warm(&target).await;
    proxy.cut(2);
    assert_delivered(&send_all(&senders, &target, 2..6).await);
    assert_eq!(proxy.left(), 0);
    assert_eq!(counts(service, "lost/").values().sum::<usize>(), 5);
    assert_eq!(counts(service, "lost/").len(), 5);
}

/// No attempt gets a response, so the deliveries fail. Later attempts find the object.
async fn a_write_of_unknown_result_is_found_later(service: &ExternalServer) {
    let proxy = Proxy::start(service.port()).await;
    let target = quick(service, &proxy.url, "unknown/");
    let senders = warm(&target).await;
    proxy.cut(3);
    for report in send_all(&senders, &target, 2..6).await {
        assert_failed(&report, Failure::Protocol, "connection");
    }
    assert_eq!(proxy.left(), 0);
    assert_delivered(&send_all(&senders, &target, 1..8).await);
    assert_eq!(counts(service, "unknown/"), once(0..8));
}

async fn one_object_for_each_message(service: &ExternalServer, url: &str) {
    let mut config = config(service, url, "single/{{ type }}/");
    config["format"] = "json".into();
    let target = target(config);
    let senders = senders();
    assert_delivered(&send_all(&senders, &target, 1..4).await);
    let again = said(&self::senders().send(call(&target, 2)).await);
    assert!(again.contains("there already"), "{again}");
    let objects = read(service, "single/");
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[&format!("single/order.paid/{}.json", id(2))], r#"{"number":2}"#);
}

async fn wrong_configurations_are_told_apart(service: &ExternalServer, url: &str) {
    for (field, value, reason) in
        [("secretAccessKey", "wrong", "secretAccessKey"), ("accessKeyId", "unknown", "accessKeyId")]
    {
        let mut config = config(service, url, "wrong/");
        config["format"] = "json".into();
        config[field] = value.into();
        let (target, senders) = (target(config), senders());
        assert_failed(&senders.send(call(&target, 1)).await, Failure::Misconfigured, reason);
        assert_failed(&senders.check(target).await, Failure::Misconfigured, reason);
    }
    let mut config = config(service, url, "{{ payload.folder }}/");
    config["format"] = "json".into();
    let target = target(config);
    let up = call_with(&target, 1, r#"{"folder":".."}"#);
    assert_failed(&senders().send(up).await, Failure::Rejected, "`key`");
}

async fn a_service_that_comes_back_is_used_again(service: &ExternalServer, url: &str) {
    let target = quick(service, url, "back/");
    let senders = warm(&target).await;
    service.stop();
    for report in send_all(&senders, &target, 1..4).await {
        assert_failed(&report, Failure::Connect, "no connection");
    }
    service.restart();
    assert_delivered(&send_all(&senders, &target, 1..6).await);
    assert_eq!(counts(service, "back/"), once(0..6));
}

#[tokio::test]
async fn what_the_store_says_decides_about_the_next_attempt() {
    for (status, code, failure, reason) in [
        (403, "AccessDenied", Failure::Misconfigured, "policy"),
        (404, "NoSuchBucket", Failure::Misconfigured, "`bucket`"),
        (403, "RequestTimeTooSkewed", Failure::Misconfigured, "clock"),
        (301, "PermanentRedirect", Failure::Misconfigured, "region"),
        (501, "NotImplemented", Failure::Misconfigured, "does not support"),
        (503, "SlowDown", Failure::Busy, "slowly"),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>test-secret</Message></Error>");
        let store = StandIn::saying(status, "", &body).await;
        let target = target(json!({
            "bucket": "test", "region": "us-east-1", "endpointUrl": store.url, "format": "json",
            "accessKeyId": "test-key", "secretAccessKey": "test-secret",
        }));
        assert_failed(&senders().send(call(&target, 1)).await, failure, reason);
    }
}

#[tokio::test]
async fn a_slow_store_ends_at_the_time_limit() {
    let store = StandIn::silent().await;
    let target = target(json!({
        "bucket": "test", "region": "us-east-1", "endpointUrl": store.url, "format": "json",
        "accessKeyId": "test-key", "secretAccessKey": "test-secret",
    }));
    let senders = senders_within(Duration::from_millis(300));
    assert_failed(&senders.send(call(&target, 1)).await, Failure::Timeout, "300 ms");
}
