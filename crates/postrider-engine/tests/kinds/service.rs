//! A real service, started by `scripts/services` and stopped when the test ends.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A service of a test.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    folder: tempfile::TempDir,
    keys: HashMap<String, String>,
}

impl Service {
    /// Starts the service. `options` are of the form `name=value`.
    pub(crate) fn start(name: &'static str, options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("postrider-test-").tempdir().unwrap();
        // Some services run as users of their own.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut service = Self { name, folder, keys: HashMap::new() };
        service.keys = service.run("start", options);
        service
    }

    pub(crate) fn stop(&self) {
        self.run("stop", &[]);
    }

    pub(crate) fn start_again(&self) {
        self.run("start", &[]);
    }

    pub(crate) fn key(&self, name: &str) -> &str {
        &self.keys[name]
    }

    pub(crate) fn port(&self) -> u16 {
        self.key("port").parse().unwrap()
    }

    fn run(&self, verb: &str, options: &[&str]) -> HashMap<String, String> {
        let output = Command::new(script())
            .env("POSTRIDER_SERVICES_OWNER", std::process::id().to_string())
            .args([verb, self.name])
            .arg(self.folder.path())
            .args(options)
            .output()
            .unwrap();
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} cannot be used for tests: {failed}", self.name);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.split_once('=')).map(owned).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        Command::new(script())
            .args(["stop", self.name])
            .arg(self.folder.path())
            .args(["KILL"])
            .output()
            .ok();
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services")
}
