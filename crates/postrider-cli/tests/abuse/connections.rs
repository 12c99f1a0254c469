//! Clients without a token that hold connections as long as they can.

use std::time::Instant;

use http::{Method, Request};
use http_body_util::Empty;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::{
    attack_time,
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::{MAX_WAIT, Server},
};

/// The start of an HTTP/2 connection.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// A connection from an address of the attacker's own.
async fn connect(server: &Server) -> TcpStream {
    let address = server.url.trim_start_matches("http://").trim_end_matches('/');
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

/// A health check on its own connection.
async fn health(server: &Server) -> String {
    let address = server.url.trim_start_matches("http://").trim_end_matches('/');
    let check = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    tokio::time::timeout(MAX_WAIT, check).await.unwrap()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the attack lasts for a time")]
async fn slow_heads_on_all_connections_block_no_other_client() {
    let server = Server::with_variables(&[
        ("POSTRIDER_LIMITS__CONNECTIONS", "100"),
        ("POSTRIDER_LIMITS__RESERVED_CONNECTIONS", "10"),
        // Connections from this machine count by their addresses.
        ("POSTRIDER_TRUSTED_PROXIES", "192.0.2.0/24"),
    ]);
    let neighbour = Neighbour::of(&server).await;
    let growth = Growth::of(&server);
    let attack = async {
        let begin = Instant::now();
        let mut streams = Vec::new();
        while begin.elapsed() < attack_time() {
            for number in 0..50 {
                let mut stream = connect(&server).await;
                let head: &[u8] = if number % 2 == 0 { b"GET / HTTP/1.1\r\nhost:" } else { HTTP2 };
                // It may have been evicted already.
                drop(stream.write_all(head).await);
                streams.push(stream);
            }
            assert!(health(&server).await.starts_with("HTTP/1.1 204"));
            // The attacker drops those that were evicted.
            streams.drain(..streams.len().saturating_sub(300));
        }
        server.call(Method::GET, "/app", None).await.unwrap().0
    };
    assert_eq!(neighbour.endures(attack).await, 200);
    growth.is_below(64 * MIB);
}

/// A connection over HTTP/2 that answers pings.
async fn polite(server: &Server, tasks: &mut JoinSet<()>) -> SendRequest<Empty<&'static [u8]>> {
    let stream = TokioIo::new(connect(server).await);
    let (requests, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tasks.spawn(async move { drop(connection.await) });
    requests
}

#[tokio::test]
async fn idle_http2_connections_end_although_they_answer_pings() {
    let server = Server::with_variables(&[
        ("POSTRIDER_LIMITS__HEADER_TIMEOUT", "500ms"),
        ("POSTRIDER_LIMITS__CONNECTION_IDLE_TIMEOUT", "1s"),
    ]);
    let neighbour = Neighbour::of(&server).await;
    let attack = async {
        let (mut tasks, mut idle) = (JoinSet::new(), Vec::new());
        for number in 0..50 {
            let mut requests = polite(&server, &mut tasks).await;
            if number % 2 == 0 {
                let url = format!("{}/api/v1/health/ping", server.url);
                let ping = Request::get(url).body(Empty::new()).unwrap();
                assert_eq!(requests.send_request(ping).await.unwrap().status(), 204);
            }
            idle.push(requests);
        }
        let ended = async { while tasks.join_next().await.is_some() {} };
        tokio::time::timeout(MAX_WAIT, ended).await.unwrap();
        drop(idle);
    };
    neighbour.endures(attack).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the attack lasts for a time")]
async fn floods_of_http2_resets_are_cut_off() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    let growth = Growth::of(&server);
    let mut flood = HTTP2.to_vec();
    for id in (1..2_001_u32).step_by(2) {
        let id = id.to_be_bytes();
        // GET / without a body, by indexes of HPACK's static table; then a reset.
        flood.extend([&[0, 0, 6, 1, 5][..], &id, &[0x82, 0x86, 0x84, 0x41, 1, b'a']].concat());
        flood.extend([&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 8]].concat());
    }
    let attack = async {
        let begin = Instant::now();
        while begin.elapsed() < attack_time() {
            let mut stream = connect(&server).await;
            let (mut reader, mut writer) = stream.split();
            let mut answer = Vec::new();
            let both =
                async { tokio::join!(writer.write_all(&flood), reader.read_to_end(&mut answer)) };
            // The writing fails if the end comes first.
            drop(tokio::time::timeout(MAX_WAIT, both).await.unwrap());
        }
    };
    neighbour.endures(attack).await;
    growth.is_below(64 * MIB);
}
