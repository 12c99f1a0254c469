//! The error of every store: one variant per reaction of the caller.

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
