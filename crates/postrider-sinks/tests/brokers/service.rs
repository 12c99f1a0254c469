//! Servers that `scripts/services` starts.

use std::{
    collections::HashMap,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tempfile::TempDir;

/// A server with a folder of its own. It is stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    folder: TempDir,
    keys: HashMap<String, String>,
}

/// A server that the tests that run at the same time share.
pub(crate) type SharedService = Mutex<Weak<Service>>;

impl Service {
    pub(crate) fn start(name: &'static str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = run("start", name, folder.path(), options);
        Self { name, folder, keys }
    }

    pub(crate) fn shared(
        shared: &SharedService,
        name: &'static str,
        options: &[&str],
    ) -> Arc<Self> {
        let mut current = shared.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let service = Arc::new(Self::start(name, options));
            *current = Arc::downgrade(&service);
            service
        })
    }

    pub(crate) fn get(&self, key: &str) -> &str {
        self.keys.get(key).unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    pub(crate) fn port(&self) -> u16 {
        self.get("port").parse().unwrap()
    }

    pub(crate) fn kill(&self) {
        run("stop", self.name, self.folder.path(), &["KILL"]);
    }

    pub(crate) fn restart(&self) {
        run("restart", self.name, self.folder.path(), &[]);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(command: &str, name: &str, folder: &Path, more: &[&str]) -> HashMap<String, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/services");
    let output = Command::new(script)
        .args([command, name])
        .arg(folder)
        .args(more)
        .env("POSTRIDER_SERVICES_OWNER", std::process::id().to_string())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}; scripts/install installs it");
    let lines = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    lines.lines().filter_map(pair).collect()
}
