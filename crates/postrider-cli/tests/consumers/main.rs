//! Consumers against real brokers and the real binary: whatever breaks, each message of a queue
//! becomes exactly one message.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../it/collector.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod collector;
mod nats;
mod queue;
mod redis;
#[path = "../it/schema.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod schema;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod server;

use std::{collections::BTreeSet, sync::Arc};

use http::Method;
use serde_json::{Value, json};

use self::{
    queue::{Broker, payloads, until_state},
    schema::Schema,
    server::Server,
};

/// Messages of the tests under load.
const LOAD: u64 = 3_000;

async fn create(server: &Server, broker: &dyn Broker) {
    server.application("acme").await;
    let mapping = json!({
        "application": "acme",
        "eventType": "test.event",
        "channels": ["{{ subject or '' }}"],
    });
    let consumer = json!({
        "uid": "orders", "kind": broker.kind(), "config": broker.config(), "mapping": mapping,
    });
    server.post("/consumer", consumer).await;
}

fn numbers(payloads: &[Value]) -> Vec<u64> {
    payloads.iter().map(|it| it["n"].as_u64().unwrap()).collect()
}

/// Waits until the server has this many messages, and checks that each was published once.
async fn expect_each_once(server: &Server, count: u64) {
    let mut found = numbers(&payloads(server, count).await);
    found.sort_unstable();
    let distinct: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(found.len(), distinct.len(), "some messages were published twice");
    assert_eq!(distinct, (0..count).collect());
}

async fn check_works(broker: &dyn Broker) {
    let server = Server::start();
    create(&server, broker).await;
    until_state(&server, |it| it["status"] == "connected").await;
    broker.publish(0..20).await;
    expect_each_once(&server, 20).await;
    // One that is not JSON is listed, with its content.
    broker.publish_raw("not JSON").await;
    until_state(&server, |it| it["deadLetters"] == 1).await;
    let letters = server.get("/consumer/orders/dead-letter").await;
    let letter = &letters["data"][0];
    assert_eq!(letter["reason"], "the body is not JSON");
    let path = format!("/consumer/orders/dead-letter/{}", letter["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await["body"], "not JSON");
    assert_eq!(server.get("/consumer/orders").await["address"], broker.address());
}

/// The server is killed while it consumes: between the append and the acknowledgement of many
/// messages, as the duplicates that it recognizes afterwards show.
async fn check_kill(broker: &dyn Broker) {
    let mut server = Server::start();
    create(&server, broker).await;
    until_state(&server, |it| it["status"] == "connected").await;
    broker.publish(0..LOAD).await;
    let mut duplicates = 0;
    for accepted in [300, 600] {
        until_state(&server, |it| it["accepted"].as_u64() >= Some(accepted)).await;
        server.kill_and_restart();
        let state = until_state(&server, |it| it["accepted"].as_u64() > Some(0)).await;
        duplicates += state["duplicates"].as_u64().unwrap();
    }
    expect_each_once(&server, LOAD).await;
    let state = until_state(&server, |it| it["inFlight"] == 0).await;
    duplicates = duplicates.max(state["duplicates"].as_u64().unwrap());
    report(format_args!("{}: {duplicates} redeliveries were recognized", broker.kind()));
}

async fn check_broker_restart(broker: &dyn Broker) {
    let server = Server::start();
    create(&server, broker).await;
    broker.publish(0..10).await;
    expect_each_once(&server, 10).await;
    broker.stop();
    let failing = until_state(&server, |it| it["status"] == "failing").await;
    let reason = failing["reason"].as_str().unwrap();
    assert!(!reason.is_empty() && !reason.contains("secret"), "{reason}");
    broker.restart();
    until_state(&server, |it| it["status"] == "connected").await;
    broker.publish(10..20).await;
    expect_each_once(&server, 20).await;
}

async fn check_two_nodes(broker: &dyn Broker) {
    let schema = Arc::new(Schema::create());
    let first = Server::on_database(&schema, &[]);
    let secret = |name: &str| {
        let text = std::fs::read_to_string(first.folder.path().join("data").join(name)).unwrap();
        text.trim().to_owned()
    };
    let (jwt, main) = (secret("jwt-secret"), secret("main-secret"));
    let secrets = [("POSTRIDER_JWT_SECRET", &*jwt), ("POSTRIDER_MAIN_SECRET", &*main)];
    let mut second = Server::on_database(&schema, &secrets);
    // Its own folder does not have the secret that signs tokens.
    second.token.clone_from(&first.token);
    create(&first, broker).await;
    for node in [&first, &second] {
        until_state(node, |it| it["status"] == "connected").await;
    }
    broker.publish(0..LOAD / 2).await;
    for node in [&first, &second] {
        let state = until_state(node, |it| it["accepted"].as_u64() > Some(0)).await;
        report(format_args!("{}: {} on one node", broker.kind(), state["accepted"]));
    }
    second.kill();
    broker.publish(LOAD / 2..LOAD).await;
    expect_each_once(&first, LOAD).await;
}

async fn check_declared(broker: &dyn Broker) {
    let mut server = Server::start();
    server.application("acme").await;
    server.terminate();
    let config = broker.config();
    let fields = config.as_object().unwrap().iter();
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name} = {value}")).collect();
    let declared = format!(
        "[[consumers]]\nuid = 'orders'\nkind = '{}'\n[consumers.config]\n{}\n[consumers.mapping]\n\
         application = 'acme'\nevent_type = 'test.event'\n",
        broker.kind(),
        fields.join("\n")
    );
    let file = server.folder.path().join("postrider.toml");
    std::fs::write(&file, &declared).unwrap();
    server.restart();
    broker.publish(0..5).await;
    expect_each_once(&server, 5).await;
    let before = server.get("/consumer/orders").await;
    server.terminate();
    server.restart();
    assert_eq!(server.get("/consumer/orders").await, before, "nothing has changed");
    server.terminate();
    std::fs::write(&file, "").unwrap();
    server.restart();
    // A request is served only after the file was applied.
    assert_eq!(server.get("/consumer/orders").await, before, "it is not deleted");
    assert!(server.log().contains("postrider consumer delete orders"), "{}", server.log());
    let (status, _) = server.call(Method::DELETE, "/consumer/orders", None).await.unwrap();
    assert_eq!(status, 204);
}

/// Prints a result, such as the number of duplicates.
#[expect(clippy::print_stdout, reason = "the results are for people")]
fn report(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}
