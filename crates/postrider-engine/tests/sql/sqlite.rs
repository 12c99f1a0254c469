//! SQLite.

use std::sync::Arc;

use postrider::{ApplicationId, api::EndpointKind};
use postrider_core::{outcome::Failure, target::Target};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::fixtures::{Fixture, assert_delivered, assert_failed, id, message, target};

fn endpoint(more: &Value) -> Arc<Target> {
    let mut config = json!({ "database": "shop" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    target(EndpointKind::Sqlite, &config)
}

fn open(fixture: &Fixture) -> Connection {
    let folder = fixture.folder.path().join(ApplicationId::from_u128(1).to_string());
    Connection::open(folder.join("shop.db")).unwrap()
}

fn texts(fixture: &Fixture, sql: &str) -> Vec<String> {
    let connection = open(fixture);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn count(fixture: &Fixture) -> u64 {
    open(fixture).query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_whole_event_becomes_a_row_once() {
    let fixture = Fixture::new();
    let target = endpoint(&json!({}));
    assert_delivered(&fixture.check(&target).await);
    assert_delivered(&fixture.send(&target, message(1, r#"{"n":1.50}"#)).await);
    assert_delivered(&fixture.send(&target, message(1, r#"{"n":1.50}"#)).await);
    let rows =
        texts(&fixture, "SELECT id || ' ' || type || ' ' || (event -> '$.payload.n') FROM events");
    assert_eq!(rows, [format!("{} user.created 1.50", id(1))]);
    let messages = (0..2_500).map(|number| message(number, "{}")).collect();
    for report in fixture.send_all(&target, messages).await {
        assert_delivered(&report);
    }
    assert_eq!(count(&fixture), 2_500);
}

#[tokio::test]
async fn a_row_that_does_not_fit_fails_alone() {
    let fixture = Fixture::new();
    let columns = json!([{ "name": "n", "path": "payload.n", "type": "integer" }]);
    let target = endpoint(&json!({ "columns": columns }));
    assert_delivered(&fixture.send(&target, message(0, "{}")).await);
    open(&fixture)
        .execute_batch("CREATE TRIGGER small BEFORE INSERT ON events WHEN NEW.n > 1000 BEGIN SELECT RAISE(ABORT, 'too much'); END")
        .unwrap();
    let payload = |number: u64| match number {
        10 | 90 => r#"{"n":5000}"#.to_owned(),
        40 => r#"{"n":"abc"}"#.to_owned(),
        _ => format!(r#"{{"n":{number}}}"#),
    };
    let messages = (1..100).map(|number| message(number, payload(number))).collect();
    let reports = fixture.send_all(&target, messages).await;
    for (number, report) in (1..).zip(&reports) {
        match number {
            10 | 90 => assert_failed(report, Failure::Rejected, "too much"),
            40 => assert_failed(report, Failure::Rejected, "column `n` cannot be filled"),
            _ => assert_delivered(report),
        }
    }
    assert_eq!(count(&fixture), 97);
}

#[tokio::test]
async fn a_newer_message_wins_whatever_the_order() {
    let fixture = Fixture::new();
    let target = endpoint(&json!({ "mode": "upsert", "key": ["user"], "columns": [
        { "name": "user", "path": "payload.user", "type": "integer" },
        { "name": "name", "path": "payload.name" },
    ] }));
    let of = |number: u64, user: u64| {
        message(number, format!(r#"{{"user":{user},"name":"n{number}"}}"#))
    };
    let messages = vec![of(5, 1), of(4, 1), of(7, 2), of(9, 2), of(8, 2), of(6, 1)];
    for report in fixture.send_all(&target, messages).await {
        assert_delivered(&report);
    }
    let rows = texts(&fixture, "SELECT user || ' ' || name FROM events ORDER BY 1");
    assert_eq!(rows, ["1 n6", "2 n9"]);
}

#[tokio::test]
async fn a_file_that_is_full_fails_until_there_is_space() {
    let fixture = Fixture::new();
    let target = endpoint(&json!({ "maxBytes": 131_072 }));
    let large = |number: u64| message(number, format!("\"{}\"", "x".repeat(20_000)));
    let mut full = None;
    for number in 0..20 {
        let report = fixture.send(&target, large(number)).await;
        if !report.outcome.delivered() {
            full = Some(report);
            break;
        }
    }
    assert_failed(&full.unwrap(), Failure::Unavailable, "raise `maxBytes`");
    let written = count(&fixture);
    open(&fixture).execute_batch("DELETE FROM events").unwrap();
    assert_delivered(&fixture.send(&target, large(30)).await);
    assert!((1..7).contains(&written), "{written}");
}

#[tokio::test]
async fn other_processes_may_read_and_lock_the_file() {
    let fixture = Fixture::new();
    let target = endpoint(&json!({}));
    assert_delivered(&fixture.send(&target, message(1, "{}")).await);
    let reader = open(&fixture);
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap();
    assert_delivered(&fixture.send(&target, message(2, "{}")).await);
    reader.execute_batch("COMMIT; BEGIN IMMEDIATE").unwrap();
    let report = fixture.send(&target, message(3, "{}")).await;
    assert_failed(&report, Failure::Busy, "find out which process holds the file's lock");
    reader.execute_batch("COMMIT").unwrap();
    assert_delivered(&fixture.send(&target, message(3, "{}")).await);
    assert_eq!(count(&fixture), 3);
}

#[tokio::test]
async fn a_table_without_a_unique_index_is_explained() {
    let fixture = Fixture::new();
    let target = endpoint(&json!({ "createTable": false }));
    let report = fixture.check(&target).await;
    assert_failed(&report, Failure::Misconfigured, "no such table");
    open(&fixture).execute_batch("CREATE TABLE events (id, type, timestamp, event)").unwrap();
    let report = fixture.send(&target, message(1, "{}")).await;
    assert_failed(&report, Failure::Misconfigured, "unique index");
    open(&fixture).execute_batch("CREATE UNIQUE INDEX by_id ON events (id)").unwrap();
    assert_delivered(&fixture.send(&target, message(1, "{}")).await);
}
