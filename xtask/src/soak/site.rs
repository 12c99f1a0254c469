//! The server: its process, its data and its log.

use std::{
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{process::Command, sync::Mutex};

use super::{restarts::End, setup::DEDUPE_WINDOW};
use crate::bench::{
    postgres::Database,
    process::{self, Process},
};

/// It protects no real data.
const SECRET: &str = "a secret of the soak that protects nothing";

/// Waits between attempts: so short that failures of minutes end within the run.
const RETRY_SCHEDULE: &str = "1s,2s,4s,8s,15s,15s,20s,30s,30s,30s";

/// Bytes that the server's data occupies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DiskUsage {
    pub(crate) bytes: u64,
    /// Those of them that only the retention of whole days removes.
    pub(crate) history: u64,
    /// Those of them that are logs of the embedded store, which have limits of their own.
    pub(crate) logs: u64,
}

/// Where the server runs and stores everything.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) binary: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) database: Option<Database>,
    pub(crate) retention: Duration,
    process: Mutex<Option<Process>>,
}

impl Site {
    pub(crate) fn new(
        binary: PathBuf,
        folder: PathBuf,
        database: Option<Database>,
        retention: Duration,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder.join("data"))?;
        let address = crate::bench::subject::free_address()?;
        Ok(Self { binary, folder, address, database, retention, process: Mutex::default() })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the server.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        let mut command = self.command("serve");
        command.args(["--listen", &self.address.to_string()]);
        for setting in self.settings() {
            command.args(["--set", &setting]);
        }
        let log = self.log("server.log")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        *self.process.lock().await = Some(Process::start(&mut command)?);
        Ok(())
    }

    /// Ends the server, if it runs.
    pub(crate) async fn end(&self, end: End) -> anyhow::Result<()> {
        let Some(mut process) = self.process.lock().await.take() else { return Ok(()) };
        match end {
            End::Stop => process.end().await.map(|_| ()),
            End::Kill => process.kill().await,
        }
    }

    /// The id of the server's process while it runs and is not being restarted.
    ///
    /// # Errors
    ///
    /// If it ended by itself.
    pub(crate) fn pid(&self) -> anyhow::Result<Option<u32>> {
        let Ok(mut process) = self.process.try_lock() else { return Ok(None) };
        let Some(process) = process.as_mut() else { return Ok(None) };
        ensure!(!process.has_ended(), "the server ended by itself: {}", self.last_lines());
        Ok(Some(process.pid))
    }

    pub(crate) async fn create_token(&self) -> anyhow::Result<String> {
        let output = self.command("token").arg("create").output().await?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "token create: {error}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A client that forwards webhooks of a source to this URL.
    pub(crate) fn listen(&self, source: &str, token: &str, to: &str) -> anyhow::Result<Process> {
        let log = self.log("listen.log")?;
        let mut command = Command::new(&self.binary);
        command
            .args(["listen", "--source", source, "--forward", to])
            .args(["--server", &format!("http://{}", self.address), "--state"])
            .arg(self.folder.join("listener"))
            .env("POSTRIDER_TOKEN", token)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Process::start(&mut command)
    }

    pub(crate) async fn disk_usage(&self) -> anyhow::Result<DiskUsage> {
        if let Some(database) = &self.database {
            let (bytes, history) = (database.bytes().await?, database.partition_bytes().await?);
            return Ok(DiskUsage { bytes, history, logs: 0 });
        }
        let folder = self.data();
        let (bytes, logs) = (process::disk_bytes(&folder)?, process::log_bytes(&folder)?);
        Ok(DiskUsage { bytes, history: 0, logs })
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(&self.folder)
            .env("POSTRIDER_DATA_DIR", self.data())
            .env("POSTRIDER_JWT_SECRET", SECRET)
            .env("POSTRIDER_MAIN_SECRET", SECRET)
            .arg(name);
        if let Some(database) = &self.database {
            command.env("POSTRIDER_DATABASE_URL", database.url());
        }
        command
    }

    fn settings(&self) -> Vec<String> {
        let retention = self.retention.as_secs();
        vec![
            "allow_networks=127.0.0.0/8".to_owned(),
            format!("retention.rows={retention}s"),
            format!("retention.payload={retention}s"),
            format!("retention.duplicates={}s", retention.max(DEDUPE_WINDOW)),
            format!("retention.idempotency={retention}s"),
            format!("retention.audit_log={retention}s"),
            format!("retention.statistics_minutes={retention}s"),
            format!("retry_schedule={RETRY_SCHEDULE}"),
            "request_timeout=5s".to_owned(),
            "breaker.rest_max=10s".to_owned(),
            // Small caches fill at once, so that their growth is not mistaken for a leak.
            "limits.store_cache=4MiB".to_owned(),
            "limits.index_cache=4MiB".to_owned(),
            "limits.reader_cache=256KiB".to_owned(),
            // The same for open files: without this, the connections that an outage leaves idle, at most
            // 1,024 for a minute, are most of them.
            "limits.idle_connections=32".to_owned(),
        ]
    }

    fn log(&self, name: &str) -> anyhow::Result<File> {
        let path = self.folder.join(name);
        let open = OpenOptions::new().create(true).append(true).open(&path);
        open.with_context(|| path.display().to_string())
    }

    /// Lines of the log that tell of a panic.
    pub(crate) fn panics(&self) -> Vec<String> {
        let log = std::fs::read(self.folder.join("server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines = log.lines().filter(|it| it.contains("panicked at"));
        lines.map(ToOwned::to_owned).collect()
    }

    fn last_lines(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        let skipped = log.lines().count().saturating_sub(5);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }
}
