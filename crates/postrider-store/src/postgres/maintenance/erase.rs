//! Erases what is left of removed applications, a bounded number of rows at a time. Any number of
//! nodes may run steps at the same time: each takes an application that no other one has locked.

use postrider_core::time::Timestamp;

use crate::{
    contract::deliveries::Scope,
    postgres::{
        deliveries::cancel,
        error::DatabaseError,
        session::Session,
        statistics,
        value::{self, Uuid, millis},
    },
};

/// Another node may accept messages for an application this long after its removal, until it
/// learns of it. So the application is erased once more after that time.
const LATE_MILLIS: i64 = 60_000;

const NEXT: &str = "SELECT application, due_at
    FROM erasure
    WHERE due_at <= $1
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED";

/// An update that ran at the same time created the application again: its rows must stay. The lock
/// delays a new removal until this transaction has ended.
const IS_BACK: &str = "SELECT 1 FROM application WHERE id = $1 FOR KEY SHARE";

const POSTPONE: &str = "UPDATE erasure SET due_at = $2 WHERE application = $1";

const END: &str = "DELETE FROM erasure WHERE application = $1";

const MESSAGES: &str = "SELECT id FROM message WHERE application = $1 ORDER BY id LIMIT $2";

/// The bounds let the planner skip partitions.
const ERASE_MESSAGES: &str = "DELETE FROM message
    WHERE application = $1 AND id = ANY ($2) AND id BETWEEN $3 AND $4";

const ATTEMPTS: &str = "SELECT endpoint, id FROM attempt WHERE application = $1 LIMIT $2";

const ERASE_ATTEMPTS: &str = "DELETE FROM attempt a
    USING unnest($2::uuid[], $3::uuid[]) AS key (endpoint, id)
    WHERE a.application = $1 AND a.endpoint = key.endpoint AND a.id = key.id
        AND a.id BETWEEN $4 AND $5";

const DELIVERIES: &str = "SELECT endpoint, message FROM delivery WHERE application = $1 LIMIT $2";

const ERASE_DELIVERIES: &str = "DELETE FROM delivery d
    USING unnest($2::uuid[], $3::uuid[]) AS key (endpoint, message)
    WHERE d.application = $1 AND d.endpoint = key.endpoint AND d.message = key.message
        AND d.message BETWEEN $4 AND $5";

const ERASE_EVENT_IDS: &str = "DELETE FROM event_id
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM event_id WHERE application = $1 LIMIT $2))";

const ERASE_DIGESTS: &str = "DELETE FROM idempotency
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE application = $1 LIMIT $2))";

const ERASE_RECOVERIES: &str = "DELETE FROM recovery WHERE application = $1";

/// Returns `true` if there was something to erase.
pub(in crate::postgres) async fn erase(
    session: &mut Session,
    now: Timestamp,
    limit: usize,
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let now = millis(now);
    let Some(next) = session.query_opt(NEXT, &[&now]).await? else {
        session.rollback().await?;
        return Ok(false);
    };
    let (application, due_at): (Uuid, i64) = (next.get(0), next.get(1));
    if session.query_opt(IS_BACK, &[&application]).await?.is_some() {
        session.execute(END, &[&application]).await?;
        session.commit().await?;
        return Ok(true);
    }
    let cancelled = cancel::cancel_step(session, Scope::Application(application.into())).await?;
    let limit = value::to_bigint(limit);
    if cancelled + erase_rows(session, application, limit).await? == 0 {
        if due_at > 0 {
            statistics::remove::erase(session, application).await?;
            session.execute(END, &[&application]).await?;
        } else {
            session.execute(POSTPONE, &[&application, &(now + LATE_MILLIS)]).await?;
        }
    }
    session.commit().await?;
    Ok(true)
}

/// Erases up to `limit` rows of each kind, and returns their number.
async fn erase_rows(
    session: &mut Session,
    application: Uuid,
    limit: i64,
) -> Result<u64, DatabaseError> {
    let mut erased = erase_messages(session, application, limit).await?;
    erased += erase_pairs(session, application, limit, (ATTEMPTS, ERASE_ATTEMPTS)).await?;
    erased += erase_pairs(session, application, limit, (DELIVERIES, ERASE_DELIVERIES)).await?;
    erased += session.execute(ERASE_EVENT_IDS, &[&application, &limit]).await?;
    erased += session.execute(ERASE_DIGESTS, &[&application, &limit]).await?;
    erased += session.execute(ERASE_RECOVERIES, &[&application]).await?;
    Ok(erased)
}

async fn erase_messages(
    session: &mut Session,
    application: Uuid,
    limit: i64,
) -> Result<u64, DatabaseError> {
    let rows = session.query(MESSAGES, &[&application, &limit]).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(0) };
    session.execute(ERASE_MESSAGES, &[&application, &ids, first, last]).await
}

/// Erases rows that are found by an endpoint and an id, whose time determines the partition.
async fn erase_pairs(
    session: &mut Session,
    application: Uuid,
    limit: i64,
    (find, erase): (&'static str, &'static str),
) -> Result<u64, DatabaseError> {
    let rows = session.query(find, &[&application, &limit]).await?;
    let endpoints: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get(1)).collect();
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(0) };
    session.execute(erase, &[&application, &endpoints, &ids, first, last]).await
}
