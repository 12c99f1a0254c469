//! What `SQLite`'s errors mean to the store's callers.

use std::{error::Error, fmt::Write as _};

use rusqlite::{Error as SqlError, ErrorCode, ffi, types::Type};

use crate::{BoxError, StoreError};

/// The file that holds the truth.
pub(super) const TRUTH: &str = "postrider.db";

/// The file that readers search in; made anew if it is lost.
pub(super) const INDEX: &str = "index.db";

/// A file is damaged, and this is what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{advice}")]
struct Damage {
    advice: &'static str,
    source: SqlError,
}

const RESTORE: &str =
    "postrider.db is damaged; stop the server and start it with the folder of a backup";
const REBUILD: &str =
    "index.db is damaged; stop the server, delete index.db and start again: it is rebuilt";

impl From<SqlError> for StoreError {
    /// What an error of the truth means.
    fn from(error: SqlError) -> Self {
        translate(error, "postrider.db", RESTORE)
    }
}

/// What an error of the index means.
pub(super) fn of_index(error: SqlError) -> StoreError {
    translate(error, "index.db", REBUILD)
}

fn translate(error: SqlError, what: &'static str, advice: &'static str) -> StoreError {
    if is_damage(&error) {
        return StoreError::Corrupt { what, source: Damage { advice, source: error }.into() };
    }
    if is_full(&error) {
        StoreError::Full(error.into())
    } else {
        StoreError::Unavailable(error.into())
    }
}

pub(super) fn is_damage(error: &SqlError) -> bool {
    let of_file = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    );
    let of_row = matches!(
        error,
        SqlError::FromSqlConversionFailure(..)
            | SqlError::IntegralValueOutOfRange(..)
            | SqlError::InvalidColumnType(..)
            | SqlError::Utf8Error(..)
    );
    of_file || of_row
}

/// Besides its own code for it, `SQLite` has one for no room for the map of the log.
fn is_full(error: &SqlError) -> bool {
    error.sqlite_error().is_some_and(|it| {
        it.code == ErrorCode::DiskFull || it.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}

/// Stored bytes that do not decode, as an error of the row that they are in.
pub(super) fn undecodable(error: impl Into<BoxError>) -> SqlError {
    SqlError::FromSqlConversionFailure(0, Type::Blob, error.into())
}

/// Stored bytes that cannot be what they should be.
pub(super) fn implausible(what: &'static str) -> SqlError {
    SqlError::FromSqlConversionFailure(0, Type::Blob, what.into())
}

/// The same error for another caller whose work was in the same transaction.
pub(super) fn repeat(error: &StoreError) -> StoreError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        write!(text, ": {inner}").expect("writing to a string does not fail");
        cause = inner.source();
    }
    match error {
        StoreError::Full(_) => StoreError::Full(text.into()),
        StoreError::Corrupt { what, .. } => StoreError::Corrupt { what, source: text.into() },
        StoreError::Unavailable(_)
        | StoreError::Conflict { .. }
        | StoreError::VersionMismatch { .. } => StoreError::Unavailable(text.into()),
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}
