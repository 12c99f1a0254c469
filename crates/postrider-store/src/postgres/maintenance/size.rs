//! Sizes for metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    contract::maintenance::StoreSize,
    postgres::{error::DatabaseError, session::Session, value},
};

/// Deliveries are counted up to this number. Beyond it the estimate of the last `ANALYZE` is good
/// enough.
const MAX_COUNTED: i64 = 10_000;

/// Deliveries in order have an index of their own, and few of them wait without a holder.
pub(in crate::postgres) const WAITING: &str = "SELECT
        (SELECT count(*) FROM (
            SELECT FROM queue
            WHERE holder IS NULL AND position IS NULL
            ORDER BY application, endpoint, free_at
            LIMIT $1
        ) AS waiting),
        (SELECT count(*) FROM (
            SELECT FROM (
                SELECT holder FROM queue
                WHERE position IS NOT NULL
                ORDER BY application, endpoint, position
                LIMIT $1
            ) AS ordered
            WHERE holder IS NULL
        ) AS waiting)";

const ESTIMATE: &str = "SELECT greatest(reltuples, $1::float4)::bigint
    FROM pg_class
    WHERE oid = to_regclass('queue_due')";

/// `due_at` of a lane is never too late and rarely too early, so the lanes that are due first have
/// the oldest delivery.
pub(in crate::postgres) const OLDEST: &str = "SELECT min(least(oldest.free_at, first.ordered))
    FROM (
        SELECT application, endpoint, CASE WHEN turn = 2 THEN due_at END AS ordered
        FROM lane
        WHERE due_at IS NOT NULL AND NOT paused
        ORDER BY due_at
        LIMIT 100
    ) AS first
    LEFT JOIN LATERAL (
        SELECT free_at
        FROM queue
        WHERE application = first.application AND endpoint = first.endpoint
            AND holder IS NULL AND position IS NULL
        ORDER BY free_at
        LIMIT 1
    ) AS oldest ON true";

/// Slow with many partitions: it reads the sizes of thousands of files.
const BYTES: &str = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
    FROM pg_class
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r'";

/// The size in bytes is read once in this many calls.
const CALLS_PER_SIZE: u32 = 12;

/// The size that was read last.
#[derive(Debug, Default)]
pub(in crate::postgres) struct CachedSize(Mutex<LastSize>);

#[derive(Clone, Copy, Debug, Default)]
struct LastSize {
    calls: u32,
    bytes: u64,
}

impl CachedSize {
    fn lock(&self) -> MutexGuard<'_, LastSize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(in crate::postgres) async fn size(
    session: &mut Session,
    cached: &CachedSize,
) -> Result<StoreSize, DatabaseError> {
    let row = session.query_one(WAITING, &[&MAX_COUNTED]).await?;
    let (mut waiting, in_order): (i64, i64) = (row.get(0), row.get(1));
    if waiting >= MAX_COUNTED {
        waiting = session.query_one(ESTIMATE, &[&MAX_COUNTED]).await?.get(0);
    }
    waiting = waiting.saturating_add(in_order);
    let oldest: Option<i64> = session.query_one(OLDEST, &[]).await?.get(0);
    let calls = cached.lock().calls;
    if calls.is_multiple_of(CALLS_PER_SIZE) {
        let bytes: i64 = session.query_one(BYTES, &[]).await?.get(0);
        cached.lock().bytes = u64::try_from(bytes).unwrap_or_default();
    }
    cached.lock().calls = calls.wrapping_add(1);
    Ok(StoreSize {
        waiting: u64::try_from(waiting).unwrap_or_default(),
        oldest_due: oldest.map(value::timestamp),
        bytes: cached.lock().bytes,
        ..StoreSize::default()
    })
}
