//! What PostgreSQL's errors mean to the store's callers.

use deadpool_postgres::PoolError;
use tokio_postgres::{Error, error::SqlState};

use crate::{BoxError, StoreError};

/// What to do about an error.
pub(super) fn translate(error: Error) -> StoreError {
    match error.code() {
        Some(code) if is_full(code) => StoreError::Full(error.into()),
        Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED) => {
            StoreError::Corrupt { what: "database", source: error.into() }
        },
        _ => StoreError::Unavailable(error.into()),
    }
}

/// The transaction lost a race and can simply be made again. A row breaks a check when the
/// partition of its day was made while it was on its way to where those without one go.
pub(super) fn is_race(error: &StoreError) -> bool {
    code(error).is_some_and(|code| {
        [
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::CHECK_VIOLATION,
        ]
        .contains(code)
    })
}

/// There was no answer, or the server ended in the middle of one: whether the transaction was
/// committed is unknown.
pub(super) fn is_unknown(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    let answer = source.downcast_ref::<Error>().and_then(Error::as_db_error);
    answer.is_none_or(|it| {
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::QUERY_CANCELED]
            .contains(it.code())
    })
}

/// The server only reads: it is a standby, or has become one.
pub(super) fn is_standby(error: &Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// The lock was not to be had in time.
pub(super) fn is_locked(error: &StoreError) -> bool {
    code(error) == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

/// A table of that name is there already.
pub(super) fn is_there(error: &StoreError) -> bool {
    code(error) == Some(&SqlState::DUPLICATE_TABLE)
}

/// A row is not where it has to be.
pub(super) fn is_broken_check(error: &StoreError) -> bool {
    code(error) == Some(&SqlState::CHECK_VIOLATION)
}

/// The name of the unique index that a row broke.
pub(super) fn broken_index(error: &StoreError) -> Option<String> {
    let StoreError::Unavailable(source) = error else { return None };
    let error = source.downcast_ref::<Error>()?.as_db_error()?;
    (error.code() == &SqlState::UNIQUE_VIOLATION).then(|| error.constraint().map(str::to_owned))?
}

pub(super) fn of_pool(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => translate(error),
        PoolError::Timeout(_) => {
            unavailable("no connection to the database became free or could be opened in time")
        },
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            StoreError::Unavailable(error.into())
        },
    }
}

pub(super) fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.into())
}

/// A stored value does not decode.
pub(super) fn corrupt(what: &'static str, source: impl Into<BoxError>) -> StoreError {
    StoreError::Corrupt { what, source: source.into() }
}

fn code(error: &StoreError) -> Option<&SqlState> {
    match error {
        StoreError::Unavailable(source) => source.downcast_ref::<Error>()?.code(),
        StoreError::Full(_)
        | StoreError::Conflict { .. }
        | StoreError::VersionMismatch { .. }
        | StoreError::Corrupt { .. } => None,
    }
}

fn is_full(code: &SqlState) -> bool {
    [SqlState::DISK_FULL, SqlState::OUT_OF_MEMORY, SqlState::CONFIGURATION_LIMIT_EXCEEDED]
        .contains(code)
}
