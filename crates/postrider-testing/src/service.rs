//! A real service, which `scripts/services` starts.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tempfile::TempDir;

/// A service with a folder of its own. It is killed when it is dropped.
#[derive(Debug)]
pub struct ExternalServer {
    name: &'static str,
    folder: TempDir,
    keys: HashMap<String, String>,
}

/// A service that the tests that run at the same time share.
pub type SharedServer = Mutex<Weak<ExternalServer>>;

impl ExternalServer {
    /// Starts the service. `options` are of the form `name=value`.
    ///
    /// Panics if it does not start.
    pub fn start(name: &'static str, options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("postrider-test-").tempdir();
        let folder = folder.expect("there is a folder for temporary files");
        // Some services run as users of their own.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
            .expect("the folder is ours");
        let mut service = Self { name, folder, keys: HashMap::new() };
        service.keys = service.run("start", options);
        service
    }

    /// The service that is running already, or else a new one.
    pub fn shared(shared: &SharedServer, name: &'static str, options: &[&str]) -> Arc<Self> {
        let mut current = shared.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let service = Arc::new(Self::start(name, options));
            *current = Arc::downgrade(&service);
            service
        })
    }

    /// What the script said of the service, such as its `port`. Panics if it did not say that.
    pub fn key(&self, key: &str) -> &str {
        self.keys.get(key).unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    /// Whether the script said this of the service.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.key("port").parse().expect("a port is a number")
    }

    /// Stops the service in order.
    pub fn stop(&self) {
        self.run("stop", &[]);
    }

    /// Stops the service at once, as a crash would.
    pub fn kill(&self) {
        self.run("stop", &["KILL"]);
    }

    /// Starts the service again with the same options and data.
    pub fn restart(&self) {
        self.run("restart", &[]);
    }

    fn script(&self, verb: &str, options: &[&str]) -> Command {
        let mut command = Command::new(repository().join("scripts/services"));
        command
            .env("POSTRIDER_SERVICES_OWNER", std::process::id().to_string())
            .args([verb, self.name])
            .arg(self.folder.path())
            .args(options);
        command
    }

    fn run(&self, verb: &str, options: &[&str]) -> HashMap<String, String> {
        let output = self.script(verb, options).output().expect("the script can be run");
        let errors = String::from_utf8_lossy(&output.stderr);
        let name = self.name;
        assert!(output.status.success(), "{name}: {errors}; scripts/install installs it");
        let text = String::from_utf8_lossy(&output.stdout);
        let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        text.lines().filter_map(pair).collect()
    }
}

impl Drop for ExternalServer {
    fn drop(&mut self) {
        // A failure must not hide the one that ended the test.
        self.script("stop", &["KILL"]).output().ok();
    }
}

/// Where `scripts/services` has installed its packages.
pub fn packages() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| repository().join("target")).join("services")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
