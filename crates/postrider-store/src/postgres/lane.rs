//! Lanes: a row for each endpoint that has, or had, deliveries without a holder. A claim looks here
//! first.
//!
//! `due_at` of a lane may be too early, which costs a claim that finds nothing, but never too late:
//! a delivery would not be found. So every statement that frees a delivery is followed by one that
//! makes its lane due in the same transaction, and only [`refresh`], which holds the lock of the
//! lane, sets a later time.
//!
//! Statements lock several lanes in the order of their keys. An append and a claim lock lanes
//! before rows of the queue, and a settlement, a release and a cancellation lock them after: they
//! know their lanes only from the rows. The two can deadlock. That is rare, since claims skip
//! locked rows; the server ends one transaction, and it is run again as one that lost a race.

use std::collections::BTreeMap;

use postrider::{ApplicationId, EndpointId};
use postrider_core::{delivery::DeliveryOrder, time::Timestamp};
use tokio_postgres::Row;

use super::{
    error::DatabaseError,
    notify,
    session::Session,
    value::{self, Uuid, millis},
};

/// Application and endpoint. Sorted collections of these give the order of locks.
pub(super) type LaneKey = (Uuid, Uuid);

/// A lane for which there is something new to claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneUpdate {
    due_at: Timestamp,
    order: DeliveryOrder,
    /// Positions in the order to assign.
    positions: i64,
}

impl Default for LaneUpdate {
    fn default() -> Self {
        Self { due_at: Timestamp::MAX, order: DeliveryOrder::Any, positions: 0 }
    }
}

impl LaneUpdate {
    /// Adds a new delivery without a holder; one in order needs a position.
    pub(super) fn add_new(&mut self, at: Timestamp, order: DeliveryOrder) {
        self.add_freed(at, order);
        self.positions += i64::from(order == DeliveryOrder::InOrder);
    }

    /// Adds a delivery that lost its holder; it keeps its position.
    pub(super) fn add_freed(&mut self, at: Timestamp, order: DeliveryOrder) {
        self.due_at = self.due_at.min(at);
        self.order = self.order.max(order);
    }
}

/// Notifies only if another node owns the lane, since no other one may claim from it and the owner
/// may be waiting. Otherwise nothing is sent: a notification takes a lock that all commits with
/// notifications have to wait for.
pub(super) const MARK_DUE: &str = "
WITH marked AS (
    INSERT INTO lane AS l (application, endpoint, due_at, turn, position)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::bigint[])
    ON CONFLICT (application, endpoint) DO UPDATE SET
        due_at = least(l.due_at, excluded.due_at),
        turn = greatest(l.turn, excluded.turn),
        position = l.position + excluded.position
    RETURNING application, endpoint, position, owner
)
SELECT application, endpoint, position,
    CASE WHEN owner <> $6 THEN pg_notify('postrider_' || current_schema(), 'due')::text END
FROM marked";

/// Makes the lanes due. Returns for each the last position before the ones that it assigned: the
/// lock of the lane's row, held until the commit, makes the order that of the commits.
pub(super) async fn mark_due(
    session: &mut Session,
    node: i64,
    lanes: &BTreeMap<LaneKey, LaneUpdate>,
) -> Result<BTreeMap<LaneKey, i64>, DatabaseError> {
    if lanes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let applications: Vec<_> = lanes.keys().map(|key| key.0).collect();
    let endpoints: Vec<_> = lanes.keys().map(|key| key.1).collect();
    let due_at: Vec<_> = lanes.values().map(|lane| millis(lane.due_at)).collect();
    let orders: Vec<_> = lanes.values().map(|lane| to_smallint(lane.order)).collect();
    let positions: Vec<_> = lanes.values().map(|lane| lane.positions).collect();
    let rows = session
        .query(MARK_DUE, &[&applications, &endpoints, &due_at, &orders, &positions, &node])
        .await?;
    let before = rows.iter().map(|row| {
        let key = (row.get(0), row.get(1));
        (key, row.get::<_, i64>(2) - lanes[&key].positions)
    });
    Ok(before.collect())
}

/// Makes the lanes of freed deliveries due: rows of application, endpoint, `due_at` and `turn`.
pub(super) async fn mark_freed(
    session: &mut Session,
    node: i64,
    freed: &[Row],
) -> Result<(), DatabaseError> {
    let mut lanes: BTreeMap<LaneKey, LaneUpdate> = BTreeMap::new();
    for row in freed {
        let lane = lanes.entry((row.get(0), row.get(1))).or_default();
        lane.add_freed(value::timestamp(row.get(2)), from_smallint(row.get(3)));
    }
    mark_due(session, node, &lanes).await.map(drop)
}

/// Locks the lanes in the order of the arrays before [`REFRESH`] reads the queue. Otherwise a
/// delivery could be freed between reading the queue and writing the lane, which would then get a
/// time that is too late.
pub(super) const LOCK: &str = "
SELECT 1
FROM unnest($1::uuid[], $2::uuid[]) AS k (application, endpoint)
CROSS JOIN LATERAL (
    SELECT FROM lane WHERE application = k.application AND endpoint = k.endpoint
    LIMIT 1 FOR UPDATE
) locked";

/// A lane is due with the first delivery outside the order that has no holder, or with the head of
/// the order if that has none: the deliveries behind a held head wait. A lane whose queue is empty
/// loses its owner, so that another node may claim from it later.
pub(super) const REFRESH: &str = "
UPDATE lane l SET
    due_at = found.due_at,
    turn = CASE WHEN found.is_empty THEN 0 ELSE l.turn END,
    owner = CASE WHEN found.is_empty THEN NULL ELSE l.owner END
FROM (
    SELECT k.application, k.endpoint,
        least(
            (SELECT q.free_at FROM queue q
             WHERE q.application = k.application AND q.endpoint = k.endpoint
                 AND q.holder IS NULL AND q.position IS NULL AND q.free_at >= k.since
             ORDER BY q.free_at LIMIT 1),
            CASE WHEN k.turn = 2 THEN
                (SELECT CASE WHEN head.holder IS NULL THEN head.free_at END FROM (
                    SELECT q.holder, q.free_at FROM queue q
                    WHERE q.application = k.application AND q.endpoint = k.endpoint
                        AND q.position IS NOT NULL
                    ORDER BY q.position LIMIT 1) head)
            END
        ) AS due_at,
        k.turn > 0 AND NOT EXISTS (
            SELECT FROM queue q WHERE q.application = k.application AND q.endpoint = k.endpoint
            OFFSET 0
        ) AS is_empty
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS it (application, endpoint, since)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, turn, it.since FROM lane
        WHERE application = it.application AND endpoint = it.endpoint
        LIMIT 1
    ) k
    OFFSET 0
) found
WHERE l.application = ANY (ARRAY[found.application]) AND l.endpoint = found.endpoint";

/// Makes the due times of the lanes exact.
pub(super) async fn refresh(
    session: &mut Session,
    lanes: &[(ApplicationId, EndpointId)],
) -> Result<(), DatabaseError> {
    let all = lanes.iter().map(|&(application, id)| ((application.into(), id.into()), i64::MIN));
    refresh_from(session, &all.collect()).await
}

/// Makes the due times of the lanes exact. None of a lane's deliveries outside the order is free
/// before the time that belongs to it. So the walk does not visit what was claimed since the last
/// vacuum, which the index still has.
pub(super) async fn refresh_from(
    session: &mut Session,
    lanes: &BTreeMap<LaneKey, i64>,
) -> Result<(), DatabaseError> {
    if lanes.is_empty() {
        return Ok(());
    }
    let applications: Vec<_> = lanes.keys().map(|key| key.0).collect();
    let endpoints: Vec<_> = lanes.keys().map(|key| key.1).collect();
    let since: Vec<_> = lanes.values().copied().collect();
    session.execute(LOCK, &[&applications, &endpoints]).await?;
    session.execute(REFRESH, &[&applications, &endpoints, &since]).await?;
    Ok(())
}

const ENSURE_LANES: &str = "
INSERT INTO lane (application, endpoint)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING";

/// Creates the lanes if they do not exist, makes their due times exact, and notifies all nodes.
pub(super) async fn wake(
    session: &mut Session,
    lanes: &[(ApplicationId, EndpointId)],
) -> Result<(), DatabaseError> {
    let application: Vec<Uuid> = lanes.iter().map(|(id, _)| (*id).into()).collect();
    let endpoint: Vec<Uuid> = lanes.iter().map(|(_, id)| (*id).into()).collect();
    session.execute(ENSURE_LANES, &[&application, &endpoint]).await?;
    refresh(session, lanes).await?;
    notify::due(session).await
}

/// The lane of a row that begins with application and endpoint.
pub(super) fn of_row(row: &Row) -> (ApplicationId, EndpointId) {
    (row.get::<_, Uuid>(0).into(), row.get::<_, Uuid>(1).into())
}

/// The value of columns named `turn`.
pub(super) const fn to_smallint(order: DeliveryOrder) -> i16 {
    match order {
        DeliveryOrder::Any => 0,
        DeliveryOrder::Owned => 1,
        DeliveryOrder::InOrder => 2,
    }
}

pub(super) const fn from_smallint(order: i16) -> DeliveryOrder {
    match order {
        0 => DeliveryOrder::Any,
        1 => DeliveryOrder::Owned,
        _ => DeliveryOrder::InOrder,
    }
}
