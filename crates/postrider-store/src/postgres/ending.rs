//! Ends deliveries, and begins them again.

use std::collections::BTreeSet;

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    catalog::Recovery,
    delivery::{Delivery, DeliveryId, ResendMode},
    retry::RetryPlan,
    time::Timestamp,
};
use tokio_postgres::{Row, types::Type};

use super::{
    lane, notice, row,
    session::{Param, Session},
    trouble,
    value::{self, Uuid, millis},
};
use crate::{Scope, StoreError};

/// Deliveries that one transaction ends, at most.
const STEP: i64 = 5_000;

// ---- cancelling

/// Deliveries of an application, of one endpoint of it, or of one message, by their keys.
macro_rules! cancel {
    ($keys:literal) => {
        concat!(
            "
WITH gone AS (
    DELETE FROM queue q USING (",
            $keys,
            "
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT endpoint, count(*) FROM gone GROUP BY endpoint"
        )
    };
}

pub(super) const CANCEL_APPLICATION: &str = cancel!(
    "
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND $2::uuid IS NULL AND $3::uuid IS NULL
        ORDER BY application, endpoint, message LIMIT $4 FOR UPDATE"
);
pub(super) const CANCEL_ENDPOINT: &str = cancel!(
    "
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND endpoint = $2 AND $3::uuid IS NULL
        ORDER BY application, endpoint, message LIMIT $4 FOR UPDATE"
);
/// The message knows its endpoints, so this needs no index by message; one search for each.
pub(super) const CANCEL_MESSAGE: &str = cancel!(
    "
        SELECT found.*
        FROM (
            SELECT DISTINCT unnest(targets) AS endpoint FROM message
            WHERE application = $1 AND id = $3
            ORDER BY endpoint LIMIT $4
        ) target
        CROSS JOIN LATERAL (
            SELECT application, endpoint, message FROM queue
            WHERE application = $1 AND endpoint = target.endpoint AND message = $3
                AND $2::uuid IS NULL
            LIMIT 1 FOR UPDATE
        ) found"
);

/// Ends the scope's deliveries, in steps of a bounded number: each step is a transaction, so
/// that nobody waits for the end of all of them.
pub(super) async fn cancel(session: &mut Session, scope: Scope) -> Result<u64, StoreError> {
    let mut total = 0;
    loop {
        session.begin().await?;
        let count = cancel_step(session, scope).await?;
        session.commit().await?;
        total += count;
        if i64::try_from(count).unwrap_or(i64::MAX) < STEP {
            return Ok(total);
        }
    }
}

/// Ends up to [`STEP`] deliveries, as a part of a transaction; how many.
pub(super) async fn cancel_step(session: &mut Session, scope: Scope) -> Result<u64, StoreError> {
    let (sql, application, endpoint, message): (_, Uuid, Option<Uuid>, Option<Uuid>) = match scope {
        Scope::Application(id) => (CANCEL_APPLICATION, id.into(), None, None),
        Scope::Endpoint(application, id) => {
            (CANCEL_ENDPOINT, application.into(), Some(id.into()), None)
        },
        Scope::Message(application, id) => {
            (CANCEL_MESSAGE, application.into(), None, Some(id.into()))
        },
    };
    let params: [Param<'_>; 4] = [
        (&application, Type::UUID),
        (&endpoint, Type::UUID),
        (&message, Type::UUID),
        (&STEP, Type::INT8),
    ];
    let rows = session.query(sql, &params).await?;
    let touched: Vec<_> = rows
        .iter()
        .map(|row| (application.into(), EndpointId::from(row.get::<_, Uuid>(0))))
        .collect();
    lane::refresh(session, &touched).await?;
    let count = rows.iter().map(|row| row.get::<_, i64>(1)).sum::<i64>();
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Ends what an endpoint that is gone still has, a bounded part of it; its lane is to be
/// refreshed by the caller.
pub(super) async fn cancel_lane(
    session: &mut Session,
    application: ApplicationId,
    endpoint: EndpointId,
) -> Result<(), StoreError> {
    cancel_step(session, Scope::Endpoint(application, endpoint)).await.map(drop)
}

pub(super) const END_BODILESS: &str = "
WITH gone AS (
    DELETE FROM queue q USING unnest($1::uuid[], $2::uuid[], $3::uuid[])
        AS k (application, endpoint, message)
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
)
INSERT INTO delivery (application, endpoint, message, state, attempts)
SELECT application, endpoint, message, 3, attempts FROM gone";

/// Ends deliveries whose messages have no body any more, as a part of a transaction.
pub(super) async fn end_bodiless(
    session: &mut Session,
    deliveries: &[&Delivery],
) -> Result<(), StoreError> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let application: Vec<Uuid> = deliveries.iter().map(|it| it.application.into()).collect();
    let endpoint: Vec<Uuid> = deliveries.iter().map(|it| it.id.endpoint.into()).collect();
    let message: Vec<Uuid> = deliveries.iter().map(|it| it.id.message.into()).collect();
    let params: [Param<'_>; 3] = [
        (&application, Type::UUID_ARRAY),
        (&endpoint, Type::UUID_ARRAY),
        (&message, Type::UUID_ARRAY),
    ];
    session.execute(END_BODILESS, &params).await.map(drop)
}

const EXPUNGE_MESSAGE: &str = "UPDATE message SET body = NULL WHERE application = $1 AND id = $2";

pub(super) async fn expunge_message(
    session: &mut Session,
    application: ApplicationId,
    id: MessageId,
) -> Result<bool, StoreError> {
    session.begin().await?;
    let params: [Param<'_>; 2] =
        [(&Uuid::from(application), Type::UUID), (&Uuid::from(id), Type::UUID)];
    let is_known = session.execute(EXPUNGE_MESSAGE, &params).await? > 0;
    if is_known {
        cancel_step(session, Scope::Message(application, id)).await?;
    }
    session.commit().await?;
    Ok(is_known)
}

pub(super) const EXPUNGE_ATTEMPT: &str = "
UPDATE attempt SET response = NULL
WHERE application = $1 AND id = $3 AND endpoint = (
    SELECT found.endpoint
    FROM (SELECT unnest(targets) AS endpoint FROM message WHERE application = $1 AND id = $2)
        AS target
    CROSS JOIN LATERAL (
        SELECT endpoint FROM attempt
        WHERE application = $1 AND endpoint = target.endpoint AND id = $3 AND message = $2
        LIMIT 1
    ) AS found
    LIMIT 1
)";

pub(super) async fn expunge_attempt(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
    id: AttemptId,
) -> Result<bool, StoreError> {
    let params: [Param<'_>; 3] = [
        (&Uuid::from(application), Type::UUID),
        (&Uuid::from(message), Type::UUID),
        (&Uuid::from(id), Type::UUID),
    ];
    Ok(session.execute(EXPUNGE_ATTEMPT, &params).await? > 0)
}

// ---- beginning again

/// Locks the message, so that its body stays while its delivery begins again.
const LOCK_MESSAGE: &str = "
SELECT 1 FROM message WHERE application = $1 AND id = $2 AND body IS NOT NULL FOR UPDATE";

/// A delivery that somebody holds is left alone.
const RESEND_WAITING: &str = "
UPDATE queue SET
    attempt = CASE WHEN holder IS NULL AND $5 THEN 1 ELSE attempt END,
    manual = CASE WHEN holder IS NULL THEN true ELSE manual END,
    reported = CASE WHEN holder IS NULL AND $5 THEN false ELSE reported END,
    resume_at = CASE
        WHEN holder IS NOT NULL THEN resume_at
        WHEN NOT $5 THEN coalesce(resume_at, due_at)
    END,
    due_at = CASE WHEN holder IS NULL THEN $4 ELSE due_at END,
    free_at = CASE WHEN holder IS NULL THEN $4 ELSE free_at END,
    turn = CASE WHEN holder IS NULL THEN least(turn, 1) ELSE turn END,
    position = CASE WHEN holder IS NULL THEN NULL ELSE position END
WHERE application = $1 AND endpoint = $2 AND message = $3";

/// One that has ended, or never was, comes into the queue.
const RESEND_ENDED: &str = "
WITH ended AS (
    DELETE FROM delivery WHERE application = $1 AND endpoint = $2 AND message = $3
    RETURNING attempts
)
INSERT INTO queue (application, endpoint, message, attempt, manual, reported, resume_at,
    due_at, free_at, holder, turn, position, attempts)
SELECT $1, $2, $3, 1, true, false, $5, $4, $4, NULL,
    least(1, coalesce((SELECT turn FROM lane WHERE application = $1 AND endpoint = $2), 0)),
    NULL, coalesce((SELECT attempts FROM ended), '{}')";

const ADD_TARGET: &str = "
UPDATE message SET targets = targets || $3
WHERE application = $1 AND id = $2 AND $3 <> ALL (targets)";

pub(super) async fn resend(
    session: &mut Session,
    application: ApplicationId,
    id: DeliveryId,
    (mode, at): (ResendMode, Timestamp),
) -> Result<bool, StoreError> {
    let (application_key, endpoint, message) =
        (Uuid::from(application), Uuid::from(id.endpoint), Uuid::from(id.message));
    session.begin().await?;
    let key: [Param<'_>; 2] = [(&application_key, Type::UUID), (&message, Type::UUID)];
    if session.query_opt(LOCK_MESSAGE, &key).await?.is_none() {
        session.rollback().await?;
        return Ok(false);
    }
    let at = millis(at);
    let delivery: [Param<'_>; 4] = [
        (&application_key, Type::UUID),
        (&endpoint, Type::UUID),
        (&message, Type::UUID),
        (&at, Type::INT8),
    ];
    let is_retried = mode == ResendMode::Retry;
    let waiting = [&delivery[..], &[(&is_retried, Type::BOOL)]].concat();
    if session.execute(RESEND_WAITING, &waiting).await? == 0 {
        let resume_at = after_end(mode);
        let ended = [&delivery[..], &[(&resume_at, Type::INT8)]].concat();
        session.execute(RESEND_ENDED, &ended).await?;
        let target: [Param<'_>; 3] =
            [(&application_key, Type::UUID), (&message, Type::UUID), (&endpoint, Type::UUID)];
        session.execute(ADD_TARGET, &target).await?;
    }
    wake_lanes(session, &[(application, id.endpoint)]).await?;
    session.commit().await?;
    Ok(true)
}

/// What follows a failed attempt of a delivery that had ended; see [`Delivery::resent`].
fn after_end(mode: ResendMode) -> Option<i64> {
    row::resume_at(match mode {
        ResendMode::Once => RetryPlan::Once,
        ResendMode::Retry => RetryPlan::Schedule,
    })
}

const ENSURE_LANES: &str = "
INSERT INTO lane (application, endpoint)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING";

/// Makes sure that the lanes are there and their due times exact, and tells everybody.
async fn wake_lanes(
    session: &mut Session,
    lanes: &[(ApplicationId, EndpointId)],
) -> Result<(), StoreError> {
    let application: Vec<Uuid> = lanes.iter().map(|(it, _)| (*it).into()).collect();
    let endpoint: Vec<Uuid> = lanes.iter().map(|(_, it)| (*it).into()).collect();
    let params: [Param<'_>; 2] = [(&application, Type::UUID_ARRAY), (&endpoint, Type::UUID_ARRAY)];
    session.execute(ENSURE_LANES, &params).await?;
    lane::refresh(session, lanes).await?;
    notice::due(session).await
}

// ---- recoveries

const BEGIN_RECOVERY: &str = "
INSERT INTO recovery (application, id, record, reached)
VALUES ($1, $2, $3, '00000000-0000-0000-0000-000000000000')";

pub(super) async fn begin_recovery(
    session: &mut Session,
    recovery: &Recovery,
) -> Result<(), StoreError> {
    let record = serde_json::to_string(recovery).expect("what is configured serializes");
    let params: [Param<'_>; 3] = [
        (&Uuid::from(recovery.application), Type::UUID),
        (&Uuid::from(recovery.id), Type::UUID),
        (&record, Type::TEXT),
    ];
    session.execute(BEGIN_RECOVERY, &params).await.map(drop)
}

/// The oldest one; another node that does it already has it to itself.
const OLDEST_RECOVERY: &str = "
SELECT application, id, number, record, reached FROM recovery
ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED";

/// Failed and cancelled deliveries of the endpoint in the order of their messages, behind the
/// one that the recovery got to. What fails again meanwhile must not be found again.
pub(super) const FAILED: &str = "
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

/// Partitions have indexes by message as well, so that one is a range of one; see the module
/// [`postgres`](super) for why.
pub(super) const BRING_BACK: &str = "
WITH ended AS (
    DELETE FROM delivery d
    USING unnest($3::uuid[]) AS it (message)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM delivery
        WHERE application = $1 AND endpoint = $2 AND message = it.message AND state IN (2, 3)
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

const REACHED: &str = "UPDATE recovery SET reached = $2 WHERE number = $1 AND application = $3";

const END_RECOVERY: &str = "DELETE FROM recovery WHERE number = $1 AND application = $2";

pub(super) async fn recover(
    session: &mut Session,
    now: Timestamp,
    limit: usize,
) -> Result<Option<usize>, StoreError> {
    if session.query_opt("SELECT 1 FROM recovery LIMIT 1", &[]).await?.is_none() {
        return Ok(None);
    }
    session.begin().await?;
    let Some(row) = session.query_opt(OLDEST_RECOVERY, &[]).await? else {
        session.rollback().await?;
        return Ok(None);
    };
    let recovery: Recovery =
        serde_json::from_str(row.get(3)).map_err(|error| trouble::corrupt("recovery", error))?;
    let failed = failed(session, &recovery, row.get(4), limit).await?;
    let can_go: Vec<Uuid> = failed.iter().filter(|row| row.get(1)).map(|row| row.get(0)).collect();
    bring_back(session, &recovery, &can_go, now).await?;
    let number: i64 = row.get(2);
    let application = Uuid::from(recovery.application);
    match failed.last() {
        Some(last) if failed.len() == limit => {
            let reached: Uuid = last.get(0);
            let params: [Param<'_>; 3] =
                [(&number, Type::INT8), (&reached, Type::UUID), (&application, Type::UUID)];
            session.execute(REACHED, &params).await?;
        },
        _ => {
            let params: [Param<'_>; 2] = [(&number, Type::INT8), (&application, Type::UUID)];
            session.execute(END_RECOVERY, &params).await?;
        },
    }
    session.commit().await?;
    Ok(Some(can_go.len()))
}

async fn failed(
    session: &mut Session,
    recovery: &Recovery,
    reached: Uuid,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let params: [Param<'_>; 6] = [
        (&Uuid::from(recovery.application), Type::UUID),
        (&Uuid::from(recovery.endpoint), Type::UUID),
        (&reached, Type::UUID),
        (&value::first_id_at(recovery.since), Type::UUID),
        (&value::first_id_at(recovery.until), Type::UUID),
        (&i64::try_from(limit).unwrap_or(i64::MAX), Type::INT8),
    ];
    session.query(FAILED, &params).await
}

async fn bring_back(
    session: &mut Session,
    recovery: &Recovery,
    messages: &[Uuid],
    now: Timestamp,
) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    let messages: Vec<_> = messages.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let params: [Param<'_>; 5] = [
        (&Uuid::from(recovery.application), Type::UUID),
        (&Uuid::from(recovery.endpoint), Type::UUID),
        (&messages, Type::UUID_ARRAY),
        (&millis(now), Type::INT8),
        (&after_end(recovery.mode), Type::INT8),
    ];
    session.execute(BRING_BACK, &params).await?;
    wake_lanes(session, &[(recovery.application, recovery.endpoint)]).await
}
