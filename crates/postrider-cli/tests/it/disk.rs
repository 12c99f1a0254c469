//! Full disks and damaged files.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use http::Method;
use serde_json::{Value, json};

use crate::{
    receiver::{Call, Receiver},
    server::{Server, postrider, until_async},
};

/// An event with a payload of 64 KiB.
fn large_event() -> Value {
    json!({ "eventType": "test.event", "payload": { "text": "x".repeat(64 << 10) } })
}

#[tokio::test]
async fn a_full_disk_rejects_messages_with_503_and_recovers_once_there_is_space() {
    let receiver = Receiver::start().await;
    let mut server = Server::with_variables(&[("POSTRIDER_LIMITS__STORE_PAGES", "600")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let mut accepted = HashSet::new();
    let refused = loop {
        let (status, response) =
            server.call(Method::POST, "/app/acme/msg", Some(large_event())).await.unwrap();
        match status {
            202 => accepted.insert(response["id"].as_str().unwrap().to_owned()),
            _ => break (status, response),
        };
        assert!(accepted.len() < 1_000, "600 pages hold less");
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert!(refused.1["detail"].is_string(), "{}", refused.1);
    assert!(accepted.len() > 10);
    // Reading works, and the server did not restart.
    server.get("/app/acme/msg?limit=1").await;

    server.terminate();
    server.set("POSTRIDER_LIMITS__STORE_PAGES", "6000");
    server.restart();
    let (status, response) =
        server.call(Method::POST, "/app/acme/msg", Some(large_event())).await.unwrap();
    assert_eq!(status, 202, "{response}");
    accepted.insert(response["id"].as_str().unwrap().to_owned());
    let arrived = |calls: &[Call]| {
        let ids: HashSet<_> = calls.iter().map(Call::id).collect();
        accepted.iter().all(|id| ids.contains(id.as_str()))
    };
    receiver.until("ok", arrived).await;
}

#[tokio::test]
async fn a_damaged_file_is_reported_with_a_hint() {
    let mut server = Server::start();
    server.application("acme").await;
    server.terminate();
    let data = server.folder.path().join("data");
    fs::write(data.join("postrider.db"), "this is not a database, and long enough to be one")
        .unwrap();
    let output =
        postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("postrider.db"), "{said}");
    assert!(said.contains("backup"), "{said}");
}

#[tokio::test]
async fn a_lost_index_is_rebuilt() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let id = server.publish("acme", json!({})).await;
    receiver.until("ok", |calls| calls.len() == 1).await;
    server.terminate();
    for entry in fs::read_dir(server.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("index.db") {
            fs::remove_file(path).unwrap();
        }
    }
    server.restart();
    let path = format!("/app/acme/attempt/msg/{id}");
    let attempts =
        until_async(|| server.get(&path), |it| !it["data"].as_array().unwrap().is_empty()).await;
    assert_eq!(attempts["data"][0]["responseStatusCode"], 200);
}

/// Starts a server on the folder, which must fail; returns its error.
fn failed_start(data: &Path) -> String {
    let output =
        postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[tokio::test]
async fn a_server_that_lost_data_does_not_start_until_the_loss_is_accepted() {
    const MESSAGES: usize = 40;
    let mut server = Server::embedded(&[]);
    server.application("acme").await;
    for n in 0..MESSAGES {
        server.publish("acme", json!({ "n": n })).await;
    }
    server.kill();
    let data = server.folder.path().join("data");
    let log = data.join("postrider.db-wal");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() / 2]).unwrap();
    let said = failed_start(&data);
    assert!(said.contains("postrider.db-wal"), "{said}");
    assert!(said.contains("messages missing"), "{said}");
    assert!(said.contains("--accept-loss"), "{said}");

    // The failed start changed nothing: after restoring the file, everything is there.
    fs::write(&log, &whole).unwrap();
    server.restart();
    let listed = server.get("/app/acme/msg?limit=100").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), MESSAGES);

    server.kill();
    fs::remove_file(data.join("postrider.db")).unwrap();
    assert!(failed_start(&data).contains(&format!("it had accepted {MESSAGES} messages")));
    let arguments = ["serve", "--accept-loss", "--listen", "127.0.0.1:0", "--data"];
    server.restart_with(&arguments);
    assert!(server.log().contains("continuing without the missing data"), "{}", server.log());
    assert_eq!(server.get("/app").await["data"], json!([]));
    server.kill_and_restart();
}

#[tokio::test]
async fn a_lost_main_secret_is_not_replaced() {
    let receiver = Receiver::start().await;
    let mut server = Server::embedded(&[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    server.terminate();
    let data = server.folder.path().join("data");
    let main = data.join("main-secret");
    let kept = fs::read(&main).unwrap();
    for gone in [["main-secret", ""], ["main-secret", "main-secret.check"]] {
        for name in gone.into_iter().filter(|it| !it.is_empty()) {
            fs::remove_file(data.join(name)).unwrap();
        }
        let said = failed_start(&data);
        assert!(said.contains("main-secret is missing from"), "{said}");
        assert!(said.contains("restore the file from a backup"), "{said}");
        assert!(!main.exists(), "{gone:?}");
        fs::write(&main, &kept).unwrap();
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&main, private).unwrap();
    }
    fs::write(&main, "").unwrap();
    assert!(failed_start(&data).contains("main-secret is empty"));
    fs::write(&main, &kept).unwrap();
    // New tokens can be created, so the start only logs a warning.
    fs::remove_file(data.join("jwt-secret")).unwrap();
    server.restart();
    assert!(server.log().contains("jwt-secret is missing"), "{}", server.log());
}

/// A small disk mounted at a data folder; it is unmounted on drop.
struct Disk(PathBuf);

impl Disk {
    /// `None` if this process has no permission to mount.
    #[expect(clippy::print_stdout, reason = "a test that is left out says so")]
    fn at(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o"]).arg(format!("size={size}")).arg("none").arg(path);
        let is_mounted = mount.output().is_ok_and(|it| it.status.success());
        if !is_mounted {
            println!("left out: this process may not mount a small disk");
        }
        is_mounted.then(|| Self(path.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

/// Publishes until the disk is full; returns the accepted messages.
async fn fill(server: &Server, application: &str) -> HashSet<String> {
    let mut accepted = HashSet::new();
    for _ in 0..2_000 {
        let path = format!("/app/{application}/msg");
        let (status, response) =
            server.call(Method::POST, &path, Some(large_event())).await.unwrap();
        if status != 202 {
            assert_eq!(status, 503, "{response}");
            assert!(response["detail"].as_str().unwrap().contains("disk is full"), "{response}");
            return accepted;
        }
        accepted.insert(response["id"].as_str().unwrap().to_owned());
    }
    panic!("the disk does not get full");
}

/// Publishes until the disk is full even after cleanup.
async fn fill_up(server: &Server, application: &str, accepted: &mut HashSet<String>) {
    loop {
        let more = fill(server, application).await;
        if more.is_empty() {
            return;
        }
        accepted.extend(more);
    }
}

async fn health(server: &Server) -> (u16, Value) {
    server.call(Method::GET, "/health", None).await.unwrap()
}

#[tokio::test]
async fn a_full_disk_is_readable_and_survives_a_restart_until_something_is_deleted() {
    let receiver = Receiver::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let Some(disk) = Disk::at(&data, "64m") else { return };
    let mut server = Server::on_store(&folder, None, &[]);
    server.application("acme").await;
    server.application("other").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let mut accepted = HashSet::new();
    for kill in [false, true] {
        if kill {
            server.kill_and_restart();
        }
        fill_up(&server, "acme", &mut accepted).await;
        let arrived = |calls: &[Call]| {
            let ids: HashSet<_> = calls.iter().map(Call::id).collect();
            accepted.iter().all(|id| ids.contains(id.as_str()))
        };
        receiver.until("ok", arrived).await;
        // Repeats, because cleanup such as truncating the log frees some space.
        fill_up(&server, "acme", &mut accepted).await;
        assert!(accepted.len() > 100, "{}", accepted.len());
        let (status, response) = health(&server).await;
        assert_eq!(status, 503, "{response}");
        assert!(response["detail"].as_str().unwrap().contains("disk is full"), "{response}");
        assert_eq!(server.call(Method::GET, "/health/ping", None).await.unwrap().0, 204);
        let id = accepted.iter().next().unwrap();
        for path in ["/app/acme/msg".to_owned(), format!("/app/acme/attempt/msg/{id}")] {
            let listed = server.get(&path).await;
            assert!(!listed["data"].as_array().unwrap().is_empty(), "{path}: {listed}");
        }
        assert_eq!(
            server.call(Method::POST, "/app/other/msg", Some(large_event())).await.unwrap().0,
            503
        );
    }
    // Deleted records free space inside the file.
    server.must(Method::DELETE, "/app/acme", None).await;
    until_async(|| async { json!(health(&server).await.0) }, |status| *status == 204).await;
    server.publish("other", json!({})).await;
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    drop(disk);
}

#[tokio::test]
async fn health_reports_that_the_store_has_no_pages_left() {
    let server = Server::embedded(&[("POSTRIDER_LIMITS__STORE_PAGES", "600")]);
    server.application("acme").await;
    server.application("other").await;
    assert_eq!(health(&server).await.0, 204);
    fill(&server, "acme").await;
    assert_eq!(health(&server).await.0, 503);
    server.must(Method::DELETE, "/app/acme", None).await;
    until_async(|| async { json!(health(&server).await.0) }, |status| *status == 204).await;
    server.publish("other", json!({})).await;
}
