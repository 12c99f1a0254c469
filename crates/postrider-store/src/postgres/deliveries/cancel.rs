//! Cancels deliveries: they leave the queue, and their final state is stored.

use postrider::{ApplicationId, EndpointId};
use postrider_core::delivery::Delivery;
use tokio_postgres::Row;

use crate::{
    contract::deliveries::Scope,
    postgres::{error::DatabaseError, lane, session::Session, value::Uuid},
};

/// Deliveries that one transaction cancels, at most.
pub(in crate::postgres) const STEP: u64 = 5_000;

/// The endpoint and the message after which a step continues. Nothing that exists has these ids.
const START: (Uuid, Uuid) = (Uuid(0), Uuid(0));

/// Cancels all deliveries of the scope. Each step is a transaction with a bounded number of them,
/// so that no other transaction waits long for their locks.
///
/// A step continues behind the one before: the index has the removed rows until a vacuum, and a
/// step that began at the first of them would have to visit them all. The last pass begins at the
/// start again, and finds deliveries that were added meanwhile.
pub(in crate::postgres) async fn cancel(
    session: &mut Session,
    scope: Scope,
) -> Result<u64, DatabaseError> {
    let (mut total, mut after) = (0, START);
    loop {
        session.begin().await?;
        let step = step(session, scope, after).await?;
        lane::refresh(session, &step.finished_lanes(scope)).await?;
        session.commit().await?;
        total += step.count();
        match step.last() {
            Some(last) if step.count() >= STEP => after = last,
            _ if after == START => return Ok(total),
            _ => after = START,
        }
    }
}

/// The three statements have parameters of the same types. Each finds the deliveries by their keys,
/// and locks them in the order of the keys before it deletes them.
pub(in crate::postgres) const CANCEL_APPLICATION: &str = "
WITH gone AS (
    DELETE FROM queue q USING (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND (endpoint, message) > ($2::uuid, $3::uuid)
        ORDER BY application, endpoint, message LIMIT $4 FOR UPDATE
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT endpoint, count(*), max(message::text)::uuid FROM gone GROUP BY endpoint";

pub(in crate::postgres) const CANCEL_ENDPOINT: &str = "
WITH gone AS (
    DELETE FROM queue q USING (
        SELECT application, endpoint, message FROM queue
        WHERE application = $1 AND endpoint = $2 AND message > $3::uuid
        ORDER BY application, endpoint, message LIMIT $4 FOR UPDATE
    ) k
    WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    RETURNING q.application, q.endpoint, q.message, q.attempts
), ended AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, 3, attempts FROM gone
)
SELECT endpoint, count(*), max(message::text)::uuid FROM gone GROUP BY endpoint";

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
SELECT endpoint, count(*), max(message::text)::uuid FROM gone GROUP BY endpoint";

/// What a step cancelled.
struct Cancelled {
    /// Endpoints with the number of their deliveries and the last message, in the order of the
    /// endpoints.
    endpoints: Vec<(Uuid, u64, Uuid)>,
}

impl Cancelled {
    fn of(rows: &[Row]) -> Self {
        let count = |row: &Row| u64::try_from(row.get::<_, i64>(1)).unwrap_or_default();
        let mut endpoints: Vec<_> =
            rows.iter().map(|row| (row.get(0), count(row), row.get(2))).collect();
        endpoints.sort_unstable();
        Self { endpoints }
    }

    fn count(&self) -> u64 {
        self.endpoints.iter().map(|(_, count, _)| count).sum()
    }

    fn last(&self) -> Option<(Uuid, Uuid)> {
        self.endpoints.last().map(|&(endpoint, _, message)| (endpoint, message))
    }

    fn lanes(&self, scope: Scope) -> Vec<(ApplicationId, EndpointId)> {
        let application = application_of(scope);
        self.endpoints.iter().map(|&(id, ..)| (application, id.into())).collect()
    }

    /// The lanes without the one that the next step continues: until then it is due too early, which
    /// is allowed.
    fn finished_lanes(&self, scope: Scope) -> Vec<(ApplicationId, EndpointId)> {
        let mut lanes = self.lanes(scope);
        if self.count() >= STEP {
            lanes.pop();
        }
        lanes
    }
}

const fn application_of(scope: Scope) -> ApplicationId {
    match scope {
        Scope::Application(id) | Scope::Endpoint(id, _) | Scope::Message(id, _) => id,
    }
}

/// Cancels up to [`STEP`] deliveries as a part of a transaction, and returns their number.
pub(in crate::postgres) async fn cancel_step(
    session: &mut Session,
    scope: Scope,
) -> Result<u64, DatabaseError> {
    let step = step(session, scope, START).await?;
    lane::refresh(session, &step.lanes(scope)).await?;
    Ok(step.count())
}

/// Cancels up to [`STEP`] deliveries after an endpoint and a message.
async fn step(
    session: &mut Session,
    scope: Scope,
    after: (Uuid, Uuid),
) -> Result<Cancelled, DatabaseError> {
    let (sql, endpoint, message): (_, Option<Uuid>, Uuid) = match scope {
        Scope::Application(_) => (CANCEL_APPLICATION, Some(after.0), after.1),
        Scope::Endpoint(_, id) => (CANCEL_ENDPOINT, Some(id.into()), after.1),
        Scope::Message(_, id) => (CANCEL_MESSAGE, None, id.into()),
    };
    let application = Uuid::from(application_of(scope));
    let rows =
        session.query(sql, &[&application, &endpoint, &message, &STEP.cast_signed()]).await?;
    Ok(Cancelled::of(&rows))
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
