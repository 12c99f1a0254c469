//! A temporary PostgreSQL server, a database in it for each subject, and what the server says
//! of its own work.

use std::{
    ops::Sub,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use super::{console::progress, process};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres");

/// Of the server. The first two are the defaults; they are here because the measurements are
/// about them. The last one is what a busy queue needs, and cannot be set by a schema.
const SETTINGS: [&str; 5] = [
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=1GB",
    "max_wal_size=4GB",
    "autovacuum_naptime=5s",
];

/// Counts statements; a part of PostgreSQL's own distribution.
const STATEMENTS: &str = "pg_stat_statements";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    /// Without the name of a database.
    url: String,
    /// Connected to a database that is none of those measured.
    client: Client,
    _connection: JoinSet<()>,
    counts_statements: bool,
}

/// The server's processes; dropping this stops them.
#[derive(Debug)]
struct Running {
    folder: PathBuf,
    postmaster: u32,
}

/// A database of a server.
#[derive(Debug)]
pub(crate) struct Database {
    server: Arc<Server>,
    name: String,
}

/// What was done in a database so far, or between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) statements: u64,
    /// Of the whole server, as the following.
    pub(crate) commits: u64,
    pub(crate) wal_bytes: u64,
}

impl Server {
    /// Starts one whose data is in this folder, which is new.
    pub(crate) async fn start(folder: PathBuf) -> anyhow::Result<Arc<Self>> {
        let counts_statements = has_statements()?;
        let mut start = Command::new(SCRIPT);
        start.arg("start").arg(&folder).args(SETTINGS);
        if counts_statements {
            start.arg(format!("shared_preload_libraries={STATEMENTS}"));
        }
        let url = said(&mut start)?;
        let running = Running::in_folder(folder)?;
        let (client, connection) = connect(&url).await?;
        if counts_statements {
            client.batch_execute(&format!("CREATE EXTENSION {STATEMENTS}")).await?;
        }
        let (url, _) = url.rsplit_once('/').context("a URL without a database")?;
        let url = url.to_owned();
        Ok(Arc::new(Self { running, url, client, _connection: connection, counts_statements }))
    }

    /// What it is and how it is set, in words.
    pub(crate) async fn words(&self) -> anyhow::Result<String> {
        let row = self.client.query_one("SHOW server_version", &[]).await?;
        Ok(format!("{}, {}", row.get::<_, String>(0), SETTINGS.join(", ")))
    }

    pub(crate) async fn database(self: &Arc<Self>, name: &str) -> anyhow::Result<Database> {
        let name = name.replace('-', "_");
        self.client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        Ok(Database { server: Arc::clone(self), name })
    }

    /// User and system time of all its processes, with those that have ended.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        process::family_cpu(self.running.postmaster)
    }
}

impl Running {
    fn in_folder(folder: PathBuf) -> anyhow::Result<Self> {
        let mut running = Self { folder, postmaster: 0 };
        let text = std::fs::read_to_string(running.folder.join("data/postmaster.pid"))?;
        running.postmaster = text.lines().next().context("no process id")?.trim().parse()?;
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its data goes with the benchmark's folder, so nothing needs to be written any more.
        let mut stop = Command::new(SCRIPT);
        stop.arg("stop").arg(&self.folder).arg("immediate");
        if let Err(error) = said(&mut stop) {
            progress(&format!("PostgreSQL does not stop: {error:#}"));
        }
    }
}

impl Database {
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server.url, self.name)
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Statements are none where the server cannot count them. Commits are those that wrote:
    /// the others cost next to nothing, and are told about a second late.
    pub(crate) async fn work(&self) -> anyhow::Result<Work> {
        const WORK: &str = "
            SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        const CALLS: &str = "
            SELECT coalesce(sum(calls), 0)::bigint
            FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)";
        let client = &self.server.client;
        let row = client.query_one(WORK, &[]).await?;
        let statements = if self.server.counts_statements {
            client.query_one(CALLS, &[&self.name]).await?.get(0)
        } else {
            0
        };
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        Ok(Work {
            statements: number(statements),
            commits: number(row.get(0)),
            wal_bytes: number(row.get(1)),
        })
    }

    pub(crate) async fn bytes(&self) -> anyhow::Result<u64> {
        let row = self
            .server
            .client
            .query_one("SELECT pg_database_size($1::text)", &[&self.name])
            .await?;
        Ok(u64::try_from(row.get::<_, i64>(0))?)
    }

    /// Bytes of history, whose partitions are dropped by the day, and of the event ids and
    /// idempotency keys that are deleted after them.
    pub(crate) async fn partition_bytes(&self) -> anyhow::Result<u64> {
        const PARTITIONS: &str = "
            SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
            FROM pg_class
            WHERE relkind = 'r' AND (relispartition OR relname IN ('event_id', 'idempotency'))";
        let (client, _connection) = connect(&self.url()).await?;
        Ok(u64::try_from(client.query_one(PARTITIONS, &[]).await?.get::<_, i64>(0))?)
    }

    pub(crate) async fn remove(&self) -> anyhow::Result<()> {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        Ok(self.server.client.batch_execute(&drop).await?)
    }

    /// Does at once what autovacuum and the checkpointer would do within minutes.
    pub(crate) async fn put_in_order(&self) -> anyhow::Result<()> {
        let (client, _connection) = connect(&self.url()).await?;
        client.batch_execute("VACUUM (ANALYZE)").await?;
        client.batch_execute("CHECKPOINT").await?;
        Ok(())
    }

    /// The statements that took most of the server's time, a line each.
    pub(crate) async fn statements(&self) -> anyhow::Result<Vec<String>> {
        const DEAREST: &str = "
            SELECT calls, rows, total_exec_time, wal_bytes::bigint,
                   left(regexp_replace(query, '\\s+', ' ', 'g'), 100)
            FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)
            ORDER BY total_exec_time DESC
            LIMIT 8";
        if !self.server.counts_statements {
            return Ok(Vec::new());
        }
        let rows = self.server.client.query(DEAREST, &[&self.name]).await?;
        let line = |row: &tokio_postgres::Row| {
            let (calls, rows, wal): (i64, i64, i64) = (row.get(0), row.get(1), row.get(3));
            let (time, query): (f64, String) = (row.get(2), row.get(4));
            format!("{calls:>9} calls {rows:>10} rows {time:>9.0} ms {wal:>12} B WAL  {query}")
        };
        Ok(rows.iter().map(line).collect())
    }
}

impl Sub for Work {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            statements: self.statements.saturating_sub(before.statements),
            commits: self.commits.saturating_sub(before.commits),
            wal_bytes: self.wal_bytes.saturating_sub(before.wal_bytes),
        }
    }
}

async fn connect(url: &str) -> anyhow::Result<(Client, JoinSet<()>)> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("PostgreSQL")?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // It ends with the client or with the server, and both are ours to end.
        let _ended = connection.await;
    });
    Ok((client, tasks))
}

/// Whether the server's installation can count statements.
fn has_statements() -> anyhow::Result<bool> {
    let programs = said(Command::new(SCRIPT).arg("find"))?;
    let libraries = said(Command::new(Path::new(&programs).join("pg_config")).arg("--pkglibdir"));
    // Without pg_config the version is unknown, and statements are not counted.
    Ok(libraries
        .is_ok_and(|folder| Path::new(&folder).join(STATEMENTS).with_extension("so").exists()))
}

/// What a program printed.
fn said(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().with_context(|| name.clone())?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
