//! How the server handles connections.

use std::fmt::Write;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    receive::signed,
    server::{MAX_WAIT, Server},
};

const PING: &[u8] = b"GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

fn host(server: &Server) -> String {
    server.url.trim_start_matches("http://").to_owned()
}

/// What is received until the server closes the connection.
async fn response(stream: &mut TcpStream) -> String {
    let mut response = Vec::new();
    timeout(MAX_WAIT, stream.read_to_end(&mut response)).await.unwrap().unwrap();
    String::from_utf8(response).unwrap()
}

/// The number of clients that connect at once, unless this system allows fewer.
fn client_count() -> usize {
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    allowed.trim().parse::<usize>().unwrap().min(2_000)
}

/// While the server is stopped, only the system's accept queue takes connections. If it is too
/// short, some clients cannot connect before the server continues.
#[tokio::test]
async fn two_thousand_clients_connect_at_once() {
    let server = Server::with_variables(&[]);
    server.signal("STOP");
    let mut clients = Vec::new();
    for _ in 0..client_count() {
        let connected = timeout(MAX_WAIT, TcpStream::connect(host(&server))).await;
        let mut client = connected.expect("the queue has room").unwrap();
        client.write_all(PING).await.unwrap();
        clients.push(client);
    }
    server.signal("CONT");
    for client in &mut clients {
        assert!(response(client).await.starts_with("HTTP/1.1 204"));
    }
}

#[tokio::test]
async fn a_client_that_shuts_down_its_sending_side_gets_the_response() {
    let server = Server::start();
    server.application("acme").await;
    let api = |path: &str, body: &str| {
        let (token, length) = (&server.token, body.len());
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    };
    let message = json!({ "eventType": "test.event", "payload": {} }).to_string();
    for (request, status) in [
        (api("/api/v1/app/acme/msg", &message), "202"),
        (api("/api/v1/app/acme/msg", "{"), "4"),
        (String::from_utf8(PING.to_vec()).unwrap(), "204"),
        (webhook(&server).await, "200"),
    ] {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(host(&server)).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let response = response(&mut stream).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {response}");
        }
    }
}

/// A webhook of GitHub to a source of the server, as bytes.
async fn webhook(server: &Server) -> String {
    let ask = json!({ "name": "GitHub", "type": "github", "secrets": [{ "key": "secret" }] });
    let source = server.ingest("/source", ask).await;
    let url = source["ingestUrl"].as_str().unwrap();
    let path = url.get(server.url.len()..).unwrap();
    let (request, body) = signed("github", "secret", url, "{}");
    let request = request.body(()).unwrap();
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n");
    for (name, value) in request.headers() {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text + "\r\n" + std::str::from_utf8(&body).unwrap()
}

/// A connection counts against the limit until the server notices that its client has gone.
#[tokio::test]
async fn a_client_that_disconnects_frees_its_connection() {
    let server = Server::with_variables(&[("POSTRIDER_LIMITS__CONNECTIONS", "1")]);
    let keep_alive = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    for begin in ["", "GET / HT", keep_alive] {
        let mut leaving = TcpStream::connect(host(&server)).await.unwrap();
        leaving.write_all(begin.as_bytes()).await.unwrap();
        drop(leaving);
        let mut next = TcpStream::connect(host(&server)).await.unwrap();
        next.write_all(PING).await.unwrap();
        assert!(response(&mut next).await.starts_with("HTTP/1.1 204"));
    }
}
