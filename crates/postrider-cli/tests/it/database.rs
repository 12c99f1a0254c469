//! PostgreSQL as the store: errors at startup, and outages of the database.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use http::Method;
use postrider_testing::FaultyDisk;
use serde_json::json;

use crate::{
    pooler::Pooler,
    receiver::{Behavior, Receiver},
    schema::Schema,
    server::{Server, postrider, until, until_async},
};

/// Starts a server, which must fail; returns its exit code and error.
fn failed_start(url: &str, folder: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = postrider(&["serve", "--listen", "127.0.0.1:0", "--database-url", url]);
    command.arg("--data").arg(folder).envs(variables.iter().copied());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn check_failed_start(url: &str, expected: &str, hint: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = failed_start(url, folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("error: ") && lines[0].contains(expected), "{said}");
    assert!(lines[1].starts_with("hint: ") && lines[1].contains(hint), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn errors_at_startup_come_with_a_hint() {
    let schema = Schema::create();
    let name = format!("no_rights_{}", std::process::id());
    schema.run(&format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN"));
    let (_, inside) = schema.url.split_once('@').unwrap();
    let (hosts, database) = inside.split_once('/').unwrap();
    for (url, expected, hint) in [
        (
            "postgres://me:sesame@127.0.0.1:1/hooks".to_owned(),
            "the database at postgres://127.0.0.1:1/hooks cannot be reached: ",
            "start the database",
        ),
        (
            format!("postgres://postgres:sesame@{hosts}/no_such_database"),
            "there is no such database: ",
            "CREATE DATABASE",
        ),
        (
            format!("postgres://no_such_role:sesame@{hosts}/{database}"),
            "does not let this user in",
            "correct the user and password",
        ),
        (
            format!("postgres://{name}:sesame@{inside}"),
            "the user lacks privileges in the database",
            "owner",
        ),
        (
            format!("postgres://postgres:sesame@{hosts}/{database}&sslmode=always"),
            "sslmode is always, expected disable, prefer, require, verify-ca or verify-full",
            "postgres://user:password@host:5432/database",
        ),
    ] {
        check_failed_start(&url, expected, hint);
    }
    schema.run(&format!("DROP ROLE {name}"));
}

/// A secret that differs from that of the other server.
const OTHER: &str = "sesame and 32 bytes of which none fits";

#[tokio::test]
async fn all_servers_of_a_database_need_the_same_secrets() {
    let schema = Arc::new(Schema::create());
    let first = Server::on_database(&schema, &[]);
    first.application("acme").await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    let (code, said) = failed_start(&schema.url, &data, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`jwt_secret` is neither configured nor stored in "), "{said}");
    assert!(said.contains("copy `main-secret` and `jwt-secret`"), "{said}");
    assert!(!data.exists(), "no secret was made that would be in the way of the right one");

    let given = [("POSTRIDER_JWT_SECRET", OTHER), ("POSTRIDER_MAIN_SECRET", OTHER)];
    let (code, said) = failed_start(&schema.url, &data, &given);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`jwt_secret` is not the one that postgres://"), "{said}");
    let jwt = fs::read_to_string(first.folder.path().join("data/jwt-secret")).unwrap();
    let given = [("POSTRIDER_JWT_SECRET", jwt.trim()), ("POSTRIDER_MAIN_SECRET", OTHER)];
    let (_, said) = failed_start(&schema.url, &data, &given);
    assert!(said.contains("`main_secret` is not the one that postgres://"), "{said}");

    let main = fs::read_to_string(first.folder.path().join("data/main-secret")).unwrap();
    let given = [("POSTRIDER_JWT_SECRET", jwt.trim()), ("POSTRIDER_MAIN_SECRET", main.trim())];
    let second = Server::on_database(&schema, &given);
    let response = first.caller().at(&second).call(Method::GET, "/app/acme", None).await;
    assert_eq!(response.unwrap().0, 200);

    // Creating a token needs their secret, too.
    let mut command = postrider(&["token", "create", "--database-url", &schema.url, "--data"]);
    let output = command.arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mut command = postrider(&["token", "create", "--database-url", &schema.url, "--data"]);
    let output = command.arg(first.folder.path().join("data")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `postrider migrate`; returns its exit code and what it printed.
fn migrate(schema: &Schema, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = postrider(&["migrate", "--database-url", &schema.url]);
    let output = command.args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// Upgrades the schema as version 2.3.4 might, for servers from this version of the schema on.
fn upgrade(schema: &Schema, usable_from: &str) {
    schema.run(&format!(
        "ALTER TABLE message ADD COLUMN of_{usable_from} text;
        INSERT INTO schema_version (version, usable_from, written_by)
        VALUES (2000, {usable_from}, 2003004)"
    ));
}

#[tokio::test]
async fn a_schema_is_migrated_and_checked() {
    let schema = Schema::create();
    let (code, said) = migrate(&schema, &["--check"]);
    assert!(code == Some(0) && said.contains("contains no data"), "{said}");
    let (code, said) = migrate(&schema, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("upgraded the schema of ") && said.contains(" from version 0 to "),
        "{said}"
    );
    assert!(migrate(&schema, &[]).1.contains(" already"));
    let (code, said) = migrate(&schema, &["--check"]);
    assert!(code == Some(0) && said.contains(": nothing to upgrade;"), "{said}");
    // As programs left it that did not know the columns.
    schema.run("ALTER TABLE schema_version DROP COLUMN usable_from, DROP COLUMN written_by");
    schema.run("DELETE FROM schema_version WHERE version > 8; DROP TABLE schema_report, poll_log, poll_entry, poll_consumer");
    let (code, said) = migrate(&schema, &["--check"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot use it afterwards, so back up the database first"), "{said}");
    assert!(migrate(&schema, &[]).1.contains(" from version 8 to "));
    assert_eq!(migrate(&schema, &["--check"]).0, Some(0));
}

/// A server of an earlier version, on the schema of a later one: before and after a rollback.
#[tokio::test]
async fn a_later_schema_that_only_adds_is_used() {
    let schema = Arc::new(Schema::create());
    let receiver = Receiver::start().await;
    let mut server = Server::on_database(&schema, &[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    server.publish("acme", json!({})).await;
    upgrade(&schema, "9");
    server.publish("acme", json!({})).await;
    receiver.until("ok", |calls| calls.len() == 2).await;
    assert!(server.terminate().success());
    server.restart();
    server.publish("acme", json!({})).await;
    receiver.until("ok", |calls| calls.len() == 3).await;
    let log = server.log();
    assert!(log.contains("that of a later version, which this version can use"), "{log}");
    assert!(log.contains("Postrider 2.3.4"), "{log}");
    let (code, said) = migrate(&schema, &["--check"]);
    assert!(code == Some(0) && said.contains(": it can use the data"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    assert!(server.terminate().success());
    let mut copy = postrider(&["copy", "--from", &schema.url, "--to"]);
    copy.arg(folder.path().join("new")).arg("--data").arg(server.folder.path().join("data"));
    let output = copy.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("copy it with the version that"), "{said}");
}

#[tokio::test]
async fn a_later_schema_that_changes_something_stops_servers_and_prevents_a_start() {
    let schema = Arc::new(Schema::create());
    let receiver = Receiver::start().await;
    receiver.set_behavior("later", Behavior::Status(503));
    let mut server = Server::on_database(&schema, &[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("later")).await;
    server.publish("acme", json!({})).await;
    upgrade(&schema, "1000");
    assert_eq!(server.wait().code(), Some(1));
    let log = server.log();
    let expected =
        "Postrider 2.3.4 upgraded the database's schema to version 2000, which Postrider ";
    assert!(log.contains(expected), "{log}");
    assert!(log.contains("hint: install the version that upgraded the schema"), "{log}");

    let folder = tempfile::tempdir().unwrap();
    let (code, said) = failed_start(&schema.url, folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("schema was upgraded to version 2000 by Postrider 2.3.4"), "{said}");
    assert!(said.contains("earlier servers than those of version 1000 cannot use it"), "{said}");
    assert!(said.contains("hint: install the version that upgraded the schema"), "{said}");
    assert_eq!(migrate(&schema, &[]).0, Some(1));
    let (code, said) = migrate(&schema, &["--check"]);
    assert!(code == Some(2) && said.contains("it cannot use the data"), "{said}");
}

/// A PostgreSQL server for one test.
pub(crate) struct Database(tempfile::TempDir);

impl Database {
    /// A server that is not started yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server may run as another user, who needs access to the folder.
        assert!(Command::new("chmod").arg("755").arg(folder.path()).status().unwrap().success());
        Self(folder)
    }

    /// The folder of the server.
    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path().join("server")
    }

    pub(crate) fn script(&self, command: &str, more: &[&str]) -> String {
        output(&mut self.command(command, more))
    }

    /// Runs the script so that the server has this disk.
    pub(crate) fn script_on(&self, disk: &FaultyDisk, command: &str, more: &[&str]) -> String {
        let mut script = self.command(command, more);
        output(script.envs(disk.variables_of_many()))
    }

    /// Restarts a server that may be recovering or have given up, with this disk.
    pub(crate) fn restart_on(&self, disk: &FaultyDisk) {
        until("the database has started again", || {
            let mut script = self.command("restart", &["immediate"]);
            script.envs(disk.variables_of_many()).output().unwrap().status.success()
        });
    }

    fn command(&self, command: &str, more: &[&str]) -> Command {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");
        let mut script = Command::new(script);
        script.arg(command).arg(self.folder()).args(more);
        script
    }
}

fn output(script: &mut Command) -> String {
    let output = script.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Drop for Database {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.command("stop", &["immediate"]).output());
    }
}

#[tokio::test]
async fn an_outage_of_the_database_is_survived() {
    let database = Database::new();
    let url = database.script("start", &["fsync=off", "full_page_writes=off"]);
    let schema = Arc::new(Schema::on_server(url));
    let receiver = Receiver::start().await;
    let server = Server::on_database(&schema, &[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::Status(500));
    let mut ids = vec![server.publish("acme", json!({})).await];
    receiver.until("down", |calls| !calls.is_empty()).await;

    database.script("stop", &["immediate"]);
    receiver.set_behavior("down", Behavior::Status(200));
    let message = format!("/app/acme/msg/{}", ids[0]);
    for (method, path) in [
        (Method::GET, "/health"),
        (Method::GET, "/app"),
        (Method::POST, "/app"),
        (Method::GET, "/app/other"),
        (Method::GET, "/event-type"),
        (Method::GET, "/app/acme/endpoint"),
        (Method::GET, "/app/acme/msg"),
        (Method::GET, message.as_str()),
        (Method::POST, "/app/acme/msg"),
        (Method::GET, &format!("/app/acme/attempt/msg/{}", ids[0])),
        (Method::DELETE, "/app/acme"),
    ] {
        let (status, retry_after) = server.retry_after(method, path).await;
        assert_eq!((status, retry_after.as_deref()), (503, Some("1")), "{path}");
    }
    assert_eq!(server.retry_after(Method::GET, "/health/ping").await.0, 204);

    database.script("start", &[]);
    let health = || async { json!(server.retry_after(Method::GET, "/health").await.0) };
    until_async(health, |status| *status == 204).await;
    ids.push(server.publish("acme", json!({})).await);
    let all = |calls: &[crate::receiver::Call]| {
        ids.iter().all(|id| calls.iter().any(|call| call.id() == id))
    };
    receiver.until("down", all).await;
    let path = format!("/app/acme/attempt/msg/{}", ids[1]);
    until_async(|| server.get(&path), |it| !it["data"].as_array().unwrap().is_empty()).await;
    drop(server);
}

#[tokio::test]
async fn everything_works_through_a_transaction_pooler() {
    let pooler = Pooler::start();
    let receiver = Receiver::start().await;
    let variables =
        [("POSTRIDER_DATABASE_URL", &*pooler.url), ("POSTRIDER_DATABASE_POOLER", "true")];
    let server = Server::embedded(&variables);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    server.endpoint("acme", &receiver.url("flaky")).await;
    receiver.set_behavior("flaky", Behavior::FailFirst(20));
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(server.publish("acme", json!({ "n": n })).await);
    }
    for path in ["ok", "flaky"] {
        let all = |calls: &[crate::receiver::Call]| {
            ids.iter().all(|id| calls.iter().any(|call| call.id() == id))
        };
        receiver.until(path, all).await;
    }
    let message = server.get(&format!("/app/acme/msg/{}", ids[7])).await;
    assert_eq!(message["payload"], json!({ "n": 7 }));
}
