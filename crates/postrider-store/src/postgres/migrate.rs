//! Brings the schema up to date. Forward only; every step may run while older nodes work.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::types::Type;

use super::{
    PostgresOptions, PostgresStore,
    connect::Address,
    obstacle::{self, OpenError},
    session::Session,
    trouble,
};
use crate::StoreError;

/// The steps, in order, with the version that each of them brings the schema to.
const STEPS: [(i32, &str); 4] = [
    (1, include_str!("schema/0001.sql")),
    (2, include_str!("schema/0002.sql")),
    (3, include_str!("schema/0003.sql")),
    (4, include_str!("schema/0004.sql")),
];

/// The version that this program needs.
const VERSION: i32 = STEPS[STEPS.len() - 1].0;

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    pub from: i32,
    pub to: i32,
}

impl PostgresStore {
    /// Brings the schema up to date without becoming a node.
    pub async fn migrate(options: &PostgresOptions) -> Result<MigrationReport, StoreError> {
        let pool = Address::of(options)?.pool(options)?;
        start(&pool, options).await
    }
}

/// The first use of a database: what is in the way is said so that people understand it.
pub(super) async fn start(
    pool: &Pool,
    options: &PostgresOptions,
) -> Result<MigrationReport, StoreError> {
    let migrated = async {
        let prepares = !options.is_pooled;
        migrate(&mut Session::open(pool, prepares, options.call_timeout).await?).await
    };
    migrated.await.map_err(|error| obstacle::explain(error, options))
}

/// Applies the steps that are missing; nodes that start together take turns. A schema that is
/// up to date is only looked at, which needs no right to change it.
async fn migrate(session: &mut Session) -> Result<MigrationReport, StoreError> {
    let found = session.query_one("SELECT to_regclass('schema_version') IS NOT NULL", &[]).await?;
    if found.get(0) && version(session).await? == VERSION {
        return Ok(MigrationReport { from: VERSION, to: VERSION });
    }
    let mut tries = 1;
    loop {
        match apply(session).await {
            Err(error) if trouble::is_locked(&error) && tries < TRIES => {
                tries += 1;
                session.rollback().await?;
                tokio::time::sleep(PAUSE).await;
            },
            result => return result,
        }
    }
}

/// How often a step tries to get its locks. While it waits for one, everybody else who wants
/// the table waits behind it; so it gives up soon, and lets them pass before it tries again.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

async fn apply(session: &mut Session) -> Result<MigrationReport, StoreError> {
    session.begin().await?;
    session.take_time().await?;
    // The lock ends with the transaction; it is the schema's own, so that installations in
    // other schemas of the same database do not wait.
    let lock =
        "SELECT pg_advisory_xact_lock(hashtextextended('postrider ' || current_schema(), 0))";
    session.query(lock, &[]).await?;
    session.run("SET LOCAL lock_timeout = '2s'; SET LOCAL client_min_messages = warning").await?;
    session
        .run(
            "CREATE TABLE IF NOT EXISTS schema_version (
                version integer PRIMARY KEY,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )",
        )
        .await?;
    let from = version(session).await?;
    if from > VERSION {
        return Err(OpenError::Newer { found: from, known: VERSION }.into_store_error());
    }
    for (version, step) in STEPS.iter().filter(|(version, _)| *version > from) {
        session.run(step).await?;
        session
            .execute("INSERT INTO schema_version (version) VALUES ($1)", &[(version, Type::INT4)])
            .await?;
    }
    session.commit().await?;
    Ok(MigrationReport { from, to: VERSION })
}

/// The step that the schema has had last.
async fn version(session: &mut Session) -> Result<i32, StoreError> {
    let row =
        session.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
    Ok(row.get(0))
}
