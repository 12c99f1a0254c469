//! Power cuts: the process is gone at a random moment, and so is a random part of what it had not
//! synced.

use std::{env, io::Read, process::Stdio};

use postrider_testing::FaultyDisk;

use super::{
    Accepted, check_accepted, on_data, publish, publishers, restart_without_faults, said,
    server_on_disk,
};
use crate::{
    receiver::Receiver,
    server::{Server, postrider},
};

/// Cuts of one run, unless `POSTRIDER_TEST_POWER_CUTS` says otherwise.
const CUTS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_power_cuts() {
    let first = number("POSTRIDER_TEST_FIRST_POWER_CUT").unwrap_or(0);
    let count = number("POSTRIDER_TEST_POWER_CUTS").unwrap_or(CUTS);
    let receiver = Receiver::start().await;
    for seed in first..first + count {
        cut_once(&receiver, seed).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|it| it.parse().unwrap())
}

/// Starts a server, publishes until the power fails, and starts it again.
async fn cut_once(receiver: &Receiver, seed: u64) {
    let path = format!("seed-{seed}");
    let (disk, mut server) = server_on_disk(receiver, &path).await;
    let accepted = Accepted::default();
    if seed % 4 == 3 {
        cut_while_ending(&disk, &mut server, &accepted, seed).await;
    } else {
        cut_under_load(&disk, &mut server, &accepted, seed).await;
    }
    if seed % 3 == 1 {
        cut_while_starting(&disk, &server, seed);
    }
    restart_without_faults(&mut server);
    check_accepted(&server, receiver, &path, &accepted).await;
    let verified = on_data(&server, "verify-data", &[]);
    assert!(verified.status.success(), "{path}: {}", said(&verified));
    // Lists come from the index, which may have lost more than the main database.
    server.publish("acme", serde_json::json!({ "after": "the cut" })).await;
}

async fn cut_under_load(disk: &FaultyDisk, server: &mut Server, accepted: &Accepted, seed: u64) {
    let nth = 20 + seed * 37 % 211;
    let fault = match seed % 4 {
        0 => format!("sync * {nth} cut:{seed}"),
        1 => format!("sync postrider.db-wal {nth} cut:{seed}"),
        _ => format!("write * {} cut:{seed}", 5 * nth),
    };
    disk.fail(&fault);
    let bytes = if seed.is_multiple_of(2) { 100 } else { 9_000 };
    let mut clients = publishers(server, accepted, bytes);
    while clients.join_next().await.is_some() {}
    server.wait();
    assert_cut(disk, seed);
    assert!(!accepted.lock().unwrap().is_empty(), "seed {seed}: nothing was accepted");
}

/// The log is copied into the database when a server ends.
async fn cut_while_ending(disk: &FaultyDisk, server: &mut Server, accepted: &Accepted, seed: u64) {
    let caller = server.caller();
    for n in 0..20 {
        let payload = serde_json::json!({ "n": n, "fill": "x".repeat(5_000) });
        assert_eq!(publish(&caller, payload, accepted).await, Some(202));
    }
    let fault = match seed % 8 {
        3 => format!("write postrider.db {} cut:{seed}", 1 + seed % 40),
        _ => format!("sync postrider.db 1 cut:{seed}"),
    };
    disk.fail(&fault);
    server.signal("TERM");
    server.wait();
    assert_cut(disk, seed);
}

/// A start that is cut off as well. It may be complete before that.
fn cut_while_starting(disk: &FaultyDisk, server: &Server, seed: u64) {
    disk.fail(&format!("sync * {} cut:{}", 1 + seed / 3 % 6, seed + 1_000));
    let mut child = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.folder.path().join("data"))
        .envs(disk.variables())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A byte of the line with its address, or the end.
    let read = child.stdout.take().unwrap().read(&mut [0]).unwrap();
    if read > 0 {
        child.kill().unwrap();
    }
    child.wait().unwrap();
}

#[track_caller]
fn assert_cut(disk: &FaultyDisk, seed: u64) {
    let log = disk.log();
    assert!(log.iter().any(|line| line.starts_with("lost ")), "seed {seed}: {log:?}");
}
