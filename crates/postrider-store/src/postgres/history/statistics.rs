//! Counts deliveries.

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;

use crate::{
    contract::history::Stats,
    postgres::{
        error::DatabaseError,
        session::Session,
        value::{self, Uuid},
    },
};

/// Nearly all deliveries are delivered. Their number is that of all, which is counted along the
/// primary key, less the others.
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

pub(in crate::postgres) async fn stats(
    session: &mut Session,
    application: ApplicationId,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Stats, DatabaseError> {
    let (application, endpoint) = (Uuid::from(application), Uuid::from(endpoint));
    let first = value::first_id_at(since);
    let last = Uuid(value::first_id_at(until).0.saturating_sub(1));
    let row = session.query_one(STATS, &[&application, &endpoint, &first, &last]).await?;
    let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    let [pending, sending, ended, failed, cancelled] = [0, 1, 2, 3, 4].map(count);
    let delivered = ended.saturating_sub(failed + cancelled);
    Ok(Stats { delivered, pending, sending, failed, cancelled })
}

/// Ordered by the primary key, so that the planner uses no other index, whatever the statistics
/// say.
pub(in crate::postgres) const BACKLOG: &str = "SELECT count(*) FROM (
        SELECT FROM queue
        WHERE application = $1
        ORDER BY application, endpoint, message
        LIMIT $2
    ) AS waiting";

/// The application's pending deliveries, counted up to a limit.
pub(in crate::postgres) async fn backlog(
    session: &mut Session,
    application: ApplicationId,
    at_most: u64,
) -> Result<u64, DatabaseError> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let row = session.query_one(BACKLOG, &[&Uuid::from(application), &limit]).await?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}
