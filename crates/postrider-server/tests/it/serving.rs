//! The server over TCP: bounds, and the way it ends.

use std::time::Duration;

use postrider_server::{Limits, serve};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::world::{World, settings};

/// A server on a port of its own.
struct Served {
    world: World,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<std::io::Result<()>>,
}

async fn served(limits: Limits) -> Served {
    let world = World::with(postrider_server::Settings { limits, ..settings() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, world.router.clone(), limits, stop.clone()));
    Served { world, address, stop, tasks }
}

async fn exchange(served: &Served, request: &str) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn requests_are_answered_until_the_server_is_stopped() {
    let mut served = served(Limits::default()).await;
    let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(exchange(&served, request).await.starts_with("HTTP/1.1 204"));
    // A connection that is kept open and idle does not hold the end up.
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    idle.read_exact(&mut begin).await.unwrap();
    served.stop.cancel();
    served.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_the_server_stops() {
    let mut served = served(Limits::default()).await;
    let body = json!({ "name": "A" }).to_string();
    let head = format!(
        "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        served.world.token,
        body.len(),
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Once another request was answered, the first one's head has been read too.
    let ping = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    exchange(&served, ping).await;
    served.stop.cancel();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    served.tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn too_many_and_too_long_headers_are_refused() {
    let served = served(Limits { headers: 20, header_bytes: 8 << 10, ..Limits::default() }).await;
    let many = "x: 1\r\n".repeat(30);
    let long = format!("x: {}\r\n", "x".repeat(20 << 10));
    for headers in [many, long] {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        let answer = exchange(&served, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = served(limits).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    // The connection is closed, with or without an answer.
    stream.read_to_end(&mut answer).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_given_up_at_every_stage() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = served(limits).await;
    let answered = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    for begin in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "POST", answered] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        // It may be reset, for its last bytes were never read.
        drop(ended.await.unwrap_or_else(|_| panic!("{begin} is waited for")));
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up() {
    let limits = Limits { body_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = served(limits).await;
    let request = format!(
        "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 9\r\n\r\n{{",
        served.world.token
    );
    assert!(exchange(&served, &request).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn who_sends_too_much_gets_to_see_the_answer() {
    let limits = Limits { max_payload: 1 << 10, envelope: 1 << 10, ..Limits::default() };
    let served = served(limits).await;
    let length = 4 << 20;
    let head = format!(
        "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
        served.world.token
    );
    let request = head + &"x".repeat(length);
    assert!(exchange(&served, &request).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let served = served(Limits { connections: 1, ..Limits::default() }).await;
    let ping = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let first = TcpStream::connect(served.address).await.unwrap();
    let mut second = TcpStream::connect(served.address).await.unwrap();
    second.write_all(ping.as_bytes()).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
    assert!(waiting.is_err());
    drop(first);
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}
