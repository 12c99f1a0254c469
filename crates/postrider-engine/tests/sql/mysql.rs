//! MariaDB, which speaks for MySQL.

use std::sync::Arc;

use mysql_async::{Conn, Opts, prelude::Queryable};
use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_testing::{ExternalServer, Mode, Proxy};
use serde_json::{Value, json};

use crate::fixtures::{Fixture, assert_delivered, assert_failed, id, message, said, target};

/// A server with a client and senders.
struct Database {
    server: ExternalServer,
    client: Conn,
    fixture: Fixture,
}

impl Database {
    async fn start() -> Self {
        let server = ExternalServer::start("mariadb", &["tls=yes", "max_allowed_packet=2097152"]);
        let client = Self::connect(&server).await;
        Self { server, client, fixture: Fixture::new() }
    }

    async fn connect(server: &ExternalServer) -> Conn {
        Conn::new(Opts::from_url(server.key("url")).unwrap()).await.unwrap()
    }

    fn target(&self, table: &str, more: &Value) -> Arc<Target> {
        self.target_at(self.server.key("url"), table, more)
    }

    #[expect(clippy::unused_self, reason = "it has the form of the others")]
    fn target_at(&self, url: &str, table: &str, more: &Value) -> Arc<Target> {
        let mut config = json!({ "url": url, "table": table, "createTable": true });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        target(EndpointKind::Mysql, &config)
    }

    async fn run(&mut self, sql: &str) {
        self.client.query_drop(sql).await.unwrap();
    }

    async fn texts(&mut self, sql: &str) -> Vec<String> {
        let texts: Vec<Option<String>> = self.client.query(sql).await.unwrap();
        texts.into_iter().map(Option::unwrap_or_default).collect()
    }

    async fn count(&mut self, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.client.query_first(sql).await.unwrap().unwrap()
    }
}

/// One server for all cases, because it takes seconds to start.
#[tokio::test]
async fn rows_are_written_to_mariadb() {
    let mut db = Database::start().await;
    whole_events_become_rows_once(&mut db).await;
    values_have_the_types_of_their_columns(&mut db).await;
    a_row_that_does_not_fit_fails_alone(&mut db).await;
    a_newer_message_wins_whatever_the_order(&mut db).await;
    other_unique_indexes_are_respected(&mut db).await;
    what_the_operator_of_the_table_must_change_is_said(&mut db).await;
    statements_fit_into_the_packets_of_the_server(&mut db).await;
    a_connection_that_is_cut_before_the_confirmation_makes_no_second_row(&mut db).await;
    a_locked_table_leaves_no_statement_behind(&mut db).await;
    certificates_are_verified_by_name(&mut db).await;
    a_server_may_be_restarted(&mut db).await;
}

async fn whole_events_become_rows_once(db: &mut Database) {
    let target = db.target("whole", &json!({}));
    assert_delivered(&db.fixture.check(&target).await);
    assert_delivered(&db.fixture.send(&target, message(1, r#"{"n":1.50}"#)).await);
    assert_delivered(&db.fixture.send(&target, message(1, r#"{"n":1.50}"#)).await);
    let sql = "SELECT concat_ws(' ', id, type, json_extract(event, '$.payload.n')) FROM whole";
    assert_eq!(db.texts(sql).await, [format!("{} user.created 1.50", id(1))]);
    let twice = vec![message(2, "{}"), message(2, "{}"), message(3, "text, not JSON")];
    for report in db.fixture.send_all(&target, twice).await {
        assert_delivered(&report);
    }
    assert_eq!(db.count("whole").await, 3);
}

async fn values_have_the_types_of_their_columns(db: &mut Database) {
    let types = ["text", "integer", "decimal", "float", "boolean", "timestamp", "date", "json"];
    let column =
        |name: &str| json!({ "name": name, "path": format!("payload.{name}"), "type": name });
    let columns: Vec<Value> = types.into_iter().chain(["uuid", "bytes"]).map(column).collect();
    let target = db.target("types", &json!({ "columns": columns }));
    let payload = json!({
        "text": "ä😀'\"\\", "integer": 9_007_199_254_740_993_i64, "float": 1e300, "boolean": true,
        "timestamp": "2030-01-31T12:00:00.123456+02:00", "date": "2030-01-31",
        "json": { "a": [1, null] }, "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "bytes": "AP8=", "decimal": "12345678901234567890.123456789012345678901",
    });
    assert_delivered(&db.fixture.send(&target, message(1, payload.to_string())).await);
    assert_delivered(&db.fixture.send(&target, message(2, "{}")).await);
    let sql = "SELECT concat_ws('|', `text`, `integer`, `decimal`, `float`, `boolean`, \
               `timestamp`, `date`, `json`, uuid, hex(bytes)) FROM types ORDER BY id";
    let expected = "ä😀'\"\\|9007199254740993|12345678901234567890.123456789012345678901000000000|\
                    1e300|1|2030-01-31 10:00:00.123456|2030-01-31|{\"a\":[1,null]}|\
                    6ba7b810-9dad-11d1-80b4-00c04fd430c8|00FF";
    assert_eq!(db.texts(sql).await, [expected, ""]);
}

async fn a_row_that_does_not_fit_fails_alone(db: &mut Database) {
    db.run(
        "CREATE TABLE unfit (id varchar(40) UNIQUE, n smallint, name varchar(5), \
         size enum('s', 'm'))",
    )
    .await;
    let target = db.target(
        "unfit",
        &json!({ "columns": [
        { "name": "n", "path": "payload.n", "type": "integer" },
        { "name": "name", "path": "payload.name" },
        { "name": "size", "path": "payload.size" },
    ] }),
    );
    let payload = |number: u64| match number {
        10 => r#"{"n":70000}"#.to_owned(),
        20 => r#"{"name":"too long"}"#.to_owned(),
        30 => r#"{"size":"xl"}"#.to_owned(),
        40 => r#"{"n":"abc"}"#.to_owned(),
        _ => format!(r#"{{"n":{number},"name":"a","size":"m"}}"#),
    };
    let messages = (0..100).map(|number| message(number, payload(number))).collect();
    let reports = db.fixture.send_all(&target, messages).await;
    for (number, report) in reports.iter().enumerate() {
        match number {
            10 => assert_failed(report, Failure::Rejected, "Out of range"),
            20 => assert_failed(report, Failure::Rejected, "too long"),
            30 => assert_failed(report, Failure::Rejected, "truncated"),
            40 => assert_failed(report, Failure::Rejected, "column `n` cannot be filled"),
            _ => assert_delivered(report),
        }
    }
    assert_eq!(db.count("unfit").await, 96);
}

async fn a_newer_message_wins_whatever_the_order(db: &mut Database) {
    let target = db.target(
        "users",
        &json!({ "mode": "upsert", "key": ["user"], "columns": [
        { "name": "user", "path": "payload.user", "type": "integer" },
        { "name": "name", "path": "payload.name" },
    ] }),
    );
    let of = |number: u64, user: u64| {
        message(number, format!(r#"{{"user":{user},"name":"n{number}"}}"#))
    };
    assert_delivered(&db.fixture.send(&target, of(5, 1)).await);
    assert_delivered(&db.fixture.send(&target, of(4, 1)).await);
    let messages = vec![of(7, 2), of(9, 2), of(8, 2), of(6, 1)];
    for report in db.fixture.send_all(&target, messages).await {
        assert_delivered(&report);
    }
    let rows = db.texts("SELECT concat_ws(' ', user, name) FROM users ORDER BY 1").await;
    assert_eq!(rows, ["1 n6", "2 n9"]);
}

async fn other_unique_indexes_are_respected(db: &mut Database) {
    db.run("CREATE TABLE others (id varchar(40) UNIQUE, email varchar(40) UNIQUE)").await;
    let columns = json!([{ "name": "email", "path": "payload.email" }]);
    let target = db.target("others", &json!({ "columns": columns }));
    let messages = vec![
        message(1, r#"{"email":"a@x"}"#),
        message(2, r#"{"email":"b@x"}"#),
        message(3, r#"{"email":"a@x"}"#),
    ];
    let reports = db.fixture.send_all(&target, messages.clone()).await;
    assert_delivered(&reports[0]);
    assert_delivered(&reports[1]);
    assert_failed(&reports[2], Failure::Rejected, "has the same value");
    // A redelivery changes nothing.
    assert_delivered(&db.fixture.send(&target, messages[1].clone()).await);
    assert_eq!(db.count("others").await, 2);
    let columns = json!([{ "name": "email", "path": "payload.email" }]);
    let upsert = db.target("others", &json!({ "columns": columns, "mode": "upsert" }));
    let report = db.fixture.check(&upsert).await;
    assert_failed(&report, Failure::Misconfigured, "another unique index, `email`");
}

async fn what_the_operator_of_the_table_must_change_is_said(db: &mut Database) {
    let target = db.target("wrong", &json!({ "createTable": false }));
    let missing = db.fixture.send(&target, message(1, "{}")).await;
    assert_failed(&missing, Failure::Misconfigured, "there is no table `wrong`");
    db.run("CREATE TABLE wrong (id varchar(40), type text, timestamp datetime(6))").await;
    let missing = db.fixture.send(&target, message(1, "{}")).await;
    assert_failed(&missing, Failure::Misconfigured, "has no column `event`");
    db.run("ALTER TABLE wrong ADD event json").await;
    let missing = db.fixture.send(&target, message(1, "{}")).await;
    assert_failed(&missing, Failure::Misconfigured, "needs a unique index on `id`");
    db.run("ALTER TABLE wrong ADD UNIQUE (id)").await;
    assert_delivered(&db.fixture.send(&target, message(1, "{}")).await);
    let url = db.server.key("url").replace(":secret@", ":secret-2@");
    let report = db.fixture.check(&db.target_at(&url, "wrong", &json!({}))).await;
    assert_failed(&report, Failure::Misconfigured, "correct the user name or the password");
    assert!(!said(&report).contains("secret-2"));
    let url = format!("{}nosuch", db.server.key("url").trim_end_matches("postrider"));
    let report = db.fixture.check(&db.target_at(&url, "wrong", &json!({}))).await;
    assert_failed(&report, Failure::Misconfigured, "Unknown database");
}

async fn statements_fit_into_the_packets_of_the_server(db: &mut Database) {
    let target = db.target("large", &json!({}));
    let large = |number: u64| message(number, format!("\"{}\"", "x".repeat(300_000)));
    for report in db.fixture.send_all(&target, (0..20).map(large).collect()).await {
        assert_delivered(&report);
    }
    let too_large = message(50, format!("\"{}\"", "x".repeat(3_000_000)));
    let reports = db.fixture.send_all(&target, vec![large(51), too_large, large(52)]).await;
    assert_delivered(&reports[0]);
    assert_failed(&reports[1], Failure::Rejected, "max_allowed_packet");
    assert_delivered(&reports[2]);
    assert_eq!(db.count("large").await, 22);
}

async fn a_connection_that_is_cut_before_the_confirmation_makes_no_second_row(db: &mut Database) {
    let port: u16 = db.server.key("port").parse().unwrap();
    let proxy = Proxy::start("127.0.0.1", port).await;
    let url = db.server.key("url").replace(&format!(":{port}"), &format!(":{}", proxy.port()));
    let target = db.target_at(&url, "cut", &json!({}));
    let messages = |first: u64| (first..first + 50).map(|it| message(it, "{}")).collect();
    for report in db.fixture.send_all(&target, messages(0)).await {
        assert_delivered(&report);
    }
    // A connection that was used before is replaced at once.
    proxy.set(Mode::CutOnce);
    for report in db.fixture.send_all(&target, messages(50)).await {
        assert_delivered(&report);
    }
    assert_eq!(db.count("cut").await, 100);
}

async fn a_locked_table_leaves_no_statement_behind(db: &mut Database) {
    let target = db.target("whole", &json!({}));
    db.run("LOCK TABLES whole WRITE").await;
    let report = db.fixture.send(&target, message(10, "{}")).await;
    assert_failed(&report, Failure::Busy, "Lock wait timeout");
    db.run("UNLOCK TABLES").await;
    assert_delivered(&db.fixture.send(&target, message(10, "{}")).await);
}

async fn certificates_are_verified_by_name(db: &mut Database) {
    let authority = std::fs::read_to_string(db.server.key("ca")).unwrap();
    let url = db.server.key("url").replace("127.0.0.1", "localhost");
    let trusting = json!({ "tls": "verify", "trustedCertificates": authority });
    assert_delivered(&db.fixture.check(&db.target_at(&url, "whole", &trusting)).await);
    let not_trusted =
        db.fixture.check(&db.target_at(&url, "whole", &json!({ "tls": "verify" }))).await;
    assert_failed(&not_trusted, Failure::Tls, "certificate");
    let encrypted = json!({ "tls": "require" });
    assert_delivered(&db.fixture.check(&db.target_at(&url, "whole", &encrypted)).await);
    let url = url.replace("localhost", "127.0.0.2");
    let other_name = db.fixture.check(&db.target_at(&url, "whole", &trusting)).await;
    assert!(!other_name.outcome.delivered());
}

async fn a_server_may_be_restarted(db: &mut Database) {
    let target = db.target("whole", &json!({}));
    assert_delivered(&db.fixture.send(&target, message(11, "{}")).await);
    db.server.kill();
    db.server.restart();
    assert_delivered(&db.fixture.send(&target, message(12, "{}")).await);
    db.server.stop();
    let report = db.fixture.send(&target, message(13, "{}")).await;
    assert_failed(&report, Failure::Connect, "no connection to the database");
}
