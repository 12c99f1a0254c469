//! The states of a message's deliveries.

use postrider::{ApplicationId, MessageId};
use postrider_core::delivery::Status;
use tokio_postgres::Row;

use crate::postgres::{
    error::DatabaseError,
    session::Session,
    value::{self, Uuid},
};

/// A message has as many deliveries as it has endpoints, which it lists.
pub(in crate::postgres) const STATES_OF_MESSAGE: &str = "
SELECT it.endpoint, found.state, found.due_at, found.attempts
FROM (
    SELECT DISTINCT unnest(m.targets) AS endpoint
    FROM message m
    WHERE m.application = $1 AND m.id = $2
) AS it
CROSS JOIN LATERAL (
    (SELECT 0::smallint AS state, due_at, attempts
    FROM queue
    WHERE application = $1 AND endpoint = it.endpoint AND message = $2
    LIMIT 1)
    UNION ALL
    (SELECT state, 0, attempts
    FROM delivery
    WHERE application = $1 AND endpoint = it.endpoint AND message = $2
    LIMIT 1)
) AS found
ORDER BY it.endpoint";

/// Rows of endpoint, state, `due_at` and attempts, in the order of the endpoints.
pub(super) async fn of_message(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
) -> Result<Vec<Row>, DatabaseError> {
    session.query(STATES_OF_MESSAGE, &[&Uuid::from(application), &Uuid::from(message)]).await
}

/// The status for a state, of which 0 is that of all deliveries in the queue.
pub(super) fn status(state: i16, attempts: u16, due_at: i64) -> Result<Status, DatabaseError> {
    Ok(match state {
        0 => Status::open(attempts, value::timestamp(due_at)),
        1 => Status::Delivered,
        2 => Status::Failed,
        3 => Status::Cancelled,
        _ => return Err(DatabaseError::corrupt("delivery", "its state is unknown")),
    })
}
