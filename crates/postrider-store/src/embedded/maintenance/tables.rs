//! The tables of the main database, and how to tell that a row is what was stored.

use std::fmt::Write as _;

use postrider::{
    ApiKeyId, ApplicationId, AuditId, ConnectorId, ConsumerId, DeadLetterId, EndpointId,
    EventTypeName, RejectionId, SourceId, TaskId,
};
use postrider_core::{
    access::{ApiKey, ApiKeyUse, TokenPolicy},
    catalog::{
        Application, Connector, Consumer, DeadLetter, Endpoint, EventType, Recovery, Source, Task,
    },
    polling::PollConsumer,
    queue::partitions::Partitions,
    schema_report::SchemaReport,
};
use rusqlite::{
    Row,
    types::{Value, ValueRef},
};

use crate::{
    contract::{
        audit,
        catalog::{RecordKind, RecordRow, record::Record},
        sign_ins::SignIn,
    },
    embedded::{
        catalog::read::{id_value, parent_value},
        error::{self, Inconsistency},
        pending_row::PendingRow,
        row::{self, attempt, message},
    },
    rejected,
};

/// What the rows of a table are in order of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// The row id.
    Row,
    /// These columns, in a table without row ids.
    Columns(&'static [&'static str]),
}

/// How a row is checked, in addition to the structure of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Message,
    Attempt,
    Pending,
    /// The record decodes and agrees with the other columns: the parent's, the id's, and a digest's.
    Record(RecordKind, &'static str, &'static str),
    Audit,
    Rejection,
    Recovery,
    SignIn,
    PollConsumer,
    /// An id in the second column.
    Number,
    /// A name in the second column.
    Name,
    /// Numbers and keys only: nothing tells whether they are what was stored.
    None,
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: Key,
    pub(super) check: Check,
    /// An index that has the key of each row, as the table has.
    pub(super) index: Option<&'static str>,
    /// The columns that are read; all, if none are named.
    pub(super) columns: &'static str,
}

const fn of_rows(name: &'static str, check: Check) -> Table {
    Table { name, key: Key::Row, check, index: None, columns: "*" }
}

const fn of_keys(name: &'static str, key: &'static [&'static str], check: Check) -> Table {
    Table { name, key: Key::Columns(key), check, index: None, columns: "*" }
}

const fn of_records(
    name: &'static str,
    kind: RecordKind,
    (parent, id): (&'static str, &'static str),
    index: Option<&'static str>,
) -> Table {
    let key = Key::Columns(&["id"]);
    Table { name, key, check: Check::Record(kind, parent, id), index, columns: "*" }
}

const BY_ORGANIZATION: (&str, &str) = ("organization", "id");
const DELIVERY: &[&str] = &["message", "endpoint"];

/// All tables but `state` and `journal`. What others refer to comes first.
pub(super) const TABLES: [Table; 34] = [
    of_rows("application_numbers", Check::Number),
    of_rows("endpoint_numbers", Check::Number),
    of_rows("event_type_numbers", Check::Name),
    of_records(
        "applications",
        RecordKind::Application,
        BY_ORGANIZATION,
        Some("applications_by_organization"),
    ),
    of_records(
        "endpoints",
        RecordKind::Endpoint,
        ("application", "id"),
        Some("endpoints_by_application"),
    ),
    of_keys(
        "event_types",
        &["organization", "name"],
        Check::Record(RecordKind::EventType, "organization", "name"),
    ),
    of_records("sources", RecordKind::Source, BY_ORGANIZATION, Some("sources_by_organization")),
    of_records(
        "connectors",
        RecordKind::Connector,
        BY_ORGANIZATION,
        Some("connectors_by_organization"),
    ),
    of_records(
        "consumers",
        RecordKind::Consumer,
        BY_ORGANIZATION,
        Some("consumers_by_organization"),
    ),
    of_keys(
        "consumer_partitions",
        &["consumer"],
        Check::Record(RecordKind::Partitions, "consumer", "consumer"),
    ),
    of_rows("dead_letters", Check::Record(RecordKind::DeadLetter, "consumer", "id")),
    of_records("api_keys", RecordKind::ApiKey, BY_ORGANIZATION, Some("api_keys_by_organization")),
    of_records("api_key_uses", RecordKind::ApiKeyUse, BY_ORGANIZATION, None),
    of_keys(
        "token_policies",
        &["organization"],
        Check::Record(RecordKind::TokenPolicy, "organization", "organization"),
    ),
    of_rows("tasks", Check::Record(RecordKind::Task, "organization", "id")),
    of_keys(
        "schema_reports",
        &["organization", "name"],
        Check::Record(RecordKind::SchemaReport, "organization", "name"),
    ),
    of_rows("messages", Check::Message),
    of_rows("attempts", Check::Attempt),
    Table {
        index: Some("pending_by_message"),
        ..of_keys("pending", &["endpoint", "free_at", "message"], Check::Pending)
    },
    of_keys("ended", DELIVERY, Check::None),
    of_keys("extras", DELIVERY, Check::None),
    of_keys("cancelled", DELIVERY, Check::None),
    of_keys("event_ids", &["application", "event_id"], Check::None),
    Table {
        index: Some("idempotent_by_message"),
        ..of_keys("idempotent", &["digest"], Check::None)
    },
    Table { index: Some("reservations_by_time"), ..of_keys("reservations", &["key"], Check::None) },
    of_rows("recoveries", Check::Recovery),
    of_rows("rejections", Check::Rejection),
    Table {
        index: Some("audit_log_by_organization"),
        ..of_keys("audit_log", &["id"], Check::Audit)
    },
    Table { index: Some("sign_ins_by_expiry"), ..of_keys("sign_ins", &["digest"], Check::SignIn) },
    of_rows("poll_logs", Check::None),
    of_keys("poll_entries", &["log", "offset"], Check::None),
    of_keys("poll_consumers", &["log", "id"], Check::PollConsumer),
    of_rows("erasures", Check::None),
    of_rows("retired", Check::None),
];

impl Table {
    /// The number of columns of its key.
    pub(super) const fn key_length(&self) -> usize {
        match self.key {
            Key::Row => 1,
            Key::Columns(columns) => columns.len(),
        }
    }

    /// Its key, for a list in SQL.
    pub(super) fn key_columns(&self) -> String {
        match self.key {
            Key::Row => "rowid".to_owned(),
            Key::Columns(columns) => columns.join(", "),
        }
    }

    /// Describes the row with this key to people.
    pub(super) fn describe(&self, key: &[Value]) -> String {
        let parts: Vec<_> = key.iter().map(|value| self.describe_value(value)).collect();
        format!("{} {}", self.name, parts.join(" "))
    }

    fn describe_value(&self, value: &Value) -> String {
        match value {
            Value::Null => "-".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::Blob(bytes) => match <[u8; 16]>::try_from(&bytes[..]) {
                Ok(bits) => self.id(u128::from_be_bytes(bits)),
                Err(_) => hex(bytes),
            },
        }
    }

    fn id(&self, bits: u128) -> String {
        match self.name {
            "applications" => ApplicationId::from_u128(bits).to_string(),
            "endpoints" => EndpointId::from_u128(bits).to_string(),
            "sources" => SourceId::from_u128(bits).to_string(),
            "connectors" => ConnectorId::from_u128(bits).to_string(),
            "consumers" | "consumer_partitions" => ConsumerId::from_u128(bits).to_string(),
            "dead_letters" => DeadLetterId::from_u128(bits).to_string(),
            "api_keys" | "api_key_uses" => ApiKeyId::from_u128(bits).to_string(),
            "tasks" => TaskId::from_u128(bits).to_string(),
            "rejections" => RejectionId::from_u128(bits).to_string(),
            "audit_log" => AuditId::from_u128(bits).to_string(),
            _ => hex(&bits.to_be_bytes()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

impl Check {
    /// An error if the row, with all columns of its table in their order, is not what was stored.
    pub(super) fn row(self, row: &Row<'_>) -> rusqlite::Result<()> {
        match self {
            Self::Message => message::has_checksum(row).map(drop),
            Self::Attempt => attempt::has_checksum(row).map(drop),
            Self::Pending => PendingRow::from_row(row).map(drop),
            Self::Record(kind, parent, id) => check_kind(kind, row, (parent, id)),
            Self::Audit => audit::decode(text(row, "entry")?).map(drop).map_err(error::undecodable),
            Self::Rejection => {
                let id = RejectionId::from_u128(row::id(row, 0)?);
                let source = SourceId::from_u128(row::id(row, 1)?);
                let decoded = rejected::decode(id, source, row::blob_of(row, 2)?);
                decoded.map(drop).map_err(error::undecodable)
            },
            Self::Recovery => json::<Recovery>(row),
            Self::SignIn => json::<SignIn>(row),
            Self::PollConsumer => json::<PollConsumer>(row),
            Self::Number => row::id(row, 1).map(drop),
            Self::Name => {
                let name = EventTypeName::stored(row.get_ref(1)?.as_str()?);
                name.map(drop).map_err(error::undecodable)
            },
            Self::None => Ok(()),
        }
    }
}

fn check_kind(kind: RecordKind, row: &Row<'_>, names: (&str, &str)) -> rusqlite::Result<()> {
    match kind {
        RecordKind::Application => check_record::<Application>(row, names),
        RecordKind::Endpoint => check_record::<Endpoint>(row, names),
        RecordKind::EventType => check_record::<EventType>(row, names),
        RecordKind::Source => check_record::<Source>(row, names),
        RecordKind::Consumer => check_record::<Consumer>(row, names),
        RecordKind::Partitions => check_record::<Partitions>(row, names),
        RecordKind::DeadLetter => check_record::<DeadLetter>(row, names),
        RecordKind::ApiKey => check_record::<ApiKey>(row, names),
        RecordKind::ApiKeyUse => check_record::<ApiKeyUse>(row, names),
        RecordKind::TokenPolicy => check_record::<TokenPolicy>(row, names),
        RecordKind::Task => check_record::<Task>(row, names),
        RecordKind::Connector => check_record::<Connector>(row, names),
        RecordKind::SchemaReport => check_record::<SchemaReport>(row, names),
    }
}

/// The record decodes, and the columns by which it is found say the same as the record.
fn check_record<R: Record>(row: &Row<'_>, (parent, id): (&str, &str)) -> rusqlite::Result<()> {
    let record: R = serde_json::from_str(text(row, "record")?).map_err(error::undecodable)?;
    let expected = RecordRow::of(&record).map_err(error::undecodable)?;
    require(row, parent, &parent_value(&expected.parent))?;
    require(row, id, &id_value(&expected.id))?;
    if has_column(row, "uid") {
        let uid = expected.uid.map_or(Value::Null, |uid| Value::Text(uid.as_str().to_owned()));
        require(row, "uid", &uid)?;
    }
    if let Some(digest) = expected.digest {
        let column = if has_column(row, "digest") { "digest" } else { "token_digest" };
        require(row, column, &Value::Blob(digest.to_vec()))?;
    }
    Ok(())
}

fn require(row: &Row<'_>, column: &str, expected: &Value) -> rusqlite::Result<()> {
    if row.get_ref(column)? == ValueRef::from(expected) {
        Ok(())
    } else {
        Err(Inconsistency::ColumnsDiffer.into())
    }
}

fn has_column(row: &Row<'_>, name: &str) -> bool {
    row.as_ref().column_index(name).is_ok()
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<()> {
    let decoded: Result<T, _> = serde_json::from_str(text(row, "record")?);
    decoded.map(drop).map_err(error::undecodable)
}

fn text<'a>(row: &'a Row<'_>, column: &str) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::embedded::database;

    /// What is read by its keys, or made again.
    const OTHERS: [&str; 4] = ["expiring", "journal", "sqlite_sequence", "state"];

    #[test]
    fn all_tables_are_listed_with_their_keys_and_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let db = database::create_current(&folder.path().join("new.db")).unwrap();
        let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let names = names.query_map([], |row| row.get(0)).unwrap();
        let names: BTreeSet<String> = names.map(Result::unwrap).collect();
        let listed = TABLES.iter().map(|table| table.name).chain(OTHERS);
        assert_eq!(listed.map(str::to_owned).collect::<BTreeSet<_>>(), names);
        for table in &TABLES {
            let index = table.index.map(|index| format!("INDEXED BY {index}")).unwrap_or_default();
            let (name, key) = (table.name, table.key_columns());
            db.prepare(&format!("SELECT {key} FROM {name} {index}")).unwrap();
        }
    }
}
