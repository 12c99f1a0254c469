//! Recovers the failed and cancelled deliveries of an endpoint, step by step.

use std::collections::BTreeSet;

use postrider_core::{catalog::Recovery, time::Timestamp};
use tokio_postgres::Row;

use super::resend;
use crate::postgres::{
    error::DatabaseError,
    lane,
    session::Session,
    value::{self, Uuid, millis},
};

const BEGIN_RECOVERY: &str = "
INSERT INTO recovery (application, id, record, reached)
VALUES ($1, $2, $3, '00000000-0000-0000-0000-000000000000')";

pub(in crate::postgres) async fn begin_recovery(
    session: &mut Session,
    recovery: &Recovery,
) -> Result<(), DatabaseError> {
    let record = serde_json::to_string(recovery).expect("recoveries serialize");
    let (application, id) = (Uuid::from(recovery.application), Uuid::from(recovery.id));
    session.execute(BEGIN_RECOVERY, &[&application, &id, &record]).await.map(drop)
}

const HAS_RECOVERY: &str = "SELECT 1 FROM recovery LIMIT 1";

/// Skips a recovery that another node is working on.
const OLDEST_RECOVERY: &str = "
SELECT application, id, number, record, reached FROM recovery
ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED";

const SET_REACHED: &str = "UPDATE recovery SET reached = $2 WHERE number = $1 AND application = $3";

const END_RECOVERY: &str = "DELETE FROM recovery WHERE number = $1 AND application = $2";

/// Takes the oldest recovery one step forward.
pub(in crate::postgres) async fn recover(
    session: &mut Session,
    now: Timestamp,
    limit: usize,
) -> Result<Option<usize>, DatabaseError> {
    // Without a transaction: there is rarely a recovery.
    if session.query_opt(HAS_RECOVERY, &[]).await?.is_none() {
        return Ok(None);
    }
    session.begin().await?;
    let Some(row) = session.query_opt(OLDEST_RECOVERY, &[]).await? else {
        session.rollback().await?;
        return Ok(None);
    };
    let recovery: Recovery = serde_json::from_str(row.get(3))
        .map_err(|error| DatabaseError::corrupt("recovery", error))?;
    let failed = failed(session, &recovery, row.get(4), limit).await?;
    let with_body: Vec<Uuid> =
        failed.iter().filter(|row| row.get(1)).map(|row| row.get(0)).collect();
    requeue(session, &recovery, &with_body, now).await?;
    let (number, application) = (row.get::<_, i64>(2), Uuid::from(recovery.application));
    match failed.last() {
        Some(last) if failed.len() == limit => {
            let reached: Uuid = last.get(0);
            session.execute(SET_REACHED, &[&number, &reached, &application]).await?;
        },
        _ => {
            session.execute(END_RECOVERY, &[&number, &application]).await?;
        },
    }
    session.commit().await?;
    Ok(Some(with_body.len()))
}

/// Failed and cancelled deliveries of the endpoint in the order of their messages, behind the last
/// one of the step before: a delivery that fails again meanwhile must not be found again.
///
/// `state <> 1` is implied, and repeats the condition of the partial index.
pub(in crate::postgres) const FAILED: &str = "
SELECT d.message, coalesce((
    SELECT m.body IS NOT NULL FROM message m
    WHERE m.application = $1 AND m.id = d.message
), false)
FROM (
    (SELECT message FROM delivery
    WHERE application = $1 AND endpoint = $2 AND state = 2 AND state <> 1
        AND message > $3 AND message >= $4 AND message < $5
    ORDER BY message LIMIT $6)
    UNION ALL
    (SELECT message FROM delivery
    WHERE application = $1 AND endpoint = $2 AND state = 3 AND state <> 1
        AND message > $3 AND message >= $4 AND message < $5
    ORDER BY message LIMIT $6)
) d
ORDER BY d.message LIMIT $6";

/// Rows of message and whether it has a body.
async fn failed(
    session: &mut Session,
    recovery: &Recovery,
    reached: Uuid,
    limit: usize,
) -> Result<Vec<Row>, DatabaseError> {
    session
        .query(
            FAILED,
            &[
                &Uuid::from(recovery.application),
                &Uuid::from(recovery.endpoint),
                &reached,
                &value::first_id_at(recovery.since),
                &value::first_id_at(recovery.until),
                &value::to_bigint(limit),
            ],
        )
        .await
}

/// The message is compared with `BETWEEN`, as a range of one, because the default partition has an
/// index by message alone; see the module [`postgres`](crate::postgres) for why that matters.
pub(in crate::postgres) const REQUEUE: &str = "
WITH ended AS (
    DELETE FROM delivery d
    USING unnest($3::uuid[]) AS failed (message)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM delivery
        WHERE application = $1 AND endpoint = $2 AND message = failed.message AND state IN (2, 3)
        LIMIT 1 FOR UPDATE
    ) k
    WHERE d.application = ANY (ARRAY[k.application]) AND d.endpoint = k.endpoint
        AND d.message BETWEEN k.message AND k.message
    RETURNING d.message, d.attempts
)
INSERT INTO queue (application, endpoint, message, attempt, manual, reported, resume_at,
    due_at, free_at, holder, turn, position, attempts)
SELECT $1, $2, message, 1, true, false, $5, $4, $4, NULL,
    least(1, coalesce((SELECT turn FROM lane WHERE application = $1 AND endpoint = $2), 0)),
    NULL, attempts
FROM ended";

/// Puts the deliveries of these messages back into the queue.
async fn requeue(
    session: &mut Session,
    recovery: &Recovery,
    messages: &[Uuid],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    if messages.is_empty() {
        return Ok(());
    }
    let messages: Vec<_> = messages.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    session
        .execute(
            REQUEUE,
            &[
                &Uuid::from(recovery.application),
                &Uuid::from(recovery.endpoint),
                &messages,
                &millis(now),
                &resend::resume_at(recovery.mode),
            ],
        )
        .await?;
    lane::wake(session, &[(recovery.application, recovery.endpoint)]).await
}
