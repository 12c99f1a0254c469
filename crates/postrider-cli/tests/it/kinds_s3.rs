//! Objects that are written while the process is killed again and again: every message is in the
//! bucket exactly once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

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
struct Store {
    folder: TempDir,
    keys: HashMap<String, String>,
}

fn services() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services")
}

impl Store {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("postrider-test-").tempdir().unwrap();
        let output = Command::new(services())
            .env("POSTRIDER_SERVICES_OWNER", std::process::id().to_string())
            .args(["start", "s3"])
            .arg(folder.path())
            .output()
            .unwrap();
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "SeaweedFS cannot be used: {failed}");
        let keys = String::from_utf8(output.stdout).unwrap();
        let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        Self { folder, keys: keys.lines().filter_map(pair).collect() }
    }

    fn read(&self, prefix: &str) -> BTreeMap<String, Vec<String>> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let python = target.unwrap_or_else(usual).join("services/python/bin/python");
        let arguments = ["-c", READ, &self.keys["url"], &self.keys["bucket"], prefix];
        let output = Command::new(python).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn count(&self, prefix: &str) -> usize {
        self.read(prefix).values().map(Vec::len).sum()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let mut stop = Command::new(services());
        drop(stop.args(["stop", "s3"]).arg(self.folder.path()).arg("KILL").output());
    }
}

fn endpoint(store: &Store) -> Value {
    json!({
        "kind": "s3",
        "config": {
            "bucket": store.keys["bucket"], "region": "us-east-1", "endpointUrl": store.keys["url"],
            "accessKeyId": "test-key", "secretAccessKey": "test-secret",
            "key": "load/{{ date }}/", "maxMessages": 50, "maxWait": "300ms", "gzip": true,
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
    server.post("/app/acme/endpoint", endpoint(&store)).await;
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
