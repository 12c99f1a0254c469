//! Opening the index, and creating it when there is none that can be used.

use std::path::Path;

use rusqlite::Connection;

use super::{
    counts::Subjects,
    indexer::Indexer,
    position::{self, IndexPosition},
    rebuild,
};
use crate::{
    embedded::{
        checkpoint, database,
        error::{self, IndexError},
        folder::{self, Folder},
        number::JournalPosition,
        numbers::SharedNumbers,
        options::Options,
        state,
    },
    error::StoreError,
};

/// The version of the index's schema; a file with another one is rebuilt.
const VERSION: usize = 2;

const JOURNAL_CACHE_BYTES: u64 = 1 << 20;

const FIRST_POSITION: &str = "SELECT min(position) FROM journal";

/// Opens the index, or rebuilds it from the main database, whose position is given.
pub(in crate::embedded) fn open(
    folder: &Folder,
    main_position: IndexPosition,
    options: &Options,
    numbers: SharedNumbers,
) -> Result<Indexer, StoreError> {
    let mut subjects = Subjects::new(numbers);
    let IndexPosition { origin, applied: position } = main_position;
    let main = database::open_reader(&folder.main(), JOURNAL_CACHE_BYTES)?;
    let path = folder.index();
    let found = match open_existing(&path, origin, options) {
        Ok(found) => found,
        Err(error) if error::is_damage(&error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index is damaged");
            None
        },
        Err(error) => return Err(IndexError(error).into()),
    };
    let first: Option<JournalPosition> = main.query_row(FIRST_POSITION, [], |row| row.get(0))?;
    // The journal has to continue where the index ends.
    let is_usable = |applied: JournalPosition| {
        applied <= position && first.is_none_or(|first| first <= applied.next())
    };
    let existing = found.filter(|&(_, applied)| is_usable(applied));
    let (index, applied) = if let Some(existing) = existing {
        existing
    } else {
        let db = create(&path, options)?;
        fill(&db, &main, main_position, &mut subjects).map_err(IndexError)?;
        (db, position)
    };
    Ok(Indexer::new(path, index, main, (applied, subjects)))
}

/// The index and its position, if there is one that belongs to the main database.
fn open_existing(
    path: &Path,
    origin: i64,
    options: &Options,
) -> rusqlite::Result<Option<(Connection, JournalPosition)>> {
    let db = database::open_index(path, options)?;
    let version: usize = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        return Ok(None);
    }
    let found = position::of(&db)?.filter(|found| found.origin == origin);
    Ok(found.map(|found| (db, found.applied)))
}

/// An empty file in place of the one that cannot be used.
fn create(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    folder::remove_database(path)?;
    Ok(database::open_index(path, options).map_err(IndexError)?)
}

/// Builds the index from the main database, before anything is written to that.
fn fill(
    db: &Connection,
    main: &Connection,
    position: IndexPosition,
    subjects: &mut Subjects,
) -> rusqlite::Result<()> {
    db.pragma_update(None, "synchronous", "OFF")?;
    db.execute_batch(include_str!("../schema/index.sql"))?;
    rebuild::fill(db, main, subjects)?;
    state::set(db, state::APPLIED, &position.applied)?;
    state::set(db, state::ORIGIN, &position.origin)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    checkpoint::truncate(db)?;
    // The version comes last, so that an incomplete file is rebuilt again.
    db.pragma_update(None, "user_version", VERSION)?;
    checkpoint::truncate(db).map(drop)
}
