//! Reading records.

use postrider::{ApplicationId, ConsumerId, EndpointId, TaskId};
use postrider_core::time::Timestamp;
use tokio_postgres::Row;

use super::{key::Key, table::Table};
use crate::{
    contract::catalog::{RecordKind, RecordRange, Selector, StoredRecord, Version},
    postgres::{
        error::DatabaseError,
        parameter::Param,
        session::Session,
        value::{self, Uuid},
    },
};

const FAILING: &str = "SELECT id, failing_since
    FROM endpoint
    WHERE application = $1 AND failing_since IS NOT NULL
    ORDER BY id";

pub(super) async fn get(
    session: &mut Session,
    kind: RecordKind,
    selector: &Selector,
) -> Result<Option<StoredRecord>, DatabaseError> {
    let table = Table::of(kind);
    let row = match (selector, table.by_uid, table.by_key) {
        (Selector::Id(parent, id), ..) => {
            let (parent, id) = (Key::from(parent), Key::from(id));
            session.query_opt(table.by_id, &[parent.param(), id.param()]).await?
        },
        (Selector::Uid(parent, uid), Some(sql), _) => {
            let (parent, uid) = (Key::from(parent), Key::Text(uid.as_str()));
            session.query_opt(sql, &[parent.param(), uid.param()]).await?
        },
        (Selector::Unique(key), _, Some(sql)) => {
            session.query_opt(sql, &[Key::from(key).param()]).await?
        },
        (Selector::Uid(..) | Selector::Unique(_), ..) => None,
    };
    row.as_ref().map(record).transpose()
}

pub(super) async fn list(
    session: &mut Session,
    kind: RecordKind,
    range: &RecordRange,
) -> Result<Vec<StoredRecord>, DatabaseError> {
    let table = Table::of(kind);
    let scan = if range.with_hidden { table.list } else { table.list_visible };
    let (parent, edge) = (Key::from(&range.parent), Key::edge(kind, range));
    let limit = value::to_bigint(range.limit);
    let values = [parent.param(), edge.param(), &limit];
    session.query(scan.sql(range.ascending), &values).await?.iter().map(record).collect()
}

const CONSUMERS: &str = "SELECT version, record FROM consumer WHERE id > $1 ORDER BY id LIMIT $2";

pub(super) async fn consumers(
    session: &mut Session,
    after: Option<ConsumerId>,
    limit: usize,
) -> Result<Vec<StoredRecord>, DatabaseError> {
    let after = after.map_or_else(|| value::edge(true), Uuid::from);
    let values: [Param<'_>; 2] = [&after, &value::to_bigint(limit)];
    session.query(CONSUMERS, &values).await?.iter().map(record).collect()
}

pub(in crate::postgres) const OPEN_TASKS: &str = "SELECT version, record
    FROM task
    WHERE NOT ended AND id > $1
    ORDER BY id
    LIMIT $2";

pub(in crate::postgres) async fn open_tasks(
    session: &mut Session,
    after: Option<TaskId>,
    limit: usize,
) -> Result<Vec<StoredRecord>, DatabaseError> {
    let after = after.map_or_else(|| value::edge(true), Uuid::from);
    let values: [Param<'_>; 2] = [&after, &value::to_bigint(limit)];
    session.query(OPEN_TASKS, &values).await?.iter().map(record).collect()
}

pub(super) async fn failing(
    session: &mut Session,
    application: ApplicationId,
) -> Result<Vec<(EndpointId, Timestamp)>, DatabaseError> {
    let rows = session.query(FAILING, &[&Uuid::from(application)]).await?;
    let pair = |row: &Row| (row.get::<_, Uuid>(0).into(), value::timestamp(row.get(1)));
    Ok(rows.iter().map(pair).collect())
}

/// Columns `version, record`.
fn record(row: &Row) -> Result<StoredRecord, DatabaseError> {
    Ok(StoredRecord { version: version(row)?, json: row.get(1) })
}

/// Column `version`.
pub(in crate::postgres) fn version(row: &Row) -> Result<Version, DatabaseError> {
    let version = u64::try_from(row.get::<_, i64>(0));
    version.map(Version).map_err(|error| DatabaseError::corrupt("version", error))
}
