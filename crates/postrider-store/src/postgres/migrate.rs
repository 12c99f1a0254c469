//! Migrations of the schema. They only go forward, and every step may run while older nodes are
//! working.

use std::time::Duration;

use deadpool_postgres::Pool;

use super::{
    connect::Address,
    error::{DatabaseError, OpenError},
    options::PostgresOptions,
    session::Session,
};

/// The steps, in order, each with the version of the schema after it.
const STEPS: [(i32, &str); 9] = [
    (1, include_str!("schema/0001.sql")),
    (2, include_str!("schema/0002.sql")),
    (3, include_str!("schema/0003.sql")),
    (4, include_str!("schema/0004.sql")),
    (5, include_str!("schema/0005.sql")),
    (6, include_str!("schema/0006.sql")),
    (7, include_str!("schema/0007.sql")),
    (8, include_str!("schema/0008.sql")),
    (9, include_str!("schema/0009.sql")),
];

/// The version that this program needs.
const VERSION: i32 = STEPS[STEPS.len() - 1].0;

/// How often a step tries to get its locks. While it waits for one, all other transactions
/// on the table queue up behind it. So it stops waiting after two seconds, lets them run, and tries
/// again.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// The versions of the schema before and after a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    pub from: i32,
    pub to: i32,
}

/// Migrates the schema. This is the first use of a database, so an error explains why the database
/// cannot be used.
pub(super) async fn start(
    address: &Address,
    pool: &Pool,
    options: &PostgresOptions,
) -> Result<MigrationReport, DatabaseError> {
    let migrated = async {
        let prepares = !options.is_pooled;
        migrate(&mut Session::open(pool, prepares, options.call_timeout).await?).await
    };
    let report = migrated.await.map_err(|error| address.explain(error))?;
    let MigrationReport { from, to } = report;
    if (1..to).contains(&from) {
        tracing::info!(
            from,
            to,
            "the schema was upgraded; earlier versions cannot start on it any more"
        );
    }
    Ok(report)
}

const IS_INSTALLED: &str = "SELECT to_regclass('schema_version') IS NOT NULL";

/// Applies the missing steps. A schema that is up to date is only read, which needs no privilege to
/// change it.
async fn migrate(session: &mut Session) -> Result<MigrationReport, DatabaseError> {
    let found = session.query_one(IS_INSTALLED, &[]).await?;
    if found.get(0) && version(session).await? == VERSION {
        return Ok(MigrationReport { from: VERSION, to: VERSION });
    }
    let mut tries = 1;
    loop {
        match apply(session).await {
            Err(DatabaseError::LockTimeout(_)) if tries < TRIES => {
                tries += 1;
                session.rollback().await?;
                tokio::time::sleep(PAUSE).await;
            },
            result => return result,
        }
    }
}

/// Serializes nodes that start at the same time. The lock ends with the transaction, and belongs to
/// the schema, so that installations in other schemas of the database do not wait.
const LOCK: &str = "
SELECT pg_advisory_xact_lock(hashtextextended('postrider ' || current_schema(), 0))";

const CREATE_VERSIONS: &str = "
CREATE TABLE IF NOT EXISTS schema_version (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)";

const ADD_VERSION: &str = "INSERT INTO schema_version (version) VALUES ($1)";

async fn apply(session: &mut Session) -> Result<MigrationReport, DatabaseError> {
    session.begin().await?;
    session.lift_timeouts().await?;
    session.query(LOCK, &[]).await?;
    session.run("SET LOCAL lock_timeout = '2s'; SET LOCAL client_min_messages = warning").await?;
    session.run(CREATE_VERSIONS).await?;
    let from = version(session).await?;
    if from > VERSION {
        return Err(OpenError::NewerSchema { found: from, known: VERSION }.into());
    }
    for (version, step) in STEPS.iter().filter(|(version, _)| *version > from) {
        session.run(step).await?;
        session.execute(ADD_VERSION, &[version]).await?;
    }
    session.commit().await?;
    Ok(MigrationReport { from, to: VERSION })
}

const GET_VERSION: &str = "SELECT coalesce(max(version), 0) FROM schema_version";

/// The version of the schema; 0 if it is empty.
async fn version(session: &mut Session) -> Result<i32, DatabaseError> {
    Ok(session.query_one(GET_VERSION, &[]).await?.get(0))
}
