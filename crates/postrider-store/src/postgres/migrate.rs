//! Brings the schema up to date. Forward only; every step may run while older nodes work.

use tokio_postgres::types::Type;

use super::{session::Session, trouble};
use crate::StoreError;

/// The steps, in order; the version of a schema is how many of them it has had.
const STEPS: [&str; 1] = [include_str!("schema/0001.sql")];

/// The version that this program needs.
pub(super) const VERSION: i32 = STEPS.len() as i32;

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    pub from: i32,
    pub to: i32,
}

/// Applies the steps that are missing; nodes that start together take turns.
pub(super) async fn migrate(session: &mut Session) -> Result<Migrated, StoreError> {
    session.begin().await?;
    // The lock ends with the transaction; it is the schema's own, so that installations in
    // other schemas of the same database do not wait.
    let lock =
        "SELECT pg_advisory_xact_lock(hashtextextended('postrider ' || current_schema(), 0))";
    session.query(lock, &[]).await?;
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
        return Err(newer(from));
    }
    for step in usize::try_from(from).unwrap_or_default()..STEPS.len() {
        session.run(STEPS[step]).await?;
        let applied = i32::try_from(step + 1).unwrap_or(i32::MAX);
        session
            .execute("INSERT INTO schema_version (version) VALUES ($1)", &[(&applied, Type::INT4)])
            .await?;
    }
    session.commit().await?;
    Ok(Migrated { from, to: VERSION })
}

/// How many steps the schema has had.
pub(super) async fn version(session: &mut Session) -> Result<i32, StoreError> {
    let row =
        session.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
    Ok(row.get(0))
}

fn newer(found: i32) -> StoreError {
    trouble::unavailable(&format!(
        "the database's schema has version {found}, and this program knows only {VERSION}; \
         run the newer program that made it, or one that is newer still"
    ))
}
