//! Objects that are written while the process is killed again and again: every message is in the
//! bucket exactly once.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Method;
use postrider_testing::{ExternalServer, packages};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::server::{Server, until};

/// Number of times the process is killed.
const KILLS: usize = 4;

const PUBLISHERS: usize = 8;

/// Reads all objects below a prefix with another client: the ids of the messages in each.
const READ: &str = r#"
import boto3, gzip, json, sys
url, bucket, prefix = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1",
    aws_access_key_id="test-key", aws_secret_access_key="test-secret")
objects = {}
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for item in page.get("Contents", []):
        content = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        lines = gzip.decompress(content).splitlines()
        objects[item["Key"]] = [json.loads(line)["id"] for line in lines]
print(json.dumps(objects))
"#;

/// A real store.
struct Store(ExternalServer);

impl Store {
    fn start() -> Self {
        Self(ExternalServer::start("s3", &[]))
    }

    fn read(&self, prefix: &str) -> BTreeMap<String, Vec<String>> {
        let python = packages().join("python/bin/python");
        let arguments = ["-c", READ, self.0.key("url"), self.0.key("bucket"), prefix];
        let output = Command::new(python).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn count(&self, prefix: &str) -> usize {
        self.read(prefix).values().map(Vec::len).sum()
    }
}

/// How late the responses of the store arrive. A process that is killed has then almost always
/// written objects without knowing it.
const DELAY: Duration = Duration::from_millis(400);

/// Passes connections on to a port, with late responses.
#[derive(Debug)]
struct LateStore {
    url: String,
    _tasks: JoinSet<()>,
}

impl LateStore {
    async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass_on(client, port));
            }
        });
        Self { url, _tasks: tasks }
    }
}

async fn pass_on(mut client: TcpStream, port: u16) {
    let Ok(mut store) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut requests, mut to_client) = client.split();
    let (mut responses, mut to_store) = store.split();
    let late = async {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = responses.read(&mut bytes).await?;
            if count == 0 {
                return to_client.shutdown().await;
            }
            tokio::time::sleep(DELAY).await;
            to_client.write_all(bytes.get(..count).unwrap_or_default()).await?;
        }
    };
    let at_once = async {
        tokio::io::copy(&mut requests, &mut to_store).await?;
        to_store.shutdown().await
    };
    let ended: io::Result<((), ())> = tokio::try_join!(late, at_once);
    // A connection of a process that was killed breaks.
    drop(ended);
}

fn endpoint(store: &Store, url: &str) -> Value {
    json!({
        "kind": "s3",
        "config": {
            "bucket": store.0.key("bucket"), "region": "us-east-1", "endpointUrl": url,
            "accessKeyId": "test-key", "secretAccessKey": "test-secret",
            "key": "load/{{ date }}/", "maxMessages": 200, "maxWait": "300ms", "gzip": true,
        },
    })
}

/// Publishes until the process is killed.
fn publish(server: &Server, accepted: &Arc<Mutex<HashSet<String>>>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (caller, accepted) = (server.caller(), Arc::clone(accepted));
        tasks.spawn(async move {
            for n in 0_u64.. {
                let payload = json!({ "publisher": publisher, "n": n });
                let body = json!({ "eventType": "test.event", "payload": payload });
                let response = caller.call(Method::POST, "/app/acme/msg", Some(body)).await;
                let Ok((202, message)) = response else { return };
                let id = message["id"].as_str().unwrap().to_owned();
                accepted.lock().unwrap().insert(id);
                // Late responses limit what can be written.
                tokio::time::sleep(DELAY / 2).await;
            }
        });
    }
    tasks
}

#[tokio::test]
async fn every_message_is_in_the_bucket_once_although_the_process_is_killed_repeatedly() {
    let store = Arc::new(Store::start());
    let mut server = Server::start();
    server.application("acme").await;
    let late = LateStore::start(store.0.port()).await;
    server.post("/app/acme/endpoint", endpoint(&store, &late.url)).await;
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    for _ in 0..KILLS {
        let mut tasks = publish(&server, &accepted);
        // The process is killed while it writes new objects.
        let written = {
            let store = Arc::clone(&store);
            move || {
                let before = store.count("load/");
                until("objects are written", || store.count("load/") > before + 100);
            }
        };
        tokio::task::spawn_blocking(written).await.unwrap();
        server.kill();
        while tasks.join_next().await.is_some() {}
        server.restart();
    }
    let accepted = accepted.lock().unwrap().clone();
    let is_complete = move || {
        let objects = store.read("load/");
        let ids: HashSet<_> = objects.values().flatten().cloned().collect();
        let count = objects.values().map(Vec::len).sum::<usize>();
        assert_eq!(count, ids.len(), "a message is in the bucket more than once");
        accepted.is_subset(&ids)
    };
    let waiting = move || until("all messages are in the bucket", is_complete);
    tokio::task::spawn_blocking(waiting).await.unwrap();
}
