//! Name resolution and address checks with a real name server.

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    name_server::{NameServer, Reply},
    receiver::Receiver,
    server::{Server, until_async},
};

/// Enough to occupy all concurrent lookups, unless they are limited per application.
const DEAD_NAMES: usize = 300;

#[tokio::test]
async fn an_event_to_many_unresolvable_names_does_not_delay_other_applications() {
    let names = NameServer::start(|name, _| {
        if name.ends_with(".dead.test") { Reply::Silence } else { Reply::here() }
    })
    .await;
    let receiver = Receiver::start().await;
    // A lookup of an unresolvable name takes longer than this test.
    let server = Server::with_variables(&[
        ("POSTRIDER_DNS__SERVERS", &names.address.to_string()),
        ("POSTRIDER_DNS__TIMEOUT", "4m"),
        ("POSTRIDER_REQUEST_TIMEOUT", "4m"),
    ]);
    server.application("crowd").await;
    let mut made = JoinSet::new();
    for part in 0..8 {
        let caller = server.caller();
        made.spawn(async move {
            for index in (part..DEAD_NAMES).step_by(8) {
                let body = json!({ "url": format!("http://{index}.dead.test/") });
                let path = "/app/crowd/endpoint";
                let (status, response) = caller.call(Method::POST, path, Some(body)).await.unwrap();
                assert_eq!(status, 201, "{response}");
            }
        });
    }
    made.join_all().await;
    let message = server.publish("crowd", json!({})).await;
    let statuses = format!("/app/crowd/msg/{message}/endpoint?limit=250");
    let is_asked = |_: &serde_json::Value| !names.asked().is_empty();
    until_async(|| server.get(&statuses), is_asked).await;
    for customer in 0..20 {
        let (name, port) = (format!("customer-{customer}"), receiver.address.port());
        server.application(&name).await;
        server.endpoint(&name, &format!("http://{name}.live.test:{port}/{name}")).await;
        server.publish(&name, json!({})).await;
        receiver.until(&name, |calls| calls.len() == 1).await;
    }
    let attempts = server.get(&format!("/app/crowd/attempt/msg/{message}")).await;
    assert_eq!(attempts["data"], json!([]), "no lookup of a dead name has ended");
    let dead = names.asked().into_iter().filter(|(name, _)| name.ends_with(".dead.test")).count();
    assert!(dead > 0);
}

#[tokio::test]
async fn an_attempt_records_why_a_name_has_no_address() {
    let names = NameServer::start(|_, _| Reply::Code(3)).await;
    let server = Server::with_variables(&[("POSTRIDER_DNS__SERVERS", &names.address.to_string())]);
    server.application("acme").await;
    server.endpoint("acme", "http://hooks.missing.test/").await;
    let message = server.publish("acme", json!({})).await;
    let path = format!("/app/acme/attempt/msg/{message}");
    let attempts = until_async(|| server.get(&path), |it| it["data"] != json!([])).await;
    assert_eq!(attempts["data"][0]["response"], "host name hooks.missing.test does not exist");
}

#[tokio::test]
async fn only_the_operator_sees_a_rejected_address() {
    let names = NameServer::start(|_, kind| {
        let address = if kind == "A" { vec!["10.9.8.7".parse().unwrap()] } else { Vec::new() };
        Reply::Addresses(address, 60)
    })
    .await;
    let server = Server::with_variables(&[
        ("POSTRIDER_DNS__SERVERS", &names.address.to_string()),
        ("POSTRIDER_LOG_LEVEL", "info,postrider_engine::sender::egress=debug"),
        ("POSTRIDER_LOG_FORMAT", "json"),
    ]);
    server.application("acme").await;
    let (endpoint, _) =
        server.endpoint("acme", "http://vault.inside.test:8200/v1?key=sesame").await;
    let message = server.publish("acme", json!({})).await;
    let path = format!("/app/acme/attempt/msg/{message}");
    let attempts = until_async(|| server.get(&path), |it| it["data"] != json!([])).await;
    let said = &attempts["data"][0]["response"];
    assert_eq!(said, "the address of the host is not allowed", "{attempts}");
    assert!(!attempts.to_string().contains("10.9.8.7"), "{attempts}");
    let log = server.log();
    let line = log.lines().find(|it| it.contains("10.9.8.7")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    for (field, expected) in [
        ("purpose", json!("delivery")),
        ("endpoint", json!(endpoint)),
        ("host", json!("vault.inside.test")),
        ("port", json!(8200)),
        ("address", json!("10.9.8.7:8200")),
    ] {
        assert_eq!(line[field], expected, "{line}");
    }
    assert!(line["result"].as_str().unwrap().contains("is not a public address"), "{line}");
    assert!(!log.contains("sesame"), "{log}");
}

#[tokio::test]
async fn ports_and_networks_are_checked_when_an_endpoint_is_saved_and_at_each_attempt() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    for (url, reason) in [
        ("https://example.com:22/", "port 22 is not allowed"),
        ("https://168.63.129.16/", "metadata service"),
        ("https://[2606:4700::5efe:10.0.0.1]/", "not a public address"),
    ] {
        let body = Some(json!({ "url": url }));
        let (status, response) =
            server.call(Method::POST, "/app/acme/endpoint", body).await.unwrap();
        assert_eq!(status, 422, "{url}: {response}");
        assert!(response.to_string().contains(reason), "{url}: {response}");
    }
    server.endpoint("acme", &receiver.url("/hook")).await;
    assert!(server.terminate().success());
    server.set("POSTRIDER_ALLOW_PORTS", "443");
    server.restart();
    let message = server.publish("acme", json!({})).await;
    let path = format!("/app/acme/attempt/msg/{message}");
    let attempts = until_async(|| server.get(&path), |it| it["data"] != json!([])).await;
    let said = attempts["data"][0]["response"].as_str().unwrap();
    assert!(said.contains("is not allowed; `allow_ports` can allow it"), "{attempts}");
}
