//! Why the index thread cannot continue: what follows depends on the file.

use rusqlite::Error as SqlError;

use crate::{
    embedded::{
        error::{self, IndexError},
        files,
    },
    error::StoreError,
};

/// Why the index thread cannot continue.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexerError {
    /// The index cannot be written or read.
    #[error("the index cannot be written")]
    Index(#[source] SqlError),
    /// The main database cannot be read, which a new index would not change.
    #[error("the main database cannot be read for the index")]
    Main(#[source] SqlError),
    /// An entry of the journal is damaged. The index can be rebuilt without it.
    #[error("an entry of the journal is damaged")]
    Journal(#[source] SqlError),
    /// A new index cannot be created.
    #[error("the index cannot be replaced")]
    Replace(#[source] StoreError),
}

impl From<SqlError> for IndexerError {
    /// Converts an error of the index.
    fn from(error: SqlError) -> Self {
        Self::Index(error)
    }
}

impl IndexerError {
    /// The file that the error is about, and what `SQLite` reported.
    pub(super) const fn cause(&self) -> (&'static str, Option<&SqlError>) {
        match self {
            Self::Index(error) => (files::INDEX, Some(error)),
            Self::Main(error) | Self::Journal(error) => (files::MAIN, Some(error)),
            Self::Replace(_) => (files::INDEX, None),
        }
    }

    /// Whether only a new index helps.
    pub(super) fn needs_rebuild(&self) -> bool {
        match self {
            Self::Index(error) => error::is_damage(error),
            Self::Journal(_) => true,
            Self::Main(_) | Self::Replace(_) => false,
        }
    }
}

impl From<IndexerError> for StoreError {
    fn from(error: IndexerError) -> Self {
        match error {
            IndexerError::Index(error) => IndexError(error).into(),
            IndexerError::Main(error) | IndexerError::Journal(error) => error.into(),
            IndexerError::Replace(error) => error,
        }
    }
}
