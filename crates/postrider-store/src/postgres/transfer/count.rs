//! Counts the records of a database.

use crate::{
    postgres::{error::DatabaseError, session::Session},
    transfer::RecordCounts,
};

const IS_EMPTY: &str = "SELECT NOT (
    EXISTS (SELECT FROM application) OR EXISTS (SELECT FROM endpoint)
    OR EXISTS (SELECT FROM event_type) OR EXISTS (SELECT FROM source)
    OR EXISTS (SELECT FROM consumer) OR EXISTS (SELECT FROM dead_letter)
    OR EXISTS (SELECT FROM task)
    OR EXISTS (SELECT FROM message) OR EXISTS (SELECT FROM audit_log)
    OR EXISTS (SELECT FROM api_key) OR EXISTS (SELECT FROM connector)
    OR EXISTS (SELECT FROM poll_log) OR EXISTS (SELECT FROM recovery) OR EXISTS (SELECT FROM reservation)
)";

const CATALOG: &str = "SELECT
    (SELECT count(*) FROM application),
    (SELECT count(*) FROM endpoint),
    (SELECT count(*) FROM event_type),
    (SELECT count(*) FROM source),
    (SELECT count(*) FROM consumer),
    (SELECT count(*) FROM dead_letter),
    (SELECT count(*) FROM recovery),
    (SELECT count(*) FROM reservation WHERE answer IS NOT NULL),
    (SELECT count(*) FROM audit_log),
    (SELECT count(*) FROM task),
    (SELECT count(*) FROM api_key),
    (SELECT count(*) FROM connector),
    (SELECT count(*) FROM poll_entry e
        WHERE e.endpoint IN (SELECT endpoint FROM poll_log WHERE NOT removed)),
    (SELECT count(*) FROM poll_consumer)";

const MESSAGES: &str = "SELECT count(*), count(body) FROM message";

/// Rows of deleted messages do not count: they are not visible, and not copied.
const EVENT_IDS: &str = "SELECT count(*)
    FROM event_id e
    WHERE EXISTS (
        SELECT FROM message m WHERE m.application = e.application AND m.id = e.message
        OFFSET 0
    )";

const DIGESTS: &str = "SELECT count(*)
    FROM idempotency i
    WHERE EXISTS (
        SELECT FROM message m WHERE m.application = i.application AND m.id = i.message
        OFFSET 0
    )";

const DELIVERIES: &str = "SELECT
    count(*) FILTER (WHERE state = 1),
    count(*) FILTER (WHERE state = 2),
    count(*) FILTER (WHERE state = 3),
    (SELECT count(*) FROM queue)
    FROM delivery d
    WHERE EXISTS (
        SELECT FROM message m WHERE m.application = d.application AND m.id = d.message
        OFFSET 0
    )";

const ATTEMPTS: &str = "SELECT count(*)
    FROM attempt a
    WHERE EXISTS (
        SELECT FROM message m WHERE m.application = a.application AND m.id = a.message
        OFFSET 0
    )";

pub(super) async fn is_empty(session: &mut Session) -> Result<bool, DatabaseError> {
    Ok(session.query_one(IS_EMPTY, &[]).await?.get(0))
}

pub(super) async fn record_counts(session: &mut Session) -> Result<RecordCounts, DatabaseError> {
    let catalog = counts(session, CATALOG).await?;
    let messages = counts(session, MESSAGES).await?;
    let event_ids = counts(session, EVENT_IDS).await?;
    let digests = counts(session, DIGESTS).await?;
    let deliveries = counts(session, DELIVERIES).await?;
    let attempts = counts(session, ATTEMPTS).await?;
    Ok(RecordCounts {
        applications: catalog[0],
        endpoints: catalog[1],
        event_types: catalog[2],
        sources: catalog[3],
        connectors: catalog[11],
        consumers: catalog[4],
        dead_letters: catalog[5],
        api_keys: catalog[10],
        audit_log: catalog[8],
        tasks: catalog[9],
        messages: messages[0],
        bodies: messages[1],
        event_ids: event_ids[0],
        digests: digests[0],
        delivered: deliveries[0],
        failed: deliveries[1],
        cancelled: deliveries[2],
        pending: deliveries[3],
        attempts: attempts[0],
        poll_entries: catalog[12],
        poll_consumers: catalog[13],
        recoveries: catalog[6],
        answers: catalog[7],
    })
}

/// The columns of the one row, all of which are counts.
async fn counts(session: &mut Session, sql: &'static str) -> Result<Vec<u64>, DatabaseError> {
    let row = session.query_one(sql, &[]).await?;
    Ok((0..row.len()).map(|column| row.get::<_, i64>(column).cast_unsigned()).collect())
}
