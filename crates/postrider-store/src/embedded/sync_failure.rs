//! What follows when a file cannot be synced: the store stops.
//!
//! The system reports a failed sync once. It may have dropped what it could not write and then
//! report the next sync as a success, while readers still get the dropped pages from its cache. So
//! nothing is synced a second time: no further commit is acknowledged, and no connection is closed,
//! because `SQLite` copies and syncs the log when the last one is. A new process finds out what is
//! on the disk. The log that it reads may be one that only the cache has, so it writes the log
//! again first, and rebuilds the index.

use std::{
    fs::{self, File},
    io,
    mem::ManuallyDrop,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    error, files,
    folder::{self, FolderError},
};
use crate::{
    error::{StoreError, StoreFailure},
    private,
};

/// Bytes of the log that are written again at once.
const PIECE_BYTES: usize = 1 << 20;

/// Whether a file of the folder could not be synced.
#[derive(Clone, Debug)]
pub(super) struct SyncFailure {
    folder: PathBuf,
    has_occurred: Arc<AtomicBool>,
}

impl SyncFailure {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), has_occurred: Arc::default() }
    }

    pub(super) fn has_occurred(&self) -> bool {
        self.has_occurred.load(Ordering::Acquire)
    }

    /// Stops the store if this is the error of a sync; returns whether a sync has failed.
    pub(super) fn note(&self, file: &str, error: &rusqlite::Error) -> bool {
        if error::is_failed_sync(error) {
            self.note_failed(file, error);
        }
        self.has_occurred()
    }

    /// Stops the store because of a sync that failed.
    pub(super) fn note_failed(&self, file: &str, error: &(dyn std::error::Error + 'static)) {
        if self.has_occurred.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::error!(
            error,
            "{file} in {} could not be synced to the disk; nothing more is accepted",
            self.folder.display()
        );
        // It need not survive a power failure: neither does the cache that it warns of.
        if let Err(error) = private::touch(&self.folder.join(files::UNSYNCED)) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "{} cannot be created", files::UNSYNCED);
        }
    }

    /// Stops the store if this error of a commit is the error of a sync.
    pub(super) fn note_refused(&self, error: &StoreError) {
        if let StoreError::Unavailable(cause) = error
            && let Some(error) = cause.downcast_ref()
        {
            self.note(files::MAIN, error);
        }
    }

    /// Drops what has a connection, unless a sync has failed: closing it could sync again.
    pub(super) fn close<T>(&self, value: T) {
        let value = ManuallyDrop::new(value);
        if !self.has_occurred() {
            drop(ManuallyDrop::into_inner(value));
        }
    }

    /// Why the store has stopped.
    pub(super) fn reason(&self) -> StoreFailure {
        if self.has_occurred() {
            StoreFailure::Sync { folder: self.folder.clone() }
        } else {
            StoreFailure::Thread
        }
    }
}

/// Makes a folder whose last process could not sync a file what it seems to be. Before anything
/// else reads it.
pub(super) fn repair(folder: &Path) -> Result<(), StoreError> {
    let mark = folder.join(files::UNSYNCED);
    if !mark.exists() {
        return Ok(());
    }
    tracing::warn!(
        "a file in {} could not be synced when it was used last; writing the log again",
        folder.display()
    );
    let unusable = |path: &Path| {
        let path = path.to_owned();
        |source| StoreError::from(FolderError::Unusable { path, source })
    };
    let log = files::main_log(folder);
    write_again(&log).map_err(unusable(&log))?;
    folder::remove_database(&folder.join(files::INDEX))?;
    fs::remove_file(&mark).map_err(unusable(&mark))?;
    File::open(folder).and_then(|it| it.sync_all()).map_err(unusable(folder))
}

/// Replaces the content of the file with itself, so that the system has to write it.
fn write_again(path: &Path) -> io::Result<()> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let count = file.read_at(&mut piece, offset)?;
        if count == 0 {
            return file.sync_all();
        }
        file.write_all_at(&piece[..count], offset)?;
        offset += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_sync_stops_the_store_and_leaves_a_mark() {
        let folder = tempfile::tempdir().unwrap();
        let sync = SyncFailure::new(folder.path());
        let failure = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert!(!sync.note("x", &failure(rusqlite::ffi::SQLITE_IOERR_WRITE)));
        assert!(!folder.path().join(files::UNSYNCED).exists());
        assert!(matches!(sync.reason(), StoreFailure::Thread));
        sync.note_refused(&failure(rusqlite::ffi::SQLITE_IOERR_FSYNC).into());
        assert!(sync.has_occurred());
        assert!(folder.path().join(files::UNSYNCED).exists());
        assert!(matches!(sync.reason(), StoreFailure::Sync { .. }));
    }

    #[test]
    fn the_log_is_written_again_unchanged_and_the_mark_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (log, index) = (files::main_log(folder.path()), folder.path().join(files::INDEX));
        let content: Vec<u8> =
            (0..u32::try_from(PIECE_BYTES).unwrap() / 3).flat_map(u32::to_le_bytes).collect();
        fs::write(&log, &content).unwrap();
        fs::write(&index, "index").unwrap();
        repair(folder.path()).unwrap();
        assert!(index.exists(), "nothing is repaired without a mark");
        private::touch(&folder.path().join(files::UNSYNCED)).unwrap();
        repair(folder.path()).unwrap();
        assert_eq!(fs::read(&log).unwrap(), content);
        assert!(!index.exists() && !folder.path().join(files::UNSYNCED).exists());
    }
}
