//! An open SQLite file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use postrider_core::{
    kind::sql::{Cell, Row, TableName, sqlite::explain},
    outcome::Failure,
};
use rusqlite::{
    Connection, Error, OpenFlags, ToSql, TransactionBehavior, params_from_iter,
    types::{Null, ToSqlOutput, ValueRef},
};

use crate::sender::sql::{LOCK_LIMIT, failed::Failed};

/// Where a file is, and what is done with it.
#[derive(Debug)]
pub(super) struct Place {
    /// The application's folder.
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) max_bytes: u64,
    pub(super) table: TableName,
    /// Creates the table, if it may be created.
    pub(super) create: Option<String>,
    pub(super) insert: String,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    connection: Connection,
    insert: String,
}

impl File {
    /// Opens or creates the file, and makes sure that the table can be written to.
    pub(super) fn open(place: &Place) -> Result<Self, Failed> {
        create_folder(&place.folder).map_err(|error| unusable(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(place.path(), flags).and_then(|connection| {
            connection.busy_timeout(LOCK_LIMIT)?;
            set_up(&connection, place.max_bytes)?;
            if let Some(create) = &place.create {
                connection.execute_batch(create)?;
            }
            connection.prepare_cached(&place.insert).map(drop)?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| failed(&error))?;
        Ok(Self { connection, insert: place.insert.clone() })
    }

    /// Whether the file that is open is still there.
    pub(super) fn exists(&self, place: &Place) -> bool {
        place.path().exists() && self.connection.is_autocommit()
    }

    /// Writes the rows in one transaction. Rows that do not fit are left out.
    pub(super) fn write(&mut self, rows: &[Row]) -> Result<Vec<Result<(), Failed>>, Failed> {
        // Immediate, because a transaction that waits for a lock in its middle may not wait.
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior);
        let transaction = transaction.map_err(|error| failed(&error))?;
        let mut results = Vec::with_capacity(rows.len());
        {
            let statement = transaction.prepare_cached(&self.insert);
            let mut statement = statement.map_err(|error| failed(&error))?;
            for row in rows {
                let parameters = params_from_iter(row.cells.iter().map(Parameter));
                let result = statement.execute(parameters).map_err(|error| failed(&error));
                match result {
                    Err(failed) if failed.failure != Failure::Rejected => return Err(failed),
                    result => results.push(result.map(drop)),
                }
            }
        }
        transaction.commit().map_err(|error| failed(&error))?;
        Ok(results)
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What was committed survives a loss of power.
fn set_up(connection: &Connection, max_bytes: u64) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(max_bytes / page.max(1)).unwrap_or(i64::MAX);
    connection.pragma_update(None, "max_page_count", pages)
}

/// A value of a statement.
struct Parameter<'a>(&'a Cell);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self.0 {
            Cell::Null => Null.to_sql().map(|_| ToSqlOutput::Borrowed(ValueRef::Null)),
            Cell::Text(text) => text.to_sql(),
            Cell::Integer(number) => number.to_sql(),
            Cell::Float(number) => number.to_sql(),
            Cell::Boolean(value) => value.to_sql(),
            Cell::Timestamp(time) => Ok(ToSqlOutput::from(time.to_string())),
            Cell::Bytes(bytes) => bytes.to_sql(),
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library adds codes")]
fn failed(error: &Error) -> Failed {
    let (code, message) = match error {
        Error::SqliteFailure(code, message) => (code.extended_code & 0xff, message.clone()),
        Error::SqlInputError { error, msg, .. } => (error.extended_code & 0xff, Some(msg.clone())),
        _ => (0, None),
    };
    let (failure, remedy) = explain(code);
    let message = message.unwrap_or_else(|| format!("SQLite reports error {code}"));
    Failed::new(failure, format!("{message}; {remedy}"))
}

/// The path is the operator's business, so it is not shown.
fn unusable(error: &io::Error) -> Failed {
    let reason = format!("the folder of the file cannot be created: {}", error.kind());
    Failed::new(Failure::Unavailable, reason)
}
