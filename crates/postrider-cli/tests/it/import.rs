//! `postrider import svix`: from one server into another, over the API that is compatible with Svix.

use std::{
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use http::Method;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    receiver::{Behavior, Receiver},
    server::{Server, postrider, until},
};

const CODE: &str = "function handler(webhook) { return webhook; }";

/// The command, which keeps its files in the target's folder.
fn command(source: &str, token: &str, target: &Server, more: &[&str]) -> std::process::Command {
    let mut command = postrider(&["import", "svix", "--from", source, "--from-token", token]);
    command.args(["--url", &target.url, "--token", &target.token, "--report", "report.json"]);
    command.args(more).current_dir(target.folder.path());
    command
}

fn import(source: &Server, target: &Server, more: &[&str]) -> (Output, Value) {
    let output = command(&source.url, &source.token, target, more).output().unwrap();
    let report = report(target.folder.path());
    (output, report)
}

fn report(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("report.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[track_caller]
fn import_ok(source: &Server, target: &Server, more: &[&str]) -> Value {
    let (output, report) = import(source, target, more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said} {report:#}");
    report
}

/// Numbers of created, updated and unchanged records of a kind.
fn counts(report: &Value, kind: &str) -> [u64; 3] {
    let totals = &report["totals"][kind];
    ["created", "updated", "unchanged"].map(|it| totals[it].as_u64().unwrap())
}

/// A source with a record of each kind; returns the secret of the endpoint `one`.
async fn fill(source: &Server, receiver: &Receiver) -> String {
    let flagged = json!({
        "name": "test.event", "description": "d", "schemas": { "1": { "type": "object" } },
        "featureFlags": ["beta"], "groupName": "test",
    });
    source.post("/event-type", flagged).await;
    let archived = json!({ "name": "test.old", "description": "d", "archived": true });
    source.post("/event-type", archived).await;
    let acme = json!({
        "name": "Acme", "uid": "acme", "throttleRate": 50, "metadata": { "plan": "gold" },
    });
    source.post("/app", acme).await;
    let one = json!({
        "url": receiver.url("one"), "uid": "one", "eventTypes": ["test.event"],
        "channels": ["c"], "description": "first", "metadata": { "k": "v" },
        "headers": { "x-tenant": "1", "authorization": "Bearer hidden" },
        "ordering": "fifo", "forwardTraceContext": true,
    });
    source.post("/app/acme/endpoint", one).await;
    let code = json!({ "code": CODE, "enabled": true, "variables": { "KEY": "hidden" } });
    let path = "/app/acme/endpoint/one/transformation";
    source.must(Method::PATCH, path, Some(code)).await;
    source.post("/app/acme/integration", json!({ "name": "partner" })).await;
    let connector = json!({ "name": "Chat", "uid": "chat", "transformation": CODE });
    source.post("/connector", connector).await;
    let settings = json!({ "displayName": "Shop" });
    source.must(Method::PATCH, "/management/environment-settings", Some(settings)).await;
    // Neither has an identifier of its own.
    let other = source.post("/app", json!({ "name": "Other" })).await;
    let path = format!("/app/{}/endpoint", other["id"].as_str().unwrap());
    let private =
        postrider::signature::Secret::generate(postrider::signature::Kind::Ed25519, [5; 32]);
    let two = json!({ "url": receiver.url("two"), "disabled": true, "secret": private.reveal() });
    source.post(&path, two).await;
    let secret = source.get("/app/acme/endpoint/one/secret").await;
    secret["key"].as_str().unwrap().to_owned()
}

fn message(number: usize, event_id: Option<&str>) -> Value {
    let mut message = json!({
        "eventType": "test.event", "payload": { "n": number }, "channels": ["c"], "tags": ["t"],
    });
    if let Some(event_id) = event_id {
        message["eventId"] = json!(event_id);
    }
    message
}

/// All messages of an application, newest first.
async fn messages(server: &Server, app: &str) -> Vec<Value> {
    let (mut all, mut iterator) = (Vec::new(), String::new());
    loop {
        let path = format!("/app/{app}/msg?limit=250&with_content=true{iterator}");
        let page = server.get(&path).await;
        all.extend(page["data"].as_array().unwrap().clone());
        if page["done"] == true {
            return all;
        }
        iterator = format!("&iterator={}", page["iterator"].as_str().unwrap());
    }
}

#[tokio::test]
async fn everything_arrives_and_a_second_import_changes_only_what_changed() {
    let receiver = Receiver::start().await;
    let (source, target) = (Server::start(), Server::start());
    let secret = fill(&source, &receiver).await;
    let first = source.post("/app/acme/msg", message(1, Some("first"))).await;
    let raw = r#"{ "eventType": "test.event", "payload": {"exact": 1.00000000000000000001} }"#;
    let exact = source.post_text("/app/acme/msg", raw).await;
    receiver.until("one", |calls| calls.len() == 1).await;

    let planned = import_ok(&source, &target, &["--messages", "30d", "--dry-run"]);
    assert_eq!(counts(&planned, "endpoint"), [2, 0, 0]);
    assert_eq!(target.get("/app").await["data"], json!([]), "a dry run changes nothing");

    let done = import_ok(&source, &target, &["--messages", "30d"]);
    for (kind, expected) in [
        ("eventType", [2, 0, 0]),
        ("connector", [1, 0, 0]),
        ("application", [2, 0, 0]),
        ("endpoint", [2, 0, 0]),
        ("integration", [1, 0, 0]),
        ("message", [2, 0, 0]),
    ] {
        assert_eq!(counts(&done, kind), expected, "{kind}: {done:#}");
    }
    let hidden = done["hidden"].to_string();
    for what in [
        "`authorization` is hidden",
        "private key is hidden",
        "its key is valid only",
        "variable `KEY` of its transformation is hidden",
    ] {
        assert!(hidden.contains(what), "{what}: {hidden}");
    }
    assert!(!hidden.contains("destination"), "they are the endpoints: {hidden}");
    check_records(&source, &target).await;
    let found = messages(&target, "acme").await;
    assert_eq!(found, [exact.clone(), first.clone()], "ids, times and payloads are kept");

    let variables = json!({ "variables": { "KEY": "of the target" } });
    let path = "/app/acme/endpoint/one/transformation";
    target.must(Method::PATCH, path, Some(variables)).await;
    let again = import_ok(&source, &target, &["--messages", "30d"]);
    assert_eq!(target.get(path).await["variables"], json!({ "KEY": "***" }), "it is kept");
    for kind in ["eventType", "connector", "application", "endpoint", "integration", "setting"] {
        assert_eq!(counts(&again, kind)[..2], [0, 0], "{kind}: {again:#}");
    }
    assert_eq!(counts(&again, "message"), [0, 0, 2]);
    assert_eq!(messages(&target, "acme").await.len(), 2);

    change(&source).await;
    let changed = import_ok(&source, &target, &[]);
    assert_eq!(counts(&changed, "endpoint"), [0, 1, 1], "{changed:#}");
    assert_eq!(counts(&changed, "application"), [0, 1, 1], "{changed:#}");
    let fields = changed["changes"].as_array().unwrap().iter().find(|it| it["kind"] == "endpoint");
    assert_eq!(fields.unwrap()["fields"], json!(["description", "headers"]));

    // Nothing was delivered again, and a resent message is what the source sent.
    receiver.set_behavior("one", Behavior::Status(200));
    assert_eq!(receiver.calls("one").len(), 1);
    let id = first["id"].as_str().unwrap();
    target.post(&format!("/app/acme/msg/{id}/endpoint/one/resend"), json!({})).await;
    let calls = receiver.until("one", |calls| calls.len() == 2).await;
    assert_eq!(calls[1].id(), id);
    assert_eq!(calls[1].body, calls[0].body);
    assert!(calls[1].is_verified(&secret), "signed with the source's secret");
}

async fn check_records(source: &Server, target: &Server) {
    let ignored = ["id", "createdAt", "updatedAt", "orgId", "transformationUpdatedAt"];
    let without = |mut it: Value| {
        let fields = it.as_object_mut().unwrap();
        fields.retain(|name, _| !ignored.contains(&name.as_str()));
        it
    };
    for path in [
        "/app/acme",
        "/app/acme/endpoint/one",
        "/app/acme/endpoint/one/secret",
        "/event-type/test.event",
        "/event-type/test.old",
        "/connector/chat",
    ] {
        assert_eq!(without(source.get(path).await), without(target.get(path).await), "{path}");
    }
    let headers = target.get("/app/acme/endpoint/one/headers").await;
    assert_eq!(headers, json!({ "headers": { "x-tenant": "1" }, "sensitive": [] }));
    let code = target.get("/app/acme/endpoint/one/transformation").await;
    assert_eq!(code["code"], CODE);
    let settings = target.get("/environment/settings").await;
    assert_eq!(settings["displayName"], "Shop");
    let other = source.get("/app").await["data"].as_array().unwrap().clone();
    let other = other.iter().find(|it| it["name"] == "Other").unwrap()["id"].clone();
    let uid = format!("imported-{}", other.as_str().unwrap());
    let endpoints = target.get(&format!("/app/{uid}/endpoint")).await;
    assert_eq!(endpoints["data"][0]["disabled"], true);
}

async fn change(source: &Server) {
    let plan = json!({ "name": "Acme Inc.", "uid": "acme", "throttleRate": 50 });
    source.must(Method::PUT, "/app/acme", Some(plan)).await;
    let description = json!({ "description": "changed" });
    source.must(Method::PATCH, "/app/acme/endpoint/one", Some(description)).await;
    let headers = json!({ "headers": { "x-tenant": "2" } });
    source.must(Method::PATCH, "/app/acme/endpoint/one/headers", Some(headers)).await;
}

/// Messages of the import that is killed. `packaging/release-check` sets it to a million.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn message_count() -> usize {
    std::env::var("POSTRIDER_TEST_IMPORT_MESSAGES").map_or(3_000, |it| it.parse().unwrap())
}

/// Ids and payloads of all messages of an application.
async fn contents(server: &Server, app: &str) -> Vec<String> {
    let text = |it: Value| format!("{} {} {}", it["id"], it["timestamp"], it["payload"]);
    messages(server, app).await.into_iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_continues_without_gaps_or_duplicates() {
    const BATCH: usize = 500;
    const PAGES: usize = 5;
    let (source, target) = (Server::start(), Server::start());
    source.application("acme").await;
    source.application("bolt").await;
    let count = message_count().next_multiple_of(BATCH);
    for (app, count) in [("acme", count), ("bolt", BATCH)] {
        for start in (0..count).step_by(BATCH) {
            let batch: Vec<_> = (start..start + BATCH).map(|it| message(it, None)).collect();
            let path = format!("/app/{app}/msg/batch?with_content=false");
            source.post(&path, json!({ "messages": batch })).await;
        }
    }
    let mut tasks = JoinSet::new();
    let (proxy, url) = Proxy::start(&source, false, PAGES, &mut tasks).await;
    let more = ["--messages", "30d"];
    let mut first = command(&url, &source.token, &target, &more)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("some pages are read", || proxy.held.load(Ordering::Relaxed));
    until("something is imported", || {
        let state = target.folder.path().join("postrider-import.json");
        std::fs::read_to_string(state).is_ok_and(|it| it.contains("iterator"))
    });
    first.kill().unwrap();
    first.wait().unwrap();
    proxy.pages.send_replace(usize::MAX);

    let import_ok = |url: &str| {
        let output = command(url, &source.token, &target, &more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        report(target.folder.path())
    };
    let report = import_ok(&url);
    let [created, ..] = counts(&report, "message");
    let all = u64::try_from(count + BATCH).unwrap();
    assert!(0 < created && created < all, "{report:#}");
    for app in ["acme", "bolt"] {
        assert!(contents(&source, app).await == contents(&target, app).await, "{app}");
    }
    let report = import_ok(&url);
    assert_eq!(counts(&report, "message")[0], 0, "{report:#}");
    // What was accepted since then is imported.
    source.post("/app/acme/msg", message(0, Some("later"))).await;
    let report = import_ok(&url);
    assert_eq!(counts(&report, "message")[0], 1, "{report:#}");
}

#[tokio::test]
async fn only_chosen_applications_are_imported() {
    let (source, target) = (Server::start(), Server::start());
    source.application("acme").await;
    source.application("bolt").await;
    import_ok(&source, &target, &["--app", "bolt"]);
    let found = target.get("/app").await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(found["data"][0]["uid"], "bolt");
    let (output, _) = import(&source, &target, &["--app", "unknown"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the source has no application `unknown`"), "{said}");
}

#[tokio::test]
async fn errors_say_which_side_to_correct() {
    let (source, target) = (Server::start(), Server::start());
    for (from, from_token, token, code, expected) in [
        (&*source.url, "wrong", &*target.token, 1, "the source"),
        (&*source.url, &*source.token, "wrong", 1, "the target"),
        (&*source.url, "@missing", &*target.token, 2, "missing"),
        (&*source.url, "", &*target.token, 2, "--from-token is empty"),
    ] {
        let mut command = postrider(&["import", "svix", "--from", from]);
        command.args(["--from-token", from_token, "--url", &target.url, "--token", token]);
        let output = command.current_dir(target.folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        if code == 1 {
            assert!(said.contains("rejected the token") && said.contains("hint: "), "{said}");
        }
    }
    // What the target refuses is reported, and the rest is imported.
    let limited = Server::with_variables(&[("POSTRIDER_ALLOW_NETWORKS", "")]);
    source.application("acme").await;
    source.endpoint("acme", "http://127.0.0.1:8080/hook").await;
    let (output, report) = import(&source, &limited, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["totals"]["endpoint"]["failed"], 1, "{report:#}");
    assert_eq!(counts(&report, "application"), [1, 0, 0]);
    assert_eq!(report["complete"], true);
}

#[tokio::test]
async fn imported_messages_of_the_same_instant_are_all_kept() {
    let target = Server::start();
    target.application("acme").await;
    let own = target.publish("acme", json!({ "n": 0 })).await;
    let own: postrider::MessageId = own.parse().unwrap();
    // On an embedded store, the time and the counter of an id are its key.
    let ids = [1, 2, 3].map(|tail| postrider::MessageId::from_parts(own.sequence(), tail));
    let at = target.get(&format!("/app/acme/msg/{own}")).await["timestamp"].clone();
    let message = |id: &postrider::MessageId| json!({ "id": id, "eventType": "test.event", "payload": {}, "timestamp": at });
    let messages: Vec<_> = ids.iter().map(message).collect();
    let body = json!({ "messages": messages });
    let result = target.post("/app/acme/msg/import", body.clone()).await;
    assert_eq!(result["created"], 3, "{result}");
    assert_eq!(messages_of(&target).await, 4);
    let result = target.post("/app/acme/msg/import", body).await;
    assert_eq!(result["existing"], 3, "{result}");
    assert_eq!(messages_of(&target).await, 4);
}

async fn messages_of(target: &Server) -> usize {
    messages(target, "acme").await.len()
}

/// A proxy in front of a source.
struct Proxy {
    source: String,
    client: Client<HttpConnector, Body>,
    /// Whether every third call fails.
    fails: bool,
    calls: AtomicUsize,
    /// Pages of messages that are read before the others have to wait.
    pages: watch::Sender<usize>,
    held: AtomicBool,
}

impl Proxy {
    /// Starts the proxy; returns its URL.
    async fn start(
        source: &Server,
        fails: bool,
        pages: usize,
        tasks: &mut JoinSet<()>,
    ) -> (Arc<Self>, String) {
        let proxy = Arc::new(Self {
            source: source.url.clone(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            fails,
            calls: AtomicUsize::new(0),
            pages: watch::Sender::new(pages),
            held: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(any(forward)).with_state(Arc::clone(&proxy));
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (proxy, url)
    }

    fn failure(&self) -> Option<Response> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match call % 9 {
            _ if !self.fails => None,
            2 => Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response()),
            5 => Some(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            8 => Some((StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response()),
            _ => None,
        }
    }

    /// Waits until a page of messages may be read.
    async fn admit(&self) {
        let take = |pages: &mut usize| {
            let is_open = *pages > 0;
            *pages = pages.saturating_sub(1);
            is_open
        };
        let mut open = self.pages.subscribe();
        while !self.pages.send_if_modified(take) {
            self.held.store(true, Ordering::Relaxed);
            open.wait_for(|pages| *pages > 0).await.unwrap();
        }
    }
}

async fn forward(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    if let Some(failure) = proxy.failure() {
        return failure;
    }
    if request.uri().path().ends_with("/msg") {
        proxy.admit().await;
    }
    let (mut head, body) = request.into_parts();
    head.uri = format!("{}{}", proxy.source, head.uri).parse().unwrap();
    proxy.client.request(Request::from_parts(head, body)).await.unwrap().into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_now_and_then_is_imported_completely() {
    let receiver = Receiver::start().await;
    let (source, target) = (Server::start(), Server::start());
    fill(&source, &receiver).await;
    for number in 0..3 {
        source.post("/app/acme/msg", message(number, None)).await;
    }
    let mut tasks = JoinSet::new();
    let (_, url) = Proxy::start(&source, true, usize::MAX, &mut tasks).await;
    let mut command = command(&url, &source.token, &target, &["--messages", "1h"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(target.folder.path());
    assert_eq!(counts(&report, "endpoint"), [2, 0, 0]);
    assert_eq!(counts(&report, "message"), [3, 0, 0]);
    check_records(&source, &target).await;
}
