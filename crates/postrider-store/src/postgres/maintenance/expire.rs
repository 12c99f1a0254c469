//! Removes what has outlived its retention.
//!
//! History is dropped by whole partitions, one for each day. Only rows in the default partition
//! are deleted one by one, as well as keys and bodies that expire before their messages. Every step
//! is bounded, and any number of nodes may run steps at the same time: each locks what it takes and
//! skips what others have locked.

mod bodies;
mod paused;
mod rows;
mod state;

use std::time::Duration;

use postrider_core::time::Timestamp;

pub(in crate::postgres) use self::state::ExpiryState;
#[cfg(test)]
pub(in crate::postgres) use self::{
    bodies::{BODIES, BODIES_OF_REST, CANCEL_WITHOUT_BODY, REMOVE_BODIES},
    paused::CANCEL_PAUSED,
    rows::{
        DELETE_ATTEMPTS, DELETE_AUDIT_LOG, DELETE_DEAD_LETTERS, DELETE_DELIVERIES, DELETE_DIGESTS,
        DELETE_ENDED, DELETE_EVENT_IDS, DELETE_EVENT_IDS_OF, DELETE_LANES, DELETE_MESSAGES,
        DELETE_REJECTIONS, DELETE_RESPONSES, DELETE_TASKS,
    },
};
use crate::{
    contract::{maintenance::Retention, tasks::TASK_RETENTION},
    postgres::{
        error::DatabaseError,
        partitions::{self, Dropped},
        polling,
        session::Session,
        value::{self, Uuid},
    },
};

/// Time between two checks of the partitions.
const PARTITIONS_MILLIS: u64 = 60 * 60 * 1_000;

/// Time until a partition is tried again that could not be created or dropped.
const RETRY_MILLIS: u64 = 60 * 1_000;

/// Time between two searches for rows to delete; each of them searches all partitions.
const ROWS_MILLIS: u64 = 10 * 1_000;

/// Time between two searches for old deliveries of disabled endpoints.
const PAUSED_MILLIS: u64 = 60 * 1_000;

/// Runs one step; `true` if there is more to remove at once.
pub(in crate::postgres) async fn expire(
    session: &mut Session,
    state: &ExpiryState,
    now: Timestamp,
    retention: Retention,
) -> Result<bool, DatabaseError> {
    let bound = first_kept(now, millis_of(retention.rows));
    let mut more = false;
    if state.timers().paused.is_due(now) {
        // First, since a partition with too many pending deliveries is not dropped.
        if paused::cancel(session, bound).await? {
            return Ok(true);
        }
        state.timers().paused.restart(now, PAUSED_MILLIS);
    }
    if state.timers().partitions.is_due(now) {
        more |= expire_partitions(session, state, now, bound).await?;
    }
    if state.timers().rows.is_due(now) {
        let mut has_more = bodies::expire(session, now, bound).await?;
        has_more |= rows::delete_history(session, bound, state.log().first_partition()).await?;
        has_more |= rows::delete_dead_letters(session, bound).await?;
        has_more |= rows::delete_audit_log(session, audit_bound(now, retention)).await?;
        has_more |= rows::delete_tasks(session, first_kept(now, millis_of(TASK_RETENTION))).await?;
        has_more |= polling::expire(session, bound).await?;
        has_more |= delete_keys(session, now, retention).await?;
        if !has_more {
            state.timers().rows.restart(now, ROWS_MILLIS);
        }
        more |= has_more;
    }
    Ok(more)
}

/// Creates the partitions of the days to come, and drops one that has expired; `true` if there may
/// be another one.
async fn expire_partitions(
    session: &mut Session,
    state: &ExpiryState,
    now: Timestamp,
    bound: Uuid,
) -> Result<bool, DatabaseError> {
    let is_complete = partitions::create_ahead(session, state.log(), now).await?;
    let dropped = partitions::drop_first(session, state.log(), bound).await?;
    let wait_millis = match dropped {
        Dropped::One => return Ok(true),
        Dropped::None if is_complete => PARTITIONS_MILLIS,
        Dropped::None | Dropped::Busy => RETRY_MILLIS,
    };
    rows::delete_lanes(session).await?;
    state.timers().partitions.restart(now, wait_millis);
    Ok(false)
}

async fn delete_keys(
    session: &mut Session,
    now: Timestamp,
    retention: Retention,
) -> Result<bool, DatabaseError> {
    let bound = first_kept(now, millis_of(retention.digests));
    let mut more = rows::delete_digests(session, bound).await?;
    if let Some(until) = last_expired(now, retention.rejections) {
        more |= rows::delete_rejections(session, until).await?;
    }
    if let Some(until) = last_expired(now, retention.idempotency) {
        more |= rows::delete_responses(session, until).await?;
    }
    Ok(more)
}

fn audit_bound(now: Timestamp, retention: Retention) -> Uuid {
    first_kept(now, millis_of(retention.audit_log))
}

/// The last moment that has expired; none if the retention is longer than time exists.
fn last_expired(now: Timestamp, retention: Duration) -> Option<i64> {
    let until = now.as_millis().checked_sub(millis_of(retention))?;
    Some(value::millis(Timestamp::from_millis(until)))
}

/// The first id that is kept.
fn first_kept(now: Timestamp, retention_millis: u64) -> Uuid {
    let last_expired = now.as_millis().checked_sub(retention_millis);
    last_expired.map_or(Uuid(0), |at| value::first_id_at(Timestamp::from_millis(at + 1)))
}

fn millis_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
