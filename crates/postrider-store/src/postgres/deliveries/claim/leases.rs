//! Ends leases of single deliveries. A node's lease protects what it holds while the node is alive;
//! these leases free deliveries that a living node has lost track of.

use postrider_core::time::Timestamp;

use crate::postgres::{
    error::DatabaseError,
    lane,
    session::Session,
    value::{self, millis},
};

/// Leases that one transaction ends, at most.
const STEP: i64 = 1_000;

pub(in crate::postgres) const LEASE_END: &str = "
SELECT free_at FROM queue WHERE holder IS NOT NULL ORDER BY free_at LIMIT 1";

/// When the first lease ends.
pub(super) async fn first_end(session: &mut Session) -> Result<Option<Timestamp>, DatabaseError> {
    let row = session.query_opt(LEASE_END, &[]).await?;
    Ok(row.map(|row| value::timestamp(row.get(0))))
}

pub(in crate::postgres) const END_LEASES: &str = "
UPDATE queue q SET holder = NULL, free_at = q.due_at
FROM (
    SELECT application, endpoint, message FROM queue
    WHERE holder IS NOT NULL AND free_at <= $1
    ORDER BY free_at LIMIT $2 FOR UPDATE SKIP LOCKED
) ended
WHERE q.application = ANY (ARRAY[ended.application]) AND q.endpoint = ended.endpoint
    AND q.message = ended.message
RETURNING q.application, q.endpoint, q.due_at, q.turn";

/// Frees the deliveries whose leases have ended.
pub(super) async fn end_leases(
    session: &mut Session,
    node: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    loop {
        session.begin().await?;
        let freed = session.query(END_LEASES, &[&millis(now), &STEP]).await?;
        lane::mark_freed(session, node, &freed).await?;
        session.commit().await?;
        if value::to_bigint(freed.len()) < STEP {
            return Ok(());
        }
    }
}
