//! Real database servers.

use std::process::Command;

use tempfile::TempDir;

/// A PostgreSQL server of one test. It is stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct PostgreSql {
    folder: TempDir,
    pub(crate) url: String,
}

impl PostgreSql {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server's user must be able to enter it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let path = folder.path().join("server");
        let settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        let start = ["start", path.to_str().unwrap()];
        let url = script("postgres", &[&start[..], &settings].concat());
        Self { folder, url: url.trim().to_owned() }
    }

    pub(crate) fn run(&self, command: &str) {
        let path = self.path();
        script("postgres", &[command, path.to_str().unwrap(), "immediate"]);
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("server")
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        self.run("stop");
    }
}

fn script(name: &str, arguments: &[&str]) -> String {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts");
    let output = Command::new(format!("{scripts}/{name}"))
        .args(arguments)
        .env("POSTRIDER_SERVICES_OWNER", std::process::id().to_string())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {errors}; scripts/install installs it");
    String::from_utf8(output.stdout).unwrap()
}

/// The server that `./test` started.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
pub(crate) fn shared_postgres() -> String {
    std::env::var("POSTRIDER_TEST_POSTGRES").expect(
        "POSTRIDER_TEST_POSTGRES is not set: run ./test, or set it to the URL of a server, \
         such as `scripts/postgres start DIR` prints",
    )
}
