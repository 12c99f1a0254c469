//! The file of the main database, beside the connections of `SQLite`.
//!
//! `SQLite` uses locks that belong to the process, and the system drops all of them as soon as the
//! process closes any descriptor of the file (POSIX `fcntl`). Without them, another program that
//! reads the database takes itself for its only user, and removes the log when it ends: everything
//! that is committed after that is lost. So the file is opened once, and closed after all
//! connections. `cargo xtask tidy` knows which files of the store may open others.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::files;

/// The place of the change counter in a database file.
const CHANGE_COUNTER_OFFSET: u64 = 24;

/// A descriptor of the main database, and its path.
#[derive(Clone, Debug)]
pub(super) struct MainFile(Arc<(File, PathBuf)>);

/// Distinguishes a file from older copies and from parts of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileVersion {
    pub(super) bytes: u64,
    /// `SQLite`'s change counter, which grows at least with each startup of a server.
    pub(super) changes: u32,
}

impl MainFile {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(files::MAIN);
        File::open(&path).map(|file| Self(Arc::new((file, path))))
    }

    fn file(&self) -> &File {
        &self.0.0
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.1
    }

    pub(super) fn version(&self) -> io::Result<FileVersion> {
        let bytes = self.file().metadata()?.len();
        let mut counter = [0; 4];
        let changes = match self.file().read_exact_at(&mut counter, CHANGE_COUNTER_OFFSET) {
            Ok(()) => u32::from_be_bytes(counter),
            Err(_) => 0,
        };
        Ok(FileVersion { bytes, changes })
    }

    /// Writes what was copied into the file to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file().sync_data()
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
