//! The names of the files in a data folder.

use std::path::{Path, PathBuf};

/// The main database: everything that is durable when a method returns.
pub(super) const MAIN: &str = "postrider.db";

/// The database that lists are searched in; rebuilt if it is lost.
pub(super) const INDEX: &str = "index.db";

/// The file that records how far the main database was.
pub(super) const MARK: &str = "postrider.mark";

/// The file that says that the last process could not sync one of the others.
pub(super) const UNSYNCED: &str = "postrider.unsynced";

/// The lock that keeps a second process out.
pub(super) const LOCK: &str = "lock";

/// The write-ahead log of the main database.
pub(super) fn main_log(folder: &Path) -> PathBuf {
    folder.join(format!("{MAIN}-wal"))
}

/// The write-ahead log of the index.
pub(super) fn index_log(folder: &Path) -> PathBuf {
    folder.join(format!("{INDEX}-wal"))
}

/// The length of a file, 0 if there is none.
pub(super) fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
