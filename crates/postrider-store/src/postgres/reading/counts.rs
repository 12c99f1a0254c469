//! Counts and sizes. What could grow without bound is estimated beyond a bound.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

use crate::{
    Stats, StoreError, StoreSize,
    postgres::{
        session::{Param, Session},
        value::{self, Uuid},
    },
};

/// Nearly all are delivered, so that those are counted along the primary key alone, as what is
/// left of all.
pub(in crate::postgres) const STATS: &str = "SELECT
        waiting.pending,
        waiting.sending,
        (SELECT count(*) FROM delivery
        WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4),
        (SELECT count(*) FROM delivery
        WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
            AND state = 2 AND state <> 1),
        (SELECT count(*) FROM delivery
        WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
            AND state = 3 AND state <> 1)
    FROM (
        SELECT
            count(*) FILTER (WHERE attempts = '{}') AS pending,
            count(*) FILTER (WHERE attempts <> '{}') AS sending
        FROM queue
        WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    ) AS waiting";

/// Counts this far; what the last analysis of the index found is good enough beyond.
const COUNTED: i64 = 10_000;

/// What is in order has an index of its own, and little of it waits.
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

/// In the order of the primary key, so that no other way to the rows is taken, whatever the
/// statistics say.
pub(in crate::postgres) const BACKLOG: &str = "SELECT count(*) FROM (
        SELECT FROM queue
        WHERE application = $1
        ORDER BY application, endpoint, message
        LIMIT $2
    ) AS waiting";

const ESTIMATE: &str = "SELECT greatest(reltuples, $1::float4)::bigint
    FROM pg_class
    WHERE oid = to_regclass('queue_due')";

/// A lane's `due_at` is never too late and hardly ever too early, so that the first lanes have
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

/// With many partitions this asks for the sizes of thousands of files.
const BYTES: &str = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
    FROM pg_class
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r'";

/// The newest of each application and endpoint: there is no order of all of them. It looks at
/// ten thousand, those that were made last; of the ids of those that it leaves out, none is
/// much newer.
const LAST: &str = "SELECT newest.id
    FROM (
        (SELECT found.id
        FROM (SELECT id FROM application ORDER BY id DESC LIMIT 10000) AS owner
        CROSS JOIN LATERAL (
            SELECT id FROM message WHERE application = owner.id AND id >= $1
            ORDER BY id DESC LIMIT 1
        ) AS found)
        UNION ALL
        (SELECT found.id
        FROM (SELECT application, id FROM endpoint ORDER BY application DESC, id DESC LIMIT 10000)
            AS owner
        CROSS JOIN LATERAL (
            SELECT id FROM attempt
            WHERE application = owner.application AND endpoint = owner.id AND id >= $1
            ORDER BY id DESC LIMIT 1
        ) AS found)
    ) AS newest
    ORDER BY newest.id DESC
    LIMIT 1";

const YESTERDAY: &str =
    "SELECT floor(extract(epoch FROM clock_timestamp() - interval '1 day') * 1000)::bigint";

/// Calls for a size of which one looks how many bytes there are.
const CALLS: u32 = 12;

/// How many bytes there were.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Bytes(Mutex<LastBytes>);

#[derive(Clone, Copy, Debug, Default)]
struct LastBytes {
    calls: u32,
    bytes: u64,
}

impl Bytes {
    fn last(&self) -> MutexGuard<'_, LastBytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(in crate::postgres) async fn stats(
    session: &mut Session,
    application: ApplicationId,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Stats, StoreError> {
    let last = value::first_id_at(until).0.saturating_sub(1);
    let values: [Param<'_>; 4] = [
        (&Uuid::from(application), Type::UUID),
        (&Uuid::from(endpoint), Type::UUID),
        (&value::first_id_at(since), Type::UUID),
        (&Uuid(last), Type::UUID),
    ];
    let row = session.query_one(STATS, &values).await?;
    let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    let [pending, sending, ended, failed, cancelled] = [0, 1, 2, 3, 4].map(count);
    let delivered = ended.saturating_sub(failed + cancelled);
    Ok(Stats { delivered, pending, sending, failed, cancelled })
}

pub(in crate::postgres) async fn backlog(
    session: &mut Session,
    application: ApplicationId,
    at_most: u64,
) -> Result<u64, StoreError> {
    let (application, most) = (Uuid::from(application), i64::try_from(at_most).unwrap_or(i64::MAX));
    let of: [Param<'_>; 2] = [(&application, Type::UUID), (&most, Type::INT8)];
    let counted: i64 = session.query_one(BACKLOG, &of).await?.get(0);
    Ok(u64::try_from(counted).unwrap_or_default())
}

pub(in crate::postgres) async fn size(
    session: &mut Session,
    bytes: &Bytes,
) -> Result<StoreSize, StoreError> {
    let bound: [Param<'_>; 1] = [(&COUNTED, Type::INT8)];
    let row = session.query_one(WAITING, &bound).await?;
    let (mut waiting, in_order): (i64, i64) = (row.get(0), row.get(1));
    if waiting >= COUNTED {
        waiting = session.query_one(ESTIMATE, &bound).await?.get(0);
    }
    waiting = waiting.saturating_add(in_order);
    let oldest: Option<i64> = session.query_one(OLDEST, &[]).await?.get(0);
    let LastBytes { calls, .. } = *bytes.last();
    if calls.is_multiple_of(CALLS) {
        let found: i64 = session.query_one(BYTES, &[]).await?.get(0);
        bytes.last().bytes = u64::try_from(found).unwrap_or_default();
    }
    bytes.last().calls = calls.wrapping_add(1);
    Ok(StoreSize {
        waiting: u64::try_from(waiting).unwrap_or_default(),
        oldest_due: oldest.map(value::timestamp),
        bytes: bytes.last().bytes,
    })
}

/// Looks at the last day first, which spares it all the partitions before.
pub(in crate::postgres) async fn last_sequence(session: &mut Session) -> Result<u64, StoreError> {
    let yesterday = value::timestamp(session.query_one(YESTERDAY, &[]).await?.get(0));
    for first in [value::first_id_at(yesterday), Uuid(0)] {
        if let Some(row) = session.query_opt(LAST, &[(&first, Type::UUID)]).await? {
            return Ok(postrider::MessageId::from(row.get::<_, Uuid>(0)).sequence());
        }
    }
    Ok(0)
}
