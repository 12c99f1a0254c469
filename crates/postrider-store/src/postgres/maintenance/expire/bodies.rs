//! Removes bodies that expire before their messages.

use postrider_core::time::Timestamp;
use tokio_postgres::Row;

use crate::postgres::{
    error::DatabaseError,
    lane,
    parameter::Param,
    partitions,
    session::Session,
    value::{Uuid, millis},
};

/// Messages that one step changes, at most: the `LIMIT` of the first two statements.
const STEP: usize = 500;

/// Bodies in partitions that stay. Those in a partition that is about to be dropped go with key.
pub(in crate::postgres) const BODIES: &str = "SELECT application, id, targets
    FROM message
    WHERE body IS NOT NULL AND body_until <= $1 AND id >= $2
    ORDER BY body_until
    LIMIT 500
    FOR UPDATE SKIP LOCKED";

/// Bodies in the default partition, however old.
pub(in crate::postgres) const BODIES_OF_REST: &str = "SELECT application, id, targets
    FROM message_rest
    WHERE body IS NOT NULL AND body_until <= $1
    ORDER BY body_until
    LIMIT 500
    FOR UPDATE SKIP LOCKED";

pub(in crate::postgres) const REMOVE_BODIES: &str = "UPDATE message m
    SET body = NULL
    FROM unnest($1::uuid[], $2::uuid[]) AS key (application, id)
    WHERE m.application = ANY (ARRAY[key.application]) AND m.id = key.id";

pub(in crate::postgres) const CANCEL_WITHOUT_BODY: &str = "WITH gone AS (
        DELETE FROM queue q
        USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS key (application, endpoint, message)
        WHERE q.application = ANY (ARRAY[key.application]) AND q.endpoint = key.endpoint
            AND q.message = key.message
        RETURNING q.application, q.endpoint, q.message, q.attempts
    ), ended AS (
        INSERT INTO delivery (application, endpoint, message, state, attempts)
        SELECT application, endpoint, message, 3, attempts FROM gone
    )
    SELECT DISTINCT application, endpoint FROM gone ORDER BY application, endpoint";

/// Removes bodies whose time has passed; `true` if there may be more. Messages with ids below
/// `bound` have expired themselves.
pub(super) async fn expire(
    session: &mut Session,
    now: Timestamp,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    let first_staying = partitions::whole_day(bound);
    let now = millis(now);
    let more = remove(session, BODIES, &[&now, &first_staying]).await?;
    Ok(remove(session, BODIES_OF_REST, &[&now]).await? || more)
}

async fn remove(
    session: &mut Session,
    find: &'static str,
    params: &[Param<'_>],
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let old = session.query(find, params).await?;
    if !old.is_empty() {
        let applications: Vec<Uuid> = old.iter().map(|row| row.get(0)).collect();
        let ids: Vec<Uuid> = old.iter().map(|row| row.get(1)).collect();
        session.execute(REMOVE_BODIES, &[&applications, &ids]).await?;
        cancel(session, &old).await?;
    }
    session.commit().await?;
    Ok(old.len() == STEP)
}

/// Cancels the pending deliveries of the messages: rows of application, id and targets.
async fn cancel(session: &mut Session, messages: &[Row]) -> Result<(), DatabaseError> {
    let mut keys: Vec<(Uuid, Uuid, Uuid)> = Vec::new();
    for row in messages {
        let targets: Vec<Uuid> = row.get(2);
        keys.extend(targets.into_iter().map(|endpoint| (row.get(0), endpoint, row.get(1))));
    }
    keys.sort_unstable();
    let applications: Vec<_> = keys.iter().map(|key| key.0).collect();
    let endpoints: Vec<_> = keys.iter().map(|key| key.1).collect();
    let messages: Vec<_> = keys.iter().map(|key| key.2).collect();
    let touched =
        session.query(CANCEL_WITHOUT_BODY, &[&applications, &endpoints, &messages]).await?;
    lane::refresh(session, &touched.iter().map(lane::of_row).collect::<Vec<_>>()).await
}
