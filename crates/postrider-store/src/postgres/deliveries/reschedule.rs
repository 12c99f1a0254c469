//! Changes when the first attempts of a message are made.

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::time::Timestamp;

use crate::postgres::{
    error::DatabaseError,
    lane, row,
    session::Session,
    value::{Uuid, millis},
};

/// Locks the message, so that its body is not removed meanwhile.
const LOCK_MESSAGE: &str = "
SELECT details FROM message WHERE application = $1 AND id = $2 AND body IS NOT NULL FOR UPDATE";

/// A message lists its endpoints, so one lookup for each of them replaces an index by message.
pub(in crate::postgres) const MOVE_WAITING: &str = "
UPDATE queue q SET due_at = $3, free_at = $3
FROM (
    SELECT found.*
    FROM (
        SELECT DISTINCT unnest(targets) AS endpoint FROM message
        WHERE application = $1 AND id = $2
        ORDER BY endpoint
    ) target
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND endpoint = target.endpoint AND message = $2
            AND holder IS NULL AND attempt = 1 AND NOT manual
        LIMIT 1 FOR UPDATE
    ) found
) k
WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
RETURNING q.endpoint";

const REPLACE_SCHEDULE: &str = "
UPDATE message SET details = $3, body_until = $4 WHERE application = $1 AND id = $2";

/// Moves the deliveries that wait for their first attempt. `false` if there is none, or if the
/// message is unknown or has no body.
pub(in crate::postgres) async fn reschedule(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
    (deliver_at, body_until): (Timestamp, Timestamp),
) -> Result<bool, DatabaseError> {
    let (owner, id) = (Uuid::from(application), Uuid::from(message));
    session.begin().await?;
    let found = session.query_opt(LOCK_MESSAGE, &[&owner, &id]).await?;
    let Some(found) = found else {
        session.rollback().await?;
        return Ok(false);
    };
    let details = row::rescheduled_details(found.get(0), deliver_at)?;
    let moved = session.query(MOVE_WAITING, &[&owner, &id, &millis(deliver_at)]).await?;
    if moved.is_empty() {
        session.rollback().await?;
        return Ok(false);
    }
    session.execute(REPLACE_SCHEDULE, &[&owner, &id, &details, &millis(body_until)]).await?;
    let lanes: Vec<_> =
        moved.iter().map(|row| (application, EndpointId::from(row.get::<_, Uuid>(0)))).collect();
    lane::wake(session, &lanes).await?;
    session.commit().await?;
    Ok(true)
}
