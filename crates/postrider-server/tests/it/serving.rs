//! The server over TCP: limits, timeouts and shutdown.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ipnet::IpNet;
use postrider_server::{Limits, Serving, serve};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::world::{World, settings};

/// A server on a free port.
struct Served {
    world: World,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    draining: CancellationToken,
    tasks: JoinSet<std::io::Result<()>>,
}

async fn served(limits: &Limits) -> Served {
    served_behind(limits, vec!["127.0.0.0/8".parse().unwrap()]).await
}

async fn served_behind(limits: &Limits, trusted_proxies: Vec<IpNet>) -> Served {
    let world = World::with(postrider_server::Settings { limits: *limits, ..settings() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, draining) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let serving = Serving {
        limits: *limits,
        trusted_proxies,
        tls: None,
        draining: draining.clone(),
        threads: Vec::new(),
    };
    tasks.spawn(serve(listener, world.router.clone(), serving, stop.clone()));
    Served { world, address, stop, draining, tasks }
}

async fn exchange(served: &Served, request: &str) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn requests_are_served_until_the_server_is_stopped() {
    let mut served = served(&Limits::default()).await;
    let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(exchange(&served, request).await.starts_with("HTTP/1.1 204"));
    // An idle connection does not delay the shutdown.
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    idle.read_exact(&mut begin).await.unwrap();
    served.stop.cancel();
    served.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

/// The head of a request that is refused without its body, which has four bytes.
fn refused_head(headers: &str) -> String {
    format!("POST /api/v1/app HTTP/1.1\r\nhost: a\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_connection_is_usable_after_a_request_that_is_refused_without_its_body() {
    let served = served(&Limits::default()).await;
    let chunked = "transfer-encoding: chunked\r\n";
    for (framing, body) in [("content-length: 4\r\n", "null"), (chunked, "4\r\nnull\r\n0\r\n\r\n")]
    {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(refused_head(framing).as_bytes()).await.unwrap();
        let early = timeout(Duration::from_millis(50), stream.readable()).await;
        assert!(early.is_err(), "the response waits for the body");
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 401");
        let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("HTTP/1.1 204"), "{framing}: {rest}");
    }
}

#[tokio::test]
async fn a_refused_request_whose_body_does_not_come_closes_its_connection() {
    let served = served(&Limits::default()).await;
    let held_back = "content-length: 4\r\nexpect: 100-continue\r\n";
    for headers in ["content-length: 4\r\n", held_back, "transfer-encoding: chunked\r\n"] {
        let response = exchange(&served, &refused_head(headers)).await;
        assert!(response.starts_with("HTTP/1.1 401"), "{response}");
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
}

#[tokio::test]
async fn a_request_in_progress_is_completed_when_the_server_stops() {
    let mut served = served(&Limits::default()).await;
    let body = json!({ "name": "A" }).to_string();
    let head = format!(
        "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        served.world.token,
        body.len(),
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Once another request has got its response, the first one's head has been read too.
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
    let served = served(&Limits { headers: 20, header_bytes: 8 << 10, ..Limits::default() }).await;
    let many = "x: 1\r\n".repeat(30);
    let long = format!("x: {}\r\n", "x".repeat(20 << 10));
    for headers in [many, long] {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        let answer = exchange(&served, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn an_incomplete_head_times_out() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = served(&limits).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    // The connection is closed, with or without a response.
    stream.read_to_end(&mut answer).await.unwrap();
}

#[tokio::test]
async fn a_silent_connection_times_out_at_every_stage() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = served(&limits).await;
    let answered = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    for begin in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "POST", answered] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        // It may be reset, because its last bytes were never read.
        drop(ended.await.unwrap_or_else(|_| panic!("{begin} is waited for")));
    }
}

#[tokio::test]
async fn an_incomplete_body_times_out() {
    let limits = Limits { body_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = served(&limits).await;
    let request = format!(
        "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 9\r\n\r\n{{",
        served.world.token
    );
    assert!(exchange(&served, &request).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_client_that_sends_too_much_sees_the_response() {
    let limits = Limits { max_payload: 1 << 10, envelope: 1 << 10, ..Limits::default() };
    let served = served(&limits).await;
    let length = 4 << 20;
    let head = format!(
        "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
        served.world.token
    );
    let request = head + &"x".repeat(length);
    assert!(exchange(&served, &request).await.starts_with("HTTP/1.1 413"));
}

const PING: &str = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const DOCS: &str = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// Waits for something that must end soon.
async fn soon<T>(what: &str, something: impl Future<Output = T>) -> T {
    let ended = timeout(Duration::from_secs(10), something).await;
    ended.unwrap_or_else(|_| panic!("{what} did not happen"))
}

impl Served {
    fn connections(&self, count: usize) -> impl Iterator<Item = impl Future<Output = TcpStream>> {
        let address = self.address;
        (0..count).map(move |_| async move { TcpStream::connect(address).await.unwrap() })
    }

    /// A connection with a request in progress that has a valid token.
    async fn with_request_in_progress(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST /api/v1/app HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
             expect: 100-continue\r\ncontent-length: 12\r\n\r\n",
            self.world.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server asks for the body once the token has been checked.
        let mut asked = [0; 25];
        soon("100 Continue", stream.read_exact(&mut asked)).await.unwrap();
        stream
    }

    async fn list_applications(&self) -> String {
        let request = format!(
            "GET /api/v1/app HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             authorization: Bearer {}\r\n\r\n",
            self.world.token
        );
        exchange(self, &request).await
    }
}

#[tokio::test]
async fn an_idle_connection_is_evicted_for_a_new_one() {
    let served = served(&Limits { connections: 1, ..Limits::default() }).await;
    let mut first = TcpStream::connect(served.address).await.unwrap();
    assert!(soon("answer", exchange(&served, PING)).await.starts_with("HTTP/1.1 204"));
    soon("end of the first", first.read(&mut [0])).await.unwrap_or_default();
}

#[tokio::test]
async fn clients_without_a_token_cannot_take_all_connections() {
    let limits = Limits { connections: 20, reserved_connections: 4, ..Limits::default() };
    let served = served(&limits).await;
    let mut slow = Vec::new();
    for number in 0..60 {
        for stream in served.connections(1) {
            let mut stream = stream.await;
            // Some send nothing at all.
            if number % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
            }
            slow.push(stream);
        }
        assert!(soon("health check", exchange(&served, PING)).await.starts_with("HTTP/1.1 204"));
    }
    assert!(soon("list", served.list_applications()).await.starts_with("HTTP/1.1 200"));
    drop(slow);
    let page = async { while !exchange(&served, DOCS).await.starts_with("HTTP/1.1 200") {} };
    soon("page", page).await;
}

#[tokio::test]
async fn a_server_that_drains_asks_clients_for_new_connections() {
    let served = served(&Limits::default()).await;
    let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    served.draining.cancel();
    // The response is complete because the server closes the connection.
    let response = soon("response", exchange(&served, request)).await;
    assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    assert!(response.contains("connection: close"), "{response}");
}

#[tokio::test]
async fn reserved_connections_are_for_health_checks_and_clients_with_a_token() {
    let limits = Limits { connections: 6, reserved_connections: 2, ..Limits::default() };
    let served = served(&limits).await;
    let mut with_request_in_progress = Vec::new();
    for _ in 0..4 {
        with_request_in_progress.push(served.with_request_in_progress().await);
    }
    let refused = soon("answer", exchange(&served, DOCS)).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 1") && refused.contains("limits.connections"));
    assert!(soon("health check", exchange(&served, PING)).await.starts_with("HTTP/1.1 204"));
    assert!(soon("list", served.list_applications()).await.starts_with("HTTP/1.1 200"));
    for _ in 0..2 {
        with_request_in_progress.push(served.with_request_in_progress().await);
    }
    // All are busy: a new one waits until one of them ends.
    let mut waiting = TcpStream::connect(served.address).await.unwrap();
    waiting.write_all(PING.as_bytes()).await.unwrap();
    let answered = timeout(Duration::from_millis(50), waiting.readable()).await;
    assert!(answered.is_err());
    with_request_in_progress[0].write_all(br#"{"name":"A"}"#).await.unwrap();
    let mut created = [0; 12];
    soon("creation", with_request_in_progress[0].read_exact(&mut created)).await.unwrap();
    assert_eq!(created, *b"HTTP/1.1 201");
    with_request_in_progress.remove(0);
    let mut answer = String::new();
    soon("answer", waiting.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

#[tokio::test]
async fn one_address_has_a_limit_of_connections_unless_it_is_a_proxy() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let direct = served_behind(&limits, Vec::new()).await;
    let with_request_in_progress =
        [direct.with_request_in_progress().await, direct.with_request_in_progress().await];
    let mut third = TcpStream::connect(direct.address).await.unwrap();
    let end = soon("refusal", third.read(&mut [0])).await;
    assert_eq!(end.unwrap_or_default(), 0);
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(direct.address).await.unwrap();
    other.write_all(PING.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("answer", other.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    drop(with_request_in_progress);
    let proxied = served(&limits).await;
    let _working =
        [proxied.with_request_in_progress().await, proxied.with_request_in_progress().await];
    assert!(soon("answer", exchange(&proxied, PING)).await.starts_with("HTTP/1.1 204"));
}

/// Starts HTTP/2 without a request.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

#[tokio::test]
async fn http2_connections_that_only_answer_pings_are_closed() {
    let limits = Limits {
        header_timeout: Duration::from_millis(100),
        connection_idle_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = served(&limits).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    silent.write_all(HTTP2).await.unwrap();
    let stream = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let handshake = http2::handshake::<_, _, Body>(TokioExecutor::new(), stream);
    let (mut requests, connection) = handshake.await.unwrap();
    let mut connections = JoinSet::new();
    connections.spawn(async move { drop(connection.await) });
    let ping = Request::get("http://a/api/v1/health/ping").body(Body::empty()).unwrap();
    assert_eq!(requests.send_request(ping).await.unwrap().status(), 204);
    soon("end of the idle connection", connections.join_next()).await.unwrap().unwrap();
    let mut rest = Vec::new();
    soon("end of the silent connection", silent.read_to_end(&mut rest)).await.unwrap_or_default();
}

#[tokio::test]
async fn a_flood_of_http2_resets_closes_the_connection() {
    let served = served(&Limits::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let mut flood = HTTP2.to_vec();
    for id in (1..4_001_u32).step_by(2) {
        let id = id.to_be_bytes();
        // GET / without a body, by indexes of HPACK's static table; then a reset.
        flood.extend([&[0, 0, 6, 1, 5][..], &id, &[0x82, 0x86, 0x84, 0x41, 1, b'a']].concat());
        flood.extend([&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 8]].concat());
    }
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    // Writing fails if the connection is closed first.
    let both = async { tokio::join!(writer.write_all(&flood), reader.read_to_end(&mut answer)) };
    drop(soon("end of the connection", both).await);
    assert!(soon("health check", exchange(&served, PING)).await.starts_with("HTTP/1.1 204"));
}

#[tokio::test]
async fn a_connection_is_closed_at_its_maximum_age_between_two_requests() {
    let limits = Limits { connection_max_age: Duration::from_millis(200), ..Limits::default() };
    let served = served(&limits).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /api/v1/health/ping HTTP/1.1\r\nhost: a\r\n\r\n";
    let asking = async {
        let mut answers = 0;
        loop {
            let mut answer = [0; 1_024];
            if stream.write_all(request.as_bytes()).await.is_err() {
                return answers;
            }
            match stream.read(&mut answer).await {
                Ok(0) | Err(_) => return answers,
                Ok(_) => answers += 1,
            }
        }
    };
    assert!(soon("end of the connection", asking).await > 1);
}

/// A server with a list of 12 MB that closes connections which do not read it at once.
async fn with_short_write_timeout() -> Served {
    let limits = Limits {
        max_payload: 1 << 20,
        page_bytes: 16 << 20,
        write_timeout: Duration::from_millis(200),
        min_transfer_rate: 1 << 30,
        ..Limits::default()
    };
    let served = served(&limits).await;
    served.world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    for _ in 0..12 {
        let message = json!({ "eventType": "t", "payload": { "x": "x".repeat(1_000_000) } });
        served.world.post("/api/v1/app/a/msg", message).await.expect(202);
    }
    served
}

#[tokio::test]
async fn an_http2_client_that_does_not_read_is_disconnected() {
    let served = with_short_write_timeout().await;
    let stream = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let handshake = http2::handshake::<_, _, Body>(TokioExecutor::new(), stream);
    let (mut requests, connection) = handshake.await.unwrap();
    let mut connections = JoinSet::new();
    connections.spawn(async move { drop(connection.await) });
    let list = Request::get("http://a/api/v1/app/a/msg")
        .header("authorization", format!("Bearer {}", served.world.token))
        .body(Body::empty());
    let unread = requests.send_request(list.unwrap()).await.unwrap();
    assert_eq!(unread.status(), 200);
    soon("end of the connection", connections.join_next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let served = with_short_write_timeout().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    let request = format!(
        "GET /api/v1/app/a/msg HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        served.world.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    soon("beginning of the response", stream.read_exact(&mut begin)).await.unwrap();
    assert_eq!(begin, *b"HTTP/1.1 200");
    // The client does not read any more; its writes fail once the server has closed the connection.
    let writing = async {
        while stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("end of the connection", writing).await;
}

#[tokio::test]
async fn connections_are_spread_evenly_over_the_threads() {
    let stop = CancellationToken::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let other = runtime.handle().clone();
    let until = stop.clone();
    let thread = std::thread::Builder::new()
        .name("other".to_owned())
        .spawn(move || runtime.block_on(until.cancelled()))
        .unwrap();
    let name = async || std::thread::current().name().unwrap_or_default().to_owned();
    let router = axum::Router::new().route("/", axum::routing::get(name));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Serving {
        limits: Limits::default(),
        trusted_proxies: Vec::new(),
        tls: None,
        draining: CancellationToken::new(),
        threads: vec![other],
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, router, serving, stop.clone()));
    let mut others = 0;
    for _ in 0..6 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        others += usize::from(response.ends_with("other"));
    }
    assert_eq!(others, 3);
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    thread.join().unwrap();
}
