//! PostgreSQL.

use std::{future::poll_fn, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use postrider::api::EndpointKind;
use postrider_core::{address::Policy, outcome::Failure, target::Target};
use postrider_testing::{Mode, Proxy};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::{
    fixtures::{Fixture, assert_delivered, assert_failed, id, message, said, target},
    servers::{PostgreSql, shared_postgres},
};

/// A schema on a server, with a client.
struct Database {
    url: Url,
    schema: String,
    client: Client,
    _connection: JoinSet<()>,
}

impl Database {
    async fn on(url: &str, schema: &str) -> Self {
        let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(Ok(_)) = poll_fn(|ctx| connection.poll_message(ctx)).await {}
        });
        let schema = format!("sql_{schema}");
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        client.batch_execute(&sql).await.unwrap();
        let sql = format!("SET search_path = {schema}");
        client.batch_execute(&sql).await.unwrap();
        Self { url: url.parse().unwrap(), schema, client, _connection: tasks }
    }

    async fn shared(schema: &str) -> Self {
        Self::on(&shared_postgres(), schema).await
    }

    /// The configuration of an endpoint that writes into the schema's table `events`.
    fn config(&self, more: &Value) -> Value {
        self.config_at(&self.url, more)
    }

    fn config_at(&self, url: &Url, more: &Value) -> Value {
        let table = format!("{}.events", self.schema);
        let mut config = json!({ "url": url, "table": table, "createTable": true });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    }

    fn target(&self, more: &Value) -> Arc<Target> {
        target(EndpointKind::Postgres, &self.config(more))
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_default()).collect()
    }

    async fn count(&self) -> i64 {
        self.client.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0)
    }
}

fn through(proxy: &Proxy, url: &Url) -> Url {
    let mut url = url.clone();
    url.set_port(Some(proxy.port())).unwrap();
    url
}

#[tokio::test]
async fn the_whole_event_becomes_a_row_once() {
    let (fixture, db) = (Fixture::new(), Database::shared("whole").await);
    let target = db.target(&json!({}));
    assert_delivered(&fixture.send(&target, message(1, r#"{"n":1.50}"#)).await);
    assert_delivered(&fixture.send(&target, message(1, r#"{"n":1.50}"#)).await);
    let rows =
        db.texts("SELECT concat_ws(' ', id, type, event->'payload'->>'n') FROM events").await;
    assert_eq!(rows, [format!("{} user.created 1.50", id(1))]);
    let twice = vec![message(2, "{}"), message(2, "{}"), message(3, "text, not JSON")];
    for report in fixture.send_all(&target, twice).await {
        assert_delivered(&report);
    }
    assert_eq!(db.count().await, 3);
}

#[tokio::test]
async fn values_have_the_types_of_their_columns() {
    let (fixture, db) = (Fixture::new(), Database::shared("types").await);
    let types = ["text", "integer", "decimal", "float", "boolean", "timestamp", "date", "json"];
    let column =
        |name: &str| json!({ "name": name, "path": format!("payload.{name}"), "type": name });
    let columns: Vec<Value> = types.into_iter().chain(["uuid", "bytes"]).map(column).collect();
    let target = db.target(&json!({ "columns": columns }));
    let payload = json!({
        "text": "ä'\"\\", "integer": 9_007_199_254_740_993_i64, "float": 1e300, "boolean": true,
        "timestamp": "2030-01-31T12:00:00.123456+02:00", "date": "2030-01-31",
        "json": { "a": [1, null] }, "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "bytes": "AP8=", "decimal": "12345678901234567890.123456789012345678901",
    });
    assert_delivered(&fixture.send(&target, message(1, payload.to_string())).await);
    assert_delivered(&fixture.send(&target, message(2, "{}")).await);
    let sql = "SELECT concat_ws('|', text, integer, decimal, float, boolean, \
               timestamp AT TIME ZONE 'UTC', date, json, uuid, bytes) FROM events ORDER BY id";
    let expected = "ä'\"\\|9007199254740993|12345678901234567890.123456789012345678901|1e+300|t|\
                    2030-01-31 10:00:00.123456|2030-01-31|{\"a\": [1, null]}|\
                    6ba7b810-9dad-11d1-80b4-00c04fd430c8|\\x00ff";
    assert_eq!(db.texts(sql).await, [expected, ""]);
}

#[tokio::test]
async fn a_row_that_does_not_fit_fails_alone() {
    let (fixture, db) = (Fixture::new(), Database::shared("unfit").await);
    db.run(
        "CREATE TYPE size AS ENUM ('s', 'm');
         CREATE TABLE events (id varchar(40) UNIQUE, n smallint, name varchar(5), size size)",
    )
    .await;
    let target = db.target(&json!({ "columns": [
        { "name": "n", "path": "payload.n", "type": "integer" },
        { "name": "name", "path": "payload.name" },
        { "name": "size", "path": "payload.size" },
    ] }));
    let payload = |number: u64| match number {
        10 => r#"{"n":70000}"#.to_owned(),
        20 => r#"{"name":"too long"}"#.to_owned(),
        30 => r#"{"size":"xl"}"#.to_owned(),
        40 => r#"{"n":"abc"}"#.to_owned(),
        50 => r#"{"name":"a\u0000"}"#.to_owned(),
        _ => format!(r#"{{"n":{number},"name":"a","size":"m"}}"#),
    };
    let messages = (0..100).map(|number| message(number, payload(number))).collect();
    let reports = fixture.send_all(&target, messages).await;
    for (number, report) in reports.iter().enumerate() {
        match number {
            10 | 30 | 50 => assert_failed(report, Failure::Rejected, "(22"),
            20 => assert_failed(report, Failure::Rejected, "too long"),
            40 => assert_failed(report, Failure::Rejected, "column `n` cannot be filled"),
            _ => assert_delivered(report),
        }
    }
    assert_eq!(db.count().await, 95);
}

#[tokio::test]
async fn a_newer_message_wins_whatever_the_order() {
    let (fixture, db) = (Fixture::new(), Database::shared("upsert").await);
    let target = db.target(&json!({ "mode": "upsert", "key": ["user"], "columns": [
        { "name": "user", "path": "payload.user", "type": "integer" },
        { "name": "name", "path": "payload.name" },
    ] }));
    let of = |number: u64, user: u64| {
        message(number, format!(r#"{{"user":{user},"name":"n{number}"}}"#))
    };
    assert_delivered(&fixture.send(&target, of(5, 1)).await);
    assert_delivered(&fixture.send(&target, of(4, 1)).await);
    for report in fixture.send_all(&target, vec![of(7, 2), of(9, 2), of(8, 2), of(6, 1)]).await {
        assert_delivered(&report);
    }
    let rows = db.texts("SELECT concat_ws(' ', \"user\", name) FROM events ORDER BY 1").await;
    assert_eq!(rows, ["1 n6", "2 n9"]);
    let without_key = fixture.send(&target, message(10, "{}")).await;
    assert_failed(&without_key, Failure::Rejected, "there is no value at `payload.user`");
}

#[tokio::test]
async fn what_the_operator_of_the_table_must_change_is_said() {
    let (fixture, db) = (Fixture::new(), Database::shared("wrong").await);
    let target = db.target(&json!({ "createTable": false }));
    let missing = fixture.send(&target, message(1, "{}")).await;
    assert_failed(&missing, Failure::Misconfigured, "there is no table `sql_wrong.events`");
    db.run("CREATE TABLE events (id text, type text, timestamp timestamptz)").await;
    let missing = fixture.send(&target, message(1, "{}")).await;
    assert_failed(&missing, Failure::Misconfigured, "has no column `event`");
    db.run("ALTER TABLE events ADD event json").await;
    for report in [fixture.send(&target, message(1, "{}")).await, fixture.check(&target).await] {
        assert_failed(&report, Failure::Misconfigured, "add a unique index");
    }
    db.run("CREATE UNIQUE INDEX ON events (id)").await;
    assert_delivered(&fixture.check(&target).await);
    assert_eq!(db.count().await, 0);
    assert_delivered(&fixture.send(&target, message(1, "{}")).await);
    let mut url = db.url.clone();
    url.set_path("/nosuch");
    let elsewhere = self::target(EndpointKind::Postgres, &db.config_at(&url, &json!({})));
    let report = fixture.send(&elsewhere, message(1, "{}")).await;
    assert_failed(&report, Failure::Misconfigured, "correct the name of the database");
    let encrypted = db.target(&json!({ "tls": "verify" }));
    let report = fixture.check(&encrypted).await;
    assert_failed(&report, Failure::Tls, "set `tls` to `disable`");
}

#[tokio::test]
async fn a_table_may_be_changed_while_it_is_written_to() {
    let (fixture, db) = (Fixture::new(), Database::shared("changed").await);
    let columns = json!([{ "name": "n", "path": "payload.n" }]);
    db.run("CREATE TABLE events (id text PRIMARY KEY, n integer)").await;
    let target = db.target(&json!({ "columns": columns }));
    assert_delivered(&fixture.send(&target, message(1, r#"{"n":1}"#)).await);
    let unfit = fixture.send(&target, message(2, r#"{"n":"a"}"#)).await;
    assert_failed(&unfit, Failure::Rejected, "(22P02)");
    db.run("ALTER TABLE events ALTER n TYPE text").await;
    assert_delivered(&fixture.send(&target, message(2, r#"{"n":"a"}"#)).await);
    db.run("DROP TABLE events").await;
    let target_table_gone = fixture.send(&target, message(3, "{}")).await;
    assert_failed(&target_table_gone, Failure::Misconfigured, "create the table");
    assert_delivered(&fixture.send(&target, message(3, "{}")).await);
    assert_eq!(db.count().await, 1);
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_confirmation_makes_no_second_row() {
    let (fixture, db) = (Fixture::new(), Database::shared("cut").await);
    let server = db.url.socket_addrs(|| None).unwrap()[0];
    let proxy = Proxy::start("127.0.0.1", server.port()).await;
    let url = through(&proxy, &db.url);
    let target = target(EndpointKind::Postgres, &db.config_at(&url, &json!({})));
    let messages = |first: u64| (first..first + 50).map(|it| message(it, "{}")).collect();
    for report in fixture.send_all(&target, messages(0)).await {
        assert_delivered(&report);
    }
    // A connection that was used before is replaced at once.
    proxy.set(Mode::CutOnce);
    for report in fixture.send_all(&target, messages(50)).await {
        assert_delivered(&report);
    }
    assert_eq!(db.count().await, 100);
}

#[tokio::test]
async fn a_locked_table_leaves_no_statement_behind() {
    let (fixture, db) = (Fixture::new(), Database::shared("locked").await);
    let target = db.target(&json!({}));
    assert_delivered(&fixture.send(&target, message(1, "{}")).await);
    db.run("BEGIN; LOCK TABLE events").await;
    let report = fixture.send(&target, message(2, "{}")).await;
    assert_failed(&report, Failure::Busy, "lock timeout");
    let waiting = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND query LIKE '%sql_locked%'";
    assert_eq!(db.texts(waiting).await, [""; 0]);
    db.run("COMMIT").await;
    assert_delivered(&fixture.send(&target, message(2, "{}")).await);
}

#[tokio::test]
async fn a_server_may_be_down_restarted_and_protected_by_a_password() {
    let server = PostgreSql::start();
    let fixture = Fixture::new();
    let db = Database::on(&server.url, "restarted").await;
    let target = db.target(&json!({}));
    assert_delivered(&fixture.send(&target, message(1, "{}")).await);
    server.run("stop");
    let report = fixture.send(&target, message(2, "{}")).await;
    assert_failed(&report, Failure::Connect, "");
    server.run("restart");
    assert_delivered(&fixture.send(&target, message(2, "{}")).await);
    server.run("restart");
    // The connection is new again, and the caller does not notice.
    assert_delivered(&fixture.send(&target, message(3, "{}")).await);
    require_password(&server).await;
    let url: Url = server.url.replace("postgres@", "guarded:secret-1@").parse().unwrap();
    let login = |more: Value| self::target(EndpointKind::Postgres, &db.config_at(&url, &more));
    let report = fixture.check(&login(json!({}))).await;
    assert_failed(&report, Failure::Misconfigured, "correct the user name or the password");
    assert!(!said(&report).contains("secret-1"));
    let report = fixture.check(&login(json!({ "password": "right" }))).await;
    assert_failed(&report, Failure::Misconfigured, "(42501)");
    certificates_are_verified_by_name(&fixture, &server).await;
}

async fn certificates_are_verified_by_name(fixture: &Fixture, server: &PostgreSql) {
    let db = Database::on(&server.url, "encrypted").await;
    let authority = encrypt(&db).await;
    let url: Url = server.url.replace("127.0.0.1", "localhost").parse().unwrap();
    let check = async |url: &Url, more: Value| {
        fixture.check(&target(EndpointKind::Postgres, &db.config_at(url, &more))).await
    };
    // The process that accepts connections reads the files when it gets the signal.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !check(&url, json!({ "tls": "require" })).await.outcome.delivered() {
        assert!(tokio::time::Instant::now() < deadline);
    }
    let trusting = json!({ "tls": "verify", "trustedCertificates": authority });
    assert_delivered(&check(&url, trusting.clone()).await);
    let not_trusted = check(&url, json!({ "tls": "verify" })).await;
    assert_failed(&not_trusted, Failure::Tls, "certificate");
    let other_name = check(&db.url, trusting).await;
    assert_failed(&other_name, Failure::Tls, "not valid for 127.0.0.1");
}

/// Lets the server speak TLS with a certificate for `localhost`. Returns the authority's.
async fn encrypt(db: &Database) -> String {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "test authority");
    let authority_key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let issued = params.signed_by(&key, &Issuer::new(authority, &authority_key)).unwrap();
    // Files that the server writes belong to its user. It wants the key to be private.
    let folder = db.texts("SHOW data_directory").await.remove(0);
    for (name, pem) in [("server.crt", issued.pem()), ("server.key", key.serialize_pem())] {
        let lines = format!("SELECT unnest(string_to_array($pem${}$pem$, E'\\n'))", pem.trim());
        db.run(&format!("COPY ({lines}) TO '{folder}/{name}'")).await;
        let mode = PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(format!("{folder}/{name}"), mode).unwrap();
    }
    db.run("ALTER SYSTEM SET ssl = on").await;
    db.run("SELECT pg_reload_conf()").await;
    certificate.pem()
}

async fn require_password(server: &PostgreSql) {
    let path = server.path().join("data/pg_hba.conf");
    let rules = std::fs::read_to_string(&path).unwrap();
    let rule = "host all guarded 127.0.0.1/32 scram-sha-256";
    std::fs::write(&path, format!("{rule}\n{rules}")).unwrap();
    let db = Database::on(&server.url, "passwords").await;
    db.run("CREATE ROLE guarded LOGIN PASSWORD 'right'").await;
    db.run("SELECT pg_reload_conf()").await;
    // The process that accepts connections reads the rules when it gets the signal.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while db.texts("SELECT user_name[1] FROM pg_hba_file_rules").await[0] != "guarded" {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_respond_is_given_up() {
    let fixture = Fixture::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u:secret@{}/x", listener.local_addr().unwrap());
    let target = target(EndpointKind::Postgres, &json!({ "url": url }));
    let (report, _accepted) =
        tokio::join!(fixture.send(&target, message(1, "{}")), listener.accept());
    assert_failed(&report, Failure::Timeout, "the database did not write the rows within 9 s");
}

#[tokio::test]
async fn addresses_and_ports_that_are_not_allowed_are_not_connected_to() {
    let fixture = Fixture::with(Policy::default());
    let cases = [("127.0.0.1:5432", "not allowed"), ("127.0.0.1:22", "port 22")];
    for (place, reason) in cases {
        let url = format!("postgres://u:secret@{place}/x");
        let target = target(EndpointKind::Postgres, &json!({ "url": url }));
        let report = fixture.send(&target, message(1, "{}")).await;
        assert_failed(&report, Failure::Forbidden, reason);
    }
}
