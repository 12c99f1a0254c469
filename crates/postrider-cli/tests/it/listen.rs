//! `postrider listen` and `postrider replay` with a real server and a local program.

use std::{
    collections::BTreeSet,
    fs::File,
    path::Path,
    process::{Child, Stdio},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use postrider::listen::{ClientMessage, CloseCode, Start, token_from_key};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode as WsCloseCode},
};

use crate::{
    receiver::{Behavior, Receiver},
    server::{MAX_WAIT, Server, postrider, signal, until_async, wait},
};

/// A running `postrider listen`; it is killed when this is dropped.
struct Listener {
    folder: TempDir,
    child: Child,
    arguments: Vec<String>,
    token: String,
}

impl Listener {
    async fn start(server: &Server, forward: &str, more: &[&str]) -> Self {
        let arguments = ["--server", &server.url, "--forward", forward];
        let arguments = arguments.iter().chain(more).map(|it| (*it).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let token = server.token.clone();
        let child = launch(folder.path(), &arguments, &token);
        let listener = Self { folder, child, arguments, token };
        listener.until("Forwarding ").await;
        listener
    }

    /// Stops it as Ctrl-C does.
    fn interrupt(&mut self) {
        signal(self.child.id(), "INT");
        assert!(wait(&mut self.child).success());
    }

    async fn again(&mut self) {
        std::fs::remove_file(self.folder.path().join("out")).unwrap();
        self.child = launch(self.folder.path(), &self.arguments, &self.token);
        self.until("Forwarding ").await;
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap_or_default()
    }

    /// Waits for these words in the output.
    async fn until(&self, words: &str) {
        let output = async || Value::from(self.output());
        until_async(output, |it| it.as_str().unwrap().contains(words)).await;
    }

    fn url(&self) -> String {
        let output = self.output();
        output.split_whitespace().find(|it| it.starts_with("http://")).unwrap().to_owned()
    }

    /// Runs `postrider replay`; whether it succeeded, and its output.
    async fn replay(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = postrider(&["replay", "--state"]);
        command.arg(self.folder.path()).args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn launch(folder: &Path, arguments: &Vec<String>, token: &str) -> Child {
    let out = File::options().create(true).append(true).open(folder.join("out")).unwrap();
    let mut command = postrider(&["listen", "--state"]);
    command.arg(folder).args(arguments).env("POSTRIDER_TOKEN", token);
    command.stdout(out.try_clone().unwrap()).stderr(out).stdin(Stdio::null()).spawn().unwrap()
}

async fn send(method: Method, url: &str, body: &str) -> (u16, HeaderMap, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("x-signature", "v1=abc")
        .header("x-kind", "a");
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let response = tokio::time::timeout(MAX_WAIT, client.request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes())
}

async fn post(url: &str, body: &str) -> u16 {
    send(Method::POST, url, body).await.0
}

#[tokio::test]
async fn the_local_program_responds_to_a_request() {
    let server = Server::start();
    let receiver = Receiver::start().await;
    let mut listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    let body = r#"{"type": "invoice.paid",  "ä": 1}"#;
    let (status, headers, _) = send(Method::POST, &listener.url(), body).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-security-policy"], "sandbox");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let calls = receiver.calls("hook");
    assert_eq!((&calls[0].body[..], calls[0].header("x-signature")), (body.as_bytes(), "v1=abc"));
    receiver.set_behavior("hook", Behavior::Status(418));
    assert_eq!(post(&listener.url(), "{}").await, 418);
    // The program responds 404 for other paths.
    assert_eq!(post(&format!("{}and/more", listener.url()), "{}").await, 404);
    listener.until("POST /  invoice.paid  34 B  → 200").await;
    listener.interrupt();
    assert_eq!(post(&listener.url(), "{}").await, 403);
}

#[tokio::test]
async fn an_unreachable_program_is_reported() {
    let server = Server::start();
    // It has a port, which no other process can take, and does not listen.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = deaf.local_addr().unwrap().port();
    let listener = Listener::start(&server, &format!("http://127.0.0.1:{port}/hook"), &[]).await;
    let (status, _, body) = send(Method::POST, &listener.url(), "{}").await;
    assert_eq!(status, 502);
    assert!(!String::from_utf8_lossy(&body).contains("127.0.0.1"), "{body:?}");
    listener.until("→ 502").await;
    listener.until("cannot be reached: Connection refused").await;
}

#[tokio::test]
async fn the_url_survives_restarts_of_the_server_and_the_listener() {
    let mut server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    server.set("POSTRIDER_LISTEN", &address);
    let receiver = Receiver::start().await;
    let mut listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    let url = listener.url();
    server.kill_and_restart();
    listener.until("reconnected").await;
    assert_eq!(post(&url, "{}").await, 200);
    listener.interrupt();
    listener.again().await;
    assert_eq!(listener.url(), url);
    assert_eq!(post(&url, "{}").await, 200);
}

#[tokio::test]
async fn messages_of_a_source_that_were_missed_arrive_after_a_reconnect() {
    let server = Server::start();
    let receiver = Receiver::start().await;
    let source = json!({ "name": "My shop", "type": "generic-webhook" });
    let source = server.ingest("/source", source).await;
    let url = source["ingestUrl"].as_str().unwrap();
    assert_eq!(post(url, "before").await / 100, 2);
    let mut listener =
        Listener::start(&server, &receiver.url("hook"), &["--source", "My shop"]).await;
    let bodies = |calls: &[crate::receiver::Call]| {
        calls.iter().map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(post(url, "live").await / 100, 2);
    receiver.until("hook", |it| it.len() == 1).await;
    listener.until("→ 200").await;
    listener.interrupt();
    let missed: Vec<_> = (0..40).map(|it| format!("missed {it}")).collect();
    for body in &missed {
        assert_eq!(post(url, body).await / 100, 2);
    }
    listener.again().await;
    let calls = receiver.until("hook", |it| it.len() > missed.len()).await;
    let expected: Vec<_> = std::iter::once("live".to_owned()).chain(missed).collect();
    assert_eq!(bodies(&calls), expected);
    assert_eq!(calls[1].header("x-kind"), "a");
    // Messages that the server repeated after the reconnect were not forwarded again.
    assert_eq!(post(url, "last").await / 100, 2);
    let calls = receiver.until("hook", |it| it.len() > expected.len()).await;
    assert_eq!(bodies(&calls).last().unwrap(), "last");
}

#[tokio::test]
async fn the_url_of_a_local_program_needs_no_scheme() {
    let server = Server::start();
    let receiver = Receiver::start().await;
    let url = receiver.url("hook");
    let listener = Listener::start(&server, url.strip_prefix("http://").unwrap(), &[]).await;
    assert_eq!(post(&listener.url(), "{}").await, 200);
    let again = receiver.url("again");
    let again = again.strip_prefix("http://").unwrap();
    assert!(listener.replay(&["--forward", again]).await.0);
    assert_eq!(receiver.calls("again").len(), 1);
}

#[tokio::test]
async fn forwarded_requests_are_replayed_byte_for_byte() {
    let server = Server::start();
    let receiver = Receiver::start().await;
    let listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    let bodies = ["{\"a\":  1}", "\u{0}\u{ff}\r\n", ""];
    for body in bodies {
        assert_eq!(post(&listener.url(), body).await, 200);
    }
    let (is_fine, list) = listener.replay(&["--list"]).await;
    assert!(is_fine);
    assert_eq!(list.lines().count(), 3, "{list}");
    let id = list.split_whitespace().next().unwrap();
    assert!(listener.replay(&["--last", "2", "--forward", &receiver.url("again")]).await.0);
    assert!(listener.replay(&[id, "--forward", &receiver.url("again")]).await.0);
    let calls = receiver.calls("again");
    let sent: Vec<_> = calls.iter().map(|it| &it.body[..]).collect();
    assert_eq!(sent, [bodies[1].as_bytes(), bodies[2].as_bytes(), bodies[0].as_bytes()]);
    assert_eq!(calls[0].header("x-signature"), "v1=abc");
    receiver.set_behavior("again", Behavior::Status(500));
    assert!(!listener.replay(&["--forward", &receiver.url("again")]).await.0);
    assert!(!listener.replay(&["req_unknown"]).await.0);
}

#[tokio::test]
async fn errors_at_the_start_come_with_a_hint() {
    let mut server = Server::start();
    let check = |server: &Server, more: &[&str], words: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = postrider(&["listen", "--forward", "http://127.0.0.1:9"]);
        command.args(["--server", &server.url, "--state"]).arg(folder.path()).args(more);
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(errors.contains(words) && errors.contains("\nhint: "), "{words}: {errors}");
    };
    check(&server, &[], "the relay is switched off on this server; turn it on with `relay = true`");
    check(&server, &["--token", "x"], "401");
    check(&server, &["--source", "shop"], "`--source` needs a token");
    check(&server, &["--source", "shop", "--token", "x"], "401");
    let token = server.token.clone();
    check(&server, &["--source", "shop", "--token", &token], "there is no such source");
    assert!(server.terminate().success());
    check(&server, &[], "cannot be reached");
}

fn open_relay() -> Server {
    Server::with_variables(&[("POSTRIDER_RELAY", "true")])
}

/// A client that behaves as the Svix CLI, without our additions to the protocol.
struct SvixCli(WebSocketStream<TcpStream>);

impl SvixCli {
    async fn start(server: &Server, token: &str) -> Self {
        let start = json!({ "type": "start", "version": 1, "data": { "token": token } });
        // Version 2 sends text, earlier ones send bytes.
        let start = start.to_string();
        let is_old = token.len() > SHORT.len();
        let message = if is_old { Message::Binary(start.into()) } else { Message::text(start) };
        Self::start_with(server, message).await
    }

    async fn start_with(server: &Server, message: Message) -> Self {
        let address = server.url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/api/v1/listen/");
        let (mut socket, _) = client_async(url, stream).await.unwrap();
        socket.send(message).await.unwrap();
        Self(socket)
    }

    /// Takes another token when the first one is in use, as the Svix CLI does.
    async fn start_with_any(server: &Server, tokens: &[&'static str]) -> (Self, &'static str) {
        for token in tokens {
            let mut cli = Self::start(server, token).await;
            let message = cli.next().await;
            if let Message::Text(text) = &message {
                let started: Value = serde_json::from_str(text).unwrap();
                assert_eq!(started["data"]["token"], *token);
                return (cli, token);
            }
            let Message::Close(Some(frame)) = message else { panic!("{message:?}") };
            assert_eq!(frame.code, WsCloseCode::Policy);
            assert_eq!(frame.reason.as_str(), "This socket is already in use");
        }
        panic!("all tokens are in use");
    }

    async fn next(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(MAX_WAIT, self.0.next()).await.unwrap();
            let message = next.unwrap().unwrap();
            if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
                return message;
            }
        }
    }

    async fn json(&mut self) -> Value {
        serde_json::from_slice(&self.next().await.into_data()).unwrap()
    }

    async fn answer(&mut self, id: &Value, status: u16, headers: Value) {
        let data = json!({ "id": id, "status": status, "headers": headers });
        let answer = json!({ "type": "event", "version": 1, "data": data });
        self.0.send(Message::Text(answer.to_string().into())).await.unwrap();
    }
}

const TOKEN: &str = "c_4tVb0KXk9zQm1LrYwS7fGhJn2pD";

/// A token of the Svix CLI, version 2.
const SHORT: &str = "c_7hTq02LmXz";

#[tokio::test]
async fn the_svix_cli_can_listen() {
    // The Svix CLI shows its users the second one.
    for place in ["/api/v1/receive/", "/in/"] {
        for token in [TOKEN, SHORT] {
            listen_with_the_svix_cli(place, token).await;
        }
    }
}

async fn listen_with_the_svix_cli(place: &str, token: &str) {
    let server = open_relay();
    let mut cli = SvixCli::start(&server, token).await;
    let started = cli.json().await;
    assert_eq!((&started["type"], &started["version"]), (&json!("start"), &json!(1)));
    assert_eq!(started["data"]["token"], token);
    let url = format!("{}{place}{token}/", server.url);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { send(Method::PUT, &url, "hello").await });
    let event = cli.json().await;
    assert_eq!((&event["type"], &event["data"]["method"]), (&json!("event"), &json!("PUT")));
    assert_eq!(event["data"]["body"], "aGVsbG8=");
    assert_eq!(event["data"]["headers"]["x-signature"], "v1=abc");
    let headers = json!({
        "retry-after": "7", "x-own": "1", "set-cookie": "a=b", "content-length": "7",
    });
    let data = json!({
        "id": event["data"]["id"], "status": 202, "body": "d29ybGQ=", "headers": headers,
    });
    let answer = json!({ "type": "event", "version": 1, "data": data });
    cli.0.send(Message::Text(answer.to_string().into())).await.unwrap();
    let (status, headers, body) = tasks.join_next().await.unwrap().unwrap();
    assert_eq!((status, &body[..]), (202, &b"world"[..]));
    assert_eq!(headers["retry-after"], "7");
    assert!(!headers.contains_key("x-own") && !headers.contains_key("set-cookie"));
    // The second client with the same token gets the reason that the Svix CLI knows.
    let mut second = SvixCli::start(&server, token).await;
    let Message::Close(Some(frame)) = second.next().await else { panic!("it was let in") };
    assert_eq!(frame.code, WsCloseCode::Policy);
    assert_eq!(frame.reason.as_str(), "This socket is already in use");
}

#[tokio::test]
async fn a_svix_cli_whose_token_is_in_use_takes_another() {
    let server = open_relay();
    let (_first, taken) = SvixCli::start_with_any(&server, &[SHORT]).await;
    let other = "c_0000000001";
    let (mut second, token) = SvixCli::start_with_any(&server, &[taken, other]).await;
    assert_eq!(token, other);
    let url = format!("{}/in/{other}/", server.url);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { send(Method::POST, &url, "hello").await });
    let event = second.json().await;
    let data = json!({ "id": event["data"]["id"], "status": 200 });
    let answer = json!({ "type": "event", "version": 1, "data": data });
    second.0.send(Message::Text(answer.to_string().into())).await.unwrap();
    assert_eq!(tasks.join_next().await.unwrap().unwrap().0, 200);
}

/// Sends a request to a listener, as a proxy that forwards the address of its client.
async fn guess(server: &Server, from: &str, place: &str, token: &str) -> (u16, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("{}{place}{token}/", server.url));
    let request = request.header("x-forwarded-for", from).body(Full::new(Bytes::new())).unwrap();
    let response = tokio::time::timeout(MAX_WAIT, client.request(request)).await.unwrap().unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

/// An address that tries tokens finds none, not even the right one, until it has waited.
#[tokio::test]
async fn short_tokens_cannot_be_found_by_sending_requests() {
    let server = Server::with_variables(&[
        ("POSTRIDER_RELAY", "true"),
        ("POSTRIDER_LIMITS__RELAY_GUESSES", "5"),
        ("POSTRIDER_LIMITS__RELAY_TIMEOUT", "1s"),
    ]);
    let (_listening, _) = SvixCli::start_with_any(&server, &[SHORT]).await;
    let mut answers = BTreeSet::new();
    let mut is_hidden = false;
    // One guess is forgiven each second, so a slow machine needs more than one round.
    for round in 0..20 {
        for number in 0..20 {
            let place = if number % 2 == 0 { "/in/" } else { "/api/v1/receive/" };
            let token = format!("c_{:010}", round * 100 + number);
            answers.insert(guess(&server, "192.0.2.1", place, &token).await);
        }
        is_hidden = guess(&server, "192.0.2.1", "/in/", SHORT).await.0 == 429;
        if is_hidden {
            break;
        }
    }
    assert!(is_hidden, "a valid token can be distinguished");
    let statuses: Vec<_> = answers.iter().map(|it| it.0).collect();
    assert_eq!(statuses, [404, 429], "{answers:?}");
    // Other addresses are not affected, and neither are tokens that are too long to guess.
    assert_eq!(guess(&server, "192.0.2.2", "/in/", "c_9999999999").await.0, 404);
    let long = "c_4tVb0KXk9zQm1LrYwS7fGhJn2pX";
    assert_eq!(guess(&server, "192.0.2.1", "/in/", long).await.0, 404);
}

/// Listening must not reveal either whether a token is in use.
#[tokio::test]
async fn short_tokens_cannot_be_found_by_listening() {
    let server = Server::with_variables(&[
        ("POSTRIDER_RELAY", "true"),
        ("POSTRIDER_LIMITS__RELAY_GUESSES", "3"),
    ]);
    let mut listening = Vec::new();
    for number in 0..100 {
        let mut cli = SvixCli::start(&server, &format!("c_{number:010}")).await;
        if let Message::Close(Some(frame)) = cli.next().await {
            assert_eq!(frame.code, WsCloseCode::Again);
            return;
        }
        listening.push(cli);
    }
    panic!("it could go on trying");
}

#[tokio::test]
async fn a_token_that_was_made_from_a_key_requires_the_key() {
    let server = open_relay();
    let receiver = Receiver::start().await;
    let mut listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    let url = listener.url();
    let token = url.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    listener.interrupt();
    let mut thief = SvixCli::start(&server, &token).await;
    assert!(
        matches!(thief.next().await, Message::Close(Some(frame)) if frame.code == WsCloseCode::Policy)
    );
    let mut guess = SvixCli::start(&server, "c_short").await;
    assert!(
        matches!(guess.next().await, Message::Close(Some(frame)) if frame.code == WsCloseCode::Policy)
    );
}

/// A client that sends a key or a source knows the codes of the protocol.
#[tokio::test]
async fn a_postrider_client_gets_a_close_code_for_each_reaction() {
    let server = open_relay();
    let connect = async |start: Start| {
        let message = ClientMessage::Start(start).to_json();
        SvixCli::start_with(&server, Message::text(message)).await
    };
    let code = async |mut client: SvixCli| {
        let Message::Close(Some(frame)) = client.next().await else { panic!("it was admitted") };
        CloseCode::from_code(frame.code.into()).unwrap()
    };
    let (token, key) = (token_from_key("a key"), Some("a key".to_owned()));
    let start = Start { token, key, ..Start::default() };
    let mut first = connect(start.clone()).await;
    first.json().await;
    let mut second = connect(start.clone()).await;
    second.json().await;
    assert_eq!(code(first).await, CloseCode::TokenInUse);
    let other = Start { key: Some("another key".to_owned()), ..start.clone() };
    assert_eq!(code(connect(other).await).await, CloseCode::InvalidToken);
    let source = Start { source: Some("shop".to_owned()), ..start };
    assert_eq!(code(connect(source).await).await, CloseCode::Unauthenticated);
}

#[tokio::test]
async fn a_flood_is_refused_and_a_silent_listener_times_out() {
    let server = Server::with_variables(&[
        ("POSTRIDER_RELAY", "true"),
        ("POSTRIDER_LIMITS__RELAY_IN_FLIGHT", "4"),
        ("POSTRIDER_LIMITS__RELAY_TIMEOUT", "1s"),
        ("POSTRIDER_LIMITS__RELAY_BYTES", "1MiB"),
        ("POSTRIDER_LIMITS__RELAY_SESSIONS", "1"),
    ]);
    let mut cli = SvixCli::start(&server, TOKEN).await;
    cli.json().await;
    let url = format!("{}/api/v1/receive/{TOKEN}/", server.url);
    assert_eq!(post(&url, &"x".repeat(500 << 10)).await, 503);
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let url = url.clone();
        tasks.spawn(async move { post(&url, "{}").await });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses.iter().filter(|it| **it == 504).count(), 4, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|it| **it == 429).count(), 46, "{statuses:?}");
    // No connection is left for another one.
    let address = server.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(client_async(format!("ws://{address}/api/v1/listen"), stream).await.is_err());
}

/// Sends a request with these headers; the status and the headers of its response.
async fn visit(method: &str, url: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(url);
    let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response = tokio::time::timeout(MAX_WAIT, client.request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes())
}

/// Everything that a browser or an authenticating proxy could add to a request.
const CREDENTIALS: [(&str, &str); 6] = [
    ("cookie", "session=secret"),
    ("cookie", "other=secret"),
    ("authorization", "Bearer secret"),
    ("proxy-authorization", "Basic secret"),
    ("referer", "https://hooks.example.com/?secret"),
    ("x-forwarded-access-token", "secret"),
];

#[tokio::test]
async fn an_anonymous_listener_gets_no_credentials_and_cannot_set_headers() {
    let server = open_relay();
    let mut anonymous = SvixCli::start(&server, TOKEN).await;
    anonymous.json().await;
    let url = format!("{}/api/v1/receive/{TOKEN}/", server.url);
    let mut tasks = JoinSet::new();
    for (status, name, expected) in
        [(200, "access-control-allow-origin", 200), (302, "location", 502), (200, "refresh", 200)]
    {
        let url = url.clone();
        tasks.spawn(async move { visit("POST", &url, &CREDENTIALS).await });
        let event = anonymous.json().await;
        assert!(!event.to_string().contains("secret"), "{event}");
        anonymous.answer(&event["data"]["id"], status, json!({ name: "https://evil/" })).await;
        let (status, headers, _) = tasks.join_next().await.unwrap().unwrap();
        assert_eq!((status, headers.contains_key(name)), (expected, false), "{name}");
    }
}

#[tokio::test]
async fn a_listener_with_an_api_token_gets_authorization_but_no_cookies() {
    let server = Server::start();
    let receiver = Receiver::start().await;
    let listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    assert_eq!(visit("POST", &listener.url(), &CREDENTIALS).await.0, 200);
    let calls = receiver.calls("hook");
    assert_eq!(calls[0].header("authorization"), "Bearer secret");
    assert!(!calls[0].headers.contains_key("cookie"));
}

#[tokio::test]
async fn browsers_are_refused_on_both_sides_of_the_relay() {
    let server = open_relay();
    let mut anonymous = SvixCli::start(&server, TOKEN).await;
    anonymous.json().await;
    for place in ["/api/v1/receive/", "/in/"] {
        let url = format!("{}{place}{TOKEN}/", server.url);
        for (method, header) in [
            ("GET", ("accept", "text/html,*/*;q=0.8")),
            ("POST", ("origin", "https://evil.example")),
            ("OPTIONS", ("origin", "https://evil.example")),
            ("GET", ("sec-fetch-mode", "no-cors")),
        ] {
            let (status, headers, body) = visit(method, &url, &[header]).await;
            assert_eq!(status, 403, "{method} {header:?}");
            assert!(!headers.contains_key("access-control-allow-origin"));
            assert!(String::from_utf8_lossy(&body).contains("browser"), "{body:?}");
        }
    }
    let upgrade = [
        ("origin", "https://evil.example"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let url = format!("{}/api/v1/listen/", server.url);
    assert_eq!(visit("GET", &url, &upgrade).await.0, 403);
}

#[tokio::test]
async fn the_relay_is_closed_to_anonymous_listeners_by_default() {
    let server = Server::start();
    let url = format!("{}/api/v1/receive/{TOKEN}/", server.url);
    let (status, _, body) = visit("POST", &url, &[]).await;
    assert_eq!(status, 403);
    assert!(String::from_utf8_lossy(&body).contains("`relay = true`"), "{body:?}");
    let address = server.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(client_async(format!("ws://{address}/api/v1/listen/"), stream).await.is_err());
}

#[tokio::test]
async fn anonymous_listeners_cannot_crowd_out_authenticated_ones() {
    let server = Server::with_variables(&[
        ("POSTRIDER_RELAY", "true"),
        ("POSTRIDER_LIMITS__RELAY_SESSIONS", "1"),
        ("POSTRIDER_LIMITS__RELAY_BYTES", "1MiB"),
        ("POSTRIDER_LIMITS__RELAY_TIMEOUT", "60s"),
    ]);
    let mut anonymous = SvixCli::start(&server, TOKEN).await;
    anonymous.json().await;
    // The anonymous listener never responds, and its request takes all of the memory for such
    // listeners.
    let url = format!("{}/api/v1/receive/{TOKEN}/", server.url);
    let mut tasks = JoinSet::new();
    let held = url.clone();
    tasks.spawn(async move { post(&held, &"x".repeat(240 << 10)).await });
    anonymous.json().await;
    assert_eq!(post(&url, &"x".repeat(240 << 10)).await, 503);
    let receiver = Receiver::start().await;
    let listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    assert_eq!(post(&listener.url(), &"x".repeat(200 << 10)).await, 200);
}

#[tokio::test]
async fn a_relay_with_its_own_host_name_has_no_other() {
    let server = Server::with_variables(&[("POSTRIDER_RELAY_URL", "https://relay.example.com")]);
    let receiver = Receiver::start().await;
    let listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    let output = listener.output();
    let url = output.split_whitespace().find(|it| it.starts_with("https://relay.example.com/"));
    let here = url.unwrap().replace("https://relay.example.com", &server.url);
    assert_eq!(visit("POST", &here, &[]).await.0, 403);
    assert_eq!(visit("POST", &here, &[("host", "relay.example.com:8443")]).await.0, 200);
}

#[tokio::test]
async fn a_path_cannot_leave_the_programs_url() {
    let server = Server::start();
    let receiver = Receiver::start().await;
    let listener = Listener::start(&server, &receiver.url("hook"), &[]).await;
    let url = listener.url();
    for target in ["../admin", "%2e%2e/admin", "..%2fadmin", "a/..;/..%5cadmin", "/..//admin"] {
        // A client that follows the standard would resolve the path itself.
        let path = url.strip_prefix(&server.url).unwrap();
        let line = format!("POST {path}{target} HTTP/1.1");
        assert_eq!(raw(&server, &line).await, 400, "{target}");
    }
    listener.until("→ 400").await;
    listener.until("rejected, because the path may leave http://").await;
    assert!(receiver.calls("admin").is_empty());
    receiver.set_behavior("hook", Behavior::Status(302));
    assert_eq!(post(&url, "{}").await, 502);
    listener.until("→ 302").await;
    listener.until("redirects are neither followed nor passed on").await;
}

/// Sends a request line as it is; the status of its response.
async fn raw(server: &Server, line: &str) -> u16 {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{line}\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    tokio::time::timeout(MAX_WAIT, answer.read_line(&mut status)).await.unwrap().unwrap();
    status.split(' ').nth(1).unwrap().parse().unwrap()
}
