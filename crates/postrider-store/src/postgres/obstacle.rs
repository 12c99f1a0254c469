//! What is in the way of using a database at all, told apart by what there is to do about it.

use tokio_postgres::error::SqlState;

use super::{PostgresOptions, connect::database_location};
use crate::{BoxError, StoreError};

/// Why a database cannot be used; the cause of a [`StoreError::Unavailable`] when it is opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database's URL is not valid")]
    Url(#[source] BoxError),
    #[error("the database at {place} cannot be reached")]
    Unreachable { place: String, source: BoxError },
    #[error("the database at {place} does not let this user in")]
    Refused { place: String, source: BoxError },
    #[error("there is no such database: {place}")]
    Missing { place: String, source: BoxError },
    #[error("the connection to the database at {place} cannot be secured")]
    Tls { place: String, source: BoxError },
    #[error("the database at {place} cannot be used without its rights")]
    Rights { place: String, source: BoxError },
    #[error("the database at {place} has no connection to spare")]
    Crowded { place: String, source: BoxError },
    #[error("there is a pooler between this program and the database at {place}")]
    Pooler { place: String, source: BoxError },
    /// Another program brought the schema further than this one knows.
    #[error("the database's schema has version {found}, and this program knows only {known}")]
    Newer { found: i32, known: i32 },
}

impl OpenError {
    /// What the database, the network or a file said.
    pub fn into_source(self) -> Option<BoxError> {
        match self {
            Self::Url(source)
            | Self::Unreachable { source, .. }
            | Self::Refused { source, .. }
            | Self::Missing { source, .. }
            | Self::Tls { source, .. }
            | Self::Rights { source, .. }
            | Self::Crowded { source, .. }
            | Self::Pooler { source, .. } => Some(source),
            Self::Newer { .. } => None,
        }
    }

    pub(super) fn into_store_error(self) -> StoreError {
        StoreError::Unavailable(Box::new(self))
    }
}

/// Says of an error that met the first steps in a database what is in the way.
pub(super) fn explain(error: StoreError, options: &PostgresOptions) -> StoreError {
    let StoreError::Unavailable(source) = error else { return error };
    if source.is::<OpenError>() {
        return StoreError::Unavailable(source);
    }
    let place = database_location(&options.url).unwrap_or_default();
    let code = source.downcast_ref::<tokio_postgres::Error>().and_then(|it| it.code());
    let obstacle = match code {
        None => without_code(place, source),
        Some(&(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION)) => {
            OpenError::Refused { place, source }
        },
        Some(&SqlState::INVALID_CATALOG_NAME) => OpenError::Missing { place, source },
        Some(&(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_SCHEMA_NAME)) => {
            OpenError::Rights { place, source }
        },
        Some(&SqlState::TOO_MANY_CONNECTIONS) => OpenError::Crowded { place, source },
        // Statements that were prepared are not there any more, or startup options are refused.
        Some(
            &(SqlState::INVALID_SQL_STATEMENT_NAME
            | SqlState::DUPLICATE_PSTATEMENT
            | SqlState::PROTOCOL_VIOLATION),
        ) => OpenError::Pooler { place, source },
        Some(&SqlState::CANNOT_CONNECT_NOW) => OpenError::Unreachable { place, source },
        Some(_) => return StoreError::Unavailable(source),
    };
    obstacle.into_store_error()
}

/// The driver has no code for what it met itself, only words.
fn without_code(place: String, source: BoxError) -> OpenError {
    let said = source.to_string();
    if said.starts_with("error performing TLS handshake") {
        OpenError::Tls { place, source }
    } else if said.starts_with("invalid configuration") || said.starts_with("authentication") {
        OpenError::Refused { place, source }
    } else {
        OpenError::Unreachable { place, source }
    }
}
