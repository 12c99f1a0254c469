//! Clients that do not read responses, or do not send the rest of a body.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::{MAX_WAIT, Server},
};

/// The memory of the attacked servers for requests and responses.
const MEMORY: u64 = 64 * MIB;

/// Lists that are not read.
const COUNT: usize = 20;

fn server() -> Server {
    Server::with_variables(&[("POSTRIDER_LIMITS__REQUEST_MEMORY", "64MiB")])
}

fn address(server: &Server) -> std::net::SocketAddr {
    server.url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
}

/// Sends the beginning of a request on a connection that takes little at a time.
async fn begin(server: &Server, request: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address(server)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The status of the response; nothing else is read.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    let read = tokio::time::timeout(MAX_WAIT, stream.read_exact(&mut line));
    read.await.unwrap().unwrap();
    std::str::from_utf8(&line).unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn unread_responses_take_no_more_than_a_share_of_the_memory() {
    // Pages are longer than what the system buffers for a client that does not read.
    let server = Server::with_variables(&[
        ("POSTRIDER_LIMITS__REQUEST_MEMORY", "64MiB"),
        ("POSTRIDER_LIMITS__PAGE_BYTES", "4MiB"),
    ]);
    let neighbour = Neighbour::of(&server).await;
    server.application("customer").await;
    for _ in 0..8 {
        server.publish("customer", json!({ "text": "x".repeat(1_000_000) })).await;
    }
    let access = json!({ "readOnly": true });
    let access = server.post("/auth/app-portal-access/customer", access).await;
    let request = format!(
        "GET /api/v1/app/customer/msg?limit=250 HTTP/1.1\r\nhost: a\r\n\
         authorization: Bearer {}\r\n\r\n",
        access["token"].as_str().unwrap()
    );
    let growth = Growth::of(&server);
    let attack = async {
        let mut unread = Vec::new();
        for _ in 0..COUNT {
            let mut stream = begin(&server, &request).await;
            unread.push((status(&mut stream).await, stream));
        }
        unread
    };
    let unread = neighbour.endures(attack).await;
    let count = |wanted: u16| unread.iter().filter(|(status, _)| *status == wanted).count();
    assert!(count(200) > 0 && count(503) > 0 && count(200) + count(503) == COUNT, "{}", count(200));
    growth.is_below(2 * MEMORY);
    drop(unread);
    let answer = async {
        loop {
            let mut stream = begin(&server, &request).await;
            if status(&mut stream).await == 200 {
                break;
            }
        }
    };
    tokio::time::timeout(MAX_WAIT, answer).await.unwrap();
}

/// A source that verifies nothing, and its path.
async fn source(server: &Server, name: &str) -> String {
    let source = json!({ "name": name, "type": "generic-webhook", "uid": name });
    let source = server.ingest("/source", source).await;
    let url = source["ingestUrl"].as_str().unwrap().to_owned();
    url.split_once("/in/").map(|(_, token)| format!("/in/{token}")).unwrap()
}

fn post(path: &str, announced: usize, sent: usize) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {announced}\r\n\r\n");
    head + &"x".repeat(sent)
}

#[tokio::test]
async fn incomplete_bodies_take_little_memory() {
    let server = server();
    let neighbour = Neighbour::of(&server).await;
    let path = source(&server, "attacked").await;
    let growth = Growth::of(&server);
    let attack = async {
        let mut streams = Vec::new();
        for _ in 0..500 {
            streams.push(begin(&server, &post(&path, 1_000_000, 10)).await);
        }
        streams
    };
    let streams = neighbour.endures(attack).await;
    growth.is_below(MEMORY);
    drop(streams);
}

#[tokio::test]
async fn slow_clients_of_one_source_leave_memory_for_others() {
    let server = Server::with_variables(&[
        ("POSTRIDER_INBOUND__MAX_BODY", "1MiB"),
        ("POSTRIDER_LIMITS__BATCH_REQUEST", "2MiB"),
        ("POSTRIDER_LIMITS__REQUEST_MEMORY", "8MiB"),
    ]);
    let neighbour = Neighbour::of(&server).await;
    let (attacked, other) = (source(&server, "attacked").await, source(&server, "other").await);
    let growth = Growth::of(&server);
    let attack = async {
        let mut streams = Vec::new();
        // More than there is memory.
        let begun = post(&attacked, 1_000_000, 900_000);
        for _ in 0..12 {
            streams.push(begin(&server, &begun).await);
        }
        let body = post(&other, 500_000, 500_000);
        let mut healthy = begin(&server, &body).await;
        (status(&mut healthy).await, streams)
    };
    let (healthy, streams) = neighbour.endures(attack).await;
    assert!((200..300).contains(&healthy), "{healthy}");
    growth.is_below(MEMORY);
    drop(streams);
}
