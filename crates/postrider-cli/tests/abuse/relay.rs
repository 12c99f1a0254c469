//! Attacks by anonymous listeners: they lead browsers to their URLs, and take all connections and
//! memory.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::{MAX_WAIT, Server},
};

/// A listener.
struct Listener(WebSocketStream<TcpStream>);

impl Listener {
    /// Connects, unless it is refused.
    async fn start(server: &Server, name: &str, token: Option<&str>) -> Option<Self> {
        let address = server.url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}/api/v1/listen/").into_client_request().unwrap();
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let (mut socket, _) = client_async(request, stream).await.ok()?;
        let start = json!({ "type": "start", "version": 1, "data": { "token": name } });
        socket.send(Message::text(start.to_string())).await.unwrap();
        let mut listener = Self(socket);
        (listener.next().await?["type"] == "start").then_some(listener)
    }

    /// The next message, unless the connection is closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(MAX_WAIT, self.0.next()).await.unwrap()?.ok()?;
            match message {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {},
            }
        }
    }

    async fn answer(&mut self, event: &Value, status: u16, headers: Value) {
        let data = json!({ "id": event["data"]["id"], "status": status, "headers": headers });
        let answer = json!({ "type": "event", "version": 1, "data": data });
        self.0.send(Message::text(answer.to_string())).await.unwrap();
    }
}

async fn visit(method: Method, url: String, headers: &[(&str, &str)], body: &str) -> Seen {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(url);
    let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let response = tokio::time::timeout(MAX_WAIT, client.request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    drop(body.collect().await);
    Seen { status: parts.status.as_u16(), headers: format!("{:?}", parts.headers) }
}

/// The response that a visitor gets.
struct Seen {
    status: u16,
    headers: String,
}

const NAME: &str = "c_4tVb0KXk9zQm1LrYwS7fGhJn2pD";

/// Headers of a browser with a session.
const SESSION: [(&str, &str); 3] = [
    ("cookie", "session=secret"),
    ("authorization", "Basic c2VjcmV0"),
    ("x-forwarded-user", "secret"),
];

#[tokio::test]
async fn an_anonymous_listener_gets_no_session_of_a_browser() {
    let closed = Server::start();
    assert!(Listener::start(&closed, NAME, None).await.is_none(), "the relay is open by default");
    let server = Server::with_variables(&[("POSTRIDER_RELAY", "true")]);
    let neighbour = Neighbour::of(&server).await;
    let mut stranger = Listener::start(&server, NAME, None).await.unwrap();
    let url = format!("{}/api/v1/receive/{NAME}/", server.url);
    let attack = async {
        // A link, an image, a form and a script of the attacker's page.
        for (method, name, value) in [
            (Method::GET, "accept", "text/html"),
            (Method::GET, "sec-fetch-dest", "image"),
            (Method::POST, "origin", "null"),
            (Method::OPTIONS, "origin", "https://evil.example"),
        ] {
            let headers = [&SESSION[..], &[(name, value)]].concat();
            let seen = visit(method, url.clone(), &headers, "").await;
            assert_eq!(seen.status, 403, "{name}");
        }
        // An old browser, which sends none of the headers that identify browsers.
        for (status, header, expected) in [
            (302, "location", 502),
            (200, "access-control-allow-origin", 200),
            (200, "set-cookie", 200),
        ] {
            let mut visits = JoinSet::new();
            let url = url.clone();
            visits.spawn(async move { visit(Method::POST, url, &SESSION, "{}").await });
            let event = stranger.next().await.unwrap();
            let shown = event.to_string();
            assert!(!shown.contains("secret") && !shown.contains("c2VjcmV0"), "{shown}");
            stranger.answer(&event, status, json!({ header: "https://evil.example" })).await;
            let seen = visits.join_next().await.unwrap().unwrap();
            assert_eq!(seen.status, expected, "{header}");
            assert!(!seen.headers.contains("evil.example"), "{}", seen.headers);
        }
    };
    neighbour.endures(attack).await;
}

#[tokio::test]
async fn anonymous_listeners_cannot_crowd_out_authenticated_ones() {
    let server = Server::with_variables(&[
        ("POSTRIDER_RELAY", "true"),
        ("POSTRIDER_LIMITS__RELAY_SESSIONS", "20"),
        ("POSTRIDER_LIMITS__RELAY_BYTES", "8MiB"),
    ]);
    let neighbour = Neighbour::of(&server).await;
    let growth = Growth::of(&server);
    let (strangers, _held) = neighbour.endures(take_all(&server)).await;
    assert!(strangers.len() <= 20, "{} strangers listen", strangers.len());
    let mut holder =
        Listener::start(&server, "c_ofTheTokenHolder00000000", Some(&server.token)).await;
    let holder = holder.as_mut().unwrap();
    let url = format!("{}/api/v1/receive/c_ofTheTokenHolder00000000/", server.url);
    let mut visits = JoinSet::new();
    let body = "x".repeat(256 << 10);
    visits.spawn(async move { visit(Method::POST, url, &[], &body).await });
    let event = holder.next().await.unwrap();
    holder.answer(&event, 202, json!({})).await;
    assert_eq!(visits.join_next().await.unwrap().unwrap().status, 202);
    growth.is_below(64 * MIB);
}

/// Takes all connections and all memory that anonymous listeners can have, and holds them.
async fn take_all(server: &Server) -> (Vec<Listener>, JoinSet<Seen>) {
    let (mut strangers, mut held) = (Vec::new(), JoinSet::new());
    for number in 0..25 {
        let name = format!("c_stranger{number:020}");
        strangers.extend(Listener::start(server, &name, None).await);
    }
    // One after the other, because an unoptimized server spends a while on each.
    for (number, stranger) in strangers.iter_mut().enumerate() {
        let url = format!("{}/api/v1/receive/c_stranger{number:020}/", server.url);
        held.spawn(async move {
            let body = "x".repeat(256 << 10);
            visit(Method::POST, url, &[], &body).await
        });
        tokio::select! {
            // It never gets a response.
            event = stranger.next() => assert!(event.is_some()),
            refused = held.join_next() => {
                assert_eq!(refused.unwrap().unwrap().status, 503);
                return (strangers, held);
            },
        }
    }
    panic!("strangers have no bound");
}
