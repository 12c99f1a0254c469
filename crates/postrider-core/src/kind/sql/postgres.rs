//! Statements for PostgreSQL, and what its error codes mean.

use std::fmt::Write as _;

use super::{
    cell::{Cell, ColumnType},
    mapping::{Column, Mapping, Mode},
    name::TableName,
};
use crate::outcome::Failure;

/// The types of a table's columns: `$1` is its name as it is in statements.
pub const TYPES: &str = "
SELECT attname::text, format_type(atttypid, -1)
FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

/// The name of the table for statements.
pub fn table(table: &TableName) -> String {
    table.quoted('"')
}

/// Creates the table.
pub fn create(table: &TableName, mapping: &Mapping) -> String {
    let column = |column: &Column| {
        let null = if column.required { " NOT NULL" } else { "" };
        format!("    {} {}{null},\n", column.name.quoted('"'), own_type(column.column_type))
    };
    let columns: String = mapping.columns.iter().map(column).collect();
    let (table, key) = (table.quoted('"'), names(mapping, &mapping.key));
    format!("CREATE TABLE IF NOT EXISTS {table} (\n{columns}    PRIMARY KEY ({key})\n)")
}

/// The type of a column in a table that is created.
const fn own_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::Integer => "bigint",
        ColumnType::Decimal => "numeric",
        ColumnType::Float => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Date => "date",
        ColumnType::Json => "jsonb",
        ColumnType::Uuid => "uuid",
        ColumnType::Bytes => "bytea",
    }
}

/// Writes any number of rows: each parameter is a list with the texts of one column. `types` are
/// those of the table's columns, in the order of the mapping. They have no lengths, because a cast
/// to `varchar(10)` would cut texts off.
///
/// PostgreSQL changes no row twice in a statement, so only the newest message of a key is taken.
pub fn insert(table: &TableName, mapping: &Mapping, types: &[String]) -> String {
    let columns = &mapping.columns;
    let all: Vec<usize> = (0..columns.len()).collect();
    let list = |text: &dyn Fn(usize) -> String| {
        all.iter().map(|position| text(*position)).collect::<Vec<_>>().join(", ")
    };
    let casts = list(&|it| format!("c{it}::{} AS c{it}", types[it]));
    let parameters = list(&|it| format!("${}::text[]", it + 1));
    let (cells, key) = (list(&|it| format!("c{it}")), names(mapping, &mapping.key));
    let mut sql =
        format!("INSERT INTO {} AS stored ({})\n", table.quoted('"'), names(mapping, &all));
    let rows = format!("SELECT {casts}\nFROM unnest({parameters}) AS texts({cells})\n");
    match mapping.mode {
        Mode::Insert => {
            sql.push_str(&rows);
            // A string accepts everything.
            write!(sql, "ON CONFLICT ({key}) DO NOTHING").expect("a string accepts it");
        },
        Mode::Upsert => {
            let of_key = cells_of(&mapping.key);
            let newest = format!("{of_key}, c{}::text COLLATE \"C\" DESC", mapping.id);
            write!(
                sql,
                "SELECT DISTINCT ON ({of_key}) {cells}\nFROM (\n{rows}) AS cells\nORDER BY {newest}\n{}",
                update(mapping, &key),
            )
            .expect("a string accepts it");
        },
    }
    sql
}

fn cells_of(positions: &[usize]) -> String {
    positions.iter().map(|position| format!("c{position}")).collect::<Vec<_>>().join(", ")
}

/// Updates the row that exists, unless a newer message wrote it.
fn update(mapping: &Mapping, key: &str) -> String {
    let others = mapping.columns.iter().enumerate().filter(|(it, _)| !mapping.key.contains(it));
    let assignments: Vec<String> = others
        .map(|(_, column)| column.name.quoted('"'))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    if assignments.is_empty() {
        return format!("ON CONFLICT ({key}) DO NOTHING");
    }
    let assignments = assignments.join(", ");
    let mut sql = format!("ON CONFLICT ({key}) DO UPDATE SET {assignments}");
    if mapping.has_own_key() {
        let id = mapping.columns[mapping.id].name.quoted('"');
        let id = |row: &str| format!("{row}.{id}::text COLLATE \"C\"");
        write!(sql, "\nWHERE coalesce({}, '') < {}", id("stored"), id("excluded"))
            .expect("a string accepts it");
    }
    sql
}

fn names(mapping: &Mapping, positions: &[usize]) -> String {
    let name = |position: &usize| mapping.columns[*position].name.quoted('"');
    positions.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The text of a value, which the server casts.
pub fn text(cell: &Cell) -> Option<std::borrow::Cow<'_, str>> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Text(text) => text.as_str().into(),
        Cell::Integer(number) => number.to_string().into(),
        // With an exponent, because the digits of 1e300 would be many.
        Cell::Float(number) => format!("{number:e}").into(),
        Cell::Boolean(value) => value.to_string().into(),
        Cell::Timestamp(time) => time.to_string().into(),
        Cell::Bytes(bytes) => {
            let mut text = String::with_capacity(2 + 2 * bytes.len());
            text.push_str("\\x");
            for byte in bytes {
                write!(text, "{byte:02x}").expect("a string accepts it");
            }
            text.into()
        },
    })
}

/// What an error code (`SQLSTATE`) means, and what to do.
pub fn explain(code: &str) -> (Failure, &'static str) {
    match code {
        "42501" => (Failure::Misconfigured, "grant the user INSERT, SELECT and UPDATE"),
        "42P01" => (Failure::Misconfigured, "create the table, or set `createTable`"),
        "42P10" => (
            Failure::Misconfigured,
            "add a unique index on the column of the message's id, or on the columns of `key`",
        ),
        "42703" | "42704" | "42804" | "42846" | "428C9" => {
            (Failure::Misconfigured, "make `columns` and the table match")
        },
        "53100" => (Failure::Unavailable, "free disk space of the database"),
        "53300" | "53400" => (Failure::Busy, "raise the database's limit of connections"),
        "55P03" | "57014" => {
            (Failure::Busy, "find out what locks the table or slows the database down")
        },
        "25006" => (Failure::Unavailable, "connect to the primary; this server is read-only"),
        "54000" => (Failure::Rejected, "shorten the values, or index fewer columns"),
        "44000" | "P0001" => (Failure::Rejected, REJECTED),
        _ => explain_class(code),
    }
}

const REJECTED: &str = "correct the payload, or change the table or the mapping";

fn explain_class(code: &str) -> (Failure, &'static str) {
    match code.get(..2).unwrap_or_default() {
        "21" | "22" | "23" => (Failure::Rejected, REJECTED),
        "28" => (Failure::Misconfigured, "correct the user name or the password"),
        "3D" => (Failure::Misconfigured, "correct the name of the database in `url`"),
        "3F" => (Failure::Misconfigured, "create the schema, or correct the name of the table"),
        "0A" | "42" => (Failure::Misconfigured, "make the configuration and the table match"),
        _ => (Failure::Unavailable, "the delivery is retried"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::sql::fixtures::{by_user, mapping};

    fn events() -> TableName {
        TableName::default()
    }

    #[test]
    fn rows_are_inserted_once() {
        let types = ["text", "text", "timestamp with time zone", "jsonb"].map(str::to_owned);
        let expected = r#"INSERT INTO "events" AS stored ("id", "type", "timestamp", "event")
SELECT c0::text AS c0, c1::text AS c1, c2::timestamp with time zone AS c2, c3::jsonb AS c3
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS texts(c0, c1, c2, c3)
ON CONFLICT ("id") DO NOTHING"#;
        assert_eq!(insert(&events(), &mapping(Mode::Insert), &types), expected);
    }

    #[test]
    fn an_older_message_does_not_overwrite_a_newer_one() {
        let types = ["text", "bigint", "text"].map(str::to_owned);
        let expected = r#"INSERT INTO "events" AS stored ("id", "user", "name")
SELECT DISTINCT ON (c1) c0, c1, c2
FROM (
SELECT c0::text AS c0, c1::bigint AS c1, c2::text AS c2
FROM unnest($1::text[], $2::text[], $3::text[]) AS texts(c0, c1, c2)
) AS cells
ORDER BY c1, c0::text COLLATE "C" DESC
ON CONFLICT ("user") DO UPDATE SET "id" = excluded."id", "name" = excluded."name"
WHERE coalesce(stored."id"::text COLLATE "C", '') < excluded."id"::text COLLATE "C""#;
        assert_eq!(insert(&events(), &by_user(), &types), expected);
    }

    #[test]
    fn a_table_is_created_with_its_unique_key() {
        let expected = r#"CREATE TABLE IF NOT EXISTS "events" (
    "id" text NOT NULL,
    "user" bigint NOT NULL,
    "name" text,
    PRIMARY KEY ("user")
)"#;
        assert_eq!(create(&events(), &by_user()), expected);
    }

    #[test]
    fn permanent_errors_are_told_from_temporary_ones() {
        let cases = [
            ("22P02", Failure::Rejected),
            ("22003", Failure::Rejected),
            ("22001", Failure::Rejected),
            ("23502", Failure::Rejected),
            ("23505", Failure::Rejected),
            ("23514", Failure::Rejected),
            ("28P01", Failure::Misconfigured),
            ("3D000", Failure::Misconfigured),
            ("42501", Failure::Misconfigured),
            ("42P01", Failure::Misconfigured),
            ("42P10", Failure::Misconfigured),
            ("42703", Failure::Misconfigured),
            ("08006", Failure::Unavailable),
            ("40001", Failure::Unavailable),
            ("40P01", Failure::Unavailable),
            ("53100", Failure::Unavailable),
            ("53300", Failure::Busy),
            ("55P03", Failure::Busy),
            ("57014", Failure::Busy),
            ("57P01", Failure::Unavailable),
            ("57P03", Failure::Unavailable),
            ("58030", Failure::Unavailable),
            ("XX000", Failure::Unavailable),
            ("", Failure::Unavailable),
        ];
        for (code, expected) in cases {
            assert_eq!(explain(code).0, expected, "{code}");
        }
    }

    #[test]
    fn values_become_texts_that_the_server_casts() {
        let cases = [
            (Cell::Null, None),
            (Cell::Bytes(vec![0, 255]), Some("\\x00ff")),
            (Cell::Float(1e300), Some("1e300")),
            (Cell::Boolean(true), Some("true")),
            (
                Cell::Timestamp("2030-01-31T12:00:00.5Z".parse().unwrap()),
                Some("2030-01-31T12:00:00.5Z"),
            ),
        ];
        for (cell, expected) in cases {
            assert_eq!(text(&cell).as_deref(), expected);
        }
    }
}
