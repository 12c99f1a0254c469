//! Errors of single accesses to the disk.

use http::Method;
use serde_json::{Value, json};

use super::{
    Accepted, check_accepted, on_data, publish, restart_without_faults, said, server_on_disk,
};
use crate::{receiver::Receiver, server::until_async};

/// Every file that is synced, and a request after which it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_stops_the_server_and_is_never_repeated() {
    let receiver = Receiver::start().await;
    for file in ["postrider.db-wal", "index.db"] {
        let (disk, mut server) = server_on_disk(&receiver, file).await;
        let accepted = Accepted::default();
        let caller = server.caller();
        for n in 0..3 {
            assert_eq!(publish(&caller, json!({ "n": n }), &accepted).await, Some(202));
        }
        disk.fail(&format!("sync {file} 1 EIO"));
        let status = publish(&caller, json!({ "n": 3 }), &accepted).await;
        if file == "postrider.db-wal" {
            assert!(status.is_none_or(|it| it == 503), "{status:?}");
        }
        assert_eq!(server.wait().code(), Some(1), "{file}: {}", server.log());
        assert!(server.log().contains("could not be synced to the disk"), "{}", server.log());
        assert!(server.log().contains("check the disk"), "{}", server.log());
        assert_no_sync_after_failure(&disk.log(), file);
        let data = server.folder.path().join("data");
        assert!(data.join("postrider.unsynced").exists());

        restart_without_faults(&mut server);
        assert!(!data.join("postrider.unsynced").exists());
        assert!(server.log().contains("writing the log again"), "{}", server.log());
        assert_eq!(publish(&server.caller(), json!({ "n": 4 }), &accepted).await, Some(202));
        check_accepted(&server, &receiver, file, &accepted).await;
    }
}

#[track_caller]
fn assert_no_sync_after_failure(log: &[String], file: &str) {
    let failed = log.iter().position(|line| line.ends_with(&format!("{file} EIO"))).unwrap();
    let name = |line: &&String| line.starts_with("synced ") && line.contains(".db");
    let later: Vec<_> = log[failed..].iter().filter(name).collect();
    // What another thread was syncing at the same moment is another file.
    assert!(later.iter().all(|line| !line.ends_with(file)), "{later:?}");
}

#[tokio::test]
async fn a_start_with_a_disk_that_cannot_sync_is_refused() {
    let receiver = Receiver::start().await;
    let (disk, mut server) = server_on_disk(&receiver, "start").await;
    let accepted = Accepted::default();
    assert_eq!(publish(&server.caller(), json!({}), &accepted).await, Some(202));
    server.kill();
    for file in ["postrider.db", "postrider.mark", "postrider.db-wal"] {
        disk.fail(&format!("sync {file} 1+ EIO"));
        let data = server.folder.path().join("data");
        let mut command = crate::server::postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        let refused = command.arg(&data).envs(disk.variables()).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{file}: {}", said(&refused));
        assert!(said(&refused).contains(data.to_str().unwrap()), "{file}: {}", said(&refused));
    }
    restart_without_faults(&mut server);
    check_accepted(&server, &receiver, "start", &accepted).await;
}

/// Files that are written while messages are published.
const WRITTEN: [&str; 5] =
    ["postrider.db-wal", "postrider.db", "index.db-wal", "index.db", "postrider.mark"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_fail_refuse_messages_and_lose_none() {
    let receiver = Receiver::start().await;
    let (disk, mut server) = server_on_disk(&receiver, "writes").await;
    let accepted = Accepted::default();
    for file in WRITTEN {
        for fault in ["ENOSPC", "EIO", "short"] {
            disk.fail(&format!("write {file} 1+ {fault}"));
            let caller = server.caller();
            for n in 0..4 {
                let status = publish(&caller, json!({ "n": n }), &accepted).await;
                assert!(matches!(status, Some(202 | 503)), "{file} {fault}: {status:?}");
            }
            let is_log = file == "postrider.db-wal";
            if is_log {
                let health = server.call(Method::GET, "/health", None).await.unwrap();
                // A full disk is noticed by the next write that fits or does not.
                assert!(matches!(health.0, 204 | 503), "{fault}: {health:?}");
                let refused = server.call(Method::POST, "/app/acme/msg", Some(event())).await;
                let (status, response) = refused.unwrap();
                assert_eq!(status, 503, "{fault}: {response}");
                assert!(response["detail"].is_string(), "{fault}: {response}");
            }
            disk.fail("");
            let publish = || async { json!(publish(&caller, json!({}), &accepted).await) };
            until_async(publish, |status| *status == 202).await;
        }
    }
    check_accepted(&server, &receiver, "writes", &accepted).await;
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    restart_without_faults(&mut server);
    check_accepted(&server, &receiver, "writes", &accepted).await;
    let verified = on_data(&server, "verify-data", &[]);
    assert!(verified.status.success(), "{}", said(&verified));
}

fn event() -> Value {
    json!({ "eventType": "test.event", "payload": {} })
}

#[tokio::test]
async fn reads_that_fail_are_errors_and_end_with_the_fault() {
    let receiver = Receiver::start().await;
    let (disk, mut server) = server_on_disk(&receiver, "reads").await;
    let accepted = Accepted::default();
    for n in 0..20 {
        assert_eq!(publish(&server.caller(), json!({ "n": n }), &accepted).await, Some(202));
    }
    // Reads from the files and not from memory.
    server.terminate();
    server.restart();
    disk.fail("read postrider.db 1+ EIO\nread postrider.db-wal 1+ EIO\nread index.db 1+ EIO");
    let (status, response) =
        server.call(Method::GET, "/app/acme/msg?limit=250", None).await.unwrap();
    // SQLite takes a first page that cannot be read for a damaged one.
    assert!(matches!(status, 500 | 503), "{status}: {response}");
    let log = server.log();
    assert!(log.contains("postrider.db is damaged") || log.contains("disk I/O error"), "{log}");
    disk.fail("");
    check_accepted(&server, &receiver, "reads", &accepted).await;
}

/// The log's own checksums, together with the mark, notice what the disk wrote wrongly.
#[tokio::test]
async fn a_log_that_was_written_wrongly_is_not_taken_for_a_shorter_one() {
    let receiver = Receiver::start().await;
    for fault in ["flip", "torn"] {
        let (disk, mut server) = server_on_disk(&receiver, fault).await;
        let accepted = Accepted::default();
        // A page of a frame: each frame is a header and a page.
        disk.fail(&format!("write postrider.db-wal 2 {fault}"));
        for n in 0..5 {
            publish(&server.caller(), json!({ "n": n, "fill": "x".repeat(5_000) }), &accepted)
                .await;
        }
        server.kill();
        let refused = on_data(&server, "serve", &["--listen", "127.0.0.1:0"]);
        assert_eq!(refused.status.code(), Some(1), "{fault}");
        for expected in ["postrider.db-wal", "--accept-loss", "backup"] {
            assert!(said(&refused).contains(expected), "{fault}: {}", said(&refused));
        }
    }
}
