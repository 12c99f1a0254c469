//! What a batch of a task does to deliveries and messages, as a part of a transaction.

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{delivery::ResendMode, time::Timestamp};
use tokio_postgres::Row;

use crate::{
    contract::{
        deliveries::Scope,
        tasks::{ResendWhich, TaskEffect},
    },
    postgres::{
        deliveries::{cancel, resend},
        error::DatabaseError,
        lane,
        session::Session,
        value::{Uuid, millis},
    },
};

/// Returns the number of items that were changed.
pub(super) async fn take_effect(
    session: &mut Session,
    effect: &TaskEffect,
) -> Result<u64, DatabaseError> {
    match effect {
        TaskEffect::None => Ok(0),
        TaskEffect::Resend { application, endpoint, messages, at, which } => {
            let lane = (*application, *endpoint);
            resend_all(session, lane, &sorted(messages), (*which, *at)).await
        },
        TaskEffect::Cancel { application, endpoint, messages } => {
            cancel_all(session, (*application, *endpoint), &sorted(messages)).await
        },
        TaskEffect::Expunge { application, messages } => {
            expunge_all(session, *application, &sorted(messages)).await
        },
    }
}

/// In the order in which all transactions lock.
fn sorted(messages: &[MessageId]) -> Vec<Uuid> {
    let mut ids: Vec<_> = messages.iter().copied().map(Uuid::from).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Locks the messages that have a body, so that it is not removed before the deliveries are in the
/// queue. `$4`: whether they have a delivery to the endpoint.
pub(in crate::postgres) const LOCK_MESSAGES: &str = "
SELECT found.id
FROM unnest($3::uuid[]) AS k (id)
CROSS JOIN LATERAL (
    SELECT id FROM message
    WHERE application = $1 AND id = k.id AND body IS NOT NULL
        AND ($2 = ANY (targets)) = $4
    LIMIT 1 FOR UPDATE
) found";

/// Deliveries that wait. One with a holder is left out, and is sent anyway.
pub(in crate::postgres) const RESEND_WAITING: &str = "
UPDATE queue q SET
    attempt = CASE WHEN $5 THEN 1 ELSE q.attempt END,
    manual = true,
    reported = CASE WHEN $5 THEN false ELSE q.reported END,
    resume_at = CASE WHEN NOT $5 THEN coalesce(q.resume_at, q.due_at) END,
    due_at = $4,
    free_at = $4,
    turn = least(q.turn, 1),
    position = NULL
FROM unnest($3::uuid[]) AS it (message)
CROSS JOIN LATERAL (
    SELECT application, endpoint, message FROM queue
    WHERE application = $1 AND endpoint = $2 AND message = it.message AND holder IS NULL
    LIMIT 1 FOR UPDATE
) k
WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint
    AND q.message = k.message";

/// Deliveries that have ended or never existed enter the queue outside the order: their place in it
/// has passed. Those that are in the queue stay as they are.
pub(in crate::postgres) const RESEND_ENDED: &str = "
WITH free AS (
    SELECT it.message
    FROM unnest($3::uuid[]) AS it (message)
    WHERE NOT EXISTS (
        SELECT FROM queue WHERE application = $1 AND endpoint = $2 AND message = it.message
        OFFSET 0
    )
), ended AS (
    DELETE FROM delivery d
    USING free
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM delivery
        WHERE application = $1 AND endpoint = $2 AND message = free.message
        LIMIT 1 FOR UPDATE
    ) k
    WHERE d.application = ANY (ARRAY[k.application]) AND d.endpoint = k.endpoint
        AND d.message BETWEEN k.message AND k.message
    RETURNING d.message, d.attempts
), due AS (
    SELECT message, attempts FROM ended
    UNION ALL
    SELECT message, '{}'::uuid[] FROM free WHERE $6
)
INSERT INTO queue (application, endpoint, message, attempt, manual, reported, resume_at,
    due_at, free_at, holder, turn, position, attempts)
SELECT $1, $2, message, 1, true, false, $5, $4, $4, NULL,
    least(1, coalesce((SELECT turn FROM lane WHERE application = $1 AND endpoint = $2), 0)),
    NULL, attempts
FROM due";

pub(in crate::postgres) const ADD_TARGETS: &str = "
UPDATE message m SET targets = targets || $2
FROM unnest($3::uuid[]) AS it (id)
CROSS JOIN LATERAL (
    SELECT application, id FROM message WHERE application = $1 AND id = it.id LIMIT 1
) k
WHERE m.application = ANY (ARRAY[k.application]) AND m.id BETWEEN k.id AND k.id";

async fn resend_all(
    session: &mut Session,
    lane: (ApplicationId, EndpointId),
    messages: &[Uuid],
    (which, at): (ResendWhich, Timestamp),
) -> Result<u64, DatabaseError> {
    let (application, endpoint) = (Uuid::from(lane.0), Uuid::from(lane.1));
    let exists = which.includes(true);
    let locked = session
        .query(LOCK_MESSAGES, &[&application, &endpoint, &messages.to_vec(), &exists])
        .await?;
    let messages: Vec<Uuid> = locked.iter().map(|row| row.get(0)).collect();
    if messages.is_empty() {
        return Ok(0);
    }
    let (at, mode) = (millis(at), which.mode());
    let restarts = mode == ResendMode::Retry;
    let waiting = session
        .execute(RESEND_WAITING, &[&application, &endpoint, &messages, &at, &restarts])
        .await?;
    let (resume_at, is_missing) = (resend::resume_at(mode), !exists);
    let ended = session
        .execute(RESEND_ENDED, &[&application, &endpoint, &messages, &at, &resume_at, &is_missing])
        .await?;
    if is_missing {
        session.execute(ADD_TARGETS, &[&application, &endpoint, &messages]).await?;
    }
    lane::wake(session, &[lane]).await?;
    Ok(waiting + ended)
}

pub(in crate::postgres) const CANCEL: &str = "
WITH gone AS (
    DELETE FROM queue q USING unnest($3::uuid[]) AS it (message)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND endpoint = $2 AND message = it.message
        LIMIT 1 FOR UPDATE
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint
        AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
)
INSERT INTO delivery (application, endpoint, message, state, attempts)
SELECT application, endpoint, message, 3, attempts FROM gone";

async fn cancel_all(
    session: &mut Session,
    lane: (ApplicationId, EndpointId),
    messages: &[Uuid],
) -> Result<u64, DatabaseError> {
    let (application, endpoint) = (Uuid::from(lane.0), Uuid::from(lane.1));
    let count = session.execute(CANCEL, &[&application, &endpoint, &messages.to_vec()]).await?;
    lane::refresh(session, &[lane]).await?;
    Ok(count)
}

pub(in crate::postgres) const EXPUNGE: &str = "
UPDATE message m SET body = NULL
FROM unnest($2::uuid[]) AS it (id)
CROSS JOIN LATERAL (
    SELECT application, id FROM message
    WHERE application = $1 AND id = it.id AND body IS NOT NULL
    LIMIT 1 FOR UPDATE
) k
WHERE m.application = ANY (ARRAY[k.application]) AND m.id BETWEEN k.id AND k.id
RETURNING m.id";

async fn expunge_all(
    session: &mut Session,
    application: ApplicationId,
    messages: &[Uuid],
) -> Result<u64, DatabaseError> {
    let rows = session.query(EXPUNGE, &[&Uuid::from(application), &messages.to_vec()]).await?;
    let id = |row: &Row| MessageId::from(row.get::<_, Uuid>(0));
    for message in rows.iter().map(id) {
        cancel::cancel_step(session, Scope::Message(application, message)).await?;
    }
    Ok(rows.len() as u64)
}
