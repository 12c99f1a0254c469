//! `[[endpoints]]` in the configuration file.

use std::{fs, path::Path, time::Instant};

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    receiver::Receiver,
    server::{MAX_WAIT, Server, postrider},
};

fn file(folder: &Path) -> String {
    folder.join("postrider.toml").display().to_string()
}

fn web(receiver: &Receiver, more: &str) -> String {
    let url = receiver.url("ok");
    format!("[[endpoints]]\nuid = 'web'\napplication = 'acme'\nurl = '{url}'\n{more}\n")
}

const MAIL: &str = "[[endpoints]]
uid = 'mail'
application = 'acme'
kind = 'email'
event_types = ['not.yet']
[endpoints.config]
host = 'mail.example'
username = 'u'
password = { from_env = 'MAIL_PASSWORD' }
from = 'a@example.com'
to = ['b@example.com']
";

const PASSWORD: &str = "password-of-the-mail";

fn serve(folder: TempDir) -> Server {
    let config = file(folder.path());
    let variables = [("POSTRIDER_CONFIG", &*config), ("MAIL_PASSWORD", PASSWORD)];
    Server::on_folder(folder, &variables)
}

async fn endpoint(server: &Server, uid: &str) -> Value {
    server.get(&format!("/app/acme/endpoint/{uid}")).await
}

#[expect(clippy::disallowed_methods, reason = "a test has no clock")]
fn wait_for_log(server: &Server, text: &str) {
    let began = Instant::now();
    while !server.log().contains(text) {
        assert!(began.elapsed() < MAX_WAIT, "{text} is not in {}", server.log());
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn endpoints_are_created_and_changed_at_the_start() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path());
    fs::write(&path, web(&receiver, "rate = 50") + MAIL).unwrap();
    let mut server = serve(folder);
    let (first, mail) = (endpoint(&server, "web").await, endpoint(&server, "mail").await);
    assert_eq!(first["throttleRate"], 50);
    assert_eq!((&mail["kind"], &mail["config"]["password"]), (&json!("email"), &json!("***")));
    assert_eq!(mail["eventTypes"], json!(["not.yet"]));
    server.post("/app/acme/msg", json!({ "eventType": "a", "payload": {} })).await;
    receiver.until("ok", |calls| calls.len() == 1).await;
    // Nothing changes without a change of the file.
    server.terminate();
    server.restart();
    assert_eq!(endpoint(&server, "web").await, first);
    assert_eq!(endpoint(&server, "mail").await, mail);
    assert!(!server.log().contains(PASSWORD));
    // The file wins over clients, except for what it leaves open.
    let change = json!({ "description": "by a client", "disabled": true });
    server.must(Method::PATCH, "/app/acme/endpoint/web", Some(change)).await;
    server.terminate();
    fs::write(&path, web(&receiver, "description = 'by the file'")).unwrap();
    server.restart();
    let changed = endpoint(&server, "web").await;
    assert_eq!(changed["description"], "by the file");
    assert_eq!((&changed["disabled"], changed.get("throttleRate")), (&json!(true), None));
    assert_eq!(changed["id"], first["id"]);
    // What was removed from the file stays, and is reported until it is deleted.
    assert_eq!(endpoint(&server, "mail").await, mail);
    let report = "the endpoint mail of the application acme is no longer in the configuration file";
    wait_for_log(&server, report);
    server.must(Method::DELETE, "/app/acme/endpoint/mail", None).await;
    server.terminate();
    let count = server.log().matches(report).count();
    server.restart();
    assert_eq!(server.log().matches(report).count(), count);
}

#[tokio::test]
async fn a_credential_in_the_file_is_sent_and_stays_if_the_file_leaves_it_open() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path());
    let credential = "authentication = { type = 'bearer', token = { from_env = 'MAIL_PASSWORD' } }";
    fs::write(&path, web(&receiver, credential)).unwrap();
    let mut server = serve(folder);
    let masked = json!({ "type": "bearer", "token": "***" });
    assert_eq!(endpoint(&server, "web").await["authentication"], masked);
    server.post("/app/acme/msg", json!({ "eventType": "a", "payload": {} })).await;
    let calls = receiver.until("ok", |calls| calls.len() == 1).await;
    assert_eq!(calls[0].headers["authorization"], format!("Bearer {PASSWORD}"));
    server.terminate();
    fs::write(&path, web(&receiver, "rate = 50")).unwrap();
    server.restart();
    let changed = endpoint(&server, "web").await;
    assert_eq!((&changed["throttleRate"], &changed["authentication"]), (&json!(50), &masked));
    assert!(!server.log().contains(PASSWORD));
}

#[tokio::test]
async fn a_mistake_keeps_the_server_from_starting_and_names_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path());
    let data = folder.path().join("data");
    let run = |command: &str| {
        let mut run = postrider(&[command, "--config", &path]);
        if command == "serve" {
            run.args(["--listen", "127.0.0.1:0", "--data"]).arg(&data);
        }
        let output = run.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown = "[[endpoints]]\nuid = 'a'\napplication = 'b'\nkind = 'email'\nconfig.hots = 'x'";
    fs::write(&path, unknown).unwrap();
    for command in ["serve", "config"] {
        let error = run(command);
        assert!(error.contains(":5: [[endpoints]] \"a\": `config.hots`: unknown field"), "{error}");
    }
    // Some mistakes depend on other settings, and only a start finds them.
    fs::write(&path, "[[endpoints]]\nuid = 'a'\napplication = 'b'\nurl = 'http://u:p@host'")
        .unwrap();
    let error = run("serve");
    assert!(error.contains(":1: [[endpoints]] \"a\": `url`: "), "{error}");
    assert!(!error.contains("u:p"), "{error}");
}
