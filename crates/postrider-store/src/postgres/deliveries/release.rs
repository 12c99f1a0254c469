//! Releases deliveries that this node holds.

use std::collections::BTreeMap;

use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};
use tokio_postgres::Row;

use crate::postgres::{
    error::DatabaseError,
    lane,
    session::Session,
    value::{Uuid, millis},
};

/// Compares the holder with `IS NOT DISTINCT FROM`: `=` would imply that it is not null, and the
/// planner could then walk along the partial index of all held deliveries for each member of the
/// batch.
pub(in crate::postgres) const RELEASE: &str = "
UPDATE queue q SET holder = NULL, due_at = k.at, free_at = k.at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])
    AS k (application, endpoint, message, at)
WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    AND q.holder IS NOT DISTINCT FROM $5
RETURNING q.application, q.endpoint, q.due_at, q.turn, q.message";

/// Releases the deliveries, each to be offered from its time on. Returns those that this node held.
pub(in crate::postgres) async fn release(
    session: &mut Session,
    node: i64,
    deliveries: &[(Delivery, Timestamp)],
) -> Result<Vec<DeliveryId>, DatabaseError> {
    // Sorted, so that all nodes lock the rows in one order.
    let mut sorted: BTreeMap<(Uuid, Uuid, Uuid), i64> = BTreeMap::new();
    for (delivery, at) in deliveries {
        let key =
            (delivery.application.into(), delivery.id.endpoint.into(), delivery.id.message.into());
        sorted.entry(key).or_insert(millis(*at));
    }
    let application: Vec<_> = sorted.keys().map(|key| key.0).collect();
    let endpoint: Vec<_> = sorted.keys().map(|key| key.1).collect();
    let message: Vec<_> = sorted.keys().map(|key| key.2).collect();
    let at: Vec<_> = sorted.values().copied().collect();
    session.begin().await?;
    let freed = session.query(RELEASE, &[&application, &endpoint, &message, &at, &node]).await?;
    lane::mark_freed(session, node, &freed).await?;
    session.commit().await?;
    let id = |row: &Row| DeliveryId {
        endpoint: row.get::<_, Uuid>(1).into(),
        message: row.get::<_, Uuid>(4).into(),
    };
    Ok(freed.iter().map(id).collect())
}
