//! The version of the schema: its migrations, and whether this program can use what another version
//! left.

use postrider_core::data_format::{
    Compatibility::{self, Additive, Breaking},
    DataFormat, Opening,
};

use super::{
    error::{DatabaseError, OpenError},
    session::Session,
};
use crate::format_report::{FormatReport, ProgramVersion};

/// A version of the schema follows from the one before.
pub(super) struct Migration {
    compatibility: Compatibility,
    pub(super) sql: &'static str,
}

/// All migrations, one after the other. Each may run while nodes of the version before are working.
/// If it is breaking, these nodes stop within seconds.
///
/// Programs before version 10 refuse to start on every later version.
pub(super) const MIGRATIONS: [Migration; 10] = [
    Migration { compatibility: Breaking, sql: include_str!("schema/0001.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0002.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0003.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0004.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0005.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0006.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0007.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0008.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/0009.sql") },
    Migration { compatibility: Additive, sql: include_str!("schema/0010.sql") },
];

/// The format after this many migrations.
fn after(migrations: usize) -> DataFormat {
    DataFormat::after(MIGRATIONS.iter().take(migrations).map(|it| it.compatibility))
}

const IS_INSTALLED: &str = "SELECT to_regclass('schema_version') IS NOT NULL";

/// Schemas that were created before version 10 lack the two columns.
const NEWEST: &str = "
SELECT version, (to_jsonb(it) ->> 'usable_from')::integer, (to_jsonb(it) ->> 'written_by')::integer
FROM schema_version AS it
ORDER BY version DESC
LIMIT 1";

/// The version of the schema, which may be empty. Changes nothing, and needs no privilege to change
/// the schema.
pub(super) async fn read(session: &mut Session) -> Result<FormatReport, DatabaseError> {
    let own = after(MIGRATIONS.len());
    let none = FormatReport { found: after(0), written_by: None, own };
    if !session.query_one(IS_INSTALLED, &[]).await?.get::<_, bool>(0) {
        return Ok(none);
    }
    let Some(row) = session.query_opt(NEWEST, &[]).await? else { return Ok(none) };
    let unsigned = |number: i32| u32::try_from(number).unwrap_or_default();
    let number = |column: usize| row.get::<_, Option<i32>>(column).map(unsigned);
    let exactly = DataFormat::exactly(unsigned(row.get(0)));
    let usable_from = number(1).unwrap_or(exactly.usable_from);
    let written_by = number(2).map(ProgramVersion::from_number);
    Ok(FormatReport { found: DataFormat { usable_from, ..exactly }, written_by, own })
}

/// The version of a schema that this program can use or upgrade.
pub(super) async fn require_usable(session: &mut Session) -> Result<FormatReport, DatabaseError> {
    let report = read(session).await?;
    if report.opening() == Opening::Refuse {
        return Err(OpenError::NewerSchema(report).into());
    }
    Ok(report)
}

/// Makes sure that this program knows everything that the database contains, to copy it.
pub(super) async fn require_known(session: &mut Session) -> Result<(), DatabaseError> {
    let report = read(session).await?;
    if report.opening() == Opening::UseLater {
        return Err(OpenError::Incomplete(report).into());
    }
    Ok(())
}

const CREATE_VERSIONS: &str = "
CREATE TABLE IF NOT EXISTS schema_version (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    usable_from integer,
    written_by integer
)";

/// Waits for nodes that are just reading the table, so it runs when everything else is done.
const ADD_COLUMNS: &str = "
ALTER TABLE schema_version
    ADD COLUMN IF NOT EXISTS usable_from integer,
    ADD COLUMN IF NOT EXISTS written_by integer";

const ADD_VERSION: &str = "
INSERT INTO schema_version (version, usable_from, written_by)
VALUES ($1, $2, $3)";

/// Applies the migrations that the schema lacks, inside the caller's transaction.
pub(super) async fn apply(session: &mut Session, found: DataFormat) -> Result<(), DatabaseError> {
    let applied = usize::try_from(found.version).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(applied) {
        session.run(migration.sql).await?;
    }
    session.run(CREATE_VERSIONS).await?;
    session.run(ADD_COLUMNS).await?;
    let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let writer = signed(ProgramVersion::own().number());
    for count in applied + 1..=MIGRATIONS.len() {
        let DataFormat { version, usable_from } = after(count);
        let values = (signed(version), signed(usable_from));
        session.execute(ADD_VERSION, &[&values.0, &values.1, &writer]).await?;
    }
    Ok(())
}
