//! Finds and locks the lanes of a claim.

use std::collections::HashMap;

use postrider::{ApplicationId, EndpointId};
use postrider_core::{delivery::DeliveryOrder, time::Timestamp};
use tokio_postgres::Row;

use crate::{
    contract::deliveries::{Claim, Shard},
    postgres::{
        error::DatabaseError,
        lane,
        session::Session,
        value::{self, Uuid, millis},
    },
};

/// Lanes that a claim locks beyond its limit, since some may turn out to have nothing.
const SPARE_LANES: i64 = 64;

/// A lane that this claim has locked.
pub(super) struct Lane {
    pub(super) application: ApplicationId,
    pub(super) endpoint: EndpointId,
    pub(super) is_in_order: bool,
    /// None of its deliveries that may be claimed outside the order is due before.
    pub(super) due_at: i64,
    /// Its endpoint was removed.
    pub(super) is_orphan: bool,
}

/// The expression with `$4` and `$5` is [`Shard::holds`]: the low 64 bits of the application's id,
/// modulo the number of shards. SQL has no unsigned number for these bits, so they are taken as two
/// halves of 32 bits.
///
/// The `OFFSET 0` makes the planner look up each endpoint alone, instead of reading all of them.
pub(in crate::postgres) const LOCK_LANES: &str = "
SELECT l.application, l.endpoint, l.turn, l.owner, l.due_at,
    NOT EXISTS (
        SELECT FROM endpoint e WHERE e.application = l.application AND e.id = l.endpoint OFFSET 0
    )
FROM lane l
WHERE l.due_at <= $1 AND NOT l.paused AND l.rest_until <= $1 AND (l.owner IS NULL OR l.owner = $2)
    AND l.endpoint NOT IN (SELECT unnest($3::uuid[]))
    AND ($7 OR l.endpoint IN (SELECT unnest($8::uuid[]))) AND ($4 = 1 OR (
        (('x' || substr(replace(l.application::text, '-', ''), 17, 8))::bit(32)::bigint % $4)
            * (4294967296 % $4)
        + ('x' || substr(replace(l.application::text, '-', ''), 25, 8))::bit(32)::bigint
    ) % $4 = $5)
ORDER BY l.due_at, l.endpoint LIMIT $6
FOR UPDATE OF l SKIP LOCKED";

/// Locks due lanes with capacity, those that wait longest, until the transaction ends. Lanes that
/// need an owner become this node's.
pub(super) async fn lock(
    session: &mut Session,
    node: i64,
    claim: &Claim,
) -> Result<Vec<Lane>, DatabaseError> {
    let capacity = Capacity::of(claim, &claim.capacities);
    let (count, index) = shard(claim.shard);
    let limit = value::to_bigint(claim.limit).saturating_add(SPARE_LANES);
    let rows = session
        .query(
            LOCK_LANES,
            &[
                &millis(claim.now),
                &node,
                &capacity.full,
                &count,
                &index,
                &limit,
                &capacity.others_have_capacity,
                &capacity.named,
            ],
        )
        .await?;
    own(session, node, &rows).await?;
    let lane = |row: &Row| Lane {
        application: row.get::<_, Uuid>(0).into(),
        endpoint: row.get::<_, Uuid>(1).into(),
        is_in_order: row.get::<_, i16>(2) == lane::to_smallint(DeliveryOrder::InOrder),
        due_at: row.get(4),
        is_orphan: row.get(5),
    };
    Ok(rows.iter().map(lane).collect())
}

/// From now on no other node may claim from the lanes: order and strict rates hold only while one
/// node delivers.
pub(in crate::postgres) const OWN: &str = "
UPDATE lane l SET owner = $1, fence = l.fence + 1
FROM unnest($2::uuid[], $3::uuid[]) AS k (application, endpoint)
WHERE l.application = ANY (ARRAY[k.application]) AND l.endpoint = k.endpoint";

/// Takes ownership of lanes that need an owner and have none: rows of [`LOCK_LANES`].
async fn own(session: &mut Session, node: i64, rows: &[Row]) -> Result<(), DatabaseError> {
    let needs_owner =
        |row: &&Row| row.get::<_, i16>(2) > 0 && row.get::<_, Option<i64>>(3).is_none();
    let new: Vec<_> = rows.iter().filter(needs_owner).collect();
    if new.is_empty() {
        return Ok(());
    }
    let application: Vec<Uuid> = new.iter().map(|row| row.get(0)).collect();
    let endpoint: Vec<Uuid> = new.iter().map(|row| row.get(1)).collect();
    session.execute(OWN, &[&node, &application, &endpoint]).await.map(drop)
}

/// The shard is found as in [`LOCK_LANES`].
pub(in crate::postgres) const NEXT_LANE: &str = "
SELECT greatest(l.due_at, l.rest_until) FROM lane l
WHERE l.due_at IS NOT NULL AND NOT l.paused AND (l.owner IS NULL OR l.owner = $1)
    AND l.endpoint NOT IN (SELECT unnest($2::uuid[]))
    AND ($5 OR l.endpoint IN (SELECT unnest($6::uuid[]))) AND ($3 = 1 OR (
        (('x' || substr(replace(l.application::text, '-', ''), 17, 8))::bit(32)::bigint % $3)
            * (4294967296 % $3)
        + ('x' || substr(replace(l.application::text, '-', ''), 25, 8))::bit(32)::bigint
    ) % $3 = $4)
ORDER BY l.due_at LIMIT 1";

/// When the first lane with capacity falls due.
pub(super) async fn next_due(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    capacities: &HashMap<EndpointId, usize>,
) -> Result<Option<Timestamp>, DatabaseError> {
    let capacity = Capacity::of(claim, capacities);
    let (count, index) = shard(claim.shard);
    let row = session
        .query_opt(
            NEXT_LANE,
            &[
                &node,
                &capacity.full,
                &count,
                &index,
                &capacity.others_have_capacity,
                &capacity.named,
            ],
        )
        .await?;
    Ok(row.map(|row| value::timestamp(row.get(0))))
}

fn shard(shard: Shard) -> (i64, i64) {
    (value::to_bigint(shard.count), value::to_bigint(shard.index))
}

/// The endpoints with capacity, in the form that the statements need.
struct Capacity {
    /// Endpoints without capacity.
    full: Vec<Uuid>,
    /// Whether endpoints that the claim does not name have capacity.
    others_have_capacity: bool,
    /// Endpoints with capacity, if the others have none.
    named: Vec<Uuid>,
}

impl Capacity {
    fn of(claim: &Claim, capacities: &HashMap<EndpointId, usize>) -> Self {
        let endpoints = |has_capacity: bool| {
            let matching = capacities.iter().filter(move |(_, left)| (**left > 0) == has_capacity);
            matching.map(|(id, _)| Uuid::from(*id)).collect::<Vec<_>>()
        };
        let others_have_capacity = claim.per_endpoint > 0;
        let named = if others_have_capacity { Vec::new() } else { endpoints(true) };
        Self { full: endpoints(false), others_have_capacity, named }
    }
}
