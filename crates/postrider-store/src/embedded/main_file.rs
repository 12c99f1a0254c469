//! The file of the main database, beside the connections of `SQLite`.
//!
//! `SQLite` uses locks that belong to the process, and the system drops all of them as soon as the
//! process closes any descriptor of the file (POSIX `fcntl`). Without them, another program that
//! reads the database takes itself for its only user, and removes the log when it ends: everything
//! that is committed after that is lost. So the file is opened once, and closed after all
//! connections.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

use super::files;

/// The place of the change counter in a database file.
const CHANGE_COUNTER_OFFSET: u64 = 24;

/// A descriptor of the main database.
#[derive(Clone, Debug)]
pub(super) struct MainFile(Arc<File>);

/// Distinguishes a file from older copies and from parts of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileVersion {
    pub(super) bytes: u64,
    /// `SQLite`'s change counter, which grows at least with each startup of a server.
    pub(super) changes: u32,
}

impl MainFile {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        File::open(folder.join(files::MAIN)).map(|file| Self(Arc::new(file)))
    }

    pub(super) fn version(&self) -> io::Result<FileVersion> {
        let bytes = self.0.metadata()?.len();
        let mut counter = [0; 4];
        let changes = match self.0.read_exact_at(&mut counter, CHANGE_COUNTER_OFFSET) {
            Ok(()) => u32::from_be_bytes(counter),
            Err(_) => 0,
        };
        Ok(FileVersion { bytes, changes })
    }

    /// Writes what was copied into the file to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// The same, with the file's attributes.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The version of a main database that no connection of this process uses; `None` if there is no
/// file.
pub(super) fn version_of_unused(folder: &Path) -> io::Result<Option<FileVersion>> {
    match MainFile::open(folder) {
        Ok(file) => file.version().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
