//! A data folder that is too damaged to start from: what can be read is copied.

use std::{collections::HashSet, fs, path::Path};

use serde_json::{Value, json};

use super::{on_data, said, stored_ids};
use crate::{
    receiver::{Behavior, Receiver},
    server::Server,
};

const MESSAGES: usize = 400;

/// Changes the content of a file.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A stopped server with messages that are delivered and some that are not.
async fn stopped_server(receiver: &Receiver) -> (Server, HashSet<String>) {
    let mut server = Server::embedded(&[("POSTRIDER_RETRY_SCHEDULE", "1h")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("in")).await;
    let mut ids = HashSet::new();
    for n in 0..MESSAGES {
        receiver.set_behavior("in", Behavior::Status(if n % 4 == 0 { 500 } else { 200 }));
        ids.insert(server.publish("acme", json!({ "n": n, "fill": "x".repeat(n * 7) })).await);
    }
    receiver.until("in", |calls| calls.len() >= MESSAGES).await;
    receiver.set_behavior("in", Behavior::Status(200));
    assert!(server.terminate().success());
    (server, ids)
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_folder_is_served_again() {
    let receiver = Receiver::start().await;
    let (mut server, ids) = stopped_server(&receiver).await;
    let data = server.folder.path().join("data");
    let main = data.join("postrider.db");
    let whole = fs::read(&main).unwrap();
    let damages: [(&str, Damage<'_>); 3] = [
        ("truncated", &|bytes| bytes.truncate(bytes.len() * 2 / 3)),
        ("pages", &|bytes| {
            let pages = bytes.len() / 4_096;
            for page in [pages / 3, pages / 2, pages - 5] {
                bytes[page * 4_096..][..4_096].fill(0xff);
            }
        }),
        ("header", &|bytes| bytes[..24].fill(0)),
    ];
    for (name, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&main, &bytes).unwrap();
        let before = files(&data);
        let copy = server.folder.path().join(name);
        let output = on_data(&server, "salvage", &[copy.to_str().unwrap()]);
        let said = said(&output);
        assert_eq!(files(&data), before, "{name}: the damaged folder was changed");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{name}: {said}");
        assert!(!copy.join("damaged.db").exists(), "{name}");

        let aside = server.folder.path().join("aside");
        fs::rename(&data, &aside).unwrap();
        fs::rename(&copy, &data).unwrap();
        server.restart();
        let stored = stored_ids(&server).await;
        assert!(stored.is_subset(&ids), "{name}");
        let is_whole = name == "header";
        assert!(!is_whole || stored.len() == ids.len(), "{name}: {} messages", stored.len());
        assert_eq!(output.status.code(), Some(i32::from(!is_whole)), "{name}: {said}");
        assert_eq!(said.contains("lost: "), !is_whole, "{name}: {said}");
        assert!(stored.len() > MESSAGES / 4, "{name}: {} messages", stored.len());
        let payload: Value = server.get(&format!("/app/acme/msg/{}", first(&stored))).await;
        assert!(payload["payload"]["n"].is_number(), "{name}: {payload}");
        let next = server.publish("acme", json!({ "after": name })).await;
        receiver.until("in", |calls| calls.iter().any(|call| call.id() == next)).await;
        assert!(on_data(&server, "verify-data", &[]).status.success(), "{name}");
        server.terminate();
        fs::rename(&data, server.folder.path().join(format!("{name}-served"))).unwrap();
        fs::rename(&aside, &data).unwrap();
    }
}

fn first(ids: &HashSet<String>) -> &str {
    ids.iter().min().unwrap()
}

#[tokio::test]
async fn a_running_server_and_an_existing_copy_are_left_alone() {
    let server = Server::embedded(&[]);
    server.application("acme").await;
    let copy = server.folder.path().join("copy");
    let running = on_data(&server, "salvage", &[copy.to_str().unwrap()]);
    assert_eq!(running.status.code(), Some(2), "{}", said(&running));
    assert!(said(&running).contains("in use"), "{}", said(&running));
    assert!(!copy.exists());
    let mut server = server;
    server.terminate();
    let copied = on_data(&server, "salvage", &[copy.to_str().unwrap()]);
    assert_eq!(copied.status.code(), Some(0), "{}", said(&copied));
    assert!(said(&copied).contains("nothing was lost"), "{}", said(&copied));
    let again = on_data(&server, "salvage", &[copy.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(said(&again).contains("exists already"), "{}", said(&again));
}
