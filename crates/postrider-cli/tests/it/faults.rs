//! Injected faults: a disk, a network and clocks that fail under the real binary. Afterwards, what
//! was accepted is there and delivered, or an error says what is wrong and what to do.
//!
//! Accesses to the world outside, and the tests in which each fails:
//!
//! | access | fails in |
//! |---|---|
//! | files of the data folder: power cuts | `power` |
//! | syncs, writes and reads that fail, short and torn writes, wrong bits | `errors`, `damage` |
//! | a disk or a quota that is full | `crate::disk`, `errors` |
//! | missing, truncated, old and foreign files | `crate::disk`, `postrider-store/tests/it/embedded` |
//! | the process is killed | `crate::restart`, `tests/cluster` |
//! | connections to the database, to receivers and of clients: errors, cuts, silence, wrong bits, no file descriptors | `network` |
//! | the disk of the database | `postgres` |
//! | any call to the store | the simulation, `postrider-engine/tests/it/simulation.rs` |
//! | HTTP to receivers: no connection, resets, hangs, malformed and endless responses | `crate::unusual_receivers`, `postrider-engine/tests/it/{calls,responses,tls}.rs`, `tests/abuse` |
//! | DNS: errors, delays, rebinding, floods | `crate::dns`, `postrider-engine/tests/it/names.rs` |
//! | PostgreSQL: cut between statement and result | `postrider-store/tests/it/cluster/lost_responses.rs` |
//! | PostgreSQL: restarted, suspended, unreachable | `crate::database`, `tests/cluster` |
//! | brokers, mail and object stores | `postrider-sinks/tests`, `tests/consumers` |
//! | wall clock: jumps under load | `clock` |
//! | wall clock: nodes that disagree | `tests/cluster` |
//! | monotonic clock: the process is suspended | `tests/cluster`; it cannot jump otherwise |

mod clock;
mod damage;
mod errors;
mod network;
mod postgres;
mod power;
mod salvage;

use std::{
    collections::{HashMap, HashSet},
    process::Output,
    sync::{Arc, Mutex},
};

use http::Method;
use postrider_testing::FaultyDisk;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    receiver::{Call, Receiver},
    server::{Caller, Server, postrider},
};

/// The payloads of the messages that got a 202, by id.
type Accepted = Arc<Mutex<HashMap<String, Value>>>;

/// A server on a disk that fails on request, with an application and an endpoint that receives at
/// this path.
async fn server_on_disk(receiver: &Receiver, path: &str) -> (FaultyDisk, Server) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let disk = FaultyDisk::new(&folder.path().join("data"));
    let variables = disk.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::on_store(&folder, None, &variables);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url(path)).await;
    (disk, server)
}

/// Starts the server again, on a disk that works.
fn restart_without_faults(server: &mut Server) {
    server.set("LD_PRELOAD", "");
    server.restart();
}

/// Publishes a message; notes it if it is accepted. Returns the status, or none without a response.
async fn publish(caller: &Caller, payload: Value, accepted: &Accepted) -> Option<u16> {
    let event = json!({ "eventType": "test.event", "payload": payload });
    let (status, response) = caller.call(Method::POST, "/app/acme/msg", Some(event)).await.ok()?;
    if status == 202 {
        let id = response["id"].as_str().unwrap().to_owned();
        accepted.lock().unwrap().insert(id, payload);
    }
    Some(status)
}

/// Clients that publish payloads of this size until the server is gone.
fn publishers(server: &Server, accepted: &Accepted, bytes: usize) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for client in 0..4 {
        let (caller, accepted) = (server.caller(), Arc::clone(accepted));
        tasks.spawn(async move {
            for n in 0.. {
                let payload = json!({ "client": client, "n": n, "fill": "x".repeat(bytes) });
                if publish(&caller, payload, &accepted).await.is_none() {
                    return;
                }
            }
        });
    }
    tasks
}

/// Everything that was accepted is stored, and arrives unchanged.
async fn check_accepted(server: &Server, receiver: &Receiver, path: &str, accepted: &Accepted) {
    let accepted = accepted.lock().unwrap().clone();
    let stored = stored_ids(server).await;
    let missing: Vec<_> = accepted.keys().filter(|id| !stored.contains(*id)).collect();
    assert!(missing.is_empty(), "{path}: {} of {} are lost", missing.len(), accepted.len());
    let arrived = |calls: &[Call]| {
        let ids: HashSet<_> = calls.iter().map(Call::id).collect();
        accepted.keys().all(|id| ids.contains(id.as_str()))
    };
    for call in receiver.until(path, arrived).await {
        let sent: Value = serde_json::from_slice(&call.body).unwrap();
        // A message whose publisher got no response may have been stored all the same.
        assert!(accepted.get(call.id()).is_none_or(|it| *it == sent), "{path}: {sent}");
    }
}

async fn stored_ids(server: &Server) -> HashSet<String> {
    let mut ids = HashSet::new();
    let mut iterator = String::new();
    loop {
        let path = format!("/app/acme/msg?limit=250&with_content=false{iterator}");
        let page = server.get(&path).await;
        let messages = page["data"].as_array().unwrap();
        ids.extend(messages.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        if page["done"] == true {
            return ids;
        }
        iterator = format!("&iterator={}", page["iterator"].as_str().unwrap());
    }
}

/// Runs a command on the server's data folder.
fn on_data(server: &Server, command: &str, more: &[&str]) -> Output {
    let data = server.folder.path().join("data");
    postrider(&[command, "--data"]).arg(data).args(more).output().unwrap()
}

/// What the command wrote to both outputs.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned()).concat()
}
