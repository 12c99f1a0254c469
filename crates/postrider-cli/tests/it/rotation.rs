//! The main secret is rotated under load, on one server that is killed meanwhile and on two nodes
//! that are restarted one after the other.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    receiver::Receiver,
    schema::Schema,
    server::{Caller, Server, until_async},
};

const NEW: &str = "a new main secret with more than 32 bytes";

/// Endpoints that get every message, and further ones that only make the rotation longer.
const ACTIVE: usize = 3;
const IDLE: usize = 250;

/// Endpoints that get messages, by path, with their secrets.
type Endpoints = Vec<(String, String)>;

async fn create_endpoints(server: &Server, receiver: &Receiver) -> Endpoints {
    server.application("acme").await;
    for number in 0..IDLE {
        let headers = json!({ "authorization": format!("Bearer {number}") });
        let url = receiver.url("idle");
        let body = json!({ "url": url, "uid": format!("idle-{number}"), "channels": ["none"], "headers": headers });
        server.post("/app/acme/endpoint", body).await;
    }
    let mut endpoints = Vec::new();
    for number in 0..ACTIVE {
        let path = format!("active-{number}");
        let body = json!({ "url": receiver.url(&path), "uid": path });
        server.post("/app/acme/endpoint", body).await;
        let secret = server.get(&format!("/app/acme/endpoint/{path}/secret")).await;
        endpoints.push((path, secret["key"].as_str().unwrap().to_owned()));
    }
    endpoints
}

/// Publishes messages and changes endpoints until it is stopped.
struct Load {
    is_stopping: Arc<AtomicBool>,
    task: JoinHandle<Vec<String>>,
}

impl Load {
    /// Uses the callers in turn. A call may fail while its server is restarted.
    #[expect(clippy::disallowed_methods, reason = "a test waits for its tasks itself")]
    fn start(callers: Vec<Caller>) -> Self {
        let is_stopping = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&is_stopping);
        let task = tokio::spawn(async move {
            let mut accepted = Vec::new();
            for (number, caller) in callers.iter().cycle().enumerate() {
                if stop.load(Relaxed) {
                    break;
                }
                let body = json!({ "eventType": "test.event", "payload": { "number": number } });
                let published = caller.call(Method::POST, "/app/acme/msg", Some(body)).await;
                if let Ok((202, message)) = published {
                    accepted.push(message["id"].as_str().unwrap().to_owned());
                }
                let path = format!("/app/acme/endpoint/idle-{}", number % IDLE);
                let change = json!({ "description": format!("changed {number}") });
                match caller.call(Method::PATCH, &path, Some(change)).await {
                    Ok((200 | 503, _)) | Err(_) => {},
                    Ok((status, error)) => panic!("{path} responded with {status}: {error}"),
                }
                let rotate = format!("{path}/secret/rotate");
                match caller.call(Method::POST, &rotate, Some(json!({}))).await {
                    Ok((200 | 204 | 503, _)) | Err(_) => {},
                    Ok((status, error)) => panic!("{rotate} responded with {status}: {error}"),
                }
            }
            accepted
        });
        Self { is_stopping, task }
    }

    /// The ids of the messages that were accepted.
    async fn stop(self) -> Vec<String> {
        self.is_stopping.store(true, Relaxed);
        self.task.await.unwrap()
    }
}

/// Everything arrives, and every request is signed with the endpoint's secret.
async fn check_arrivals(receiver: &Receiver, endpoints: &Endpoints, accepted: &[String]) {
    assert!(!accepted.is_empty());
    for (path, secret) in endpoints {
        let has_all = |calls: &[crate::receiver::Call]| {
            accepted.iter().all(|id| calls.iter().any(|call| call.id() == id))
        };
        let calls = receiver.until(path, has_all).await;
        assert!(calls.iter().all(|call| call.is_verified(secret)), "{path}");
    }
}

async fn check_secrets(server: &Server, endpoints: &Endpoints) {
    for (path, secret) in endpoints {
        let found = server.get(&format!("/app/acme/endpoint/{path}/secret")).await;
        assert_eq!(found["key"], *secret);
    }
    for number in 0..IDLE {
        let path = format!("/app/acme/endpoint/idle-{number}");
        let headers = server.get(&format!("{path}/headers")).await;
        assert_eq!(headers["sensitive"], json!(["authorization"]), "{headers}");
        server.get(&format!("{path}/secret")).await;
    }
}

async fn until_rotated(server: &Server) -> Value {
    let ask = || server.get("/main-secret");
    until_async(ask, |it| it["complete"] == true && it["outdatedValues"] == 0).await
}

#[tokio::test]
async fn a_rotation_under_load_survives_a_kill() {
    let receiver = Receiver::start().await;
    let mut server = Server::embedded(&[]);
    let endpoints = create_endpoints(&server, &receiver).await;
    let before = server.get("/main-secret").await;
    assert_eq!((&before["complete"], &before["checkedAt"]), (&json!(true), &Value::Null));
    server.terminate();

    let file = server.folder.path().join("data/main-secret");
    let old = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{NEW}\n{old}")).unwrap();
    let mut accepted = Vec::new();
    for _ in 0..3 {
        server.restart();
        let load = Load::start(vec![server.caller()]);
        let listed = server.get("/main-secret").await;
        assert_eq!(listed["secrets"].as_array().unwrap().len(), 2);
        assert_eq!(listed["secrets"][1]["fingerprint"], before["secrets"][0]["fingerprint"]);
        server.kill();
        accepted.extend(load.stop().await);
    }
    server.restart();
    let load = Load::start(vec![server.caller()]);
    let rotated = until_rotated(&server).await;
    assert!(rotated["secrets"][0]["values"].as_u64().unwrap() >= 500, "{rotated}");
    assert_eq!(rotated["secrets"][1]["values"], 0);
    accepted.extend(load.stop().await);
    server.terminate();

    fs::write(&file, NEW).unwrap();
    server.restart();
    accepted.push(server.publish("acme", json!({ "last": true })).await);
    check_arrivals(&receiver, &endpoints, &accepted).await;
    check_secrets(&server, &endpoints).await;
}

#[tokio::test]
async fn a_rotation_under_load_works_with_two_nodes_that_are_restarted_in_turn() {
    let schema = Arc::new(Schema::create());
    let receiver = Receiver::start().await;
    let first = Server::on_database(&schema, &[]);
    let endpoints = create_endpoints(&first, &receiver).await;
    let folder = Arc::clone(&first.folder);
    let mut nodes = [first, Server::on_store(&folder, Some(&schema), &[])];
    let old = fs::read_to_string(folder.path().join("data/main-secret")).unwrap();
    let old = old.trim();
    let mut accepted = Vec::new();
    // Each step is done by all nodes before the next one begins.
    for secrets in [format!("{old},{NEW}"), format!("{NEW},{old}"), NEW.to_owned()] {
        for index in 0..nodes.len() {
            let other = nodes[1 - index].caller();
            let load = Load::start(vec![other]);
            let node = &mut nodes[index];
            node.set("POSTRIDER_MAIN_SECRET", &secrets);
            node.terminate();
            node.restart();
            accepted.push(node.publish("acme", json!({ "node": index })).await);
            accepted.extend(load.stop().await);
        }
        let load = Load::start(nodes.iter().map(Server::caller).collect());
        for node in &nodes {
            until_rotated(node).await;
        }
        accepted.extend(load.stop().await);
    }
    check_arrivals(&receiver, &endpoints, &accepted).await;
    for node in &nodes {
        check_secrets(node, &endpoints).await;
    }
}
