//! Verifying: reading everything in a data folder while a server may be using it.

use std::{io, path::Path};

use rusqlite::{Connection, Row};

use super::{
    scan::{self, Range},
    tables::{Check, TABLES},
};
use crate::{
    embedded::{
        database,
        error::{self, DamagedCopy, DamagedRow},
        files::{INDEX, MAIN},
        format, loss,
        row::{attempt, message},
    },
    error::StoreError,
};

/// Memory for pages while reading.
const CACHE_BYTES: u64 = 8 << 20;

/// Rows that one statement reads, so that the log of a running server can be restarted in between.
const ROWS: usize = 1_000;

/// Descriptions of damage that are kept.
const MAX_DAMAGE: usize = 1_000;

/// What was found in a data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedRows {
    /// Rows of messages.
    pub messages: u64,
    /// Rows of attempts.
    pub attempts: u64,
    /// Other rows whose content was checked: records, pending deliveries, the audit log and so on.
    pub others: u64,
    /// Rows of earlier versions, which have no checksum.
    pub without_checksum: u64,
    /// What is damaged, with file, table and row; at most the first 1,000.
    pub damage: Vec<String>,
}

impl VerifiedRows {
    /// An error if a backup in this folder is damaged.
    pub fn require_intact(&self, folder: &Path) -> Result<(), StoreError> {
        let Some(first) = self.damage.first().cloned() else { return Ok(()) };
        let (folder, count) = (folder.to_owned(), self.damage.len());
        Err(DamagedCopy { folder, first, count }.into())
    }

    fn add_damage(&mut self, description: impl Into<String>) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(description.into());
        }
    }
}

/// Reads all messages and attempts of the store in a folder and compares them with their checksums,
/// decodes the rows of the other tables and compares them with the columns by which they are found,
/// and lets `SQLite` check the structure of its files. Changes nothing. An error if the store cannot
/// be read at all, or if parts of it are missing.
pub fn verify(folder: &Path) -> Result<VerifiedRows, StoreError> {
    let main = folder.join(MAIN);
    // As for a backup: before anything is read, because a running server advances its mark.
    let inspection = loss::inspect(folder, false)?;
    if !main.exists() {
        let missing = format!("{} does not exist", main.display());
        return Err(StoreError::Unavailable(io::Error::other(missing).into()));
    }
    let db = database::open_reader(&main, CACHE_BYTES)?;
    loss::keep_log_on_close(&db, true)?;
    inspection.verify(&db, false)?;
    let mut found = VerifiedRows::default();
    check_structure(&db, MAIN, &mut found)?;
    verify_rows(&db, &mut found)?;
    verify_others(&db, &mut found)?;
    let index = folder.join(INDEX);
    if index.exists() {
        let before = found.damage.len();
        let checked = database::open_reader(&index, CACHE_BYTES).and_then(|db| {
            loss::keep_log_on_close(&db, true)?;
            check_structure(&db, INDEX, &mut found)
        });
        note_damage(INDEX, checked, &mut found)?;
        if found.damage.len() > before {
            found.add_damage("stop the server, delete index.db and start again: it is rebuilt");
        }
    }
    Ok(found)
}

/// Compares all rows of messages and attempts with their checksums.
pub(super) fn verify_rows(db: &Connection, found: &mut VerifiedRows) -> rusqlite::Result<()> {
    for table in [&MESSAGES, &ATTEMPTS] {
        let mut after = -1;
        loop {
            let page = verify_page(db, table, after, found);
            let Some(last) = note_damage(MAIN, page, found)?.flatten() else { break };
            after = last;
        }
    }
    Ok(())
}

/// Decodes the rows of the other tables. Those of an earlier version have other columns.
fn verify_others(db: &Connection, found: &mut VerifiedRows) -> rusqlite::Result<()> {
    if !format::has_all_tables(db)? {
        return Ok(());
    }
    let others = TABLES
        .iter()
        .filter(|table| !matches!(table.check, Check::Message | Check::Attempt | Check::None));
    for table in others {
        let mut range = Range::default();
        loop {
            let reached = scan::scan(db, table, (&range, true), ROWS, &mut |row, key| {
                found.others += 1;
                if let Err(error) = table.check.row(row) {
                    found.add_damage(format!(
                        "{MAIN} is damaged: the row {} cannot be what was stored: {error}",
                        table.describe(&key)
                    ));
                }
                Ok(())
            })?;
            if let Some(damage) = reached.damage {
                found.add_damage(format!("{MAIN}: {damage}, in the table `{}`", table.name));
                break;
            }
            if reached.count < ROWS {
                break;
            }
            range.after = reached.last;
        }
    }
    Ok(())
}

/// A table whose rows have checksums.
struct CheckedTable {
    page: &'static str,
    has_checksum: fn(&Row<'_>) -> rusqlite::Result<bool>,
    count: fn(&mut VerifiedRows) -> &mut u64,
}

const MESSAGES: CheckedTable = CheckedTable {
    page: "SELECT sequence, tail, application, head, body
    FROM messages
    WHERE sequence > ?1
    ORDER BY sequence
    LIMIT ?2",
    has_checksum: message::has_checksum,
    count: |found| &mut found.messages,
};

const ATTEMPTS: CheckedTable = CheckedTable {
    page: "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence > ?1
    ORDER BY sequence
    LIMIT ?2",
    has_checksum: attempt::has_checksum,
    count: |found| &mut found.attempts,
};

/// Verifies the next rows; returns the key of the last one.
fn verify_page(
    db: &Connection,
    table: &CheckedTable,
    after: i64,
    found: &mut VerifiedRows,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(table.page)?;
    let mut rows = statement.query((after, i64::try_from(ROWS).unwrap_or(i64::MAX)))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        *(table.count)(found) += 1;
        let checked = (table.has_checksum)(row);
        if note_damage(MAIN, checked, found)? == Some(false) {
            found.without_checksum += 1;
        }
    }
    Ok(last)
}

/// Adds an error that is about damage to what was found; other errors stay errors.
fn note_damage<T>(
    file: &str,
    result: rusqlite::Result<T>,
    found: &mut VerifiedRows,
) -> rusqlite::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error::is_damage(&error) => {
            let damaged = error::damaged_row(&error);
            let described = damaged.map_or_else(|| format!("{file}: {error}"), DamagedRow::place);
            found.add_damage(described);
            Ok(None)
        },
        Err(error) => Err(error),
    }
}

const CHECK_STRUCTURE: &str = "PRAGMA integrity_check(100)";

fn check_structure(db: &Connection, file: &str, found: &mut VerifiedRows) -> rusqlite::Result<()> {
    for line in note_damage(file, structure(db), found)?.unwrap_or_default() {
        found.add_damage(format!("{file}: {line}"));
    }
    Ok(())
}

/// What `SQLite` finds wrong in the structure of the file.
pub(super) fn structure(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare(CHECK_STRUCTURE)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    lines.filter(|line| line.as_ref().map_or(true, |line| line != "ok")).collect()
}
