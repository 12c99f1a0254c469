//! The format of the main database: its migrations, and whether this program can use what another
//! version wrote.

use std::path::Path;

use postrider_core::data_format::{
    Compatibility::{self, Breaking},
    DataFormat, Opening,
};
use rusqlite::Connection;

use super::{folder::FolderError, state};
use crate::{
    error::StoreError,
    format_report::{FormatReport, ProgramVersion},
};

/// A version of the schema follows from the one before.
struct Migration {
    compatibility: Compatibility,
    sql: &'static str,
}

/// All migrations, one after the other; the file's `user_version` counts those that it has.
///
/// Versions before 11 did not store from which format on the data can be used: their programs
/// refuse every later format. Version 11 is also breaking by itself, because earlier programs cannot
/// read rows with checksums. A migration that is [additive](Compatibility::Additive) is tested with
/// the programs of the format before by `a_later_format_that_only_adds_is_used`.
const MIGRATIONS: [Migration; 11] = [
    Migration { compatibility: Breaking, sql: include_str!("schema/main_1.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_2.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_3.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_4.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_5.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_6.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_7.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_8.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_9.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_10.sql") },
    Migration { compatibility: Breaking, sql: include_str!("schema/main_11.sql") },
];

/// Distinguishes our files from other `SQLite` databases ("post").
const APPLICATION_ID: i32 = 0x706f_7374;

/// The format after this many migrations.
fn after(migrations: usize) -> DataFormat {
    DataFormat::after(MIGRATIONS.iter().take(migrations).map(|it| it.compatibility))
}

/// The format of a database, which may be empty. Changes nothing. An error if it is not ours.
pub(super) fn read(path: &Path, db: &Connection) -> Result<FormatReport, StoreError> {
    let owner: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let is_empty: bool =
        db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if owner != APPLICATION_ID && !is_empty {
        return Err(FolderError::Foreign(path.to_owned()).into());
    }
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let has_state = db.table_exists(None, "state")?;
    let number = |key| if has_state { state::get::<u32>(db, key) } else { Ok(None) };
    let usable_from = number(state::USABLE_FROM)?;
    let found = DataFormat {
        version,
        usable_from: usable_from.unwrap_or(DataFormat::exactly(version).usable_from),
    };
    let written_by = number(state::WRITTEN_BY)?.map(ProgramVersion::from_number);
    Ok(FormatReport { found, written_by, own: after(MIGRATIONS.len()) })
}

/// The format of a database that this program can use or upgrade.
pub(super) fn require_usable(path: &Path, db: &Connection) -> Result<FormatReport, StoreError> {
    let report = read(path, db)?;
    if report.opening() == Opening::Refuse {
        return Err(FolderError::Newer { path: path.to_owned(), report }.into());
    }
    Ok(report)
}

/// Makes sure that this program knows everything that a database contains, to copy it.
pub(super) fn require_known(path: &Path, db: &Connection) -> Result<(), StoreError> {
    let report = read(path, db)?;
    if report.opening() == Opening::UseLater {
        return Err(FolderError::Incomplete { path: path.to_owned(), report }.into());
    }
    Ok(())
}

/// Upgrades a database from the format that was found, and logs what that means for a rollback.
pub(super) fn migrate(db: &mut Connection, report: &FormatReport) -> rusqlite::Result<()> {
    let DataFormat { version: found, usable_from } = report.found;
    let own = report.own.version;
    match report.opening() {
        Opening::UseLater => {
            tracing::warn!(
                format = found,
                usable_from,
                known = own,
                written_by = report.writer(),
                "the data folder has the format of a later version, which this version can use"
            );
            return Ok(());
        },
        Opening::Upgrade { is_reversible: false } if found > 0 => {
            tracing::warn!(
                from = found,
                to = own,
                "upgrading the format of the data folder; earlier versions cannot use it afterwards"
            );
        },
        Opening::Use | Opening::Upgrade { .. } | Opening::Refuse => {},
    }
    let applied = usize::try_from(found).unwrap_or(usize::MAX);
    for (migration, number) in MIGRATIONS.iter().zip(1..).skip(applied) {
        apply(db, migration, after(number))?;
    }
    if (1..own).contains(&found) {
        let usable_from = report.own.usable_from;
        tracing::info!(
            from = found,
            to = own,
            usable_from,
            "upgraded the format of the data folder"
        );
    }
    Ok(())
}

/// Gives a database without tables those of the present format.
pub(super) fn create_tables(db: &mut Connection) -> rusqlite::Result<()> {
    migrate(db, &assumed(0))
}

/// Whether the database has all tables that this program knows.
pub(super) fn has_all_tables(db: &Connection) -> rusqlite::Result<bool> {
    let version: usize = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version >= MIGRATIONS.len())
}

/// Gives a copy of a damaged database the tables of the present format. A version that no program
/// has written is taken for the present one.
pub(super) fn upgrade_copy(path: &Path) -> rusqlite::Result<()> {
    let mut db = Connection::open(path)?;
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let report = assumed(version);
    if (1..report.own.version).contains(&version) { migrate(&mut db, &report) } else { Ok(()) }
}

/// What is known of a database of which only the version was read.
fn assumed(version: u32) -> FormatReport {
    let found = DataFormat::exactly(version);
    FormatReport { found, written_by: None, own: after(MIGRATIONS.len()) }
}

fn apply(db: &mut Connection, migration: &Migration, after: DataFormat) -> rusqlite::Result<()> {
    let step = db.transaction()?;
    step.execute_batch(migration.sql)?;
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", after.version)?;
    state::set(&step, state::USABLE_FROM, &after.usable_from)?;
    state::set(&step, state::WRITTEN_BY, &ProgramVersion::own().number())?;
    step.commit()
}

/// Writes the first page of the file within the current transaction, so that the file's change
/// counter grows with each startup. It then distinguishes the file from earlier copies of it.
pub(super) fn touch_first_page(db: &Connection) -> rusqlite::Result<()> {
    // What was found may be a later format.
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    db.pragma_update(None, "user_version", version)
}
