//! Database connections and their settings.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{
    files, format, functions,
    loss::{self, Inspection},
    options::Options,
    state,
};
use crate::{error::StoreError, private};

/// `SQLite`'s default.
pub(super) const PAGE_BYTES: usize = 4096;

/// A log that is restarted is cut to this length.
const MAX_LOG_BYTES: u32 = 64 << 20;

/// Memory for the pages of a connection that only copies the log.
const CHECKPOINT_CACHE_BYTES: u64 = 1 << 20;

/// Opens the main database for its one writer, makes sure that none of it is lost, and
/// migrates its schema.
pub(super) fn open_main(
    path: &Path,
    options: &Options,
    inspection: &Inspection,
) -> Result<Connection, StoreError> {
    let mut db = create(path)?;
    // Until it is known to be complete, not even the log is copied: the files are evidence.
    loss::keep_log_on_close(&db, true)?;
    configure(&db, options.main_cache_bytes)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let found = format::require_usable(path, &db)?;
    inspection.verify(&db, options.accept_loss)?;
    loss::keep_log_on_close(&db, false)?;
    format::migrate(&mut db, &found)?;
    state::ensure_origin(&db)?;
    if let Some(pages) = options.max_pages {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(db)
}

/// Opens the index, which may be empty.
pub(super) fn open_index(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let db = create(path)?;
    configure(&db, options.index_cache_bytes)?;
    functions::define(&db)?;
    // It can be rebuilt, and the journal has the changes of the last seconds.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    if let Some(pages) = options.max_index_pages {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(db)
}

/// Creates a database of the present format without rows.
pub(super) fn create_current(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = create(path)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    format::create_tables(&mut db)?;
    Ok(db)
}

/// Opens a database, or creates it, readable only by its owner, like the files that `SQLite`
/// creates next to it.
pub(super) fn create(path: &Path) -> rusqlite::Result<Connection> {
    // If the file cannot be created, opening it fails too, with a better error.
    drop(private::touch(path));
    Connection::open(path)
}

/// Opens a database to copy its log.
pub(super) fn open_for_checkpoint(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    configure(&db, CHECKPOINT_CACHE_BYTES)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// Opens a database for reading while another connection writes to it.
pub(super) fn open_reader(path: &Path, cache_bytes: u64) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    configure(&db, cache_bytes)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// Applies the settings of every connection. Checkpoints run in their own thread: within a
/// commit, one would delay all callers by tens of milliseconds.
fn configure(db: &Connection, cache_bytes: u64) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", MAX_LOG_BYTES)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX))?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// The length of the database's log in pages, used or not.
pub(super) fn log_pages(db: &Connection) -> usize {
    let log = db.path().map(|path| format!("{path}-wal"));
    let length = log.map_or(0, |path| files::length(Path::new(&path)));
    usize::try_from(length).unwrap_or(usize::MAX) / PAGE_BYTES
}
