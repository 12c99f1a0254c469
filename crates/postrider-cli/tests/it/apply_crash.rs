//! A declaration is applied as a whole or not at all, also if the server is killed meanwhile.

use std::{fs, sync::Arc};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use crate::{
    schema::Schema,
    server::{Server, until, until_async},
};

/// Applications with an endpoint each, and event types: as many records as `count` times three.
fn records(count: usize) -> Value {
    let description = "d".repeat(1_000);
    let numbers = 0..count;
    let event_type = |n| json!({ "name": format!("e{n}.x"), "description": description });
    let application = |n| json!({ "uid": format!("a{n}"), "name": format!("A {n}") });
    let endpoint =
        |n| json!({ "application": format!("a{n}"), "uid": "e", "url": "https://example.com/" });
    json!({ "records": {
        "eventTypes": numbers.clone().map(event_type).collect::<Vec<_>>(),
        "applications": numbers.clone().map(application).collect::<Vec<_>>(),
        "endpoints": numbers.map(endpoint).collect::<Vec<_>>(),
    } })
}

/// Begins to apply the records; the server may be killed before it responds.
#[expect(clippy::let_underscore_must_use, reason = "the server is killed")]
fn begin(tasks: &mut JoinSet<()>, server: &Server, records: Value) {
    let caller = server.caller();
    tasks.spawn(async move {
        let _ = caller.call(Method::POST, "/environment/apply", Some(records)).await;
    });
}

/// The number of records that would be created now, and of those that exist.
async fn remaining(server: &Server, records: &Value) -> (usize, u64) {
    let mut plan = records.clone();
    plan["dryRun"] = json!(true);
    let plan = server.post("/environment/apply", plan).await;
    (plan["changes"].as_array().unwrap().len(), plan["unchanged"].as_u64().unwrap())
}

async fn audited(server: &Server) -> usize {
    let log = server.get("/audit-log?operation=v1.environment.apply&limit=250").await;
    log["data"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_applies_has_applied_all_or_nothing() {
    const COUNT: usize = 80;
    let records = records(COUNT);
    let mut server = Server::embedded(&[]);
    let log = server.folder.path().join("data/postrider.db-wal");
    let size = || fs::metadata(&log).map_or(0, |it| it.len());
    // The later the kill, the more of the transaction is in the log.
    for growth in [1, 20_000, 60_000, 100_000] {
        let mut tasks = JoinSet::new();
        let before = size();
        begin(&mut tasks, &server, records.clone());
        tokio::task::block_in_place(|| {
            until("it writes", || size() > before + growth || size() < before);
        });
        server.kill_and_restart();
        tasks.join_all().await;
        let (missing, present) = remaining(&server, &records).await;
        if missing == 0 {
            assert_eq!((present, audited(&server).await), (3 * COUNT as u64, 3 * COUNT));
            return;
        }
        assert_eq!((missing, present, audited(&server).await), (3 * COUNT, 0, 0));
    }
}

/// A connection that can hold locks.
async fn connect(schema: &Schema, tasks: &mut JoinSet<()>) -> Client {
    let (client, connection) = tokio_postgres::connect(&schema.url, NoTls).await.unwrap();
    tasks.spawn(async move { drop(connection.await) });
    client
}

#[tokio::test]
async fn a_node_that_is_killed_within_the_transaction_has_applied_nothing() {
    let records = records(3);
    let schema = Arc::new(Schema::create());
    let mut server = Server::on_database(&schema, &[]);
    let mut tasks = JoinSet::new();
    let mut locking = connect(&schema, &mut tasks).await;
    let watching = connect(&schema, &mut tasks).await;
    // Event types and applications are written before endpoints, which wait for this lock.
    let lock = locking.transaction().await.unwrap();
    let table = schema.table("endpoint");
    lock.batch_execute(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE")).await.unwrap();
    begin(&mut tasks, &server, records.clone());
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock' AND relation = to_regclass($1)";
    let blocked = async || {
        let row = watching.query_one(waiting, &[&table]).await.unwrap();
        json!(row.get::<_, i64>(0))
    };
    until_async(&blocked, |it| *it != 0).await;
    server.kill();
    lock.rollback().await.unwrap();
    server.restart();
    assert_eq!((remaining(&server, &records).await, audited(&server).await), ((9, 0), 0));
    server.post("/environment/apply", records.clone()).await;
    assert_eq!((remaining(&server, &records).await, audited(&server).await), ((0, 9), 9));
}

#[tokio::test]
async fn one_record_that_cannot_be_applied_prevents_the_others() {
    let server = Server::start();
    let mut wrong = records(3);
    wrong["records"]["applications"][1]["name"] = json!("");
    let (status, refused) =
        server.call(Method::POST, "/environment/apply", Some(wrong)).await.unwrap();
    assert_eq!(status, 422, "{refused}");
    assert_eq!((remaining(&server, &records(3)).await, audited(&server).await), ((9, 0), 0));
}
