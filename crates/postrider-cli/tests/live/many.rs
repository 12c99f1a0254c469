//! Ten thousand readers on one node: the memory of each, and the time until all have an event.
//!
//! Run with a release build, because it measures:
//! `cargo test --release -p postrider-cli --test live -- --ignored --nocapture many`

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{live::Live, server::Server, stream::Stream};

const READERS: usize = 10_000;

/// Connections that are opened at a time.
const OPENING: usize = 100;

const EVENTS: usize = 20;

/// A bound that holds on a busy machine, with a build without optimization.
const MAX_BYTES: usize = 100 << 10;

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

fn server() -> Server {
    raise_descriptor_limit();
    Server::embedded(&[
        ("POSTRIDER_LIMITS__LIVE_READERS", "30000"),
        ("POSTRIDER_LIMITS__CONNECTIONS_PER_ADDRESS", "20000"),
    ])
}

/// Resident memory of a process in bytes.
fn memory(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

enum Reader {
    Page(Stream),
    Socket(Box<WebSocketStream<TcpStream>>),
}

impl Reader {
    async fn open(server: &Server, path: &str, is_socket: bool) -> Self {
        if !is_socket {
            return Self::Page(Stream::open(server, path, "").await);
        }
        let address = server.url.strip_prefix("http://").unwrap();
        let tcp = TcpStream::connect(address).await.unwrap();
        let request = format!("ws://{address}{path}").into_client_request().unwrap();
        let config = WebSocketConfig::default().read_buffer_size(1 << 10).write_buffer_size(0);
        let opened = client_async_with_config(request, tcp, Some(config)).await;
        Self::Socket(Box::new(opened.unwrap().0))
    }

    /// Waits for the next event.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other messages are not expected")]
    async fn next(&mut self) {
        match self {
            Self::Page(stream) => drop(stream.next().await),
            Self::Socket(socket) => loop {
                match socket.next().await.unwrap().unwrap() {
                    Message::Text(text) if text.contains("\"message\"") => return,
                    _ => {},
                }
            },
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is run by hand")]
async fn measure(name: &str, is_socket: bool) {
    let server = server();
    let live = Live::create(&server, "acme", json!({})).await;
    let path = live.path(&server).await;
    // The first reader and event pay for what all have in common.
    let mut first = Reader::open(&server, &path, is_socket).await;
    server.publish("acme", json!({ "number": 0 })).await;
    first.next().await;
    let before = memory(server.process());
    let (received, mut receipts) = mpsc::channel(READERS);
    let mut readers = JoinSet::new();
    for _ in 0..READERS / OPENING {
        let opening = (0..OPENING).map(|_| Reader::open(&server, &path, is_socket));
        for mut reader in futures_util::future::join_all(opening).await {
            let received = received.clone();
            readers.spawn(async move {
                loop {
                    reader.next().await;
                    received.send(now()).await.unwrap();
                }
            });
        }
    }
    let each = (memory(server.process()) - before) / READERS;
    println!("{name}: {READERS} readers, {each} bytes of memory for each");
    let mut times: Vec<[Duration; 3]> = Vec::new();
    for number in 1..=EVENTS {
        let published_at = now();
        server.publish("acme", json!({ "number": number })).await;
        let mut at = Vec::with_capacity(READERS);
        while at.len() < READERS {
            at.push(receipts.recv().await.unwrap() - published_at);
        }
        at.sort_unstable();
        times.push([at[0], at[READERS / 2], at[READERS - 1]]);
    }
    let after = (memory(server.process()) - before) / READERS;
    let median = |index: usize| {
        let mut all: Vec<_> = times.iter().map(|it| it[index]).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    println!(
        "{name}: from publishing until the first reader has the event {:?}, half of them {:?}, \
         all {:?} (medians of {EVENTS} events); then {after} bytes for each",
        median(0),
        median(1),
        median(2),
    );
    assert!(after < MAX_BYTES, "{after} bytes for each reader");
}

#[tokio::test]
#[ignore = "it needs a quiet machine and 20,000 file descriptors"]
async fn many_pages() {
    measure("Server-Sent Events", false).await;
}

#[tokio::test]
#[ignore = "it needs a quiet machine and 20,000 file descriptors"]
async fn many_sockets() {
    measure("WebSocket", true).await;
}
