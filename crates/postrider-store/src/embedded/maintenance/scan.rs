//! Reading the rows of any table in the order of its key, as far as the file can be read.

use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::tables::Table;
use crate::embedded::error;

/// A part of a table: the rows between two keys, or from an end of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    /// The rows after this key.
    pub(super) after: Option<Vec<Value>>,
    /// The rows before this key.
    pub(super) before: Option<Vec<Value>>,
}

/// How far a scan came.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    /// The key of the last row that was read.
    pub(super) last: Option<Vec<Value>>,
    /// The rows that were read.
    pub(super) count: usize,
    /// Why it ended before its limit and before the end of the range.
    pub(super) damage: Option<String>,
}

/// Reads at most `limit` rows of the range and calls `visit` with each and its key. Damage of the
/// file ends the scan and is returned in [`Reached`]; other errors are errors.
pub(super) fn scan(
    db: &Connection,
    table: &Table,
    (range, ascending): (&Range, bool),
    limit: usize,
    visit: &mut dyn FnMut(&Row<'_>, Vec<Value>) -> rusqlite::Result<()>,
) -> rusqlite::Result<Reached> {
    let mut reached = Reached { last: None, count: 0, damage: None };
    let ended = read(db, table, (range, ascending), limit, &mut |row, key| {
        reached.last = Some(key.clone());
        reached.count += 1;
        visit(row, key)
    });
    match ended {
        Ok(()) => Ok(reached),
        Err(error) if error::is_damage(&error) => {
            reached.damage = Some(error.to_string());
            Ok(reached)
        },
        Err(error) => Err(error),
    }
}

fn read(
    db: &Connection,
    table: &Table,
    (range, ascending): (&Range, bool),
    limit: usize,
    visit: &mut dyn FnMut(&Row<'_>, Vec<Value>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(&statement(table, range, ascending))?;
    let bounds = range.after.iter().chain(&range.before).flatten().cloned();
    let limit = Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut rows = statement.query(params_from_iter(bounds.chain([limit])))?;
    let first_of_key =
        rows.as_ref().map_or(0, rusqlite::Statement::column_count) - table.key_length();
    while let Some(row) = rows.next()? {
        let key = (0..table.key_length()).map(|at| row.get(first_of_key + at));
        let key = key.collect::<rusqlite::Result<Vec<Value>>>()?;
        visit(row, key)?;
    }
    Ok(())
}

/// Selects the columns of the table, and then its key.
fn statement(table: &Table, range: &Range, ascending: bool) -> String {
    let Table { name, columns, .. } = table;
    let key = table.key_columns();
    let marks = vec!["?"; table.key_length()].join(", ");
    let bound = |sign: &str| format!("({key}) {sign} ({marks})");
    let after = range.after.as_ref().map(|_| bound(">"));
    let before = range.before.as_ref().map(|_| bound("<"));
    let bounds: Vec<_> = after.into_iter().chain(before).collect();
    let condition =
        if bounds.is_empty() { String::new() } else { format!("WHERE {}", bounds.join(" AND ")) };
    let direction = if ascending { "" } else { " DESC" };
    let order = key.split(", ").map(|column| format!("{column}{direction}"));
    let order: Vec<_> = order.collect();
    format!("SELECT {columns}, {key} FROM {name} {condition} ORDER BY {} LIMIT ?", order.join(", "))
}

/// The keys of a table as an index lists them, and whether all of it could be read.
pub(super) fn keys(
    db: &Connection,
    table: &Table,
    index: &str,
) -> rusqlite::Result<(Vec<Vec<Value>>, bool)> {
    let key = table.key_columns();
    let mut statement =
        db.prepare(&format!("SELECT {key} FROM {} INDEXED BY {index}", table.name))?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    let mut next = || -> rusqlite::Result<bool> {
        let Some(row) = rows.next()? else { return Ok(false) };
        let key = (0..table.key_length()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        keys.push(key);
        Ok(true)
    };
    loop {
        match next() {
            Ok(true) => {},
            Ok(false) => return Ok((keys, true)),
            Err(error) if error::is_damage(&error) => return Ok((keys, false)),
            Err(error) => return Err(error),
        }
    }
}

/// Reads the row with this key, as [`scan`] does.
pub(super) fn one(
    db: &Connection,
    table: &Table,
    key: &[Value],
    visit: &mut dyn FnMut(&Row<'_>, Vec<Value>) -> rusqlite::Result<()>,
) -> rusqlite::Result<Reached> {
    let Table { name, columns, .. } = table;
    let sql =
        format!("SELECT {columns}, {} FROM {name} WHERE {}", table.key_columns(), is_key(table));
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query(params_from_iter(key)).and_then(|mut rows| {
        let Some(row) = rows.next()? else { return Ok(0) };
        visit(row, key.to_vec()).map(|()| 1)
    });
    match found {
        Ok(count) => Ok(Reached { last: Some(key.to_vec()), count, damage: None }),
        Err(error) if error::is_damage(&error) => {
            Ok(Reached { last: None, count: 0, damage: Some(error.to_string()) })
        },
        Err(error) => Err(error),
    }
}

/// Whether the table has a row with this key.
pub(super) fn exists(db: &Connection, table: &Table, key: &[Value]) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM {} WHERE {}", table.name, is_key(table));
    db.prepare_cached(&sql)?.exists(params_from_iter(key))
}

fn is_key(table: &Table) -> String {
    format!("({}) = ({})", table.key_columns(), vec!["?"; table.key_length()].join(", "))
}
