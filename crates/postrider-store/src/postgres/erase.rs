//! What is left of removed applications, taken away a bounded amount at a time. Any number of
//! nodes may take steps at the same time: each takes an application that no other one has.

use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

use super::{
    ending,
    session::{Param, Session},
    value::{Uuid, millis},
};
use crate::{Scope, StoreError};

/// What an application may still get after its removal comes within this time.
const LATE_MILLIS: i64 = 60_000;

const NEXT: &str = "SELECT application, due_at
    FROM erasure
    WHERE due_at <= $1
    ORDER BY due_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED";

/// A change that was under way brought it back; what comes now is its own.
const IS_BACK: &str = "SELECT 1 FROM application WHERE id = $1 FOR KEY SHARE";

const POSTPONE: &str = "UPDATE erasure SET due_at = $2 WHERE application = $1";

const END: &str = "DELETE FROM erasure WHERE application = $1";

const MESSAGES: &str = "SELECT id FROM message WHERE application = $1 ORDER BY id LIMIT $2";

/// The bounds tell which partitions are concerned.
const ERASE_MESSAGES: &str = "DELETE FROM message
    WHERE application = $1 AND id = ANY ($2) AND id BETWEEN $3 AND $4";

const ATTEMPTS: &str = "SELECT endpoint, id FROM attempt WHERE application = $1 LIMIT $2";

const ERASE_ATTEMPTS: &str = "DELETE FROM attempt a
    USING unnest($2::uuid[], $3::uuid[]) AS it (endpoint, id)
    WHERE a.application = $1 AND a.endpoint = it.endpoint AND a.id = it.id
        AND a.id BETWEEN $4 AND $5";

const DELIVERIES: &str = "SELECT endpoint, message FROM delivery WHERE application = $1 LIMIT $2";

const ERASE_DELIVERIES: &str = "DELETE FROM delivery d
    USING unnest($2::uuid[], $3::uuid[]) AS it (endpoint, message)
    WHERE d.application = $1 AND d.endpoint = it.endpoint AND d.message = it.message
        AND d.message BETWEEN $4 AND $5";

const ERASE_EVENT_IDS: &str = "DELETE FROM event_id
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM event_id WHERE application = $1 LIMIT $2))";

const ERASE_DIGESTS: &str = "DELETE FROM idempotency
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE application = $1 LIMIT $2))";

const ERASE_RECOVERIES: &str = "DELETE FROM recovery WHERE application = $1";

/// `true` if there was something to do.
pub(super) async fn erase(
    session: &mut Session,
    now: Timestamp,
    limit: usize,
) -> Result<bool, StoreError> {
    session.begin().await?;
    let now = millis(now);
    let Some(next) = session.query_opt(NEXT, &[(&now, Type::INT8)]).await? else {
        session.rollback().await?;
        return Ok(false);
    };
    let (application, due_at): (Uuid, i64) = (next.get(0), next.get(1));
    let key: Param<'_> = (&application, Type::UUID);
    if session.query_opt(IS_BACK, std::slice::from_ref(&key)).await?.is_some() {
        session.execute(END, &[key]).await?;
        session.commit().await?;
        return Ok(true);
    }
    let ended = ending::cancel_step(session, Scope::Application(application.into())).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    if ended + erase_rows(session, application, limit).await? == 0 {
        if due_at > 0 {
            session.execute(END, &[key]).await?;
        } else {
            session.execute(POSTPONE, &[key, (&(now + LATE_MILLIS), Type::INT8)]).await?;
        }
    }
    session.commit().await?;
    Ok(true)
}

/// Erases up to `limit` rows of each kind; how many.
async fn erase_rows(
    session: &mut Session,
    application: Uuid,
    limit: i64,
) -> Result<u64, StoreError> {
    let some: [Param<'_>; 2] = [(&application, Type::UUID), (&limit, Type::INT8)];
    let mut erased = messages(session, application, &some).await?;
    erased += pairs(session, application, (ATTEMPTS, ERASE_ATTEMPTS), &some).await?;
    erased += pairs(session, application, (DELIVERIES, ERASE_DELIVERIES), &some).await?;
    erased += session.execute(ERASE_EVENT_IDS, &some).await?;
    erased += session.execute(ERASE_DIGESTS, &some).await?;
    erased += session.execute(ERASE_RECOVERIES, &some[..1]).await?;
    Ok(erased)
}

async fn messages(
    session: &mut Session,
    application: Uuid,
    some: &[Param<'_>; 2],
) -> Result<u64, StoreError> {
    let rows = session.query(MESSAGES, some).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(0) };
    let values: [Param<'_>; 4] = [
        (&application, Type::UUID),
        (&ids, Type::UUID_ARRAY),
        (first, Type::UUID),
        (last, Type::UUID),
    ];
    session.execute(ERASE_MESSAGES, &values).await
}

/// Rows that are named by an endpoint and an id, the time in which tells their partition.
async fn pairs(
    session: &mut Session,
    application: Uuid,
    (find, erase): (&'static str, &'static str),
    some: &[Param<'_>; 2],
) -> Result<u64, StoreError> {
    let rows = session.query(find, some).await?;
    let endpoints: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get(1)).collect();
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(0) };
    let values: [Param<'_>; 5] = [
        (&application, Type::UUID),
        (&endpoints, Type::UUID_ARRAY),
        (&ids, Type::UUID_ARRAY),
        (first, Type::UUID),
        (last, Type::UUID),
    ];
    session.execute(erase, &values).await
}
