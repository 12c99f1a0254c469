//! Cancels old deliveries of disabled endpoints, which would otherwise keep their messages for
//! ever.

use crate::postgres::{error::DatabaseError, lane, session::Session, value::Uuid};

/// Deliveries that one step cancels, at most.
const STEP: i64 = 5_000;

/// One search for each paused lane.
pub(in crate::postgres) const CANCEL_PAUSED: &str = "WITH gone AS (
        DELETE FROM queue q
        USING (
            SELECT found.application, found.endpoint, found.message
            FROM lane l
            CROSS JOIN LATERAL (
                SELECT application, endpoint, message FROM queue
                WHERE application = l.application AND endpoint = l.endpoint
                    AND message < $1 AND holder IS NULL
                ORDER BY message LIMIT $2 FOR UPDATE SKIP LOCKED
            ) AS found
            WHERE l.paused
            LIMIT $2
        ) AS old
        WHERE q.application = old.application AND q.endpoint = old.endpoint
            AND q.message = old.message
        RETURNING q.application, q.endpoint, q.message, q.attempts
    ), ended AS (
        INSERT INTO delivery (application, endpoint, message, state, attempts)
        SELECT application, endpoint, message, 3, attempts FROM gone
    )
    SELECT application, endpoint, count(*) FROM gone
    GROUP BY application, endpoint
    ORDER BY application, endpoint";

/// Cancels up to [`STEP`] deliveries of messages below `bound`; `true` if there may be more.
pub(super) async fn cancel(session: &mut Session, bound: Uuid) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let cancelled = session.query(CANCEL_PAUSED, &[&bound, &STEP]).await?;
    lane::refresh(session, &cancelled.iter().map(lane::of_row).collect::<Vec<_>>()).await?;
    session.commit().await?;
    Ok(cancelled.iter().map(|row| row.get::<_, i64>(2)).sum::<i64>() >= STEP)
}
