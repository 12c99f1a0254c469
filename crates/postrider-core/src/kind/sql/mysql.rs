//! Statements for MySQL and MariaDB, and what their error codes mean.

use super::{
    cell::ColumnType,
    mapping::{Column, Mapping, Mode},
    name::TableName,
};
use crate::outcome::Failure;

/// Most parameters of a statement.
pub const MAX_PARAMETERS: usize = 65_535;

/// The settings of a connection. Values that do not fit are errors, times are in UTC, and the
/// server ends statements that wait or run for longer than a batch may take.
pub fn settings(lock_secs: u64, statement_secs: u64) -> String {
    format!(
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00', \
         autocommit = 1, innodb_lock_wait_timeout = {lock_secs}, lock_wait_timeout = {lock_secs} \
         /*M!100101 , max_statement_time = {statement_secs} */"
    )
}

/// The columns of the unique indexes of a table. The parameters are its schema, which may be null,
/// and its name.
pub const INDEXES: &str = "
SELECT index_name, GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR 0x00)
FROM information_schema.statistics
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0
GROUP BY index_name";

/// The columns of a table, with the same parameters.
pub const COLUMNS: &str = "
SELECT column_name
FROM information_schema.columns
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

/// Creates the table.
pub fn create(table: &TableName, mapping: &Mapping) -> String {
    let column = |(position, column): (usize, &Column)| {
        let null = if column.required { " NOT NULL" } else { "" };
        let own_type = if position == mapping.id {
            "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin"
        } else {
            own_type(column.column_type, mapping.key.contains(&position))
        };
        format!("    {} {own_type}{null},\n", column.name.quoted('`'))
    };
    let columns: String = mapping.columns.iter().enumerate().map(column).collect();
    let key = names(mapping, mapping.key.iter().copied());
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{columns}    PRIMARY KEY ({key})\n) \
         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        table.quoted('`')
    )
}

/// The type of a column in a table that is created. Indexed texts need a length.
const fn own_type(column_type: ColumnType, is_key: bool) -> &'static str {
    match column_type {
        ColumnType::Text | ColumnType::Json if is_key => "VARCHAR(255)",
        ColumnType::Text => "LONGTEXT",
        ColumnType::Integer => "BIGINT",
        ColumnType::Decimal => "DECIMAL(65,30)",
        ColumnType::Float => "DOUBLE",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Timestamp => "DATETIME(6)",
        ColumnType::Date => "DATE",
        ColumnType::Json => "JSON",
        ColumnType::Uuid => "CHAR(36)",
        ColumnType::Bytes if is_key => "VARBINARY(255)",
        ColumnType::Bytes => "LONGBLOB",
    }
}

/// Writes `rows` rows, with a parameter for each value, row by row.
///
/// MySQL cannot be told which unique index a row may violate. [`find`] tells whether a row that
/// was not inserted is there, or violates another index.
pub fn insert(table: &TableName, mapping: &Mapping, rows: usize) -> String {
    let count = mapping.columns.len();
    let row = format!("({})", vec!["?"; count].join(", "));
    format!(
        "INSERT INTO {} ({})\nVALUES {}\nON DUPLICATE KEY UPDATE {}",
        table.quoted('`'),
        names(mapping, 0..count),
        vec![row.as_str(); rows].join(", "),
        update(mapping)
    )
}

/// Assignments are made from left to right and see those before them, so the id comes last.
fn update(mapping: &Mapping) -> String {
    let name = |position: usize| mapping.columns[position].name.quoted('`');
    let id = name(mapping.id);
    let nothing = format!("{id} = {id}");
    let is_updated = |it: &usize| !mapping.key.contains(it) && *it != mapping.id;
    let others = (0..mapping.columns.len()).filter(is_updated);
    let assignments: Vec<String> = match mapping.mode {
        Mode::Insert => vec![nothing],
        Mode::Upsert if mapping.has_own_key() => {
            let id = (!mapping.key.contains(&mapping.id)).then_some(mapping.id);
            others.chain(id).map(|it| newer(&name(it), &name(mapping.id))).collect()
        },
        Mode::Upsert => others
            .map(name)
            .map(|name| format!("{name} = VALUES({name})"))
            .chain([nothing])
            .collect(),
    };
    assignments.join(", ")
}

/// Assigns the value of the new row if its message is newer.
fn newer(name: &str, id: &str) -> String {
    let (new, old) = (format!("CAST(VALUES({id}) AS BINARY)"), format!("CAST({id} AS BINARY)"));
    format!("{name} = IF({old} IS NULL OR {new} > {old}, VALUES({name}), {name})")
}

/// Which of `count` message ids are in the table.
pub fn find(table: &TableName, mapping: &Mapping, count: usize) -> String {
    let id = mapping.columns[mapping.id].name.quoted('`');
    let ids = vec!["?"; count].join(", ");
    format!("SELECT {id}\nFROM {}\nWHERE {id} IN ({ids})", table.quoted('`'))
}

fn names(mapping: &Mapping, positions: impl Iterator<Item = usize>) -> String {
    let name = |position: usize| mapping.columns[position].name.quoted('`');
    positions.map(name).collect::<Vec<_>>().join(", ")
}

/// The text of a time, in UTC.
pub fn time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// What an error number means, and what to do. `state` is its `SQLSTATE`.
pub fn explain(number: u16, state: &str) -> (Failure, &'static str) {
    match number {
        1044 | 1045 | 1130 | 1698 => {
            (Failure::Misconfigured, "correct the user name or the password, or grant access")
        },
        1049 => (Failure::Misconfigured, "correct the name of the database in `url`"),
        1046 => (Failure::Misconfigured, "add the name of the database to `url`"),
        1146 => (Failure::Misconfigured, "create the table, or set `createTable`"),
        1142 | 1143 | 1227 => (Failure::Misconfigured, "grant the user INSERT, SELECT and UPDATE"),
        1054 | 1136 | 1364 => (Failure::Misconfigured, "make `columns` and the table match"),
        1040 | 1203 | 1226 => (Failure::Busy, "raise the database's limit of connections"),
        1205 | 1317 | 1969 | 3024 => {
            (Failure::Busy, "find out what locks the table or slows the database down")
        },
        3 | 1021 | 1114 => (Failure::Unavailable, "free disk space of the database"),
        1290 | 1792 | 1836 => {
            (Failure::Unavailable, "connect to the primary; this server is read-only")
        },
        1118 | 1153 | 1301 | 3140 | 3819 | 4025 | 1644 => (Failure::Rejected, REJECTED),
        _ => explain_class(state),
    }
}

const REJECTED: &str = "correct the payload, or change the table or the mapping";

fn explain_class(state: &str) -> (Failure, &'static str) {
    match state.get(..2).unwrap_or_default() {
        "01" | "21" | "22" | "23" | "45" => (Failure::Rejected, REJECTED),
        "28" => (Failure::Misconfigured, "correct the user name or the password"),
        "42" => (Failure::Misconfigured, "make the configuration and the table match"),
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
        let expected = "INSERT INTO `events` (`id`, `type`, `timestamp`, `event`)
VALUES (?, ?, ?, ?), (?, ?, ?, ?)
ON DUPLICATE KEY UPDATE `id` = `id`";
        assert_eq!(insert(&events(), &mapping(Mode::Insert), 2), expected);
        let upsert = insert(&events(), &mapping(Mode::Upsert), 1);
        assert!(upsert.ends_with("`event` = VALUES(`event`), `id` = `id`"), "{upsert}");
    }

    #[test]
    fn an_older_message_does_not_overwrite_a_newer_one() {
        let expected = "INSERT INTO `events` (`id`, `user`, `name`)
VALUES (?, ?, ?)
ON DUPLICATE KEY UPDATE \
`name` = IF(CAST(`id` AS BINARY) IS NULL OR CAST(VALUES(`id`) AS BINARY) > CAST(`id` AS BINARY), \
VALUES(`name`), `name`), \
`id` = IF(CAST(`id` AS BINARY) IS NULL OR CAST(VALUES(`id`) AS BINARY) > CAST(`id` AS BINARY), \
VALUES(`id`), `id`)";
        assert_eq!(insert(&events(), &by_user(), 1), expected);
    }

    #[test]
    fn a_table_is_created_with_its_unique_key() {
        let expected = "CREATE TABLE IF NOT EXISTS `events` (
    `id` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `user` BIGINT NOT NULL,
    `name` LONGTEXT,
    PRIMARY KEY (`user`)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
        assert_eq!(create(&events(), &by_user()), expected);
    }

    #[test]
    fn permanent_errors_are_told_from_temporary_ones() {
        let cases = [
            (1406, "22001", Failure::Rejected),
            (1264, "22003", Failure::Rejected),
            (1366, "22007", Failure::Rejected),
            (1048, "23000", Failure::Rejected),
            (1062, "23000", Failure::Rejected),
            (1265, "01000", Failure::Rejected),
            (4025, "23000", Failure::Rejected),
            (1644, "45000", Failure::Rejected),
            (1045, "28000", Failure::Misconfigured),
            (1049, "42000", Failure::Misconfigured),
            (1146, "42S02", Failure::Misconfigured),
            (1054, "42S22", Failure::Misconfigured),
            (1142, "42000", Failure::Misconfigured),
            (1364, "HY000", Failure::Misconfigured),
            (1064, "42000", Failure::Misconfigured),
            (1040, "08004", Failure::Busy),
            (1205, "HY000", Failure::Busy),
            (1969, "70100", Failure::Busy),
            (1213, "40001", Failure::Unavailable),
            (1021, "HY000", Failure::Unavailable),
            (1114, "HY000", Failure::Unavailable),
            (1053, "08S01", Failure::Unavailable),
            (1290, "HY000", Failure::Unavailable),
        ];
        for (number, state, expected) in cases {
            assert_eq!(explain(number, state).0, expected, "{number}");
        }
    }

    #[test]
    fn times_are_written_in_utc_with_microseconds() {
        assert_eq!(
            time("2030-01-31T12:00:00.5+02:00".parse().unwrap()),
            "2030-01-31 10:00:00.500000"
        );
    }
}
