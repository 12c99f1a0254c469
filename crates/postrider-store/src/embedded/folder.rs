//! The data folder: its lock and its files.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{files, state};
use crate::{
    error::{BoxError, StoreError},
    format_report::{FormatReport, ProgramVersion},
    private,
};

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error(
        "data folder {} is in use by another postrider; stop that one, or choose another folder",
        .0.display()
    )]
    InUse(PathBuf),
    #[error(
        "{} was upgraded to format {} by {}, and earlier versions than those of format {} cannot use \
         it; this is Postrider {} with format {}; install {}, or start with a backup from before \
         the upgrade: `postrider serve --data BACKUP`",
        .path.display(),
        .report.found.version,
        .report.writer(),
        .report.found.usable_from,
        ProgramVersion::own(),
        .report.own.version,
        .report.writer()
    )]
    Newer { path: PathBuf, report: FormatReport },
    #[error(
        "{} was upgraded to format {} by {}, and this version does not know everything that is in it; \
         copy it with {}",
        .path.display(),
        .report.found.version,
        .report.writer(),
        .report.writer()
    )]
    Incomplete { path: PathBuf, report: FormatReport },
    #[error(
        "data folder {} contains an unfinished copy; finish it with the `postrider copy` that \
         started it, or delete the folder",
        .0.display()
    )]
    Unfinished(PathBuf),
    #[error("{} is not a database of postrider", .0.display())]
    Foreign(PathBuf),
    #[error("{} cannot be used", .path.display())]
    Unusable { path: PathBuf, source: std::io::Error },
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// What a folder is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Serve,
    Copy,
}

/// A data folder that only this process uses.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        private::create_folder(path).map_err(unusable)?;
        let lock = private::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(files::LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned()).into()),
            Err(TryLockError::Error(source)) => Err(unusable(source).into()),
        }
    }

    /// Makes sure that the folder contains a complete installation. Once a node serves from it,
    /// its data may change, so a copy that was started from it cannot be continued.
    pub(super) fn prepare_to_serve(&self, db: &Connection) -> Result<(), StoreError> {
        if db.table_exists(None, "copying")? {
            return Err(FolderError::Unfinished(self.path.clone()).into());
        }
        Ok(state::remove(db, state::COPY_MARK)?)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the main database.
    pub(super) fn main(&self) -> PathBuf {
        self.path.join(files::MAIN)
    }

    /// The path of the index.
    pub(super) fn index(&self) -> PathBuf {
        self.path.join(files::INDEX)
    }

    /// The total size of the files in the folder.
    pub(super) fn bytes(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for entry in fs::read_dir(&self.path)? {
            sum += entry?.metadata()?.len();
        }
        Ok(sum)
    }
}

/// Removes a database with its log and its shared-memory file.
pub(super) fn remove_database(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(FolderError::Unusable { path, source }.into());
            },
            Ok(()) | Err(_) => {},
        }
    }
    Ok(())
}
