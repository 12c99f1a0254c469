//! The version of the index's schema.

use rusqlite::Connection;

/// The version of a complete index. A file with a version that is not known is rebuilt.
pub(super) const VERSION: usize = 3;

/// The version of an index with the same schema that is being rebuilt.
pub(super) const REBUILDING: usize = 1_003;

/// The same of the schema before.
const VERSION_BEFORE: usize = 2;
const REBUILDING_BEFORE: usize = 1_002;

/// What the schema before lacks.
const SINCE_BEFORE: &str = include_str!("../schema/index_3.sql");

/// The tables of a new index.
pub(in crate::embedded) const SCHEMA: &str =
    concat!(include_str!("../schema/index.sql"), include_str!("../schema/index_3.sql"));

/// The version of the file, which gets the present one if it has the one before.
pub(in crate::embedded) fn upgraded(index: &Connection) -> rusqlite::Result<usize> {
    let found: usize = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = match found {
        VERSION_BEFORE => VERSION,
        REBUILDING_BEFORE => REBUILDING,
        other => return Ok(other),
    };
    index.execute_batch("BEGIN IMMEDIATE")?;
    index.execute_batch(SINCE_BEFORE)?;
    index.pragma_update(None, "user_version", version)?;
    index.execute_batch("COMMIT")?;
    Ok(version)
}
