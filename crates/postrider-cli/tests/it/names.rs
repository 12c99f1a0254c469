//! Host names that never resolve, over the real binary and a real name server.

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    name_server::{NameServer, Reply},
    receiver::Receiver,
    server::{Server, until_async},
};

/// Enough to occupy every lookup that may be in progress, had all of them the same share.
const DEAD: usize = 300;

#[tokio::test]
async fn an_event_to_many_dead_names_delays_no_other_customer() {
    let names = NameServer::start(|name, _| {
        if name.ends_with(".dead.test") { Reply::Silence } else { Reply::here() }
    })
    .await;
    let receiver = Receiver::start().await;
    // Whatever waits for a dead name waits longer than this test takes.
    let server = Server::with(&[
        ("POSTRIDER_DNS__SERVERS", &names.address.to_string()),
        ("POSTRIDER_DNS__TIMEOUT", "4m"),
        ("POSTRIDER_REQUEST_TIMEOUT", "4m"),
    ]);
    server.application("crowd").await;
    let mut made = JoinSet::new();
    for part in 0..8 {
        let caller = server.caller();
        made.spawn(async move {
            for index in (part..DEAD).step_by(8) {
                let body = json!({ "url": format!("http://{index}.dead.test/") });
                let path = "/app/crowd/endpoint";
                let (status, answer) = caller.call(Method::POST, path, Some(body)).await.unwrap();
                assert_eq!(status, 201, "{answer}");
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
async fn an_attempt_says_why_a_name_has_no_address() {
    let names = NameServer::start(|_, _| Reply::Code(3)).await;
    let server = Server::with(&[("POSTRIDER_DNS__SERVERS", &names.address.to_string())]);
    server.application("acme").await;
    server.endpoint("acme", "http://hooks.missing.test/").await;
    let message = server.publish("acme", json!({})).await;
    let path = format!("/app/acme/attempt/msg/{message}");
    let attempts = until_async(|| server.get(&path), |it| it["data"] != json!([])).await;
    assert_eq!(attempts["data"][0]["response"], "host name hooks.missing.test does not exist");
}
