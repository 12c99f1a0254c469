//! Why a database cannot be used at all.

use crate::{
    error::BoxError,
    format_report::{FormatReport, ProgramVersion},
};

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
    /// A later program has migrated the schema, and this one cannot use it.
    #[error(
        "the database's schema was upgraded to version {} by {}, and earlier servers than those of \
         version {} cannot use it; this is Postrider {} with version {}",
        .0.found.version,
        .0.writer(),
        .0.found.usable_from,
        ProgramVersion::own(),
        .0.own.version
    )]
    NewerSchema(FormatReport),
    /// A copy by this program would lack what only the later one knows.
    #[error(
        "the database's schema was upgraded to version {} by {}, and this version does not know \
         everything that is in it",
        .0.found.version,
        .0.writer()
    )]
    Incomplete(FormatReport),
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
            Self::NewerSchema(_) | Self::Incomplete(_) => None,
        }
    }
}
