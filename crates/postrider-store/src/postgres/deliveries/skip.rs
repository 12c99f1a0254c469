//! Skips the first deliveries of an endpoint, and retries those that wait, on request.

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::time::Timestamp;

use crate::{
    contract::audit::RETRIED_AT_ONCE,
    postgres::{
        error::DatabaseError,
        lane,
        parameter::Param,
        session::Session,
        value::{Uuid, millis},
    },
};

/// The delivery of the message, or the first of the order, and those before it in the order.
pub(in crate::postgres) const SKIP: &str = "
WITH last AS (
    SELECT message, position FROM queue
    WHERE application = $1 AND endpoint = $2 AND message = $3
    UNION ALL
    (
        SELECT message, position FROM queue
        WHERE application = $1 AND endpoint = $2 AND position IS NOT NULL AND $3::uuid IS NULL
        ORDER BY position LIMIT 1
    )
), gone AS (
    DELETE FROM queue q USING (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND endpoint = $2
            AND (message = (SELECT message FROM last) OR position <= (SELECT position FROM last))
        ORDER BY application, endpoint, message FOR UPDATE
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT count(*) FROM gone";

/// Cancels them in one transaction. `false` if there is none.
pub(in crate::postgres) async fn skip(
    session: &mut Session,
    (application, endpoint): (ApplicationId, EndpointId),
    until: Option<MessageId>,
) -> Result<bool, DatabaseError> {
    let until = until.map(Uuid::from);
    session.begin().await?;
    let values: [Param<'_>; 3] = [&Uuid::from(application), &Uuid::from(endpoint), &until];
    let rows = session.query(SKIP, &values).await?;
    let count = rows.first().map_or(0, |row| row.get::<_, i64>(0));
    lane::refresh(session, &[(application, endpoint)]).await?;
    session.commit().await?;
    Ok(count > 0)
}

pub(in crate::postgres) const RETRY_NOW: &str = "
UPDATE queue q SET due_at = $3, free_at = $3
FROM (
    SELECT application, endpoint, message FROM queue
    WHERE application = $1 AND endpoint = $2 AND holder IS NULL AND due_at > $3 AND message = ANY (
        ARRAY(
            SELECT message FROM queue
            WHERE application = $1 AND endpoint = $2 AND position IS NOT NULL
            ORDER BY position LIMIT $4
        ) || ARRAY(
            SELECT message FROM queue
            WHERE application = $1 AND endpoint = $2 AND position IS NULL
                AND holder IS NULL AND free_at > $3
            ORDER BY free_at LIMIT $4
        )
    )
    ORDER BY application, endpoint, message FOR UPDATE
) k
WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message";

/// Makes deliveries that wait due at `at`. `false` if there is none.
pub(in crate::postgres) async fn retry_now(
    session: &mut Session,
    (application, endpoint): (ApplicationId, EndpointId),
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let values: [Param<'_>; 4] =
        [&Uuid::from(application), &Uuid::from(endpoint), &millis(at), &i64::from(RETRIED_AT_ONCE)];
    let count = session.execute(RETRY_NOW, &values).await?;
    lane::wake(session, &[(application, endpoint)]).await?;
    session.commit().await?;
    Ok(count > 0)
}
