//! Lanes: where claims look first.

use std::collections::{BTreeMap, BTreeSet};

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

use super::{
    notice,
    session::{Param, Session},
    value::{Uuid, millis},
};
use crate::{DeliveryOrder, StoreError};

/// Application and endpoint. Lanes are always locked in the order of their keys.
pub(super) type LaneKey = (Uuid, Uuid);

/// What a lane gets to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rise {
    due_at: Timestamp,
    order: DeliveryOrder,
    /// Places in the order that are to be given out.
    places: i64,
}

impl Default for Rise {
    fn default() -> Self {
        Self { due_at: Timestamp::MAX, order: DeliveryOrder::Any, places: 0 }
    }
}

impl Rise {
    /// A new delivery that nobody holds; one in order needs a place.
    pub(super) fn note(&mut self, at: Timestamp, order: DeliveryOrder) {
        self.again(at, order);
        self.places += i64::from(order == DeliveryOrder::InOrder);
    }

    /// A delivery that nobody holds any more.
    pub(super) fn again(&mut self, at: Timestamp, order: DeliveryOrder) {
        self.due_at = self.due_at.min(at);
        self.order = self.order.max(order);
    }
}

/// An owner elsewhere hears of a lane that it alone may look at. Nobody else is told: a
/// notification takes a lock that all commits with one have to wait for.
pub(super) const RISE: &str = concat!(
    "
WITH risen AS (
    INSERT INTO lane AS l (application, endpoint, due_at, turn, position)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::bigint[])
    ON CONFLICT (application, endpoint) DO UPDATE SET
        due_at = least(l.due_at, excluded.due_at),
        turn = greatest(l.turn, excluded.turn),
        position = l.position + excluded.position
    RETURNING application, endpoint, position, owner
)
SELECT application, endpoint, position,
    CASE WHEN owner <> $6 THEN pg_notify(",
    notice::channel!(),
    ", '",
    notice::due_payload!(),
    "')::text END
FROM risen"
);

/// Makes the lanes due, and gives for each the last place before those that were asked for.
pub(super) async fn rise(
    session: &mut Session,
    node: i64,
    lanes: &BTreeMap<LaneKey, Rise>,
) -> Result<BTreeMap<LaneKey, i64>, StoreError> {
    if lanes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let application: Vec<_> = lanes.keys().map(|(it, _)| *it).collect();
    let endpoint: Vec<_> = lanes.keys().map(|(_, it)| *it).collect();
    let due_at: Vec<_> = lanes.values().map(|it| millis(it.due_at)).collect();
    let turn: Vec<_> = lanes.values().map(|it| small(it.order)).collect();
    let places: Vec<_> = lanes.values().map(|it| it.places).collect();
    let params: [Param<'_>; 6] = [
        (&application, Type::UUID_ARRAY),
        (&endpoint, Type::UUID_ARRAY),
        (&due_at, Type::INT8_ARRAY),
        (&turn, Type::INT2_ARRAY),
        (&places, Type::INT8_ARRAY),
        (&node, Type::INT8),
    ];
    let rows = session.query(RISE, &params).await?;
    let before = rows.iter().map(|row| {
        let key = (row.get(0), row.get(1));
        (key, row.get::<_, i64>(2) - lanes[&key].places)
    });
    Ok(before.collect())
}

/// Locks first, in the order of the batch, so that what is counted cannot change before it is
/// written.
pub(super) const LOCK: &str = "
SELECT 1
FROM unnest($1::uuid[], $2::uuid[]) AS k (application, endpoint)
CROSS JOIN LATERAL (
    SELECT FROM lane WHERE application = k.application AND endpoint = k.endpoint
    LIMIT 1 FOR UPDATE
) locked";

/// The first that nobody holds of those outside the order, or the head of the order if nobody
/// holds it.
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
                 AND q.holder IS NULL AND q.position IS NULL
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
    FROM unnest($1::uuid[], $2::uuid[]) AS it (application, endpoint)
    CROSS JOIN LATERAL (
        SELECT application, endpoint, turn FROM lane
        WHERE application = it.application AND endpoint = it.endpoint
        LIMIT 1
    ) k
    OFFSET 0
) found
WHERE l.application = ANY (ARRAY[found.application]) AND l.endpoint = found.endpoint";

/// Makes the lanes' due times exact.
pub(super) async fn refresh(
    session: &mut Session,
    lanes: &[(ApplicationId, EndpointId)],
) -> Result<(), StoreError> {
    if lanes.is_empty() {
        return Ok(());
    }
    let lanes: BTreeSet<LaneKey> =
        lanes.iter().map(|&(application, id)| (application.into(), id.into())).collect();
    let application: Vec<_> = lanes.iter().map(|(it, _)| *it).collect();
    let endpoint: Vec<_> = lanes.iter().map(|(_, it)| *it).collect();
    let params: [Param<'_>; 2] = [(&application, Type::UUID_ARRAY), (&endpoint, Type::UUID_ARRAY)];
    session.execute(LOCK, &params).await?;
    session.execute(REFRESH, &params).await?;
    Ok(())
}

/// A turn as the database knows it.
pub(super) const fn small(order: DeliveryOrder) -> i16 {
    match order {
        DeliveryOrder::Any => 0,
        DeliveryOrder::Owned => 1,
        DeliveryOrder::InOrder => 2,
    }
}

/// A turn as we know it.
pub(super) const fn turn(small: i16) -> DeliveryOrder {
    match small {
        0 => DeliveryOrder::Any,
        1 => DeliveryOrder::Owned,
        _ => DeliveryOrder::InOrder,
    }
}
