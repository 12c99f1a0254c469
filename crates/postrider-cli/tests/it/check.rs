//! `postrider check` and `postrider trigger` against good and bad receivers.

use std::{process::Output, sync::Arc, time::SystemTime};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request as HttpRequest, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use postrider::provider::{self, Headers, Request, Settings};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::server::postrider;

const SECRET: &str = "whsec_c2VjcmV0IG9mIGEgcmVjZWl2ZXI=";

/// A receiver under test.
struct TestedReceiver {
    url: String,
    _task: JoinSet<()>,
}

impl TestedReceiver {
    async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _task: task }
    }

    /// A receiver without an HTTP library that handles connections one after the other.
    async fn sequential(status_for: fn(&str) -> u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // The client may have closed the connection.
                drop(serve_connection(stream, status_for).await);
            }
        });
        Self { url, _task: task }
    }
}

async fn serve_connection(stream: TcpStream, status_for: fn(&str) -> u16) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().unwrap())
    });
    let mut body = Vec::new();
    (&mut stream).take(length.unwrap_or(0)).read_to_end(&mut body).await?;
    let text = format!("HTTP/1.1 {} X\r\ncontent-length: 0\r\n\r\n", status_for(&head));
    stream.write_all(text.as_bytes()).await
}

/// A correct receiver.
fn correct_receiver(id: &'static str, settings: Settings) -> Router {
    let state = Arc::new((id, settings));
    Router::new().route("/hook", post(receive)).with_state(state)
}

type Known = Arc<(&'static str, Settings)>;

#[expect(clippy::disallowed_methods, reason = "a receiver has its own clock")]
fn verifies(known: &Known, parts: (&Method, &Uri, &HeaderMap), body: &[u8]) -> bool {
    let (method, uri, headers) = parts;
    let host = headers["host"].to_str().unwrap();
    let url = format!("http://{host}{uri}");
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let request = Request { method: method.as_str(), url: &url, headers: Headers(&headers), body };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let provider = provider::find(known.0).unwrap();
    provider::verify(provider, &known.1, &request, now).is_ok()
}

async fn receive(
    State(known): State<Known>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if verifies(&known, (&method, &uri, &headers), &body) {
        return StatusCode::NO_CONTENT.into_response();
    }
    (StatusCode::UNAUTHORIZED, "not verified").into_response()
}

/// Runs a command while receivers run in this process.
async fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = postrider(arguments);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

async fn check(receiver: &TestedReceiver, arguments: &[&str]) -> (i32, String) {
    let call = ["check", &receiver.url, "--provider", "standard-webhooks", "--secret", SECRET];
    let (code, report, error) = run(&[&call, arguments].concat()).await;
    assert_eq!(error, "", "{report}");
    (code, report)
}

/// The names of the rules that failed.
fn failed(report: &str) -> Vec<&str> {
    let fails = report.lines().filter_map(|it| it.strip_prefix("FAIL  "));
    fails.map(|it| it.split_whitespace().next().unwrap()).collect()
}

#[tokio::test]
async fn a_correct_receiver_passes_all_rules() {
    let receiver =
        TestedReceiver::start(correct_receiver("standard-webhooks", Settings::new([SECRET]))).await;
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("report.xml");
    let (code, report) = check(&receiver, &["--junit", junit.to_str().unwrap()]).await;
    assert_eq!((code, failed(&report)), (0, Vec::new()), "{report}");
    assert!(report.ends_with("19 passed, 0 failed, 0 skipped\n"), "{report}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("tests=\"19\" failures=\"0\""), "{xml}");
}

#[tokio::test]
async fn a_receiver_that_accepts_everything_fails_the_rules_about_rejections() {
    async fn all(_: Bytes) -> &'static str {
        "ok"
    }
    let router = Router::new().route("/hook", any(all)).layer(DefaultBodyLimit::disable());
    let receiver = TestedReceiver::start(router).await;
    let (code, report) = check(&receiver, &[]).await;
    let expected =
        ["tampered", "unsigned", "wrong-secret", "stale", "future", "wrong-method", "huge"];
    assert_eq!((code, failed(&report)), (1, expected.to_vec()), "{report}");
    assert!(report.contains("fix:           verify the signature over the raw body"), "{report}");
}

#[tokio::test]
async fn server_errors_and_different_rejections_are_reported() {
    async fn careless(
        State(known): State<Known>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        if headers.get("webhook-signature").is_none() {
            return (StatusCode::BAD_REQUEST, "no signature").into_response();
        }
        if !verifies(&known, (&method, &uri, &headers), &body) {
            return (StatusCode::UNAUTHORIZED, "wrong signature").into_response();
        }
        match serde_json::from_slice::<serde_json::Value>(&body) {
            Ok(_) => StatusCode::OK.into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
    let known = Arc::new(("standard-webhooks", Settings::new([SECRET])));
    let router = Router::new().route("/hook", post(careless)).with_state(known);
    let (code, report) = check(&TestedReceiver::start(router).await, &[]).await;
    let expected = ["same-rejection", "bad-json", "bad-text"];
    assert_eq!((code, failed(&report)), (1, expected.to_vec()), "{report}");
}

#[tokio::test]
async fn case_sensitive_headers_and_sequential_processing_are_reported() {
    let is_there = |head: &str| if head.contains("\r\nWebhook-Signature:") { 200 } else { 500 };
    let receiver = TestedReceiver::sequential(is_there).await;
    let only = ["--only", "genuine,letters,slow", "--timeout", "1s"];
    let (code, report) = check(&receiver, &only).await;
    assert_eq!((code, failed(&report)), (1, vec!["header-case", "slow"]), "{report}");
}

#[tokio::test]
async fn a_receiver_that_cannot_be_tested_is_distinguished_from_one_that_fails() {
    let call = ["check", "http://127.0.0.1:1/", "--provider", "stripe", "--secret", "s"];
    let (code, _, error) = run(&call).await;
    assert!(code == 2 && error.contains("http://127.0.0.1:1/ cannot be reached"), "{error}");
    let (code, _, error) = run(&[&call[..], &["--only", "nothing"]].concat()).await;
    assert!(code == 2 && error.contains("expected one of genuine, tampered"), "{error}");
}

#[tokio::test]
async fn genuine_tampered_stale_and_repeated_events_can_be_triggered() {
    let receiver = TestedReceiver::start(correct_receiver("stripe", Settings::new([SECRET]))).await;
    let call = ["trigger", "stripe", "--to", &receiver.url, "--secret"];
    for (words, status) in [
        (&[SECRET][..], "< 204 No Content"),
        (&[SECRET, "--tamper"], "< 401 Unauthorized"),
        (&[SECRET, "--stale"], "< 401 Unauthorized"),
        (&[SECRET, "--duplicate"], "< 204 No Content"),
    ] {
        let (code, said, error) = run(&[&call[..], words].concat()).await;
        assert_eq!((code, &*error), (0, ""), "{said}");
        assert!(said.contains(status) && said.contains("> Stripe-Signature: t="), "{said}");
    }
    let (code, said, _) = run(&[&call[..], &["another"]].concat()).await;
    assert!(code == 1 && said.contains("must respond with 2xx"), "{said}");
}

#[tokio::test]
async fn a_private_key_is_generated_and_its_public_key_printed() {
    let receiver =
        TestedReceiver::start(Router::new().route("/hook", any(|| async { "ok" }))).await;
    let (code, said, _) = run(&["trigger", "discord", "--to", &receiver.url]).await;
    assert!(code == 0 && said.contains("-----BEGIN PUBLIC KEY-----"), "{said}");
    let (code, said, _) = run(&["trigger", "--list", "stripe"]).await;
    assert!(code == 0 && said.lines().any(|it| it == "payment_intent.succeeded"), "{said}");
    let (code, _, error) = run(&["trigger", "stripe", "--to", &receiver.url]).await;
    assert!(code == 2 && error.contains("expected --secret"), "{error}");
}

#[tokio::test]
async fn trigger_fails_if_the_receiver_accepts_a_forged_event() {
    async fn all(_: HttpRequest) -> StatusCode {
        StatusCode::OK
    }
    let receiver = TestedReceiver::start(Router::new().route("/hook", any(all))).await;
    let call = ["trigger", "stripe", "--to", &receiver.url, "--secret", SECRET, "--tamper"];
    let (code, said, _) = run(&call).await;
    assert!(code == 1 && said.contains("must respond with 4xx"), "{said}");
}
