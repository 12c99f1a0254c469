//! The position of an index: the commit up to which it has applied the journal.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::embedded::{number::JournalPosition, state};

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

/// The position of an open index, if it has one.
pub(super) fn of(index: &Connection) -> rusqlite::Result<Option<IndexPosition>> {
    let origin = state::get(index, state::ORIGIN)?;
    let applied = state::get(index, state::APPLIED)?;
    Ok(origin.zip(applied).map(|(origin, applied)| IndexPosition { origin, applied }))
}
