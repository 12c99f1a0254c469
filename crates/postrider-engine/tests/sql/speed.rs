//! Rows per second, beside a plain client that writes the same rows with the same statement, one
//! batch after the other.
//!
//! `cargo test --release -p postrider-engine --test sql -- --ignored --nocapture --test-threads 1`

use std::{future::poll_fn, sync::Arc};

use bytes::Bytes;
use mysql_async::{Conn, Opts, Params, Value as MysqlValue, prelude::Queryable};
use postrider::api::EndpointKind;
use postrider_core::{
    kind::{
        Destination,
        sql::{Cell, MAX_ROWS, Mapping, Row, TableName, mysql, postgres, sqlite},
    },
    message::Message,
    target::Target,
};
use postrider_testing::ExternalServer;
use rusqlite::{Connection, params_from_iter};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};
use tokio_postgres::{NoTls, types::ToSql};

use crate::{
    fixtures::{Fixture, assert_delivered, message, target},
    servers::PostgreSql,
};

const ROWS: u64 = 50_000;
const IN_FLIGHT: usize = 2 * MAX_ROWS;

fn messages() -> Vec<Message> {
    let payload = |number: u64| {
        format!(r#"{{"user":{{"id":{number},"name":"Ada"}},"total":12.50,"text":"{:0100}"}}"#, 0)
    };
    (0..ROWS).map(|number| message(number, payload(number))).collect()
}

fn table(name: &str) -> TableName {
    serde_json::from_value(json!(name)).unwrap()
}

fn mapping(target: &Target) -> Mapping {
    #[expect(clippy::wildcard_enum_match_arm, reason = "these kinds are the ones that are tried")]
    match &target.destination {
        Destination::Postgres(config) => config.mapping(),
        Destination::Mysql(config) => config.mapping(),
        Destination::Sqlite(config) => config.mapping(),
        _ => unreachable!(),
    }
}

fn rows(mapping: &Mapping) -> Vec<Row> {
    let row = |message: Message| {
        let body: Bytes = message.body.clone().unwrap();
        mapping.row(&message, &body).unwrap()
    };
    messages().into_iter().map(row).collect()
}

/// The text of a value of a whole event.
#[expect(clippy::wildcard_enum_match_arm, reason = "a whole event has no other values")]
fn text(cell: &Cell, time: impl Fn(jiff::Timestamp) -> String) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Timestamp(at) => time(*at),
        _ => unreachable!(),
    }
}

/// Rows per second of the sender, with a task for each delivery, as the driver has.
async fn of_sender(fixture: &Arc<Fixture>, target: &Arc<Target>) -> f64 {
    let messages = messages();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for message in messages {
        if tasks.len() == IN_FLIGHT {
            assert_delivered(&tasks.join_next().await.unwrap().unwrap());
        }
        let (fixture, target) = (Arc::clone(fixture), Arc::clone(target));
        tasks.spawn(async move { fixture.send(&target, message).await });
    }
    while let Some(report) = tasks.join_next().await {
        assert_delivered(&report.unwrap());
    }
    rate(began)
}

#[expect(clippy::cast_precision_loss, reason = "a rate of fewer than 2^52 rows")]
fn rate(began: Instant) -> f64 {
    ROWS as f64 / began.elapsed().as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "the result is for people")]
fn show(name: &str, sender: f64, plain: f64) {
    println!("{name}: sender {sender:.0} rows/s, plain {plain:.0}, ratio {:.2}", sender / plain);
}

#[tokio::test]
#[ignore = "measures"]
async fn speed_of_postgres() {
    let server = PostgreSql::start();
    let target = |name: &str| {
        let config = json!({ "url": server.url, "table": name, "createTable": true });
        target(EndpointKind::Postgres, &config)
    };
    let (fixture, sent, plain) = (Arc::new(Fixture::new()), target("sent"), target("plain"));
    assert_delivered(&fixture.check(&plain).await);
    for _ in 0..2 {
        let sender = of_sender(&fixture, &sent).await;
        let plain = plain_postgres(&server.url, &mapping(&plain)).await;
        show("postgres", sender, plain);
    }
}

async fn plain_postgres(url: &str, mapping: &Mapping) -> f64 {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(Ok(_)) = poll_fn(|ctx| connection.poll_message(ctx)).await {}
    });
    client.batch_execute("TRUNCATE sent, plain").await.unwrap();
    let types = ["text", "text", "timestamptz", "jsonb"].map(str::to_owned);
    let sql = postgres::insert(&table("plain"), mapping, &types);
    let statement = client.prepare(&sql).await.unwrap();
    let rows = rows(mapping);
    let began = Instant::now();
    for batch in rows.chunks(MAX_ROWS) {
        let texts = |column: usize| -> Vec<_> {
            batch.iter().map(|row| postgres::text(&row.cells[column])).collect()
        };
        let columns: Vec<_> = (0..types.len()).map(texts).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        client.execute(&statement, &parameters).await.unwrap();
    }
    let plain = rate(began);
    client.batch_execute("TRUNCATE sent, plain").await.unwrap();
    plain
}

#[tokio::test]
#[ignore = "measures"]
async fn speed_of_mysql() {
    let server = ExternalServer::start("mariadb", &[]);
    let target = |name: &str| {
        let config = json!({ "url": server.key("url"), "table": name, "createTable": true });
        target(EndpointKind::Mysql, &config)
    };
    let (fixture, sent, plain) = (Arc::new(Fixture::new()), target("sent"), target("plain"));
    assert_delivered(&fixture.check(&plain).await);
    for _ in 0..2 {
        let sender = of_sender(&fixture, &sent).await;
        let plain = plain_mysql(server.key("url"), &mapping(&plain)).await;
        show("mysql", sender, plain);
    }
}

async fn plain_mysql(url: &str, mapping: &Mapping) -> f64 {
    let mut client = Conn::new(Opts::from_url(url).unwrap()).await.unwrap();
    let sql = mysql::insert(&table("plain"), mapping, MAX_ROWS);
    let rows = rows(mapping);
    let value = |cell: &Cell| MysqlValue::Bytes(text(cell, mysql::time).into_bytes());
    let began = Instant::now();
    for batch in rows.chunks(MAX_ROWS) {
        let values = batch.iter().flat_map(|row| &row.cells).map(value).collect();
        client.exec_drop(&sql, Params::Positional(values)).await.unwrap();
    }
    let plain = rate(began);
    client.query_drop("TRUNCATE plain").await.unwrap();
    client.query_drop("TRUNCATE sent").await.unwrap();
    plain
}

#[tokio::test]
#[ignore = "measures"]
async fn speed_of_sqlite() {
    for _ in 0..2 {
        let fixture = Arc::new(Fixture::new());
        let target = target(EndpointKind::Sqlite, &json!({ "database": "sent" }));
        let sender = of_sender(&fixture, &target).await;
        let plain = plain_sqlite(&fixture, &mapping(&target));
        show("sqlite", sender, plain);
    }
}

fn plain_sqlite(fixture: &Fixture, mapping: &Mapping) -> f64 {
    let mut connection = Connection::open(fixture.folder.path().join("plain.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.execute_batch(&sqlite::create(&table("plain"), mapping)).unwrap();
    let sql = sqlite::insert(&table("plain"), mapping);
    let rows = rows(mapping);
    let value = |cell: &Cell| text(cell, |time| time.to_string());
    let began = Instant::now();
    for batch in rows.chunks(MAX_ROWS) {
        let transaction = connection.transaction().unwrap();
        for row in batch {
            let mut statement = transaction.prepare_cached(&sql).unwrap();
            statement.execute(params_from_iter(row.cells.iter().map(value))).unwrap();
        }
        transaction.commit().unwrap();
    }
    rate(began)
}
