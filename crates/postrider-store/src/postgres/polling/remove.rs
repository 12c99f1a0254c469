//! Removing logs, a bounded amount per call. Any number of nodes may do that at the same time.

use crate::postgres::{error::DatabaseError, parameter::Param, session::Session, value::Uuid};

/// Entries that one statement removes, at most: the `LIMIT` of the statements.
const STEP: u64 = 1_000;

const REMOVE_CONSUMERS: &str = "DELETE FROM poll_consumer WHERE endpoint = $1";

const MARK: &str = "UPDATE poll_log SET removed = true WHERE endpoint = $1";

/// Removes the log of an endpoint. Its entries follow.
pub(in crate::postgres) async fn remove_log(
    session: &mut Session,
    endpoint: Param<'_>,
) -> Result<(), DatabaseError> {
    session.execute(MARK, &[endpoint]).await?;
    session.execute(REMOVE_CONSUMERS, &[endpoint]).await?;
    Ok(())
}

/// Locks the logs in the order of their keys.
const MARK_OF: &str = "UPDATE poll_log SET removed = true
    FROM (
        SELECT endpoint FROM poll_log WHERE application = $1 ORDER BY endpoint FOR UPDATE
    ) AS found
    WHERE poll_log.endpoint = found.endpoint";

const REMOVE_CONSUMERS_OF: &str = "DELETE FROM poll_consumer
    WHERE endpoint = ANY (ARRAY(SELECT endpoint FROM poll_log WHERE application = $1))";

/// Removes the logs of an application's endpoints. Their entries follow.
pub(in crate::postgres) async fn remove_logs_of(
    session: &mut Session,
    application: Param<'_>,
) -> Result<(), DatabaseError> {
    session.execute(MARK_OF, &[application]).await?;
    session.execute(REMOVE_CONSUMERS_OF, &[application]).await?;
    Ok(())
}

const REMOVE_OLD: &str = "DELETE FROM poll_entry
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM poll_entry WHERE message < $1
        ORDER BY message LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

const REMOVED: &str = "SELECT endpoint FROM poll_log WHERE removed LIMIT 1 FOR UPDATE SKIP LOCKED";

const REMOVE_ENTRIES: &str = "DELETE FROM poll_entry
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM poll_entry WHERE endpoint = $1 ORDER BY number LIMIT 1000 FOR UPDATE
    ))";

const REMOVE_LOG: &str = "DELETE FROM poll_log WHERE endpoint = $1";

/// Removes entries of messages below `bound` and of removed endpoints; `true` if there may be more.
pub(in crate::postgres) async fn expire(
    session: &mut Session,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    let more = session.execute(REMOVE_OLD, &[&bound]).await? >= STEP;
    session.begin().await?;
    let Some(removed) = session.query_opt(REMOVED, &[]).await? else {
        session.rollback().await?;
        return Ok(more);
    };
    let endpoint: Uuid = removed.get(0);
    if session.execute(REMOVE_ENTRIES, &[&endpoint]).await? < STEP {
        session.execute(REMOVE_LOG, &[&endpoint]).await?;
    }
    session.commit().await?;
    Ok(true)
}
