//! The disk of a PostgreSQL server that fails under it.

use std::sync::Arc;

use http::Method;
use postrider_testing::FaultyDisk;
use serde_json::{Value, json};

use super::{Accepted, check_accepted, publish};
use crate::{
    database::Database,
    receiver::Receiver,
    schema::Schema,
    server::{Server, until_async},
};

/// What fails, and whether the database's server ends by itself then.
const FAULTS: [(&str, &str, bool); 4] = [
    ("tables", "write /base/ 1+ ENOSPC", false),
    ("log", "write /pg_wal/ 1+ ENOSPC", true),
    ("sync", "sync * 1+ EIO", true),
    ("write", "write /pg_wal/ 1+ EIO", true),
];

/// Text that PostgreSQL cannot compress.
fn incompressible(seed: usize) -> String {
    let digits = (0..4_000_u64).map(|n| {
        let x = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
        format!("{:016x}", x.wrapping_mul(seed as u64 * 2 + 0xBF58_476D_1CE4_E5B9))
    });
    digits.collect()
}

/// Publishes until the server refuses; returns its response.
async fn publish_until_refused(server: &Server, accepted: &Accepted) -> (u16, Value) {
    for n in 0..1_000 {
        let payload = json!({ "n": n, "text": incompressible(n) });
        let event = json!({ "eventType": "test.event", "payload": payload });
        let (status, response) =
            server.call(Method::POST, "/app/acme/msg", Some(event)).await.unwrap();
        if status != 202 {
            return (status, response);
        }
        accepted.lock().unwrap().insert(response["id"].as_str().unwrap().to_owned(), payload);
    }
    panic!("the database stores everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_disk_of_the_database_loses_nothing() {
    let database = Database::new();
    database.script("start", &["shared_buffers=2MB", "max_wal_size=32MB"]);
    database.script("stop", &["fast"]);
    let disk = FaultyDisk::new(&database.folder().join("data"));
    let url = database.script_on(&disk, "start", &[]);
    let schema = Arc::new(Schema::on_server(url));
    let receiver = Receiver::start().await;
    let server = Server::on_database(&schema, &[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("in")).await;
    let accepted = Accepted::default();
    for (name, script, ends) in FAULTS {
        assert_eq!(publish(&server.caller(), json!({ "b": name }), &accepted).await, Some(202));
        disk.fail(script);
        let (status, response) = publish_until_refused(&server, &accepted).await;
        assert_eq!(status, 503, "{name}: {response}");
        assert!(response["code"].is_string() && response["detail"].is_string(), "{response}");
        if name == "tables" {
            let detail = response["detail"].as_str().unwrap();
            assert!(detail.contains("disk is full"), "{response}");
        }
        assert_eq!(server.retry_after(Method::GET, "/health/ping").await.0, 204, "{name}");
        disk.fail("");
        if ends {
            database.restart_on(&disk);
        }
        let health = || async { json!(server.retry_after(Method::GET, "/health").await.0) };
        until_async(health, |status| *status == 204).await;
        assert_eq!(publish(&server.caller(), json!({ "a": name }), &accepted).await, Some(202));
        check_accepted(&server, &receiver, "in", &accepted).await;
        assert!(
            disk.log().iter().any(|it| script.ends_with(it.rsplit(' ').next().unwrap())),
            "{name}"
        );
    }
}
