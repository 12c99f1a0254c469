//! What time takes away.
//!
//! History goes by whole partitions, a day each. Only what is in no day's partition goes row by
//! row, and so do bodies that are to go before their messages, and keys. Every step is bounded,
//! and any number of nodes may take steps at the same time: each takes what no other one has.

mod bodies;
mod partitions;

use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

use self::partitions::Dropped;
pub(super) use self::partitions::prepare;
use super::{
    session::{Param, Session},
    value::{self, Uuid, millis},
};
use crate::{Retention, StoreError};

/// Rows of one kind that one statement removes.
const STEP: u64 = 1_000;

/// Between two looks at the partitions.
const LOOK_MILLIS: u64 = 60 * 60 * 1_000;

/// Until something is tried again that could not be done for now.
const RETRY_MILLIS: u64 = 60 * 1_000;

/// Between two looks for what is left over in no partition.
const SWEEP_MILLIS: u64 = 10 * 1_000;

/// A message that is in no day's partition goes alone, with all that there is of it.
pub(super) const FORGET_MESSAGES: &str = "WITH old AS (
        DELETE FROM message_rest
        WHERE ctid = ANY (ARRAY(
            SELECT m.ctid
            FROM message_rest m
            WHERE m.id < $1 AND NOT EXISTS (
                SELECT FROM queue q
                WHERE q.application = m.application AND q.endpoint = ANY (m.targets)
                    AND q.message = m.id
                OFFSET 0
            )
            ORDER BY m.id
            LIMIT 1000
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING application, id, event_id, targets
    ), named AS (
        DELETE FROM event_id e
        USING old
        WHERE e.application = old.application AND e.event_id = old.event_id
            AND e.message = old.id
    ), sent AS (
        DELETE FROM delivery d
        USING (SELECT application, id, unnest(targets) AS endpoint FROM old) AS it
        WHERE d.application = it.application AND d.endpoint = it.endpoint AND d.message = it.id
    )
    SELECT count(*) FROM old";

pub(super) const FORGET_ATTEMPTS: &str = "DELETE FROM attempt_rest
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM attempt_rest WHERE id < $1 ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

/// Those whose messages went with their partition.
pub(super) const FORGET_DELIVERIES: &str = "DELETE FROM delivery_rest
    WHERE ctid = ANY (ARRAY(
        SELECT d.ctid
        FROM delivery_rest d
        WHERE d.message < $1 AND NOT EXISTS (
            SELECT FROM message m WHERE m.application = d.application AND m.id = d.message
            OFFSET 0
        )
        ORDER BY d.message
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

pub(super) const FORGET_EVENT_IDS: &str = "DELETE FROM event_id
    WHERE ctid = ANY (ARRAY(
        SELECT e.ctid
        FROM event_id e
        WHERE e.message < $1 AND NOT EXISTS (
            SELECT FROM message m WHERE m.application = e.application AND m.id = e.message
            OFFSET 0
        )
        ORDER BY e.message
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

pub(super) const FORGET_DIGESTS: &str = "DELETE FROM idempotency
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency WHERE message < $1
        ORDER BY message LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

/// Answers, and keys of requests that never answered.
pub(super) const FORGET_ANSWERS: &str = "DELETE FROM reservation
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM reservation WHERE coalesce(answered_at, until) <= $1
        ORDER BY coalesce(answered_at, until) LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

/// Nodes look for changes every few seconds.
pub(super) const FORGET_CHANGES: &str = "DELETE FROM change
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM change WHERE at < clock_timestamp() - interval '10 minutes'
        ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

/// Lanes of endpoints that are gone. One that gets something to do is not touched: that is a
/// change of its row, so it is looked at again before it goes.
const FORGET_LANES: &str = "DELETE FROM lane
    WHERE ctid = ANY (ARRAY(
        SELECT l.ctid
        FROM lane l
        WHERE l.due_at IS NULL AND NOT EXISTS (
            SELECT FROM endpoint e WHERE e.application = l.application AND e.id = l.endpoint
        )
        ORDER BY l.application, l.endpoint
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

/// What this node remembers from one step to the next.
#[derive(Debug, Default)]
pub(super) struct Upkeep(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    partitions: Timer,
    sweep: Timer,
    /// Where the first partition of messages begins, as far as we know.
    first_partition: Option<Uuid>,
    /// Partitions that could not be made or dropped, which was said already.
    told: Vec<String>,
}

impl Upkeep {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to speak about this partition, for the first time.
    fn is_news(&self, partition: &str) -> bool {
        let mut state = self.state();
        let is_news = !state.told.iter().any(|it| it == partition);
        if is_news {
            state.told.push(partition.to_owned());
        }
        is_news
    }
}

/// Something that is done now and then. Time may go back: tests let it.
#[derive(Clone, Copy, Debug, Default)]
struct Timer {
    done_at: Option<Timestamp>,
    wait_millis: u64,
}

impl Timer {
    fn is_due(self, now: Timestamp) -> bool {
        self.done_at.is_none_or(|done_at| {
            now < done_at || now.as_millis() - done_at.as_millis() >= self.wait_millis
        })
    }

    fn rest(&mut self, now: Timestamp, wait_millis: u64) {
        *self = Self { done_at: Some(now), wait_millis };
    }
}

/// `true` if there is more to do at once.
pub(super) async fn expire(
    session: &mut Session,
    upkeep: &Upkeep,
    now: Timestamp,
    retention: Retention,
) -> Result<bool, StoreError> {
    let bound = first_young(now, millis_of(retention.rows));
    let mut more = false;
    if { upkeep.state().partitions }.is_due(now) {
        more |= look_at_partitions(session, upkeep, now, bound).await?;
    }
    more |= bodies::expire(session, now, bound).await?;
    if { upkeep.state().sweep }.is_due(now) {
        let has_swept_all = !sweep(session, upkeep, bound).await?;
        if has_swept_all {
            upkeep.state().sweep.rest(now, SWEEP_MILLIS);
        }
        more |= !has_swept_all;
    }
    more |= forget_keys(session, now, millis_of(retention.idempotency)).await?;
    Ok(more)
}

/// Makes the partitions of the days to come, and drops one that is old; `true` if there may be
/// another one.
async fn look_at_partitions(
    session: &mut Session,
    upkeep: &Upkeep,
    now: Timestamp,
    bound: Uuid,
) -> Result<bool, StoreError> {
    let is_made = partitions::make_ahead(session, upkeep, now).await?;
    let dropped = partitions::drop_first(session, upkeep, bound).await?;
    let wait_millis = match dropped {
        Dropped::One => return Ok(true),
        Dropped::None if is_made => LOOK_MILLIS,
        Dropped::None | Dropped::Busy => RETRY_MILLIS,
    };
    step(session, FORGET_LANES, &[]).await?;
    upkeep.state().partitions.rest(now, wait_millis);
    Ok(false)
}

/// Removes what is old and in no day's partition; `true` if there is more.
async fn sweep(session: &mut Session, upkeep: &Upkeep, bound: Uuid) -> Result<bool, StoreError> {
    let forgotten = session.query_one(FORGET_MESSAGES, &[(&bound, Type::UUID)]).await?;
    let mut more = forgotten.get::<_, i64>(0) >= STEP.cast_signed();
    more |= step(session, FORGET_ATTEMPTS, &[(&bound, Type::UUID)]).await?;
    // Behind it there are messages that are old and still there.
    let gone = upkeep.state().first_partition.map_or(bound, |first| first.min(bound));
    more |= step(session, FORGET_DELIVERIES, &[(&gone, Type::UUID)]).await?;
    more |= step(session, FORGET_EVENT_IDS, &[(&gone, Type::UUID)]).await?;
    Ok(more)
}

async fn forget_keys(
    session: &mut Session,
    now: Timestamp,
    keep_millis: u64,
) -> Result<bool, StoreError> {
    let bound = first_young(now, keep_millis);
    let mut more = step(session, FORGET_DIGESTS, &[(&bound, Type::UUID)]).await?;
    if let Some(until) = now.as_millis().checked_sub(keep_millis) {
        let until = millis(Timestamp::from_millis(until));
        more |= step(session, FORGET_ANSWERS, &[(&until, Type::INT8)]).await?;
    }
    more |= step(session, FORGET_CHANGES, &[]).await?;
    Ok(more)
}

/// Whether the statement removed as much as it may.
async fn step(
    session: &mut Session,
    sql: &'static str,
    values: &[Param<'_>],
) -> Result<bool, StoreError> {
    Ok(session.execute(sql, values).await? >= STEP)
}

/// The first id that is younger than that.
fn first_young(now: Timestamp, keep_millis: u64) -> Uuid {
    let last_old = now.as_millis().checked_sub(keep_millis);
    last_old.map_or(Uuid(0), |it| value::first_id_at(Timestamp::from_millis(it + 1)))
}

fn millis_of(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
