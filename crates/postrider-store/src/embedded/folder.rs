//! The data folder: its lock, its files, their versions, how they are opened.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    Options,
    ledger::MARK,
    trouble::{INDEX, TRUTH},
    witness::{self, Examined},
};
use crate::{BoxError, StoreError, private};

/// Layouts of the truth, one after the other; a file's `user_version` counts those it has.
pub(super) const MIGRATIONS: [&str; 6] = [
    include_str!("schema/truth_1.sql"),
    include_str!("schema/truth_2.sql"),
    include_str!("schema/truth_3.sql"),
    include_str!("schema/truth_4.sql"),
    include_str!("schema/truth_5.sql"),
    include_str!("schema/truth_6.sql"),
];

/// What `SQLite` uses if nothing else is asked for.
pub(super) const PAGE_BYTES: usize = 4096;

/// A log that is begun anew is cut to this length.
const LONGEST_LOG: u32 = 64 << 20;

/// Tells our files from other `SQLite` databases ("post").
const APPLICATION_ID: i32 = 0x706f_7374;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
enum FolderError {
    #[error(
        "data folder {} is in use by another postrider; stop that one, or choose another folder",
        .0.display()
    )]
    InUse(PathBuf),
    #[error(
        "{} is of format {found}, newer than the {known} that this version reads; use the \
         version of postrider that wrote it, or a newer one",
        .path.display()
    )]
    Newer { path: PathBuf, found: usize, known: usize },
    #[error(
        "data folder {} holds an unfinished copy; finish it with the `postrider copy` that \
         began it, or delete the folder",
        .0.display()
    )]
    Unfinished(PathBuf),
    #[error("{} is not a database of postrider", .0.display())]
    Foreign(PathBuf),
    #[error("data folder {} cannot be used", .path.display())]
    Unusable { path: PathBuf, source: std::io::Error },
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Tells this truth from others, so that no index of another one is taken for its own.
const SET_ORIGIN: &str =
    "INSERT INTO state (key, value) VALUES ('origin', random()) ON CONFLICT (key) DO NOTHING";

/// Leaves of a copy that was made from the folder.
const FORGET_MARK: &str = "DELETE FROM state WHERE key = ?1";

/// What a folder is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Work,
    Copy,
}

/// A data folder that this process alone uses.
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
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned()).into()),
            Err(TryLockError::Error(source)) => Err(unusable(source).into()),
        }
    }

    /// Makes sure that the folder holds a whole installation. One that works is no source of
    /// an unfinished copy any more.
    pub(super) fn take_up_work(&self, db: &Connection) -> Result<(), StoreError> {
        if db.table_exists(None, "copying")? {
            return Err(FolderError::Unfinished(self.path.clone()).into());
        }
        db.execute(FORGET_MARK, [MARK])?;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn truth(&self) -> PathBuf {
        self.path.join(TRUTH)
    }

    pub(super) fn index(&self) -> PathBuf {
        self.path.join(INDEX)
    }

    /// Bytes of all files in the folder.
    pub(super) fn bytes(&self) -> Result<u64, BoxError> {
        let mut sum = 0;
        for entry in fs::read_dir(&self.path)? {
            sum += entry?.metadata()?.len();
        }
        Ok(sum)
    }
}

/// Opens the truth for its one writer, makes sure that nothing of it is lost, and brings its
/// layout up to date.
pub(super) fn open_truth(
    path: &Path,
    options: &Options,
    examined: &Examined,
) -> Result<Connection, StoreError> {
    let mut db = create(path)?;
    witness::leave_untouched(&db, true)?;
    configure(&db, options.truth_cache_bytes)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let found: usize = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > MIGRATIONS.len() {
        let path = path.to_owned();
        return Err(FolderError::Newer { path, found, known: MIGRATIONS.len() }.into());
    }
    let owner: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let empty: bool =
        db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if owner != APPLICATION_ID && !empty {
        return Err(FolderError::Foreign(path.to_owned()).into());
    }
    examined.verify(&db, options.accept_loss)?;
    witness::leave_untouched(&db, false)?;
    for (migration, version) in MIGRATIONS.iter().zip(1_usize..).skip(found) {
        let step = db.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    db.execute(SET_ORIGIN, [])?;
    if let Some(pages) = options.max_pages {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(db)
}

/// Opens the index, which is made anew if need be.
pub(super) fn open_index(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let db = create(path)?;
    configure(&db, options.index_cache_bytes)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    if let Some(pages) = options.max_index_pages {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(db)
}

/// Opens a database, which is created if there is none: for its owner alone, and so are the files
/// that `SQLite` creates next to it.
pub(super) fn create(path: &Path) -> rusqlite::Result<Connection> {
    // Where no file can be created, opening fails too, and says why.
    drop(private::touch(path));
    Connection::open(path)
}

/// Removes a database with what belongs to it.
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

/// Length of the database's log, used or not.
pub(super) fn log_pages(db: &Connection) -> usize {
    let log = db.path().map(|path| format!("{path}-wal"));
    let length = log.and_then(|path| fs::metadata(path).ok()).map_or(0, |it| it.len());
    usize::try_from(length).unwrap_or(usize::MAX) / PAGE_BYTES
}

/// Opens the truth to copy its log.
pub(super) fn open_copier(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    configure(&db, 1 << 20)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// Opens a file for reading beside its writer.
pub(super) fn open_reader(path: &Path, cache_bytes: u64) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    configure(&db, cache_bytes)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// Settings of every connection. Checkpoints have a thread of their own, since one inside a
/// commit holds everybody up for tens of milliseconds.
pub(super) fn configure(db: &Connection, cache_bytes: u64) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX))?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(())
}
