//! Cancels deliveries: they leave the queue, and their final state is stored.

use postrider::EndpointId;
use postrider_core::delivery::Delivery;

use crate::{
    contract::deliveries::Scope,
    postgres::{error::DatabaseError, lane, session::Session, value::Uuid},
};

/// Deliveries that one transaction cancels, at most.
pub(in crate::postgres) const STEP: u64 = 5_000;

/// Cancels all deliveries of the scope. Each step is a transaction with a bounded number of them,
/// so that no other transaction waits long for their locks.
pub(in crate::postgres) async fn cancel(
    session: &mut Session,
    scope: Scope,
) -> Result<u64, DatabaseError> {
    let mut total = 0;
    loop {
        session.begin().await?;
        let count = cancel_step(session, scope).await?;
        session.commit().await?;
        total += count;
        if count < STEP {
            return Ok(total);
        }
    }
}

/// The three statements have the same parameters. Each finds the deliveries by their keys, and
/// locks them in the order of the keys before it deletes them.
pub(in crate::postgres) const CANCEL_APPLICATION: &str = "
WITH gone AS (
    DELETE FROM queue q USING (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND $2::uuid IS NULL AND $3::uuid IS NULL
        ORDER BY application, endpoint, message LIMIT $4 FOR UPDATE
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT endpoint, count(*) FROM gone GROUP BY endpoint";

pub(in crate::postgres) const CANCEL_ENDPOINT: &str = "
WITH gone AS (
    DELETE FROM queue q USING (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND endpoint = $2 AND $3::uuid IS NULL
        ORDER BY application, endpoint, message LIMIT $4 FOR UPDATE
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT endpoint, count(*) FROM gone GROUP BY endpoint";

/// A message lists its endpoints, so one lookup for each of them replaces an index by message.
pub(in crate::postgres) const CANCEL_MESSAGE: &str = "
WITH gone AS (
    DELETE FROM queue q USING (
        SELECT found.*
        FROM (
            SELECT DISTINCT unnest(targets) AS endpoint FROM message
            WHERE application = $1 AND id = $3
            ORDER BY endpoint LIMIT $4
        ) target
        CROSS JOIN LATERAL (
            SELECT application, endpoint, message FROM queue
            WHERE application = $1 AND endpoint = target.endpoint AND message = $3
                AND $2::uuid IS NULL
            LIMIT 1 FOR UPDATE
        ) found
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT endpoint, count(*) FROM gone GROUP BY endpoint";

/// Cancels up to [`STEP`] deliveries as a part of a transaction, and returns their number.
pub(in crate::postgres) async fn cancel_step(
    session: &mut Session,
    scope: Scope,
) -> Result<u64, DatabaseError> {
    let (sql, application, endpoint, message): (_, Uuid, Option<Uuid>, Option<Uuid>) = match scope {
        Scope::Application(id) => (CANCEL_APPLICATION, id.into(), None, None),
        Scope::Endpoint(application, id) => {
            (CANCEL_ENDPOINT, application.into(), Some(id.into()), None)
        },
        Scope::Message(application, id) => {
            (CANCEL_MESSAGE, application.into(), None, Some(id.into()))
        },
    };
    let rows =
        session.query(sql, &[&application, &endpoint, &message, &STEP.cast_signed()]).await?;
    let lanes: Vec<_> = rows
        .iter()
        .map(|row| (application.into(), EndpointId::from(row.get::<_, Uuid>(0))))
        .collect();
    lane::refresh(session, &lanes).await?;
    let count = rows.iter().map(|row| row.get::<_, i64>(1)).sum::<i64>();
    Ok(u64::try_from(count).unwrap_or_default())
}

pub(in crate::postgres) const CANCEL_BODILESS: &str = "
WITH gone AS (
    DELETE FROM queue q USING unnest($1::uuid[], $2::uuid[], $3::uuid[])
        AS k (application, endpoint, message)
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
)
INSERT INTO delivery (application, endpoint, message, state, attempts)
SELECT application, endpoint, message, 3, attempts FROM gone";

/// Cancels deliveries that this transaction holds and whose messages have lost their bodies.
pub(in crate::postgres) async fn cancel_bodiless(
    session: &mut Session,
    deliveries: &[&Delivery],
) -> Result<(), DatabaseError> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let application: Vec<Uuid> = deliveries.iter().map(|it| it.application.into()).collect();
    let endpoint: Vec<Uuid> = deliveries.iter().map(|it| it.id.endpoint.into()).collect();
    let message: Vec<Uuid> = deliveries.iter().map(|it| it.id.message.into()).collect();
    session.execute(CANCEL_BODILESS, &[&application, &endpoint, &message]).await.map(drop)
}
