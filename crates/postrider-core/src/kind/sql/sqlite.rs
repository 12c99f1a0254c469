//! Statements for SQLite, and what its error codes mean.

use super::{
    cell::ColumnType,
    mapping::{Column, Mapping, Mode},
    name::TableName,
};
use crate::outcome::Failure;

/// Creates the table.
pub fn create(table: &TableName, mapping: &Mapping) -> String {
    let column = |column: &Column| {
        let null = if column.required { " NOT NULL" } else { "" };
        format!("    {} {}{null},\n", column.name.quoted('"'), own_type(column.column_type))
    };
    let columns: String = mapping.columns.iter().map(column).collect();
    let (table, key) = (table.quoted('"'), names(mapping, &mapping.key));
    format!("CREATE TABLE IF NOT EXISTS {table} (\n{columns}    PRIMARY KEY ({key})\n) STRICT")
}

/// The type of a column in a table that is created. What SQLite has no type for is text.
const fn own_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Integer | ColumnType::Boolean => "INTEGER",
        ColumnType::Float => "REAL",
        ColumnType::Bytes => "BLOB",
        ColumnType::Text
        | ColumnType::Decimal
        | ColumnType::Timestamp
        | ColumnType::Date
        | ColumnType::Json
        | ColumnType::Uuid => "TEXT",
    }
}

/// Writes a row, with a parameter for each value.
pub fn insert(table: &TableName, mapping: &Mapping) -> String {
    let all: Vec<usize> = (0..mapping.columns.len()).collect();
    format!(
        "INSERT INTO {} AS stored ({})\nVALUES ({})\nON CONFLICT ({}) {}",
        table.quoted('"'),
        names(mapping, &all),
        vec!["?"; all.len()].join(", "),
        names(mapping, &mapping.key),
        action(mapping)
    )
}

/// Updates the row that exists, unless a newer message wrote it.
fn action(mapping: &Mapping) -> String {
    let others = mapping.columns.iter().enumerate().filter(|(it, _)| !mapping.key.contains(it));
    let assignments: Vec<String> = others
        .map(|(_, column)| column.name.quoted('"'))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    if mapping.mode == Mode::Insert || assignments.is_empty() {
        return "DO NOTHING".to_owned();
    }
    let assignments = assignments.join(", ");
    if !mapping.has_own_key() {
        return format!("DO UPDATE SET {assignments}");
    }
    let id = mapping.columns[mapping.id].name.quoted('"');
    format!("DO UPDATE SET {assignments}\nWHERE coalesce(stored.{id}, '') < excluded.{id}")
}

fn names(mapping: &Mapping, positions: &[usize]) -> String {
    let name = |position: &usize| mapping.columns[*position].name.quoted('"');
    positions.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What a primary result code means, and what to do.
pub fn explain(code: i32) -> (Failure, &'static str) {
    match code {
        // BUSY, LOCKED
        5 | 6 => (Failure::Busy, "find out which process holds the file's lock"),
        // FULL
        13 => (Failure::Unavailable, "raise `maxBytes`, delete rows, or free disk space"),
        // TOOBIG, CONSTRAINT, MISMATCH
        18..=20 => (Failure::Rejected, "correct the payload, or change the table or the mapping"),
        // ERROR: no such column, no unique index
        1 => (
            Failure::Misconfigured,
            "make the configuration and the table match; the columns that rows are unique by need \
             a unique index",
        ),
        // CORRUPT, NOTADB
        11 | 26 => (Failure::Misconfigured, "restore the file, or use another `database`"),
        // PERM, READONLY, CANTOPEN, AUTH
        3 | 8 | 14 | 23 => {
            (Failure::Unavailable, "let the server write to the file and its folder")
        },
        _ => (Failure::Unavailable, "the delivery is retried"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::sql::fixtures::{by_user, mapping};

    #[test]
    fn rows_are_inserted_once() {
        let expected = r#"INSERT INTO "events" AS stored ("id", "type", "timestamp", "event")
VALUES (?, ?, ?, ?)
ON CONFLICT ("id") DO NOTHING"#;
        assert_eq!(insert(&TableName::default(), &mapping(Mode::Insert)), expected);
    }

    #[test]
    fn an_older_message_does_not_overwrite_a_newer_one() {
        let expected = r#"INSERT INTO "events" AS stored ("id", "user", "name")
VALUES (?, ?, ?)
ON CONFLICT ("user") DO UPDATE SET "id" = excluded."id", "name" = excluded."name"
WHERE coalesce(stored."id", '') < excluded."id""#;
        assert_eq!(insert(&TableName::default(), &by_user()), expected);
    }

    #[test]
    fn a_table_is_created_with_its_unique_key() {
        let expected = r#"CREATE TABLE IF NOT EXISTS "events" (
    "id" TEXT NOT NULL,
    "user" INTEGER NOT NULL,
    "name" TEXT,
    PRIMARY KEY ("user")
) STRICT"#;
        assert_eq!(create(&TableName::default(), &by_user()), expected);
    }

    #[test]
    fn permanent_errors_are_told_from_temporary_ones() {
        let cases = [
            (1, Failure::Misconfigured),
            (5, Failure::Busy),
            (6, Failure::Busy),
            (8, Failure::Unavailable),
            (10, Failure::Unavailable),
            (11, Failure::Misconfigured),
            (13, Failure::Unavailable),
            (14, Failure::Unavailable),
            (18, Failure::Rejected),
            (19, Failure::Rejected),
            (20, Failure::Rejected),
            (26, Failure::Misconfigured),
        ];
        for (code, expected) in cases {
            assert_eq!(explain(code).0, expected, "{code}");
        }
    }
}
