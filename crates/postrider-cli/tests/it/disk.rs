//! Disks that are full, and files that are damaged.

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
fn large() -> Value {
    json!({ "eventType": "test.event", "payload": { "text": "x".repeat(64 << 10) } })
}

#[tokio::test]
async fn a_full_disk_answers_503_loses_nothing_and_goes_on_once_there_is_room() {
    let receiver = Receiver::start().await;
    let mut server = Server::with(&[("POSTRIDER_LIMITS__STORE_PAGES", "600")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    let mut accepted = HashSet::new();
    let refused = loop {
        let (status, answer) =
            server.call(Method::POST, "/app/acme/msg", Some(large())).await.unwrap();
        match status {
            202 => accepted.insert(answer["id"].as_str().unwrap().to_owned()),
            _ => break (status, answer),
        };
        assert!(accepted.len() < 1_000, "600 pages hold less");
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert!(refused.1["detail"].is_string(), "{}", refused.1);
    assert!(accepted.len() > 10);
    // Reading works, and the server is still the same.
    server.get("/app/acme/msg?limit=1").await;

    server.terminate();
    server.set("POSTRIDER_LIMITS__STORE_PAGES", "6000");
    server.restart();
    let (status, answer) = server.call(Method::POST, "/app/acme/msg", Some(large())).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    accepted.insert(answer["id"].as_str().unwrap().to_owned());
    let arrived = |calls: &[Call]| {
        let ids: HashSet<_> = calls.iter().map(Call::id).collect();
        accepted.iter().all(|id| ids.contains(id.as_str()))
    };
    receiver.until("ok", arrived).await;
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
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
async fn a_lost_index_is_made_anew() {
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

/// Starts the server over the folder, which is expected to refuse; what it said.
fn refused(data: &Path) -> String {
    let output =
        postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[tokio::test]
async fn lost_data_is_refused_with_its_number_until_the_loss_is_accepted() {
    const MESSAGES: usize = 40;
    let mut server = Server::alone(&[]);
    server.application("acme").await;
    for n in 0..MESSAGES {
        server.publish("acme", json!({ "n": n })).await;
    }
    server.kill();
    let data = server.folder.path().join("data");
    let log = data.join("postrider.db-wal");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() / 2]).unwrap();
    let said = refused(&data);
    assert!(said.contains("postrider.db-wal"), "{said}");
    assert!(said.contains("messages missing"), "{said}");
    assert!(said.contains("--accept-loss"), "{said}");

    // Nothing was changed: the file put back as it was, everything is there.
    fs::write(&log, &whole).unwrap();
    server.restart();
    let listed = server.get("/app/acme/msg?limit=100").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), MESSAGES);

    server.kill();
    fs::remove_file(data.join("postrider.db")).unwrap();
    assert!(refused(&data).contains(&format!("it had accepted {MESSAGES} messages")));
    let arguments = ["serve", "--accept-loss", "--listen", "127.0.0.1:0", "--data"];
    server.restart_with(&arguments);
    assert!(server.log().contains("continuing without the missing data"), "{}", server.log());
    assert_eq!(server.get("/app").await["data"], json!([]));
    server.kill_and_restart();
}

#[tokio::test]
async fn a_lost_main_secret_is_not_replaced() {
    let receiver = Receiver::start().await;
    let mut server = Server::alone(&[]);
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
        let said = refused(&data);
        assert!(said.contains("main-secret is missing from"), "{said}");
        assert!(said.contains("restore the file from a backup"), "{said}");
        assert!(!main.exists(), "{gone:?}");
        fs::write(&main, &kept).unwrap();
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&main, private).unwrap();
    }
    fs::write(&main, "").unwrap();
    assert!(refused(&data).contains("main-secret is empty"));
    fs::write(&main, &kept).unwrap();
    // Tokens can be made again, so the start only says what happened.
    fs::remove_file(data.join("jwt-secret")).unwrap();
    server.restart();
    assert!(server.log().contains("jwt-secret is missing"), "{}", server.log());
}

/// A small disk at a data folder, unmounted at the end.
struct Disk(PathBuf);

impl Disk {
    /// `None` if this process may not mount.
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

/// Publishes until there is no room; what was accepted.
async fn fill(server: &Server, application: &str) -> HashSet<String> {
    let mut accepted = HashSet::new();
    for _ in 0..2_000 {
        let path = format!("/app/{application}/msg");
        let (status, answer) = server.call(Method::POST, &path, Some(large())).await.unwrap();
        if status != 202 {
            assert_eq!(status, 503, "{answer}");
            assert!(answer["detail"].as_str().unwrap().contains("disk is full"), "{answer}");
            return accepted;
        }
        accepted.insert(answer["id"].as_str().unwrap().to_owned());
    }
    panic!("the disk does not get full");
}

/// Publishes until there is no room, and none that is made by tidying up.
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
async fn a_full_disk_is_read_and_survives_a_restart_until_something_is_removed() {
    let receiver = Receiver::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let Some(disk) = Disk::at(&data, "64m") else { return };
    let mut server = Server::at(&folder, None, &[]);
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
        // Until nothing helps any more, such as a log that is cut off.
        fill_up(&server, "acme", &mut accepted).await;
        assert!(accepted.len() > 100, "{}", accepted.len());
        let (status, answer) = health(&server).await;
        assert_eq!(status, 503, "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("disk is full"), "{answer}");
        assert_eq!(server.call(Method::GET, "/health/ping", None).await.unwrap().0, 204);
        let id = accepted.iter().next().unwrap();
        for path in ["/app/acme/msg".to_owned(), format!("/app/acme/attempt/msg/{id}")] {
            let listed = server.get(&path).await;
            assert!(!listed["data"].as_array().unwrap().is_empty(), "{path}: {listed}");
        }
        assert_eq!(
            server.call(Method::POST, "/app/other/msg", Some(large())).await.unwrap().0,
            503
        );
    }
    // What is removed makes room inside the file.
    server.must(Method::DELETE, "/app/acme", None).await;
    until_async(|| async { json!(health(&server).await.0) }, |status| *status == 204).await;
    server.publish("other", json!({})).await;
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    drop(disk);
}

#[tokio::test]
async fn health_says_that_the_store_has_no_pages_left_until_it_has() {
    let server = Server::alone(&[("POSTRIDER_LIMITS__STORE_PAGES", "600")]);
    server.application("acme").await;
    server.application("other").await;
    assert_eq!(health(&server).await.0, 204);
    fill(&server, "acme").await;
    assert_eq!(health(&server).await.0, 503);
    server.must(Method::DELETE, "/app/acme", None).await;
    until_async(|| async { json!(health(&server).await.0) }, |status| *status == 204).await;
    server.publish("other", json!({})).await;
}
