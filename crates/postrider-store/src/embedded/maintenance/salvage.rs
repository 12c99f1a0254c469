//! Salvaging: copying everything that can still be read out of a damaged data folder.
//!
//! `SQLite` never opens the damaged files: it would change them. It opens a private copy, whose rows
//! go into a new database one by one.

mod files;
mod finish;
mod gaps;
mod report;
mod rows;

use std::{fs, io, path::Path};

use rusqlite::{Connection, OptionalExtension, params};

pub use self::report::Salvaged;
use self::{files::PrivateCopy, gaps::Bounds, report::refused, rows::Target};
use super::tables::TABLES;
use crate::{
    embedded::{
        database, error,
        files::MAIN,
        folder,
        journal::Change,
        loss::{self, Inspection},
        number::JournalPosition,
        row, state,
    },
    error::StoreError,
    private,
};

/// The name of the new database until it is complete.
const DRAFT: &str = "postrider.db.draft";

/// Copies everything that can be read in the damaged folder `from` into a new store in the folder
/// `to`, which must not have one, and returns what was copied and what was lost.
///
/// The damaged folder is not changed. No server may use it meanwhile. The copy needs up to twice
/// the size of the damaged database while it is made. It can repeat deliveries: where the record of
/// an attempt is lost, the delivery is made again.
///
/// An error if the list of the tables cannot be read: then nothing can be.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, StoreError> {
    let _lock = files::lock(from)?;
    let copy = to.join(MAIN);
    if copy.exists() {
        return Err(refused(&copy, "exists already; choose an empty folder"));
    }
    private::create_folder(to).map_err(|error| StoreError::Unavailable(error.into()))?;
    let mut report = Salvaged::default();
    // Before anything else: what the mark knows of commits that are missing altogether.
    let inspection = loss::inspect(from, true)?;
    let source = PrivateCopy::of(from, to, &mut report)?;
    let draft = to.join(DRAFT);
    folder::remove_database(&draft)?;
    let made = fill(&source, &draft, &inspection, &mut report);
    if made.is_err() {
        drop(folder::remove_database(&draft));
    }
    made?;
    source.remove()?;
    let unavailable = |error: io::Error| StoreError::Unavailable(error.into());
    fs::rename(&draft, &copy).map_err(unavailable)?;
    fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(unavailable)?;
    Ok(report)
}

/// Fills a new database with the rows of the private copy.
fn fill(
    source: &PrivateCopy,
    draft: &Path,
    inspection: &Inspection,
    report: &mut Salvaged,
) -> Result<(), StoreError> {
    let from = source.open()?;
    if let Some(missing) = inspection.missing(&from) {
        report.lose(missing);
    }
    let db = database::create_current(draft)?;
    db.execute_batch("BEGIN")?;
    let mut target = Target::new(&db);
    for table in &TABLES {
        let bounds = Bounds { newest: source.newest_sequence() };
        target.copy(&from, table, bounds, report)?;
    }
    finish::name_lost_messages(source, &target, report)?;
    finish::remove_dangling(&db, report)?;
    copy_state(&from, &db, report)?;
    copy_position(&from, &db, report)?;
    if report.lost.is_empty() {
        finish::check_structure(&from, report)?;
    }
    db.execute_batch("COMMIT")?;
    db.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// The store is another one from now on: it has an origin of its own, so that no index and no mark
/// of the damaged one is taken for its own.
fn copy_state(from: &Connection, db: &Connection, report: &mut Salvaged) -> rusqlite::Result<()> {
    let low_water = state::get::<i64>(from, state::LOW_WATER);
    match low_water {
        Ok(Some(mark)) => state::set(db, state::LOW_WATER, &mark)?,
        Ok(None) => {},
        Err(error) if error::is_damage(&error) => report
            .lose("state low_water: all messages without a recorded attempt are delivered again"),
        Err(error) => return Err(error),
    }
    state::ensure_origin(db)
}

const LAST_COMMIT: &str = "SELECT position, coalesce(accepted, 0)
    FROM journal
    ORDER BY position DESC
    LIMIT 1";

const COUNT_MESSAGES: &str = "SELECT count(*) FROM messages";

const INSERT_COMMIT: &str = "INSERT INTO journal (position, events, accepted) VALUES (?1, ?2, ?3)";

/// The index is rebuilt, so of the journal only its end is needed.
fn copy_position(
    from: &Connection,
    db: &Connection,
    report: &mut Salvaged,
) -> rusqlite::Result<()> {
    let last = from.query_row(LAST_COMMIT, [], |row| Ok((row.get(0)?, row.get(1)?))).optional();
    let (position, accepted): (JournalPosition, u64) = match last {
        Ok(last) => last.unwrap_or_default(),
        Err(error) if error::is_damage(&error) => {
            report.lose("journal: the number of messages that were ever accepted");
            (JournalPosition(1), db.query_row(COUNT_MESSAGES, [], |row| row.get(0))?)
        },
        Err(error) => return Err(error),
    };
    let mut buffer = Vec::new();
    let no_changes = row::encode(&Vec::<Change>::new(), &mut buffer);
    db.execute(INSERT_COMMIT, params![position, no_changes, accepted])?;
    Ok(())
}
