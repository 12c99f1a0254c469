//! The meaning of `SQLite`'s errors for callers of the store.

use std::{error::Error, fmt, path::PathBuf, sync::Arc};

use rusqlite::{Error as SqlError, ErrorCode, ffi, types::Type};

use super::files;
use crate::error::{BoxError, StoreError};

/// A damaged file, and the way to repair it.
#[derive(Debug, thiserror::Error)]
#[error("{advice}")]
struct Damage {
    advice: &'static str,
    source: SqlError,
}

const RESTORE: &str = "postrider.db is damaged; stop the server and start it with the folder of a \
                       backup, or copy what can be read with `postrider salvage`";
const REBUILD: &str = "index.db is damaged; it is rebuilt in the background";

impl From<SqlError> for StoreError {
    /// Converts an error of the main database; see `IndexError` for the index.
    fn from(error: SqlError) -> Self {
        convert(error, files::MAIN, RESTORE)
    }
}

/// An error of the index, which can be rebuilt when the main database could not.
#[derive(Debug)]
pub(super) struct IndexError(pub(super) SqlError);

impl From<SqlError> for IndexError {
    fn from(error: SqlError) -> Self {
        Self(error)
    }
}

impl From<IndexError> for StoreError {
    fn from(IndexError(error): IndexError) -> Self {
        convert(error, files::INDEX, REBUILD)
    }
}

fn convert(error: SqlError, what: &'static str, advice: &'static str) -> StoreError {
    if let Some(damaged) = damaged_row(&error) {
        return StoreError::Corrupt { what: files::MAIN, source: damaged.into() };
    }
    if is_damage(&error) {
        return StoreError::Corrupt { what, source: Damage { advice, source: error }.into() };
    }
    if is_full(&error) {
        StoreError::Full(error.into())
    } else {
        StoreError::Unavailable(error.into())
    }
}

/// Whether the file, or a row of it, is damaged. Retrying does not help then.
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

/// `SQLite` reports a full disk under a second code when it cannot grow the shared-memory file
/// of the log.
fn is_full(error: &SqlError) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}

/// Whether a file could not be synced. What was written since its last sync may be lost then, and the
/// system may report the next sync as a success all the same.
pub(super) fn is_failed_sync(error: &SqlError) -> bool {
    error.sqlite_error().is_some_and(|error| {
        matches!(error.extended_code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    })
}

/// Stored bytes that do not decode, as an error of the row that contains them.
pub(super) fn undecodable(error: impl Into<BoxError>) -> SqlError {
    SqlError::FromSqlConversionFailure(0, Type::Blob, error.into())
}

/// Stored values that decode but contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Inconsistency {
    #[error("a number has no name")]
    UnknownNumber,
    #[error("a row has an unknown version")]
    UnknownVersion,
    #[error("a delivery has an unknown state")]
    UnknownState,
    #[error("a record says something else than the columns by which it is found")]
    ColumnsDiffer,
    #[error("a delivery is pending in the index and not in the database")]
    PendingInIndexOnly,
}

/// A row whose content is not what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}; list all damaged rows with `postrider verify-data`, check the disk, and restore the folder \
     from a backup, or copy what can be read with `postrider salvage`",
    self.place()
)]
pub(super) struct DamagedRow {
    pub(super) table: &'static str,
    pub(super) sequence: u64,
}

impl DamagedRow {
    /// File, table and row.
    pub(super) fn place(self) -> String {
        let Self { table, sequence } = self;
        format!(
            "postrider.db is damaged: row {sequence} of the table `{table}` does not match its checksum"
        )
    }
}

/// A copy that has the damage of the original.
#[derive(Debug, thiserror::Error)]
#[error(
    "the copy in {} is complete, but the original is damaged, and so is the copy ({first}, {count} in \
     all); keep the backups before it, check the disk, and list everything that is damaged with \
     `postrider verify-data`",
    .folder.display()
)]
pub(super) struct DamagedCopy {
    pub(super) folder: PathBuf,
    pub(super) first: String,
    pub(super) count: usize,
}

impl From<DamagedCopy> for StoreError {
    fn from(damaged: DamagedCopy) -> Self {
        Self::Corrupt { what: files::MAIN, source: damaged.into() }
    }
}

impl From<DamagedRow> for SqlError {
    fn from(damaged: DamagedRow) -> Self {
        undecodable(damaged)
    }
}

/// The damaged row that the error is about.
pub(super) fn damaged_row(error: &SqlError) -> Option<DamagedRow> {
    let SqlError::FromSqlConversionFailure(_, _, cause) = error else { return None };
    cause.downcast_ref().copied()
}

impl From<Inconsistency> for SqlError {
    fn from(inconsistency: Inconsistency) -> Self {
        undecodable(inconsistency)
    }
}

/// Why work was not done although no statement of it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("the store is closed")]
    Closed,
    #[error("sqlite rolled the transaction back")]
    RolledBack,
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(Refusal::Closed.into())
}

/// Earlier work of the same transaction met an error after which `SQLite` keeps nothing of it.
pub(super) fn rolled_back() -> StoreError {
    StoreError::Unavailable(Refusal::RolledBack.into())
}

/// The same, found by the commit. `SQLite` rolls back on its own when the disk is full.
pub(super) fn rolled_back_full() -> StoreError {
    StoreError::Full(Refusal::RolledBack.into())
}

/// The cause of an error that several callers receive.
#[derive(Debug)]
struct SharedCause(Arc<StoreError>);

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(cause) => fmt::Display::fmt(cause, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for SharedCause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}

/// What an error of this store or of `SQLite` says to clients, without paths and data.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(SharedCause(shared)) = error.downcast_ref() {
        return shared.source().and_then(reason);
    }
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return Some(match refusal {
            Refusal::Closed => "it is closed, or one of its threads stopped",
            Refusal::RolledBack => "other work in the same transaction failed",
        });
    }
    let error = error.downcast_ref::<SqlError>()?.sqlite_error()?;
    Some(reason_of_code(error.code))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other codes tell clients nothing")]
const fn reason_of_code(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => "another process has locked a file of the store",
        ErrorCode::SystemIoFailure => "the disk reported an error",
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
            "a file of the store cannot be opened or written"
        },
        ErrorCode::OutOfMemory => "there is not enough memory",
        _ => "a statement failed",
    }
}

/// The same error for another caller whose work was in the same transaction.
pub(super) fn repeat(error: &Arc<StoreError>) -> StoreError {
    let cause = SharedCause(Arc::clone(error));
    match **error {
        StoreError::Full(_) => StoreError::Full(cause.into()),
        StoreError::Corrupt { what, .. } => StoreError::Corrupt { what, source: cause.into() },
        StoreError::Rebuilding(rebuild) => StoreError::Rebuilding(rebuild),
        StoreError::Unavailable(_)
        | StoreError::Conflict { .. }
        | StoreError::VersionMismatch { .. } => StoreError::Unavailable(cause.into()),
    }
}
