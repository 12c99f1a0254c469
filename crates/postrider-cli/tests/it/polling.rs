//! Polling endpoints of the real binary: it is killed under load, and two nodes append to one log.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};

use crate::{
    restart::start_publishers,
    schema::Schema,
    server::{Caller, Server, postrider, until, until_async},
};

const WORKER: &str = "/app/acme/polling-endpoint/log/consumer/worker";

/// Number of times a process is killed.
const KILLS: usize = 6;

/// How often a client asks at most.
const POLLS: usize = 3_000;

/// What a consumer has received: the message of each offset.
#[derive(Debug, Default)]
struct Reader {
    seen: BTreeMap<u64, String>,
}

impl Reader {
    /// Polls once, and commits what it got. Calls fail while the process is down.
    async fn poll(&mut self, caller: &Caller) {
        let Ok((200, batch)) = caller.call(Method::GET, WORKER, None).await else { return };
        let messages = batch["data"].as_array().unwrap();
        for message in messages {
            let offset = message["offset"].as_u64().unwrap();
            let id = message["id"].as_str().unwrap().to_owned();
            let known = self.seen.entry(offset).or_insert_with(|| id.clone());
            assert_eq!(*known, id, "the offset {offset} has two messages");
        }
        self.check();
        let Some(last) = messages.last() else { return };
        let body = json!({ "offset": last["offset"] });
        // If the response is lost, the messages come again.
        drop(caller.call(Method::POST, &format!("{WORKER}/commit"), Some(body)).await);
    }

    /// Nothing was skipped.
    fn check(&self) {
        let expected: Vec<u64> = (1..).take(self.seen.len()).collect();
        assert_eq!(self.seen.keys().copied().collect::<Vec<_>>(), expected);
    }

    fn has_all(&self, accepted: &HashSet<String>) -> bool {
        let seen: HashSet<_> = self.seen.values().map(String::as_str).collect();
        assert_eq!(seen.len(), self.seen.len(), "a message has two offsets");
        accepted.iter().all(|id| seen.contains(id.as_str()))
    }

    /// Reads until everything that was accepted has arrived.
    async fn finish(&mut self, caller: &Caller, accepted: &HashSet<String>) {
        for _ in 0..POLLS {
            self.poll(caller).await;
            if self.has_all(accepted) {
                return;
            }
            // The lease of a request whose response was lost, and a takeover, need some time.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} of {} messages arrived", self.seen.len(), accepted.len());
    }
}

async fn create(server: &Server) {
    server.application("acme").await;
    let endpoint = json!({ "kind": "polling", "uid": "log" });
    server.post("/app/acme/endpoint", endpoint).await;
}

/// Waits until this many messages were accepted.
async fn accept(accepted: &Arc<Mutex<HashSet<String>>>, enough: usize) {
    let accepted = Arc::clone(accepted);
    let wait = move || until("enough is accepted", || accepted.lock().unwrap().len() >= enough);
    tokio::task::spawn_blocking(wait).await.unwrap();
}

#[tokio::test]
async fn a_consumer_gets_every_accepted_message_although_the_process_is_killed_repeatedly() {
    let mut server = Server::start();
    create(&server).await;
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    let mut reader = Reader::default();
    for round in 1..=KILLS {
        let mut tasks = start_publishers(&server, &accepted);
        let enough = accepted.lock().unwrap().len() + 29 * round;
        let caller = server.caller();
        tokio::join!(accept(&accepted, enough), reader.poll(&caller));
        reader.poll(&caller).await;
        server.kill_and_restart();
        while tasks.join_next().await.is_some() {}
    }
    let accepted = accepted.lock().unwrap().clone();
    reader.finish(&server.caller(), &accepted).await;
}

#[tokio::test]
async fn two_nodes_append_to_one_log_and_one_of_them_is_killed() {
    let schema = Arc::new(Schema::create());
    let first = Server::on_database(&schema, &[]);
    let mut second = Server::on_store(&first.folder, Some(&schema), &[]);
    create(&first).await;
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    let mut reader = Reader::default();
    let mut tasks = start_publishers(&first, &accepted);
    for round in 1..=KILLS {
        let mut others = start_publishers(&second, &accepted);
        let enough = accepted.lock().unwrap().len() + 29 * round;
        let callers = [first.caller(), second.caller()];
        tokio::join!(accept(&accepted, enough), reader.poll(&callers[round % 2]));
        reader.poll(&callers[(round + 1) % 2]).await;
        second.kill_and_restart();
        while others.join_next().await.is_some() {}
    }
    tasks.shutdown().await;
    let accepted: HashSet<String> = accepted.lock().unwrap().clone();
    reader.finish(&first.caller(), &accepted).await;
}

#[tokio::test]
async fn the_command_prints_and_commits() {
    let server = Server::start();
    create(&server).await;
    for n in 1..=3 {
        server.publish("acme", json!({ "n": n })).await;
    }
    let list = || server.get("/app/acme/polling-endpoint/log/consumer");
    until_async(list, |it| it["lastOffset"] == 3).await;
    let token = server.get("/auth/app/acme/poller/log/token").await;
    let token = token["token"].as_str().unwrap().to_owned();
    let poll = |more: &[&str]| {
        let mut command = postrider(&["poll", "acme", "log", "--consumer", "cli"]);
        command.args(["--url", &server.url, "--token", &token]).args(more);
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{errors}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let parse = |line: &str| {
            let message: Value = serde_json::from_str(line).unwrap();
            (message["offset"].as_u64().unwrap(), message["payload"]["n"].as_u64().unwrap())
        };
        lines.lines().map(parse).collect::<Vec<_>>()
    };
    assert_eq!(poll(&["--limit", "2"]), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(poll(&[]), []);
    server.publish("acme", json!({ "n": 4 })).await;
    until_async(list, |it| it["lastOffset"] == 4).await;
    assert_eq!(poll(&["--no-commit", "--lease", "0s"]), [(4, 4)]);
    assert_eq!(poll(&[]), [(4, 4)]);
}
