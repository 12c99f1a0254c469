//! The machines of the database.

use std::{path::Path, process::Command};

use tempfile::TempDir;

/// The script that starts machines and breaks them.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/patroni");

/// Three machines with etcd, Patroni and PostgreSQL; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Patroni {
    folder: TempDir,
    /// The URL with all machines.
    pub(crate) hosts: String,
    /// The URL of the proxy.
    pub(crate) proxy: String,
}

impl Patroni {
    /// Starts the machines with these options of the script.
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let urls = script("start", folder.path(), options);
        let (hosts, proxy) = urls.trim().split_once('\n').unwrap();
        Self { hosts: hosts.to_owned(), proxy: proxy.to_owned(), folder }
    }

    /// Runs a command of the script; returns what it prints.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> String {
        script(command, self.folder.path(), arguments).trim().to_owned()
    }

    /// The name of the primary; empty if there is none.
    pub(crate) fn primary(&self) -> String {
        self.run("primary", &[])
    }

    /// Waits until there is a primary with two standbys.
    pub(crate) fn ready(&self) {
        self.run("ready", &[]);
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        drop(Command::new(SCRIPT).arg("stop").arg(self.folder.path()).output());
    }
}

fn script(command: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(SCRIPT).arg(command).arg(folder).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/patroni {command}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
