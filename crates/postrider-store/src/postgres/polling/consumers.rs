//! Consumers, and their progress.

use postrider_core::polling::PollConsumer;
use tokio_postgres::Row;

use super::lock;
use crate::{
    contract::{
        catalog::Version,
        polling::{LogKey, SaveRefusal, SavedConsumer},
    },
    postgres::{error::DatabaseError, session::Session, value::Uuid},
};

const FIND: &str = "SELECT record, version FROM poll_consumer WHERE endpoint = $1 AND id = $2";

pub(super) async fn find(
    session: &mut Session,
    log: LogKey,
    id: &str,
) -> Result<Option<(PollConsumer, Version)>, DatabaseError> {
    let found = session.query_opt(FIND, &[&Uuid::from(log.endpoint), &id]).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some((decode(&row)?, version(row.get(1)))))
}

fn decode(row: &Row) -> Result<PollConsumer, DatabaseError> {
    let record = serde_json::from_str(row.get(0));
    record.map_err(|error| DatabaseError::corrupt("poll consumer", error))
}

fn version(number: i64) -> Version {
    Version(u64::try_from(number).unwrap_or_default())
}

const LIST: &str = "SELECT record FROM poll_consumer WHERE endpoint = $1 ORDER BY id COLLATE \"C\"";

pub(super) async fn list(
    session: &mut Session,
    log: LogKey,
) -> Result<Vec<PollConsumer>, DatabaseError> {
    session.query(LIST, &[&Uuid::from(log.endpoint)]).await?.iter().map(decode).collect()
}

/// The row of the log is locked, so these stay true until the end of the transaction.
const CURRENT: &str = "SELECT
        (SELECT version FROM poll_consumer WHERE endpoint = $1 AND id = $2),
        (SELECT count(*) FROM poll_consumer WHERE endpoint = $1)";

const SAVE: &str = "INSERT INTO poll_consumer (endpoint, id, version, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (endpoint, id) DO UPDATE SET version = excluded.version, record = excluded.record";

/// The existing consumers of an endpoint do not wait for those that append to its log.
const REPLACE: &str = "UPDATE poll_consumer SET version = version + 1, record = $4
    WHERE endpoint = $1 AND id = $2 AND version = $3";

pub(super) async fn save(
    session: &mut Session,
    log: LogKey,
    saved: &SavedConsumer,
) -> Result<bool, DatabaseError> {
    let (endpoint, id) = (Uuid::from(log.endpoint), saved.consumer.id.as_str());
    let record = serde_json::to_string(&saved.consumer)
        .map_err(|error| DatabaseError::corrupt("poll consumer", error))?;
    if let Some(Version(expected)) = saved.expected {
        let expected = i64::try_from(expected).unwrap_or(i64::MAX);
        let replaced = session.execute(REPLACE, &[&endpoint, &id, &expected, &record]).await?;
        return if replaced > 0 { Ok(true) } else { Err(refusal(SaveRefusal::Changed)) };
    }
    session.begin().await?;
    if lock(session, log).await?.is_none() {
        session.rollback().await?;
        return Ok(false);
    }
    let row = session.query_one(CURRENT, &[&endpoint, &id]).await?;
    let current = row.get::<_, Option<i64>>(0).map(version);
    let count = usize::try_from(row.get::<_, i64>(1)).unwrap_or_default();
    let next = match saved.next(current, count) {
        Ok(Version(next)) => i64::try_from(next).unwrap_or(i64::MAX),
        Err(error) => {
            session.rollback().await?;
            return Err(refusal(error));
        },
    };
    session.execute(SAVE, &[&endpoint, &id, &next, &record]).await?;
    session.commit().await?;
    Ok(true)
}

const fn refusal(refusal: SaveRefusal) -> DatabaseError {
    const WHAT: &str = "poll consumer";
    match refusal {
        SaveRefusal::Changed => DatabaseError::VersionMismatch { what: WHAT },
        SaveRefusal::TooMany => DatabaseError::Conflict { what: WHAT },
    }
}

const REMOVE: &str = "DELETE FROM poll_consumer WHERE endpoint = $1 AND id = $2";

pub(super) async fn remove(
    session: &mut Session,
    log: LogKey,
    id: &str,
) -> Result<bool, DatabaseError> {
    Ok(session.execute(REMOVE, &[&Uuid::from(log.endpoint), &id]).await? > 0)
}
