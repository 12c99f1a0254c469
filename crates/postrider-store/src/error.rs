//! The error of every store: one variant per reaction of the caller.

use crate::{
    format_report::{FormatReport, ProgramVersion},
    index_rebuild::IndexRebuild,
};

/// A boxed cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call failed. A call that failed has changed nothing, unless stated otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again later. If the connection was lost while the call ran, it may have succeeded.
    #[error("store is unavailable")]
    Unavailable(#[source] BoxError),
    /// There is no disk space left. Writes succeed again as soon as there is some.
    #[error("store is full")]
    Full(#[source] BoxError),
    /// The index was lost and is being rebuilt, and the part that the call needs is missing. Try
    /// again later, or ask only for what happened since the time up to which it is rebuilt.
    #[error("the index is being rebuilt ({}% done)", .0.percent)]
    Rebuilding(IndexRebuild),
    /// Another record has the same id, name or uid.
    #[error("{what} is taken")]
    Conflict { what: &'static str },
    /// The record no longer has the expected version: read it again before saving it.
    #[error("{what} was changed meanwhile")]
    VersionMismatch { what: &'static str },
    /// Stored bytes cannot be decoded; an operator has to investigate.
    #[error("stored {what} is corrupt")]
    Corrupt { what: &'static str, source: BoxError },
}

/// Why a store stopped by itself. It has to be opened again.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// A part of it panicked. No data is lost.
    #[error("a thread of the store stopped")]
    Thread,
    /// What was written last may not be on the disk. It was not acknowledged.
    #[error("a file in {} could not be synced to the disk", .folder.display())]
    Sync {
        /// The data folder.
        folder: std::path::PathBuf,
    },
    /// A later program has migrated the store, which programs of this version cannot use any more.
    #[error(
        "{} upgraded the database's schema to version {}, which Postrider {} cannot use",
        .0.writer(), .0.found.version, ProgramVersion::own()
    )]
    Outdated(FormatReport),
}
