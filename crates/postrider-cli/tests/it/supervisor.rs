//! The server under a supervisor such as systemd or Kubernetes: what it reports, and how it shuts
//! down without losing requests.

use std::{
    os::unix::net::UnixDatagram,
    process::Output,
    sync::{Arc, Mutex},
};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    schema::Schema,
    server::{Caller, MAX_WAIT, Server, postrider, until_async},
};

/// The socket of a supervisor.
struct Supervisor {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Supervisor {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(MAX_WAIT)).unwrap();
        Self { socket, folder }
    }

    fn start(&self, variables: &[(&'static str, &str)]) -> Server {
        let path = self.folder.path().join("notify");
        let named = [("NOTIFY_SOCKET", path.to_str().unwrap())];
        Server::with_variables(&[&named, variables].concat())
    }

    fn next(&self) -> String {
        let mut bytes = [0; 64];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// The next report that is not about the watchdog.
    fn next_change(&self) -> String {
        std::iter::repeat_with(|| self.next()).find(|it| it != "WATCHDOG=1").unwrap()
    }
}

#[test]
fn the_supervisor_learns_when_the_server_is_ready_reloads_and_stops() {
    let supervisor = Supervisor::new();
    let mut server = supervisor.start(&[]);
    assert_eq!(supervisor.next(), "READY=1");
    // Without a certificate there is nothing to reload.
    server.signal("HUP");
    assert_eq!(supervisor.next(), "RELOADING=1");
    assert_eq!(supervisor.next(), "READY=1");
    assert!(server.terminate().success());
    assert_eq!(supervisor.next(), "STOPPING=1");
}

#[test]
fn the_supervisor_learns_again_and_again_that_the_server_works() {
    let supervisor = Supervisor::new();
    let mut server = supervisor.start(&[("WATCHDOG_USEC", "100000")]);
    assert_eq!(supervisor.next_change(), "READY=1");
    for _ in 0..3 {
        assert_eq!(supervisor.next(), "WATCHDOG=1");
    }
    assert!(server.terminate().success());
    assert_eq!(supervisor.next_change(), "STOPPING=1");
}

/// Status and `Connection` of the response to a published message.
async fn publish(server: &Server) -> (u16, Option<String>) {
    let body = json!({ "eventType": "test.event", "payload": {} }).to_string();
    let response = server.caller().respond(Method::POST, "/app/a/msg", body).await.unwrap();
    let connection = response.headers().get("connection");
    let connection = connection.map(|it| it.to_str().unwrap().to_owned());
    (response.status().as_u16(), connection)
}

/// What the health check of a container says.
fn health(server: &Server) -> Output {
    postrider(&["health", "--url", &server.url]).output().unwrap()
}

#[tokio::test]
async fn a_server_that_drains_is_not_ready_but_accepts_messages() {
    let mut server = Server::with_variables(&[("POSTRIDER_SHUTDOWN_DELAY", "1h")]);
    server.post("/app", json!({ "name": "A", "uid": "a" })).await;
    let ready = async || server.call(Method::GET, "/health/ready", None).await.unwrap();
    assert_eq!(ready().await.0, 204);
    assert!(health(&server).status.success());
    assert_eq!(publish(&server).await, (202, None));
    server.signal("TERM");
    until_async(|| async { json!(ready().await.0) }, |status| *status == 503).await;
    let (_, error): (u16, Value) = ready().await;
    assert_eq!(error["detail"], "the server is shutting down");
    let checked = health(&server);
    assert_eq!(checked.status.code(), Some(1));
    let message = String::from_utf8(checked.stderr).unwrap();
    assert!(message.contains("the server is shutting down"), "{message}");
    assert_eq!(publish(&server).await, (202, Some("close".to_owned())));
    assert_eq!(server.call(Method::GET, "/health/ping", None).await.unwrap().0, 204);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(130), "the second signal ends the delay");
}

#[test]
fn the_server_shuts_down_after_the_delay() {
    let mut server = Server::with_variables(&[("POSTRIDER_SHUTDOWN_DELAY", "100ms")]);
    assert!(server.terminate().success());
}

/// What a load balancer knows: which servers are ready.
#[derive(Clone, Default)]
struct Balancer {
    ready: Arc<Mutex<Vec<Caller>>>,
}

impl Balancer {
    /// Sends no more requests to a server after it was not ready once.
    async fn follow(self, servers: Vec<Caller>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut ready = Vec::new();
            for server in &servers {
                if matches!(server.call(Method::GET, "/health/ready", None).await, Ok((204, _))) {
                    ready.push(server.clone());
                }
            }
            *self.ready.lock().unwrap() = ready;
            tokio::task::yield_now().await;
        }
    }

    /// Publishes one message after the other; returns the number of those that were accepted, and
    /// everything else.
    async fn publish(self, stop: CancellationToken) -> (usize, Vec<String>) {
        let (mut accepted, mut failed) = (0, Vec::new());
        for turn in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let ready = self.ready.lock().unwrap().clone();
            let body = json!({ "eventType": "test.event", "payload": { "turn": turn } });
            let server = &ready[turn % ready.len()];
            match server.call(Method::POST, "/app/a/msg", Some(body)).await {
                Ok((202, _)) => accepted += 1,
                other => failed.push(format!("{other:?}")),
            }
        }
        (accepted, failed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_rolling_update_on_postgresql_loses_no_request() {
    let schema = Arc::new(Schema::create());
    let settings = [("POSTRIDER_SHUTDOWN_DELAY", "2s")];
    let first = Server::on_database(&schema, &settings);
    let folder = Arc::clone(&first.folder);
    let start = || Server::on_store(&folder, Some(&schema), &settings);
    first.application("a").await;
    let mut old = [first, start()];
    let new = [start(), start()];
    let caller = old[0].caller();
    let servers: Vec<_> = old.iter().chain(&new).map(|it| caller.clone().at(it)).collect();

    let (balancer, stop) = (Balancer::default(), CancellationToken::new());
    *balancer.ready.lock().unwrap() = servers.clone();
    let mut following = JoinSet::new();
    following.spawn(balancer.clone().follow(servers, stop.clone()));
    let mut publishing = JoinSet::new();
    for _ in 0..4 {
        publishing.spawn(balancer.clone().publish(stop.clone()));
    }
    for server in &mut old {
        assert!(tokio::task::block_in_place(|| server.terminate()).success());
    }
    stop.cancel();
    following.join_all().await;
    for (accepted, failed) in publishing.join_all().await {
        assert!(failed.is_empty(), "{failed:?}");
        assert!(accepted > 0);
    }
}
