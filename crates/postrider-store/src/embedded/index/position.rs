//! The position of an index: the commit up to which it has applied the journal.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::embedded::number::JournalPosition;

/// How far an index is, and to which main database it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct IndexPosition {
    pub(in crate::embedded) origin: i64,
    pub(in crate::embedded) applied: JournalPosition,
}

/// The position of the index in a file, if it can be read.
pub(in crate::embedded) fn in_file(path: &Path) -> Option<IndexPosition> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    of(&db).ok().flatten()
}

const ORIGIN: &str = "SELECT value FROM state WHERE key = 'origin'";

const APPLIED: &str = "SELECT value FROM state WHERE key = 'applied'";

/// The position of an open index, if it has one.
pub(super) fn of(index: &Connection) -> rusqlite::Result<Option<IndexPosition>> {
    let origin = index.query_row(ORIGIN, [], |row| row.get(0)).optional()?;
    let applied = index.query_row(APPLIED, [], |row| row.get(0)).optional()?;
    Ok(origin.zip(applied).map(|(origin, applied)| IndexPosition { origin, applied }))
}

const SET_ORIGIN: &str = "INSERT INTO state (key, value) VALUES ('origin', ?1)";

pub(super) fn set_origin(index: &Connection, origin: i64) -> rusqlite::Result<()> {
    index.execute(SET_ORIGIN, [origin]).map(drop)
}

const SET_APPLIED: &str = "INSERT INTO state (key, value) VALUES ('applied', ?1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";

pub(super) fn set_applied(index: &Connection, applied: JournalPosition) -> rusqlite::Result<()> {
    index.prepare_cached(SET_APPLIED)?.execute([applied]).map(drop)
}
