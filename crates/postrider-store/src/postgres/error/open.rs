//! Why a database cannot be used at all.

use crate::error::BoxError;

/// Why a database cannot be used: the cause of a
/// [`StoreError::Unavailable`](crate::StoreError::Unavailable) when it is opened. Each variant is
/// fixed in another way.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database's URL is not valid")]
    Url(#[source] BoxError),
    #[error("the database at {place} cannot be reached")]
    Unreachable { place: String, source: BoxError },
    #[error("the database at {place} does not let this user in")]
    AccessDenied { place: String, source: BoxError },
    #[error("there is no such database: {place}")]
    NoDatabase { place: String, source: BoxError },
    #[error("the connection to the database at {place} cannot be secured")]
    Tls { place: String, source: BoxError },
    #[error("the user lacks privileges in the database at {place}")]
    MissingPrivileges { place: String, source: BoxError },
    #[error("the database at {place} has no connection to spare")]
    TooManyConnections { place: String, source: BoxError },
    #[error("there is a pooler between this program and the database at {place}")]
    Pooler { place: String, source: BoxError },
    /// A newer program has migrated the schema.
    #[error("the database's schema has version {found}, and this program knows only {known}")]
    NewerSchema { found: i32, known: i32 },
}

impl OpenError {
    /// The error of the database, the network or a file.
    pub fn into_source(self) -> Option<BoxError> {
        match self {
            Self::Url(source)
            | Self::Unreachable { source, .. }
            | Self::AccessDenied { source, .. }
            | Self::NoDatabase { source, .. }
            | Self::Tls { source, .. }
            | Self::MissingPrivileges { source, .. }
            | Self::TooManyConnections { source, .. }
            | Self::Pooler { source, .. } => Some(source),
            Self::NewerSchema { .. } => None,
        }
    }
}
