//! The stores that are copied from and to, as the command line names them.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::config::DatabaseUrl;

/// Where an installation is stored.
#[derive(Clone, Debug)]
pub(super) enum Location {
    Folder(PathBuf),
    Database(DatabaseUrl),
}

impl Location {
    /// Whether both are the same folder. Two URLs may lead to the same database in ways that only
    /// the database can tell.
    pub(super) fn is_same_folder(&self, other: &Self) -> bool {
        let (Self::Folder(from), Self::Folder(to)) = (self, other) else { return false };
        matches!((from.canonicalize(), to.canonicalize()), (Ok(from), Ok(to)) if from == to)
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        match postrider_store::database_location(text) {
            Some(_) => Ok(Self::Database(DatabaseUrl(text.to_owned()))),
            None => {
                Err("expected a folder, or a URL such as postgres://user@host/database".to_owned())
            },
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Database(url) => url.fmt(f),
        }
    }
}
