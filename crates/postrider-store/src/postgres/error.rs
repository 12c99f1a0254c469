//! Errors of the database, with one variant for each way in which a caller reacts.
//!
//! Within the module functions return [`DatabaseError`]. It becomes a [`StoreError`] where a
//! method of the store returns, and only there: a `StoreError` does not say any more whether a
//! transaction lost a race or whether its outcome is unknown.

mod open;

use deadpool_postgres::PoolError;
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

pub use self::open::OpenError;
use crate::error::{BoxError, StoreError};

#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    /// A deadlock or a serialization failure: nothing was written, and the transaction can be run
    /// again.
    #[error("the transaction lost a race")]
    Race(#[source] Error),
    /// A row does not fit its partition. The partition of its day was created while the row was
    /// on its way to the default partition, or the default partition has rows of that day.
    #[error("a row is outside of its partition")]
    OutsidePartition(#[source] Error),
    #[error("a row with the same key exists")]
    UniqueViolation { index: UniqueIndex, source: Error },
    #[error("a lock was not available in time")]
    LockTimeout(#[source] Error),
    #[error("the table exists")]
    DuplicateTable(#[source] Error),
    /// The server is a standby, or has become one.
    #[error("the server is read-only")]
    ReadOnly(#[source] Error),
    #[error("the database is full")]
    Full(#[source] Error),
    /// A stored value cannot be decoded, or the database found damage.
    #[error("stored {what} is corrupt")]
    Corrupt { what: &'static str, source: BoxError },
    /// The response to a statement was lost, or the server stopped while running it: whether the
    /// transaction was committed is unknown.
    #[error("the outcome of a transaction is unknown")]
    InDoubt(#[source] BoxError),
    /// The server rejected a statement; nothing was written.
    #[error("the database rejected a statement")]
    Rejected(#[source] Error),
    /// Nothing was sent, or nothing was written.
    #[error("the database is unavailable")]
    Unavailable(#[source] BoxError),
    /// Another record has the same id, name or uid.
    #[error("{what} is taken")]
    Conflict { what: &'static str },
    /// The record does not have the version that the caller expected.
    #[error("{what} was changed meanwhile")]
    VersionMismatch { what: &'static str },
    #[error(transparent)]
    Open(Box<OpenError>),
}

/// The unique index that a row violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UniqueIndex {
    /// The uid of an application, an endpoint, a source or a consumer.
    Uid,
    /// The digest of a source's token.
    SourceToken,
    /// The primary key of a table or of a partition.
    PrimaryKey,
}

impl DatabaseError {
    pub(super) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable(reason.into())
    }

    /// A stored value cannot be decoded.
    pub(super) fn corrupt(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Corrupt { what, source: source.into() }
    }

    /// Whether the transaction was rolled back for a reason that does not come up again when it is
    /// repeated.
    pub(super) const fn is_race(&self) -> bool {
        matches!(self, Self::Race(_) | Self::OutsidePartition(_))
    }

    pub(super) const fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt(_))
    }
}

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        let Some(response) = error.as_db_error() else { return Self::InDoubt(error.into()) };
        match *response.code() {
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => {
                Self::Race(error)
            },
            SqlState::CHECK_VIOLATION => Self::OutsidePartition(error),
            SqlState::UNIQUE_VIOLATION => {
                Self::UniqueViolation { index: UniqueIndex::of(response), source: error }
            },
            SqlState::LOCK_NOT_AVAILABLE => Self::LockTimeout(error),
            SqlState::DUPLICATE_TABLE => Self::DuplicateTable(error),
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly(error),
            SqlState::DISK_FULL
            | SqlState::OUT_OF_MEMORY
            | SqlState::CONFIGURATION_LIMIT_EXCEEDED => Self::Full(error),
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
                Self::corrupt("database", error)
            },
            // A server that stops, or that cancels a statement, may do so during a commit.
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::QUERY_CANCELED => {
                Self::InDoubt(error.into())
            },
            _ => Self::Rejected(error),
        }
    }
}

impl UniqueIndex {
    fn of(response: &DbError) -> Self {
        match response.constraint() {
            Some(
                "application_uid" | "connector_uid" | "consumer_uid" | "endpoint_uid"
                | "source_uid",
            ) => Self::Uid,
            Some("source_token" | "api_key_digest") => Self::SourceToken,
            _ => Self::PrimaryKey,
        }
    }
}

impl From<PoolError> for DatabaseError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other errors stay as they are")]
    fn from(error: PoolError) -> Self {
        match error {
            // No statement was sent on a connection that could not be opened.
            PoolError::Backend(error) => match Self::from(error) {
                Self::InDoubt(source) => Self::Unavailable(source),
                other => other,
            },
            PoolError::Timeout(_) => Self::unavailable(
                "no connection to the database became free or could be opened in time",
            ),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Unavailable(error.into())
            },
        }
    }
}

/// What an error of the database, or of the connection to it, says to clients, without addresses
/// and data.
pub(crate) fn reason(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<Error>()?;
    let Some(response) = error.as_db_error() else {
        return Some("the connection to the database was lost or could not be opened");
    };
    Some(match *response.code() {
        SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => {
            "the transaction lost races with others"
        },
        SqlState::LOCK_NOT_AVAILABLE => "a lock in the database was not available in time",
        SqlState::QUERY_CANCELED => "the database took too long",
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
            "the database is starting or stopping"
        },
        SqlState::TOO_MANY_CONNECTIONS => "the database has no free connection",
        SqlState::READ_ONLY_SQL_TRANSACTION => "the database is read-only",
        _ => "the database rejected a statement",
    })
}

impl From<OpenError> for DatabaseError {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        use DatabaseError as E;
        match error {
            E::Race(source)
            | E::OutsidePartition(source)
            | E::UniqueViolation { source, .. }
            | E::LockTimeout(source)
            | E::DuplicateTable(source)
            | E::ReadOnly(source)
            | E::Rejected(source) => Self::Unavailable(source.into()),
            E::InDoubt(source) | E::Unavailable(source) => Self::Unavailable(source),
            E::Open(error) => Self::Unavailable(error),
            E::Full(source) => Self::Full(source.into()),
            E::Corrupt { what, source } => Self::Corrupt { what, source },
            E::Conflict { what } => Self::Conflict { what },
            E::VersionMismatch { what } => Self::VersionMismatch { what },
        }
    }
}
