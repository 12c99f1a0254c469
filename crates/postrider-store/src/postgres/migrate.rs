//! Migrates the schema when a database is opened.

use std::time::Duration;

use deadpool_postgres::Pool;
use postrider_core::data_format::Opening;

use super::{
    connect::Address, error::DatabaseError, format, options::PostgresOptions, session::Session,
};
use crate::format_report::FormatReport;

/// How often a migration tries to get its locks. While it waits for one, all other transactions
/// on the table queue up behind it. So it stops waiting after two seconds, lets them run, and tries
/// again.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// The versions of the schema before and after a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    pub from: u32,
    /// Later than the version of this program if a later program has migrated the schema.
    pub to: u32,
}

/// Migrates the schema. This is the first use of a database, so an error explains why the database
/// cannot be used.
pub(super) async fn start(
    address: &Address,
    pool: &Pool,
    options: &PostgresOptions,
) -> Result<MigrationReport, DatabaseError> {
    let migrated = async { migrate(&mut open(pool, options).await?).await };
    migrated.await.map_err(|error| address.explain(error))
}

/// Reads the version of the schema, which is not changed.
pub(super) async fn inspect(
    address: &Address,
    pool: &Pool,
    options: &PostgresOptions,
) -> Result<FormatReport, DatabaseError> {
    let found = async { format::read(&mut open(pool, options).await?).await };
    found.await.map_err(|error| address.explain(error))
}

async fn open(pool: &Pool, options: &PostgresOptions) -> Result<Session, DatabaseError> {
    Session::open(pool, !options.is_pooled, options.call_timeout).await
}

async fn migrate(session: &mut Session) -> Result<MigrationReport, DatabaseError> {
    let report = format::require_usable(session).await?;
    let (found, own) = (report.found.version, report.own.version);
    match report.opening() {
        Opening::Upgrade { is_reversible } => {
            if !is_reversible && found > 0 {
                tracing::warn!(
                    from = found,
                    to = own,
                    "upgrading the schema; earlier versions cannot use it afterwards"
                );
            }
            upgrade(session).await
        },
        Opening::UseLater => {
            tracing::warn!(
                version = found,
                usable_from = report.found.usable_from,
                known = own,
                written_by = report.writer(),
                "the schema is that of a later version, which this version can use"
            );
            Ok(MigrationReport { from: found, to: found })
        },
        Opening::Use | Opening::Refuse => Ok(MigrationReport { from: found, to: found }),
    }
}

async fn upgrade(session: &mut Session) -> Result<MigrationReport, DatabaseError> {
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

/// Another node may have migrated the schema since its version was read.
async fn apply(session: &mut Session) -> Result<MigrationReport, DatabaseError> {
    session.begin().await?;
    session.lift_timeouts().await?;
    session.query(LOCK, &[]).await?;
    session.run("SET LOCAL lock_timeout = '2s'; SET LOCAL client_min_messages = warning").await?;
    let report = format::require_usable(session).await?;
    let (from, to) = (report.found.version, report.own.version.max(report.found.version));
    if from < to {
        format::apply(session, report.found).await?;
    }
    session.commit().await?;
    if (1..to).contains(&from) {
        let usable_from = report.own.usable_from;
        tracing::info!(from, to, usable_from, "upgraded the schema");
    }
    Ok(MigrationReport { from, to })
}
