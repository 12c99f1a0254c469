//! Takes deliveries from locked lanes.

use std::collections::HashMap;

use postrider_core::delivery::{Delivery, DeliveryId};
use tokio_postgres::{Row, types::Type};

use super::Lane;
use crate::{
    Claim, StoreError,
    postgres::{
        row,
        session::{Param, Session},
        value::{Uuid, millis},
    },
};

/// A delivery that is ours now.
pub(super) struct Taken {
    /// The lane's place among those of the claim.
    place: i64,
    /// The delivery's place in its lane.
    key: (i64, Uuid),
    pub(super) delivery: Delivery,
}

/// Leases what the lanes offer, in the order of the lanes and within them of what waits
/// longest; at most the claim's limit.
pub(super) async fn take(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    lanes: &[Lane],
) -> Result<Vec<Taken>, StoreError> {
    let lanes: Vec<_> = (0..).zip(lanes).filter(|(_, lane)| !lane.is_orphan).collect();
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(claim, &lanes);
    let mut taken = take_any(session, node, claim, &columns).await?;
    taken.sort_by_key(|it| (it.place, it.key));
    let in_order: Vec<_> = lanes.into_iter().filter(|(_, lane)| lane.is_in_order).collect();
    if !in_order.is_empty() && taken.len() < claim.limit {
        let columns = Columns::of(claim, &in_order).without(&taken);
        let limit = claim.limit - taken.len();
        let mut heads = take_in_order(session, node, claim, &columns, limit).await?;
        heads.sort_by_key(|it| (it.place, it.key));
        taken.extend(heads);
        // Stable: within a lane, those outside the order stay before it.
        taken.sort_by_key(|it| it.place);
    }
    Ok(taken)
}

/// The lanes come in order and each is asked for no more than there is room for; the limit
/// ends the walk, so nothing is locked that is not taken.
pub(in crate::postgres) const TAKE: &str = "
WITH taken AS (
    SELECT l.place, q.application, q.endpoint, q.message
    FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[])
        AS l (place, application, endpoint, room)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, message FROM queue
        WHERE application = l.application AND endpoint = l.endpoint
            AND holder IS NULL AND position IS NULL AND free_at <= $5
        ORDER BY free_at, message LIMIT l.room FOR UPDATE SKIP LOCKED
    ) q
    LIMIT $6
)
UPDATE queue q SET holder = $7, free_at = $8
FROM taken t
WHERE q.application = ANY (ARRAY[t.application]) AND q.endpoint = t.endpoint AND q.message = t.message
RETURNING q.application, q.endpoint, q.message, q.attempt, q.manual, q.reported,
    t.place, q.due_at, q.resume_at";

async fn take_any(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    columns: &Columns,
) -> Result<Vec<Taken>, StoreError> {
    let limit = i64::try_from(claim.limit).unwrap_or(i64::MAX);
    let params: [Param<'_>; 8] = [
        (&columns.place, Type::INT8_ARRAY),
        (&columns.application, Type::UUID_ARRAY),
        (&columns.endpoint, Type::UUID_ARRAY),
        (&columns.room, Type::INT8_ARRAY),
        (&millis(claim.now), Type::INT8),
        (&limit, Type::INT8),
        (&node, Type::INT8),
        (&millis(claim.lease_until), Type::INT8),
    ];
    let rows = session.query(TAKE, &params).await?;
    Ok(rows.iter().map(taken).collect())
}

/// The first ones of each order.
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

/// What was cancelled or settled since it was looked at is passed over, which keeps the order.
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
) -> Result<Vec<Taken>, StoreError> {
    let params: [Param<'_>; 5] = [
        (&columns.place, Type::INT8_ARRAY),
        (&columns.application, Type::UUID_ARRAY),
        (&columns.endpoint, Type::UUID_ARRAY),
        (&columns.room, Type::INT8_ARRAY),
        (&millis(claim.now), Type::INT8),
    ];
    let rows = session.query(HEADS, &params).await?;
    let mut heads = Columns::default();
    let mut message: Vec<Uuid> = Vec::new();
    let mut blocked = None;
    let lanes: HashMap<_, _> = columns.place.iter().zip(0..).map(|(it, at)| (*it, at)).collect();
    for row in &rows {
        let place: i64 = row.get(0);
        if blocked == Some(place) || message.len() >= limit {
            continue;
        }
        if !row.get::<_, bool>(2) {
            blocked = Some(place);
            continue;
        }
        let lane = lanes[&place];
        heads.place.push(place);
        heads.application.push(columns.application[lane]);
        heads.endpoint.push(columns.endpoint[lane]);
        message.push(row.get(1));
    }
    let params: [Param<'_>; 7] = [
        (&heads.place, Type::INT8_ARRAY),
        (&heads.application, Type::UUID_ARRAY),
        (&heads.endpoint, Type::UUID_ARRAY),
        (&message, Type::UUID_ARRAY),
        (&millis(claim.now), Type::INT8),
        (&node, Type::INT8),
        (&millis(claim.lease_until), Type::INT8),
    ];
    let rows = session.query(TAKE_HEADS, &params).await?;
    Ok(rows.iter().map(taken).collect())
}

fn taken(row: &Row) -> Taken {
    let message: Uuid = row.get(2);
    Taken {
        place: row.get(6),
        key: (row.get(7), message),
        delivery: Delivery {
            id: DeliveryId { endpoint: row.get::<_, Uuid>(1).into(), message: message.into() },
            application: row.get::<_, Uuid>(0).into(),
            attempt: row::number(row.get(3)),
            trigger: row::trigger(row.get(4)),
            retry_plan: row::retry_plan(row.get(8)),
            reported: row.get(5),
        },
    }
}

/// Lanes as the statements take them.
#[derive(Default)]
struct Columns {
    place: Vec<i64>,
    application: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    room: Vec<i64>,
}

impl Columns {
    fn of(claim: &Claim, lanes: &[(i64, &Lane)]) -> Self {
        let mut columns = Self::default();
        for (place, lane) in lanes {
            let room = claim.capacities.get(&lane.endpoint).copied().unwrap_or(claim.per_endpoint);
            columns.place.push(*place);
            columns.application.push(lane.application.into());
            columns.endpoint.push(lane.endpoint.into());
            columns.room.push(i64::try_from(room).unwrap_or(i64::MAX));
        }
        columns
    }

    /// With less room where something was taken already.
    fn without(mut self, taken: &[Taken]) -> Self {
        let mut counts: HashMap<i64, i64> = HashMap::new();
        for it in taken {
            *counts.entry(it.place).or_default() += 1;
        }
        for (place, room) in self.place.iter().zip(&mut self.room) {
            let count = counts.get(place).copied().unwrap_or_default();
            *room = room.saturating_sub(count).max(0);
        }
        self
    }
}
