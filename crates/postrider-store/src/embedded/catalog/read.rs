//! Reading records.

use postrider::{ApplicationId, ConsumerId, EndpointId, TaskId};
use postrider_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, params, types::Value};

use super::table::Table;
use crate::{
    contract::catalog::{
        Parent, RecordId, RecordKind, RecordRange, Selector, StoredRecord, UniqueKey, Version,
    },
    embedded::row::{self, blob},
};

const FAILING: &str = "SELECT id, failing_since
    FROM endpoints
    WHERE application = ?1 AND failing_since IS NOT NULL
    ORDER BY id";

/// Sorts after every name, whose characters are smaller.
const AFTER_NAMES: &str = "~";

pub(super) fn get(
    db: &Connection,
    kind: RecordKind,
    selector: &Selector,
) -> rusqlite::Result<Option<StoredRecord>> {
    let table = Table::of(kind);
    match (selector, table.by_uid, table.by_key) {
        (Selector::Id(parent, id), ..) => {
            one(db, table.by_id, params![parent_value(parent), id_value(id)])
        },
        (Selector::Uid(parent, uid), Some(sql), _) => {
            one(db, sql, params![parent_value(parent), uid.as_str()])
        },
        (Selector::Unique(UniqueKey::Id(id)), _, Some(sql)) => one(db, sql, [blob(*id)]),
        (Selector::Unique(UniqueKey::Digest(digest)), _, Some(sql)) => one(db, sql, [digest]),
        (Selector::Uid(..) | Selector::Unique(_), ..) => Ok(None),
    }
}

pub(super) fn list(
    db: &Connection,
    kind: RecordKind,
    range: &RecordRange,
) -> rusqlite::Result<Vec<StoredRecord>> {
    let table = Table::of(kind);
    let scan = if range.with_hidden { table.list } else { table.list_visible };
    let values = params![parent_value(&range.parent), edge(kind, range), range.limit];
    db.prepare_cached(scan.sql(range.ascending))?.query_map(values, record)?.collect()
}

const CONSUMERS: &str = "SELECT version, record FROM consumers WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) fn consumers(
    db: &Connection,
    after: Option<ConsumerId>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredRecord>> {
    let after = after.map(|it| blob(it.as_u128()));
    let after = after.as_ref().map_or_else(|| row::edge(true), |id| &id[..]);
    db.prepare_cached(CONSUMERS)?.query_map(params![after, limit], record)?.collect()
}

pub(in crate::embedded) const OPEN_TASKS: &str = "SELECT version, record
    FROM tasks
    WHERE ended = 0 AND id > ?1
    ORDER BY id
    LIMIT ?2";

pub(in crate::embedded) fn open_tasks(
    db: &Connection,
    after: Option<TaskId>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredRecord>> {
    let after = after.map(|it| blob(it.as_u128()));
    let after = after.as_ref().map_or_else(|| row::edge(true), |id| &id[..]);
    db.prepare_cached(OPEN_TASKS)?.query_map(params![after, limit], record)?.collect()
}

pub(super) fn failing(
    db: &Connection,
    application: ApplicationId,
) -> rusqlite::Result<Vec<(EndpointId, Timestamp)>> {
    let mut statement = db.prepare_cached(FAILING)?;
    let found = statement.query_map([blob(application.as_u128())], |it| {
        Ok((EndpointId::from_u128(row::id(it, 0)?), Timestamp::from_millis(it.get(1)?)))
    })?;
    found.collect()
}

pub(in crate::embedded) fn parent_value(parent: &Parent) -> Value {
    match parent {
        Parent::Organization(id) => Value::Text(id.as_str().to_owned()),
        Parent::Application(id) => Value::Blob(blob(id.as_u128()).to_vec()),
        Parent::Consumer(id) => Value::Blob(blob(id.as_u128()).to_vec()),
    }
}

pub(in crate::embedded) fn id_value(id: &RecordId) -> Value {
    match id {
        RecordId::Uuid(id) => Value::Blob(blob(*id).to_vec()),
        RecordId::Name(name) => Value::Text(name.clone()),
    }
}

/// The value after which a list starts.
fn edge(kind: RecordKind, range: &RecordRange) -> Value {
    match (&range.after, kind, range.ascending) {
        (Some(after), ..) => id_value(after),
        (None, kind, true) if kind.has_names() => Value::Text(String::new()),
        (None, kind, false) if kind.has_names() => Value::Text(AFTER_NAMES.to_owned()),
        (None, _, ascending) => Value::Blob(row::edge(ascending).to_vec()),
    }
}

fn one(db: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<Option<StoredRecord>> {
    db.prepare_cached(sql)?.query_row(values, record).optional()
}

fn record(row: &Row<'_>) -> rusqlite::Result<StoredRecord> {
    Ok(StoredRecord { version: Version(row.get(0)?), json: row.get(1)? })
}
