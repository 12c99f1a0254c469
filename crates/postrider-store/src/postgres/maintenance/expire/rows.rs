//! Deletes expired rows one by one: those in default partitions, and keys.

use crate::postgres::{error::DatabaseError, parameter::Param, session::Session, value::Uuid};

/// Rows of one kind that one statement deletes, at most: the `LIMIT` of the statements.
const STEP: u64 = 1_000;

pub(in crate::postgres) const DELETE_ATTEMPTS: &str = "DELETE FROM attempt_rest
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM attempt_rest WHERE id < $1 ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

/// Deliveries whose messages were dropped with their partition.
pub(in crate::postgres) const DELETE_DELIVERIES: &str = "DELETE FROM delivery_rest
    WHERE ctid = ANY (ARRAY(
        SELECT d.ctid
        FROM delivery_rest d
        WHERE d.message < $1 AND NOT EXISTS (
            SELECT FROM message m WHERE m.application = d.application AND m.id = d.message
            OFFSET 0
        )
        ORDER BY d.message
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

pub(in crate::postgres) const DELETE_EVENT_IDS: &str = "DELETE FROM event_id
    WHERE ctid = ANY (ARRAY(
        SELECT e.ctid
        FROM event_id e
        WHERE e.message < $1 AND NOT EXISTS (
            SELECT FROM message m WHERE m.application = e.application AND m.id = e.message
            OFFSET 0
        )
        ORDER BY e.message
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

/// Deletes what has expired and is in no day's partition; `true` if there may be more.
pub(super) async fn delete_history(
    session: &mut Session,
    bound: Uuid,
    first_partition: Option<Uuid>,
) -> Result<bool, DatabaseError> {
    let mut more = delete_messages(session, bound).await?;
    more |= is_full(session.execute(DELETE_ATTEMPTS, &[&bound]).await?);
    // A partition with expired messages may not be dropped yet.
    let gone = first_partition.map_or(bound, |first| first.min(bound));
    more |= is_full(session.execute(DELETE_DELIVERIES, &[&gone]).await?);
    more |= is_full(session.execute(DELETE_EVENT_IDS, &[&gone]).await?);
    Ok(more)
}

/// A message in the default partition is deleted alone, unless one of its deliveries is pending: one
/// lookup for each of its endpoints.
pub(in crate::postgres) const DELETE_MESSAGES: &str = "DELETE FROM message_rest
    WHERE ctid = ANY (ARRAY(
        SELECT m.ctid
        FROM message_rest m
        WHERE m.id < $1 AND NOT EXISTS (
            SELECT FROM unnest(m.targets) AS target (endpoint)
            CROSS JOIN LATERAL (
                SELECT FROM queue q
                WHERE q.application = m.application AND q.endpoint = target.endpoint
                    AND q.message = m.id
                LIMIT 1
            ) AS pending
            OFFSET 0
        )
        ORDER BY m.id
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING application, id, event_id, targets";

/// Ended deliveries of messages that were deleted alone.
pub(in crate::postgres) const DELETE_ENDED: &str = "DELETE FROM delivery d
    USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS key (application, endpoint, message)
    WHERE d.application = ANY (ARRAY[key.application]) AND d.endpoint = key.endpoint
        AND d.message BETWEEN key.message AND key.message";

pub(in crate::postgres) const DELETE_EVENT_IDS_OF: &str = "DELETE FROM event_id e
    USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS key (application, event_id, message)
    WHERE e.application = ANY (ARRAY[key.application]) AND e.event_id = key.event_id
        AND e.message = ANY (ARRAY[key.message])";

async fn delete_messages(session: &mut Session, bound: Uuid) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let gone = session.query(DELETE_MESSAGES, &[&bound]).await?;
    let mut ended: (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) = Default::default();
    let mut event_ids: (Vec<Uuid>, Vec<&str>, Vec<Uuid>) = Default::default();
    for row in &gone {
        for endpoint in row.get::<_, Vec<Uuid>>(3) {
            ended.0.push(row.get(0));
            ended.1.push(endpoint);
            ended.2.push(row.get(1));
        }
        if let Some(event_id) = row.get(2) {
            event_ids.0.push(row.get(0));
            event_ids.1.push(event_id);
            event_ids.2.push(row.get(1));
        }
    }
    if !ended.0.is_empty() {
        session.execute(DELETE_ENDED, &[&ended.0, &ended.1, &ended.2]).await?;
    }
    if !event_ids.0.is_empty() {
        let params: [Param<'_>; 3] = [&event_ids.0, &event_ids.1, &event_ids.2];
        session.execute(DELETE_EVENT_IDS_OF, &params).await?;
    }
    session.commit().await?;
    Ok(is_full(gone.len() as u64))
}

pub(in crate::postgres) const DELETE_DIGESTS: &str = "DELETE FROM idempotency
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency WHERE message < $1
        ORDER BY message LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_digests(
    session: &mut Session,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    Ok(is_full(session.execute(DELETE_DIGESTS, &[&bound]).await?))
}

pub(in crate::postgres) const DELETE_REJECTIONS: &str = "DELETE FROM rejection
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rejection WHERE at <= $1
        ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_rejections(
    session: &mut Session,
    until: i64,
) -> Result<bool, DatabaseError> {
    Ok(is_full(session.execute(DELETE_REJECTIONS, &[&until]).await?))
}

pub(in crate::postgres) const DELETE_DEAD_LETTERS: &str = "DELETE FROM dead_letter
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM dead_letter WHERE id < $1 ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_dead_letters(
    session: &mut Session,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    Ok(is_full(session.execute(DELETE_DEAD_LETTERS, &[&bound]).await?))
}

pub(in crate::postgres) const DELETE_AUDIT_LOG: &str = "DELETE FROM audit_log
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM audit_log WHERE id < $1 ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_audit_log(
    session: &mut Session,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    Ok(is_full(session.execute(DELETE_AUDIT_LOG, &[&bound]).await?))
}

/// Tasks that have ended.
pub(in crate::postgres) const DELETE_TASKS: &str = "DELETE FROM task
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM task WHERE id < $1 AND ended
        ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_tasks(
    session: &mut Session,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    Ok(is_full(session.execute(DELETE_TASKS, &[&bound]).await?))
}

/// Responses, and keys of requests that never completed.
pub(in crate::postgres) const DELETE_RESPONSES: &str = "DELETE FROM reservation
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM reservation WHERE coalesce(answered_at, until) <= $1
        ORDER BY coalesce(answered_at, until) LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_responses(
    session: &mut Session,
    until: i64,
) -> Result<bool, DatabaseError> {
    Ok(is_full(session.execute(DELETE_RESPONSES, &[&until]).await?))
}

/// Lanes of removed endpoints. A lane that becomes due at the same time stays: its row has changed,
/// so the condition is checked again before it is deleted.
pub(in crate::postgres) const DELETE_LANES: &str = "DELETE FROM lane
    WHERE ctid = ANY (ARRAY(
        SELECT l.ctid
        FROM lane l
        WHERE l.due_at IS NULL AND NOT EXISTS (
            SELECT FROM endpoint e WHERE e.application = l.application AND e.id = l.endpoint
            OFFSET 0
        )
        ORDER BY l.application, l.endpoint
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

pub(super) async fn delete_lanes(session: &mut Session) -> Result<(), DatabaseError> {
    session.execute(DELETE_LANES, &[]).await.map(drop)
}

/// Whether a statement deleted as much as it may.
const fn is_full(count: u64) -> bool {
    count >= STEP
}
