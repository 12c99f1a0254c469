//! Connections that fail: to the database, to receivers, and those of clients.

use std::{collections::BTreeSet, sync::Arc};

use http::Method;
use postrider_testing::FaultyNetwork;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{Accepted, check_accepted, publish};
use crate::{
    receiver::Receiver,
    schema::Schema,
    server::{Caller, Server, until_async},
};

/// So many retries that no fault of a test outlasts them.
const RETRIES: &str = "100ms,100ms,200ms,200ms,300ms,300ms,500ms,500ms,500ms,500ms,500ms,500ms,\
                       500ms,500ms,500ms,500ms,500ms,500ms,500ms,500ms,500ms,500ms,500ms,500ms";

const CLIENTS: usize = 4;
const MESSAGES: usize = 8;

async fn server_on_network(
    receiver: &Receiver,
    path: &str,
    schema: Option<&Arc<Schema>>,
) -> (FaultyNetwork, Server) {
    let network = FaultyNetwork::build();
    let variables = network.variables();
    let mut variables: Vec<_> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.push(("POSTRIDER_RETRY_SCHEDULE", RETRIES));
    variables.push(("POSTRIDER_LIMITS__DATABASE_TIMEOUT", "2s"));
    variables.push(("POSTRIDER_REQUEST_TIMEOUT", "2s"));
    let server = match schema {
        Some(schema) => Server::on_database(schema, &variables),
        None => Server::embedded(&variables),
    };
    server.application("acme").await;
    server.endpoint("acme", &receiver.url(path)).await;
    (network, server)
}

/// Publishes with several clients, each of which gets a response to every request. Returns the
/// statuses and codes that occurred.
async fn publish_some(server: &Server, accepted: &Accepted, fill: usize) -> BTreeSet<String> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (caller, accepted) = (server.caller(), Arc::clone(accepted));
        clients.spawn(async move {
            let mut seen = BTreeSet::new();
            for n in 0..MESSAGES {
                let payload = json!({ "client": client, "n": n, "fill": "x".repeat(fill) });
                seen.insert(publish_one(&caller, payload, &accepted).await);
            }
            seen
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

async fn publish_one(caller: &Caller, payload: Value, accepted: &Accepted) -> String {
    let event = json!({ "eventType": "test.event", "payload": payload });
    let (status, response) = caller.call(Method::POST, "/app/acme/msg", Some(event)).await.unwrap();
    if status != 202 {
        assert!(response["detail"].as_str().is_some_and(|it| !it.is_empty()), "{response}");
        return format!("{status} {}", response["code"].as_str().unwrap_or_default());
    }
    let id = response["id"].as_str().unwrap().to_owned();
    accepted.lock().unwrap().insert(id, payload);
    "202".to_owned()
}

async fn wait_until_healthy(server: &Server) {
    let health = || async { json!(server.retry_after(Method::GET, "/health").await.0) };
    until_async(health, |status| *status == 204).await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Every request is refused with 503 while the fault lasts.
    Refused,
    /// Requests are accepted or refused with 503.
    Either,
    /// The same, or refused with 500 where a value of the database was damaged on its way.
    Damaged,
    /// The fault is not noticed.
    Accepted,
}

/// What the database's connections do; `P` is its port.
const DATABASE: [(&str, &str, Expected); 9] = [
    ("flip", "receive P 6 flip\nreceive P 15 flip", Expected::Damaged),
    ("request", "send P 4 cut\nsend P 11 cut\nsend P 19 cut", Expected::Either),
    ("response", "receive P 3 cut\nreceive P 9 cut\nreceive P 20 cut", Expected::Either),
    ("reset", "receive P 2 ECONNRESET\nreceive P 8 ECONNRESET", Expected::Either),
    // More sends fail than there are connections, so that others are opened.
    ("small", "send P 1-24 ECONNRESET\nconnect P 1+ small", Expected::Either),
    ("refused", "send P 1+ ECONNRESET\nconnect P 1+ ECONNREFUSED", Expected::Refused),
    ("late", "send P 1+ ECONNRESET\nconnect P 1+ ETIMEDOUT", Expected::Refused),
    ("files", "send P 1+ ECONNRESET\nsocket * 1+ EMFILE", Expected::Refused),
    ("silent", "receive P 1+ silent", Expected::Refused),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_the_database_that_fail_lose_nothing() {
    let receiver = Receiver::start().await;
    let schema = Arc::new(Schema::create());
    let (network, server) = server_on_network(&receiver, "database", Some(&schema)).await;
    let config: tokio_postgres::Config = schema.url.parse().unwrap();
    let port = format!("{} ", config.get_ports()[0]);
    let accepted = Accepted::default();
    for (name, script, expected) in DATABASE {
        network.fail(&script.replace("P ", &port));
        let fill = if name == "small" { 100_000 } else { 10 };
        let seen = publish_some(&server, &accepted, fill).await;
        let refused = |it: &String| it.starts_with("503 ") && it.len() > 4;
        match expected {
            Expected::Refused => assert!(seen.iter().all(refused), "{name}: {seen:?}"),
            Expected::Either => {
                assert!(seen.iter().all(|it| it == "202" || refused(it)), "{name}: {seen:?}");
            },
            Expected::Damaged => {
                let answered = |it: &String| it == "202" || it == "500 server_error" || refused(it);
                assert!(seen.iter().all(answered), "{name}: {seen:?}");
            },
            Expected::Accepted => assert_eq!(seen, ["202".to_owned()].into(), "{name}"),
        }
        network.fail("");
        wait_until_healthy(&server).await;
        let last = publish(&server.caller(), json!({ "after": name }), &accepted).await;
        assert_eq!(last, Some(202), "{name}");
        check_accepted(&server, &receiver, "database", &accepted).await;
    }
    let faults = network.log();
    for action in ["flip", "cut", "ECONNRESET", "small", "ECONNREFUSED", "EMFILE", "silent"] {
        assert!(faults.iter().any(|it| it.ends_with(action)), "{action} did not happen");
    }
}

/// What the receiver's connections do; `P` is its port.
const RECEIVER: [(&str, &str, Expected); 8] = [
    ("small", "connect P 1+ small", Expected::Accepted),
    ("refused", "connect P 1+ ECONNREFUSED\nsend P 1+ ECONNRESET", Expected::Refused),
    ("late", "connect P 1+ ETIMEDOUT\nsend P 1+ ECONNRESET", Expected::Refused),
    ("files", "socket * 1+ EMFILE\nsend P 1+ ECONNRESET", Expected::Refused),
    ("table", "socket * 1+ ENFILE\nsend P 1+ ECONNRESET", Expected::Refused),
    ("request", "send P 1+ cut", Expected::Refused),
    // The status is in the half that arrives.
    ("response", "receive P 1+ cut", Expected::Accepted),
    ("silent", "receive P 1+ silent", Expected::Refused),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_receiver_that_fail_are_failed_attempts() {
    let receiver = Receiver::start().await;
    let port = format!("{} ", receiver.address.port());
    for (name, script, expected) in RECEIVER {
        let (network, server) = server_on_network(&receiver, name, None).await;
        let accepted = Accepted::default();
        network.fail(&script.replace("P ", &port));
        let fill = if name == "small" { 200_000 } else { 10 };
        let seen = publish_some(&server, &accepted, fill).await;
        assert_eq!(seen, ["202".to_owned()].into(), "{name}");
        if expected == Expected::Refused {
            let failed = until_async(
                || server.get("/attempt?status=2"),
                |it| !it["data"].as_array().unwrap().is_empty(),
            );
            let failed = failed.await;
            for field in ["cause", "remedy"] {
                let text = failed["data"][0][field].as_str();
                assert!(text.is_some_and(|it| !it.is_empty()), "{name}, {field}: {failed}");
            }
        }
        network.fail("");
        check_accepted(&server, &receiver, name, &accepted).await;
        assert!(!network.log().is_empty(), "{name} did not happen");
    }
}

/// The version and status of the response to a request on an open connection.
async fn ping(connection: &mut TcpStream, request: &str) -> String {
    connection.write_all(request.as_bytes()).await.unwrap();
    response_of(connection).await
}

async fn response_of(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    String::from_utf8_lossy(&head[..12]).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_cannot_be_accepted_wait_until_they_can() {
    let receiver = Receiver::start().await;
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ECONNABORTED"] {
        let (network, server) = server_on_network(&receiver, error, None).await;
        let accepted = Accepted::default();
        let address = server.caller().authority();
        let (_, port) = address.rsplit_once(':').unwrap();
        assert_eq!(publish(&server.caller(), json!({}), &accepted).await, Some(202));
        let request = format!("GET /api/v1/health/ping HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let mut open = TcpStream::connect(&address).await.unwrap();
        assert_eq!(ping(&mut open, &request).await, "HTTP/1.1 204", "{error}");
        network.fail(&format!("accept {port} 1+ {error}"));
        let mut waiting = TcpStream::connect(&address).await.unwrap();
        waiting.write_all(request.as_bytes()).await.unwrap();
        let failures =
            || async { json!(network.log().iter().filter(|it| it.ends_with(error)).count()) };
        until_async(failures, |count| count.as_u64() >= Some(5)).await;
        for _ in 0..10 {
            assert_eq!(ping(&mut open, &request).await, "HTTP/1.1 204", "{error}");
        }
        network.fail("");
        assert_eq!(response_of(&mut waiting).await, "HTTP/1.1 204", "{error}");
        check_accepted(&server, &receiver, error, &accepted).await;
        let log = server.log();
        let said = log.matches("connections cannot be accepted").count();
        assert_eq!(said, 1, "{error}: {log}");
        assert!(error == "ECONNABORTED" || log.contains("ulimit -n"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_clients_that_break_lose_nothing_accepted() {
    let receiver = Receiver::start().await;
    let (network, server) = server_on_network(&receiver, "clients", None).await;
    let accepted = Accepted::default();
    let address = server.caller().authority();
    let (_, port) = address.rsplit_once(':').unwrap();
    for fault in ["receive P 3 cut", "send P 3 cut", "receive P 2 ECONNRESET", "send P 2 EPIPE"] {
        network.fail(&fault.replace("P ", &format!("{port} ")));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (caller, accepted) = (server.caller(), Arc::clone(&accepted));
            clients.spawn(async move {
                for n in 0..MESSAGES {
                    let payload = json!({ "client": client, "n": n, "fill": "x".repeat(5_000) });
                    let status = publish(&caller, payload, &accepted).await;
                    assert!(status.is_none_or(|it| it == 202 || it == 400), "{status:?}");
                }
            });
        }
        clients.join_all().await;
        network.fail("");
        assert_eq!(publish(&server.caller(), json!({}), &accepted).await, Some(202), "{fault}");
    }
    check_accepted(&server, &receiver, "clients", &accepted).await;
    assert!(network.log().iter().any(|it| it.ends_with("cut")), "{:?}", network.log());
}
