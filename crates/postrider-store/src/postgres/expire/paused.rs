//! What waits for disabled endpoints when its messages are old.

use postrider::{ApplicationId, EndpointId};
use tokio_postgres::{Row, types::Type};

use crate::{
    StoreError,
    postgres::{
        lane,
        session::{Param, Session},
        value::Uuid,
    },
};

/// Deliveries that one step ends, at most.
const STEP: i64 = 5_000;

/// One search for each lane that is paused.
pub(in crate::postgres) const END_PAUSED: &str = "WITH gone AS (
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

/// Ends them as cancelled, for otherwise a disabled endpoint would keep its messages for ever;
/// `true` if there is more to do.
pub(super) async fn end(session: &mut Session, bound: Uuid) -> Result<bool, StoreError> {
    session.begin().await?;
    let values: [Param<'_>; 2] = [(&bound, Type::UUID), (&STEP, Type::INT8)];
    let ended = session.query(END_PAUSED, &values).await?;
    let lane = |row: &Row| {
        (ApplicationId::from(row.get::<_, Uuid>(0)), EndpointId::from(row.get::<_, Uuid>(1)))
    };
    lane::refresh(session, &ended.iter().map(lane).collect::<Vec<_>>()).await?;
    session.commit().await?;
    Ok(ended.iter().map(|row| row.get::<_, i64>(2)).sum::<i64>() >= STEP)
}
