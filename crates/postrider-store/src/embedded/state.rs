//! The table `state`, which both databases have: single numbers by key.

use rusqlite::{Connection, OptionalExtension, ToSql, params, types::FromSql};

/// Distinguishes a main database from others. The index has the origin of the one that it belongs
/// to.
pub(super) const ORIGIN: &str = "origin";

/// The earliest format whose programs can use the main database.
pub(super) const USABLE_FROM: &str = "usable_from";

/// The version of the program that gave the main database its format, as a number.
pub(super) const WRITTEN_BY: &str = "written_by";

/// The low-water mark of the main database.
pub(super) const LOW_WATER: &str = "low_water";

/// The copy that was made from the main database, until a node opens it.
pub(super) const COPY_MARK: &str = "copied_as";

/// The position up to which the index has applied the journal.
pub(super) const APPLIED: &str = "applied";

/// The first sequence that an index contains which is being rebuilt.
pub(super) const COVERED_FROM: &str = "covered_from";

/// The newest sequence when the rebuild of an index started.
pub(super) const NEWEST: &str = "newest";

const GET: &str = "SELECT value FROM state WHERE key = ?1";

pub(super) fn get<T: FromSql>(db: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    db.prepare_cached(GET)?.query_row([key], |row| row.get(0)).optional()
}

const SET: &str = "INSERT INTO state (key, value) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";

pub(super) fn set(db: &Connection, key: &str, value: &impl ToSql) -> rusqlite::Result<()> {
    db.prepare_cached(SET)?.execute(params![key, value]).map(drop)
}

const REMOVE: &str = "DELETE FROM state WHERE key = ?1";

pub(super) fn remove(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached(REMOVE)?.execute([key]).map(drop)
}

const ENSURE_ORIGIN: &str =
    "INSERT INTO state (key, value) VALUES ('origin', random()) ON CONFLICT (key) DO NOTHING";

/// Gives a new database its origin.
pub(super) fn ensure_origin(db: &Connection) -> rusqlite::Result<()> {
    db.execute(ENSURE_ORIGIN, []).map(drop)
}
