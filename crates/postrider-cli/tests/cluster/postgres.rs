//! A PostgreSQL server that a case may restart, freeze and cut off.

use std::{fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::{pass, signal};

/// Starts, restarts and stops servers in folders.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");

/// No power cut happens here, so nothing waits for the disk; what was committed survives the
/// end of the processes.
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

    /// Ends it, fast or immediate, and starts it again.
    pub(crate) fn restart(&self, manner: &str) {
        script("restart", self.folder.path(), &[manner]);
    }

    pub(crate) fn stop(&self) {
        script("stop", self.folder.path(), &[]);
    }

    pub(crate) fn start_again(&self) {
        script("start", self.folder.path(), &[]);
    }

    /// Stops all of its processes in their tracks: connections stay open and nobody answers.
    pub(crate) fn freeze(&self) {
        // The one that makes the others comes first.
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

    /// Cuts all connections of nodes.
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

    /// The number that a query gives.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until the query gives none.
    pub(crate) async fn until_none(&self, sql: &str) {
        let deadline = crate::now() + crate::PATIENCE;
        while self.count(sql).await != 0 {
            assert!(crate::now() < deadline, "waited in vain until there is none: {sql}");
            pass(Duration::from_millis(50)).await;
        }
    }

    /// The process that all the others are children of, if the server runs.
    fn main_process(&self) -> Option<u32> {
        let text = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may be frozen, if the case failed.
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

/// The processes that this one started and that still are.
fn children(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let list = fs::read_to_string(path).unwrap_or_default();
    list.split_whitespace().filter_map(|it| it.parse().ok()).collect()
}
