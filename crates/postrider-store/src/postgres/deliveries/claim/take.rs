//! Takes deliveries from locked lanes.

use std::collections::HashMap;

use postrider_core::delivery::{Delivery, DeliveryId};
use tokio_postgres::Row;

use super::lanes::Lane;
use crate::{
    contract::deliveries::Claim,
    postgres::{
        error::DatabaseError,
        row,
        session::Session,
        value::{self, Uuid, millis},
    },
};

/// A delivery that this node holds now.
pub(super) struct Taken {
    /// Index of its lane among those of the claim.
    lane: i64,
    /// Its place in the lane: a time or a position, and the message.
    key: (i64, Uuid),
    pub(super) delivery: Delivery,
}

/// Leases the deliveries that the lanes offer, up to the claim's limit: in the order of the lanes,
/// and within a lane in the order of its deliveries.
pub(super) async fn take(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    lanes: &[Lane],
) -> Result<Vec<Taken>, DatabaseError> {
    let lanes: Vec<_> = (0..).zip(lanes).filter(|(_, lane)| !lane.is_orphan).collect();
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(claim, &lanes);
    let mut taken = take_unordered(session, node, claim, &columns).await?;
    taken.sort_by_key(|it| (it.lane, it.key));
    let in_order: Vec<_> = lanes.into_iter().filter(|(_, lane)| lane.is_in_order).collect();
    if !in_order.is_empty() && taken.len() < claim.limit {
        let columns = Columns::of(claim, &in_order).without(&taken);
        let limit = claim.limit - taken.len();
        let mut heads = take_in_order(session, node, claim, &columns, limit).await?;
        heads.sort_by_key(|it| (it.lane, it.key));
        taken.extend(heads);
        // A stable sort: within a lane, deliveries outside the order stay first.
        taken.sort_by_key(|it| it.lane);
    }
    Ok(taken)
}

/// Visits the lanes in their order and asks each for no more than there is capacity for. The outer
/// `LIMIT` ends the walk, so only rows that are taken are locked.
///
/// The walk along a lane begins when the lane is due. Before that, the index still has what was
/// taken since the last vacuum: visiting that again would make each claim of a long backlog slower
/// than the one before.
///
/// Outside the order locked rows can be skipped: they are being settled, cancelled or resent.
pub(in crate::postgres) const TAKE: &str = "
WITH taken AS (
    SELECT l.place, q.application, q.endpoint, q.message
    FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $9::bigint[])
        AS l (place, application, endpoint, room, due_at)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM queue
        WHERE application = l.application AND endpoint = l.endpoint
            AND holder IS NULL AND position IS NULL AND free_at >= l.due_at AND free_at <= $5
        ORDER BY free_at, message LIMIT l.room FOR UPDATE SKIP LOCKED
    ) q
    LIMIT $6
)
UPDATE queue q SET holder = $7, free_at = $8
FROM taken t
WHERE q.application = ANY (ARRAY[t.application]) AND q.endpoint = t.endpoint AND q.message = t.message
RETURNING q.application, q.endpoint, q.message, q.attempt, q.manual, q.reported,
    t.place, q.due_at, q.resume_at";

async fn take_unordered(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    columns: &Columns,
) -> Result<Vec<Taken>, DatabaseError> {
    let limit = value::to_bigint(claim.limit);
    let rows = session
        .query(
            TAKE,
            &[
                &columns.lane,
                &columns.application,
                &columns.endpoint,
                &columns.capacity,
                &millis(claim.now),
                &limit,
                &node,
                &millis(claim.lease_until),
                &columns.due_at,
            ],
        )
        .await?;
    Ok(rows.iter().map(taken).collect())
}

/// The first deliveries of each order, without locks: which of them may be taken depends on those
/// before them, so the walk must not skip locked ones.
pub(in crate::postgres) const HEADS: &str = "
SELECT l.place, q.message, q.holder IS NULL AND q.free_at <= $5 AS is_free
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[])
    AS l (place, application, endpoint, room)
CROSS JOIN LATERAL (
    SELECT message, holder, free_at, position FROM queue
    WHERE application = l.application AND endpoint = l.endpoint AND position IS NOT NULL
    ORDER BY position LIMIT l.room
) q
ORDER BY l.place, q.position";

/// Takes nothing that was cancelled or settled since [`HEADS`] read it, which keeps the order:
/// what has left the queue holds up nothing.
pub(in crate::postgres) const TAKE_HEADS: &str = "
UPDATE queue q SET holder = $6, free_at = $7
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::uuid[])
    AS t (place, application, endpoint, message)
WHERE q.application = ANY (ARRAY[t.application]) AND q.endpoint = t.endpoint AND q.message = t.message
    AND q.holder IS NULL AND q.free_at <= $5
RETURNING q.application, q.endpoint, q.message, q.attempt, q.manual, q.reported,
    t.place, q.position, q.resume_at";

async fn take_in_order(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    columns: &Columns,
    limit: usize,
) -> Result<Vec<Taken>, DatabaseError> {
    let rows = session
        .query(
            HEADS,
            &[
                &columns.lane,
                &columns.application,
                &columns.endpoint,
                &columns.capacity,
                &millis(claim.now),
            ],
        )
        .await?;
    let (heads, messages) = free_heads(columns, &rows, limit);
    let rows = session
        .query(
            TAKE_HEADS,
            &[
                &heads.lane,
                &heads.application,
                &heads.endpoint,
                &messages,
                &millis(claim.now),
                &node,
                &millis(claim.lease_until),
            ],
        )
        .await?;
    Ok(rows.iter().map(taken).collect())
}

/// Of rows of [`HEADS`], those before the first one of their lane that is held or not due.
fn free_heads(columns: &Columns, rows: &[Row], limit: usize) -> (Columns, Vec<Uuid>) {
    let mut heads = Columns::default();
    let mut messages: Vec<Uuid> = Vec::new();
    let mut blocked = None;
    let index: HashMap<_, _> = columns.lane.iter().zip(0..).map(|(lane, at)| (*lane, at)).collect();
    for row in rows {
        let lane: i64 = row.get(0);
        if blocked == Some(lane) || messages.len() >= limit {
            continue;
        }
        if !row.get::<_, bool>(2) {
            blocked = Some(lane);
            continue;
        }
        let at = index[&lane];
        heads.lane.push(lane);
        heads.application.push(columns.application[at]);
        heads.endpoint.push(columns.endpoint[at]);
        messages.push(row.get(1));
    }
    (heads, messages)
}

fn taken(row: &Row) -> Taken {
    let message: Uuid = row.get(2);
    Taken {
        lane: row.get(6),
        key: (row.get(7), message),
        delivery: Delivery {
            id: DeliveryId { endpoint: row.get::<_, Uuid>(1).into(), message: message.into() },
            application: row.get::<_, Uuid>(0).into(),
            attempt: row::from_smallint(row.get(3)),
            trigger: row::trigger(row.get(4)),
            retry_plan: row::retry_plan(row.get(8)),
            reported: row.get(5),
        },
    }
}

/// Lanes as parameters: an array for each column.
#[derive(Default)]
struct Columns {
    lane: Vec<i64>,
    application: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    capacity: Vec<i64>,
    due_at: Vec<i64>,
}

impl Columns {
    fn of(claim: &Claim, lanes: &[(i64, &Lane)]) -> Self {
        let mut columns = Self::default();
        for (index, lane) in lanes {
            let capacity =
                claim.capacities.get(&lane.endpoint).copied().unwrap_or(claim.per_endpoint);
            columns.lane.push(*index);
            columns.application.push(lane.application.into());
            columns.endpoint.push(lane.endpoint.into());
            columns.capacity.push(value::to_bigint(capacity));
            columns.due_at.push(lane.due_at);
        }
        columns
    }

    /// Reduces the capacities by the deliveries that were taken already.
    fn without(mut self, taken: &[Taken]) -> Self {
        let mut counts: HashMap<i64, i64> = HashMap::new();
        for it in taken {
            *counts.entry(it.lane).or_default() += 1;
        }
        for (lane, capacity) in self.lane.iter().zip(&mut self.capacity) {
            let count = counts.get(lane).copied().unwrap_or_default();
            *capacity = capacity.saturating_sub(count).max(0);
        }
        self
    }
}
