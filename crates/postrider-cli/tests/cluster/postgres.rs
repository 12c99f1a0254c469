//! A PostgreSQL server that a test can restart, freeze and stop.

use std::{fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::{pass, signal};

/// The script that starts, restarts and stops servers.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");

/// Tests do not simulate power failures, so nothing needs to be synced; committed data survives the
/// exit of the processes.
const SETTINGS: [&str; 2] = ["fsync=off", "full_page_writes=off"];

/// A running server; it is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = script("start", folder.path(), &SETTINGS);
        Self { folder, url: url.trim().to_owned() }
    }

    /// Restarts the server; `mode` is `fast` or `immediate`.
    pub(crate) fn restart(&self, manner: &str) {
        script("restart", self.folder.path(), &[manner]);
    }

    pub(crate) fn stop(&self) {
        script("stop", self.folder.path(), &[]);
    }

    pub(crate) fn start_again(&self) {
        script("start", self.folder.path(), &[]);
    }

    /// Suspends all processes of the server: connections stay open without any response.
    pub(crate) fn freeze(&self) {
        // First the main process, which starts the others.
        let main = self.main_process().unwrap();
        signal("STOP", &[main]);
        signal("STOP", &children(main));
    }

    pub(crate) fn thaw(&self) {
        if let Some(main) = self.main_process() {
            signal("CONT", &children(main));
            signal("CONT", &[main]);
        }
    }

    /// Closes all connections of nodes.
    pub(crate) async fn cut_connections(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'postrider' AND pid <> pg_backend_pid()";
        self.client().await.batch_execute(sql).await.unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "the connection ends with its client")]
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The number that a query returns.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until the query returns zero.
    pub(crate) async fn until_none(&self, sql: &str) {
        let deadline = crate::now() + crate::MAX_WAIT;
        while self.count(sql).await != 0 {
            assert!(crate::now() < deadline, "still not zero in time: {sql}");
            pass(Duration::from_millis(50)).await;
        }
    }

    /// The server's main process, if it is running.
    fn main_process(&self) -> Option<u32> {
        let text = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The server may be suspended, if the test failed.
        self.thaw();
        let mut stop = Command::new(SCRIPT);
        drop(stop.arg("stop").arg(self.folder.path()).arg("immediate").output());
    }
}

fn script(command: &str, folder: &Path, more: &[&str]) -> String {
    let output = Command::new(SCRIPT).arg(command).arg(folder).args(more).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/postgres {command}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The running child processes.
fn children(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let list = fs::read_to_string(path).unwrap_or_default();
    list.split_whitespace().filter_map(|it| it.parse().ok()).collect()
}
