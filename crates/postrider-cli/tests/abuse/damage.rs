//! A disk that loses written data: the server never starts silently without it.

use std::{
    collections::HashSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    is_long,
    server::{Server, postrider},
};

/// Messages that were accepted before the damage.
fn messages() -> usize {
    if is_long() { 300 } else { 60 }
}

/// What a disk does to a file.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 4] = [
    ("missing", |file| fs::remove_file(file).unwrap()),
    ("empty", |file| cut(file, |_| 0)),
    ("half", |file| cut(file, |length| length / 2)),
    ("a page short", |file| cut(file, |length| length.saturating_sub(4_096))),
];

fn cut(file: &Path, to: impl Fn(u64) -> u64) {
    let file = File::options().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(to(length)).unwrap();
}

/// The files of a folder with their contents.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn restore(folder: &Path, kept: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files(folder) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in kept {
        fs::write(path, bytes).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, private).unwrap();
    }
}

#[tokio::test]
async fn a_lost_or_damaged_file_is_reported_or_does_no_harm() {
    let mut server = Server::embedded(&[]);
    server.application("acme").await;
    let mut accepted = HashSet::new();
    for n in 0..messages() {
        accepted.insert(server.publish("acme", json!({ "n": n })).await);
    }
    server.kill();
    let data = server.folder.path().join("data");
    let whole = files(&data);
    for (path, _) in &whole {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.contains("secret") {
            // These have tests of their own.
            continue;
        }
        for (damage, apply) in DAMAGES {
            restore(&data, &whole);
            apply(path);
            if let Some(said) = refusal(&data) {
                assert!(said.contains(name), "{name} {damage}: {said}");
                assert!(said.contains("backup"), "{name} {damage}: {said}");
                assert!(name.starts_with("postrider.db"), "{name} {damage}: {said}");
                continue;
            }
            server.restart();
            for id in &accepted {
                server.get(&format!("/app/acme/msg/{id}")).await;
            }
            server.kill();
        }
    }
    restore(&data, &whole);
    server.restart();
}

/// The error of a start that fails; `None` if it succeeds.
fn refusal(data: &Path) -> Option<String> {
    let mut command = postrider(&["backup", "--data"]);
    let to = tempfile::tempdir().unwrap();
    let output = command.arg(data).arg(to.path().join("copy")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (!output.status.success()).then_some(said)
}
