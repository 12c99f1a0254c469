//! `postrider import convoy`, `outpost`, `hook0` and `hookdeck`, from a server that responds as
//! their documentation describes, in shadow mode and live.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use http::Method;
use postrider::provider::{Headers, Provider, Request as Received, Settings, profile, verify};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    receiver::{Call, Receiver},
    server::{Server, postrider, until_async},
};

const TOKEN: &str = "key-of-the-other-system";

/// Responses by path.
type Recorded = BTreeMap<&'static str, String>;

/// A system that returns recorded responses.
struct Fake {
    url: String,
    _task: JoinSet<()>,
}

impl Fake {
    async fn start(recorded: Recorded) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(any(respond)).with_state(Arc::new(recorded));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _task: task }
    }
}

async fn respond(State(recorded): State<Arc<Recorded>>, request: Request) -> Response {
    let token = request.headers().get("authorization").and_then(|it| it.to_str().ok());
    if token != Some(&format!("Bearer {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match recorded.get(request.uri().path()) {
        Some(body) => ([("content-type", "application/json")], body.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The recorded responses, with the URL of the receiver instead of those of customers.
macro_rules! recorded {
    ($receiver:expr, $system:literal, $($path:literal => $file:literal),+ $(,)?) => {
        Recorded::from([$((
            $path,
            include_str!(concat!("../../src/commands/import/", $system, "/fixtures/", $file))
                .replace("https://acme.example/hook", &$receiver.url("hook"))
                .replace("https://api.example/stripe", &$receiver.url("hook")),
        )),+])
    };
}

/// The system has to respond meanwhile, so the tests have several threads.
fn import(target: &Server, arguments: &[&str]) -> Value {
    let mut command = postrider(&["import"]);
    command.args(arguments).args(["--from-token", TOKEN, "--shadow", "--report", "report.json"]);
    command.args(["--url", &target.url, "--token", &target.token]);
    let output = command.current_dir(target.folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stdout));
    let report = std::fs::read(target.folder.path().join("report.json")).unwrap();
    serde_json::from_slice(&report).unwrap()
}

/// Imports twice, records a message in shadow mode, and delivers one live, which the receiver
/// verifies as before.
async fn check(arguments: &[&str], recorded: impl Fn(&Receiver) -> Recorded, expected: Expected) {
    let (target, receiver) = (Server::start(), Receiver::start().await);
    let fake = Fake::start(recorded(&receiver)).await;
    let mut all = vec![arguments[0], "--from", &fake.url];
    all.extend(&arguments[1..]);
    let first = import(&target, &all);
    assert_eq!(first["totals"]["endpoint"]["created"], expected.endpoints, "{first:#}");
    assert!(!first["hidden"].as_array().unwrap().is_empty());
    let again = import(&target, &all);
    for kind in ["application", "endpoint", "eventType"] {
        let counts = &again["totals"][kind];
        let changed = [&counts["created"], &counts["updated"], &counts["failed"]];
        assert_eq!(changed, [&json!(0), &json!(0), &json!(0)], "{kind} {again:#}");
    }
    let Expected { app, event_type, profile, secret, .. } = expected;
    publish(&target, app, event_type, "shadow").await;
    let attempt = attempt(&target, app, "shadow").await;
    assert!(attempt["shadow"]["headers"].is_array(), "{attempt:#}");
    assert!(receiver.calls("hook").is_empty());
    target.must(Method::PATCH, &format!("/app/{app}"), Some(json!({ "mode": "live" }))).await;
    publish(&target, app, event_type, "live").await;
    let calls = receiver.until("hook", |calls| !calls.is_empty()).await;
    assert_eq!(calls.len(), 1);
    verify_call(&calls[0], profile, secret);
}

struct Expected {
    app: &'static str,
    endpoints: u64,
    event_type: &'static str,
    profile: &'static str,
    secret: &'static str,
}

async fn publish(target: &Server, app: &str, event_type: &str, event_id: &str) {
    let body = json!({ "eventType": event_type, "eventId": event_id, "payload": { "n": 1 } });
    target.post(&format!("/app/{app}/msg"), body).await;
}

/// The attempt for the endpoint that the receiver is behind.
async fn attempt(target: &Server, app: &str, event_id: &str) -> Value {
    let path = format!("/app/{app}/attempt/msg/{event_id}");
    let found = |page: &Value| page["data"].as_array().is_some_and(|it| !it.is_empty());
    let page = until_async(|| target.get(&path), found).await;
    page["data"][0].clone()
}

#[track_caller]
fn verify_call(call: &Call, id: &str, secret: &str) {
    let headers: Vec<_> =
        call.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let provider = Provider::new(id, profile::find(id).unwrap().model.verifier());
    let request =
        Received { method: "POST", url: "", headers: Headers(&headers), body: &call.body };
    verify(&provider, &Settings::new([secret]), &request, 0).unwrap();
    assert_eq!(call.header("webhook-signature"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_convoy_keep_verifying() {
    let recorded = |receiver: &Receiver| {
        recorded!(receiver, "convoy",
            "/api/v1/projects/project-1" => "project.json",
            "/api/v1/projects/project-1/endpoints" => "endpoints.json",
            "/api/v1/projects/project-1/subscriptions" => "subscriptions.json",
            "/api/v1/projects/project-1/event-types" => "event_types.json",
        )
    };
    let expected = Expected {
        app: "acme",
        endpoints: 2,
        event_type: "invoice.paid",
        profile: "convoy-advanced",
        secret: "new-secret",
    };
    check(&["convoy", "--project", "project-1"], recorded, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_outpost_keep_verifying() {
    let recorded = |receiver: &Receiver| {
        let mut recorded = recorded!(receiver, "outpost",
            "/tenants" => "tenants.json",
            "/tenants/acme/destinations" => "destinations.json",
        );
        recorded.insert("/topics", json!(["user.created", "user.deleted"]).to_string());
        recorded
    };
    let expected = Expected {
        app: "acme",
        endpoints: 2,
        event_type: "user.created",
        profile: "outpost",
        secret: "whsec_new",
    };
    check(&["outpost"], recorded, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_hook0_keep_verifying() {
    let recorded = |receiver: &Receiver| {
        recorded!(receiver, "hook0",
            "/applications/6b1f0c2e-0000-4000-8000-000000000001" => "application.json",
            "/subscriptions" => "subscriptions.json",
            "/event_types" => "event_types.json",
        )
    };
    let expected = Expected {
        app: "acme",
        endpoints: 2,
        event_type: "billing.invoice.paid",
        profile: "hook0",
        secret: "d48488f1-cddc-4d9b-8f90-d20cca61f0ee",
    };
    let application = "6b1f0c2e-0000-4000-8000-000000000001";
    let arguments = ["hook0", "--application", application, "--label", "tenant"];
    check(&arguments, recorded, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_hookdeck_keep_verifying() {
    let recorded =
        |receiver: &Receiver| recorded!(receiver, "hookdeck", "/connections" => "connections.json");
    let expected = Expected {
        app: "stripe",
        endpoints: 2,
        event_type: "invoice.paid",
        profile: "hookdeck",
        secret: "project-secret",
    };
    check(&["hookdeck", "--signing-secret", "project-secret"], recorded, expected).await;
}
