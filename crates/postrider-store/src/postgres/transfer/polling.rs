//! Logs of polling endpoints.

use postrider_core::polling::PollConsumer;
use tokio_postgres::Row;

use super::copy_rows::Rows;
use crate::{
    error::StoreError,
    postgres::{
        error::DatabaseError,
        session::Session,
        value::{Uuid, millis, timestamp, to_bigint},
    },
    transfer::{
        Chunk, Cursor, ExportPage, PollEntryExport, PollLogExport, entry_cursor, next_cursor,
    },
};

const LOGS: &str = "SELECT l.endpoint, l.application, l.last, l.last_at,
        ARRAY(SELECT c.record FROM poll_consumer c WHERE c.endpoint = l.endpoint ORDER BY c.id)
    FROM poll_log l
    WHERE l.endpoint > $1 AND NOT l.removed
    ORDER BY l.endpoint
    LIMIT $2";

/// Logs in one chunk: each has up to a hundred consumers.
const MAX_LOGS: usize = 50;

pub(super) async fn logs(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let limit = limit.min(MAX_LOGS);
    let rows = session.query(LOGS, &[&Uuid(after.id()?), &to_bigint(limit)]).await?;
    let found = rows.iter().map(log).collect::<Result<Vec<_>, DatabaseError>>()?;
    let next = next_cursor(&found, limit, |it| it.endpoint.as_u128().to_be_bytes().to_vec());
    Ok(ExportPage { chunk: Chunk::PollLogs(found), next })
}

fn log(row: &Row) -> Result<PollLogExport, DatabaseError> {
    let consumer = |record: String| {
        serde_json::from_str::<PollConsumer>(&record)
            .map_err(|error| DatabaseError::corrupt("poll consumer", error))
    };
    let consumers = row.get::<_, Vec<String>>(4).into_iter().map(consumer);
    Ok(PollLogExport {
        endpoint: row.get::<_, Uuid>(0).into(),
        application: row.get::<_, Uuid>(1).into(),
        last: row.get::<_, i64>(2).cast_unsigned(),
        last_at: timestamp(row.get(3)),
        consumers: consumers.collect::<Result<_, _>>()?,
    })
}

const ENTRIES: &str = "SELECT e.endpoint, e.number, e.message, e.at
    FROM poll_entry e
    JOIN poll_log l ON l.endpoint = e.endpoint AND NOT l.removed
    WHERE (e.endpoint, e.number) > ($1, $2)
    ORDER BY e.endpoint, e.number
    LIMIT $3";

pub(super) async fn entries(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (endpoint, offset) = after.entry()?;
    let values = (Uuid(endpoint), offset.cast_signed(), to_bigint(limit));
    let rows = session.query(ENTRIES, &[&values.0, &values.1, &values.2]).await?;
    let entry = |row: &Row| PollEntryExport {
        endpoint: row.get::<_, Uuid>(0).into(),
        offset: row.get::<_, i64>(1).cast_unsigned(),
        message: row.get::<_, Uuid>(2).into(),
        at: timestamp(row.get(3)),
    };
    let found: Vec<_> = rows.iter().map(entry).collect();
    let next = next_cursor(&found, limit, entry_cursor);
    Ok(ExportPage { chunk: Chunk::PollEntries(found), next })
}

pub(super) async fn import_logs(
    session: &mut Session,
    items: &[PollLogExport],
) -> Result<(), DatabaseError> {
    const LOG: &str = "COPY poll_log (endpoint, application, last, last_at) FROM STDIN BINARY";
    const CONSUMER: &str = "COPY poll_consumer (endpoint, id, version, record) FROM STDIN BINARY";
    let (mut logs, mut consumers) = (Rows::new(LOG), Rows::new(CONSUMER));
    for it in items {
        let (endpoint, application) = (Uuid::from(it.endpoint), Uuid::from(it.application));
        logs.push(&[&endpoint, &application, &it.last.cast_signed(), &millis(it.last_at)])?;
        for consumer in &it.consumers {
            let record = serde_json::to_string(consumer)
                .map_err(|error| DatabaseError::corrupt("poll consumer", error))?;
            consumers.push(&[&endpoint, &consumer.id, &1_i64, &record])?;
        }
    }
    logs.send(session).await?;
    consumers.send(session).await
}

pub(super) async fn import_entries(
    session: &mut Session,
    items: &[PollEntryExport],
) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY poll_entry (endpoint, number, message, at) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let (endpoint, message) = (Uuid::from(it.endpoint), Uuid::from(it.message));
        rows.push(&[&endpoint, &it.offset.cast_signed(), &message, &millis(it.at)])?;
    }
    rows.send(session).await
}
