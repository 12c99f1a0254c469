//! What time takes away.
//!
//! History goes by whole partitions, a day each. Only what is in no day's partition goes row by
//! row, and so do bodies that are to go before their messages, and keys. Every step is bounded,
//! and any number of nodes may take steps at the same time: each takes what no other one has.

mod bodies;
mod partitions;
mod paused;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

#[cfg(test)]
pub(super) use self::bodies::{BODIES, BODIES_OF_REST, CANCEL, REMOVE as REMOVE_BODIES};
use self::partitions::Dropped;
pub(super) use self::partitions::{day_of, make_for, prepare};
#[cfg(test)]
pub(super) use self::paused::END_PAUSED;
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

/// Between two looks for what is to go row by row; each of them looks into all partitions.
const SWEEP_MILLIS: u64 = 10 * 1_000;

/// A message that is in no day's partition goes alone, unless something of it is pending: one
/// search for each of its endpoints.
pub(super) const FORGET_MESSAGES: &str = "DELETE FROM message_rest
    WHERE ctid = ANY (ARRAY(
        SELECT m.ctid
        FROM message_rest m
        WHERE m.id < $1 AND NOT EXISTS (
            SELECT FROM unnest(m.targets) AS target (endpoint)
            CROSS JOIN LATERAL (
                SELECT FROM queue q
                WHERE q.application = m.application AND q.endpoint = target.endpoint
                    AND q.message = m.id
                LIMIT 1
            ) AS pending
            OFFSET 0
        )
        ORDER BY m.id
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING application, id, event_id, targets";

/// What there is of messages that went alone.
pub(super) const FORGET_SENT: &str = "DELETE FROM delivery d
    USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS it (application, endpoint, message)
    WHERE d.application = ANY (ARRAY[it.application]) AND d.endpoint = it.endpoint
        AND d.message BETWEEN it.message AND it.message";

pub(super) const FORGET_NAMES: &str = "DELETE FROM event_id e
    USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS it (application, event_id, message)
    WHERE e.application = ANY (ARRAY[it.application]) AND e.event_id = it.event_id
        AND e.message = ANY (ARRAY[it.message])";

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

pub(super) const FORGET_REJECTIONS: &str = "DELETE FROM rejection
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rejection WHERE at <= $1
        ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED
    ))";

/// Lanes of endpoints that are gone. One that gets something to do is not touched: that is a
/// change of its row, so it is looked at again before it goes.
pub(super) const FORGET_LANES: &str = "DELETE FROM lane
    WHERE ctid = ANY (ARRAY(
        SELECT l.ctid
        FROM lane l
        WHERE l.due_at IS NULL AND NOT EXISTS (
            SELECT FROM endpoint e WHERE e.application = l.application AND e.id = l.endpoint
            OFFSET 0
        )
        ORDER BY l.application, l.endpoint
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ))";

/// Between two looks for old deliveries of disabled endpoints.
const PAUSED_MILLIS: u64 = 60 * 1_000;

/// What this node remembers from one step to the next.
#[derive(Debug, Default)]
pub(super) struct Upkeep(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    paused: Timer,
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
    if { upkeep.state().paused }.is_due(now) {
        // First, since a partition with too much that is pending is not dropped.
        if paused::end(session, bound).await? {
            return Ok(true);
        }
        upkeep.state().paused.rest(now, PAUSED_MILLIS);
    }
    if { upkeep.state().partitions }.is_due(now) {
        more |= look_at_partitions(session, upkeep, now, bound).await?;
    }
    if { upkeep.state().sweep }.is_due(now) {
        let mut has_more = bodies::expire(session, now, bound).await?;
        has_more |= sweep(session, upkeep, bound).await?;
        has_more |= forget_keys(session, now, retention).await?;
        if !has_more {
            upkeep.state().sweep.rest(now, SWEEP_MILLIS);
        }
        more |= has_more;
    }
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
    let mut more = forget_messages(session, bound).await?;
    more |= step(session, FORGET_ATTEMPTS, &[(&bound, Type::UUID)]).await?;
    // Behind it there are messages that are old and still there.
    let gone = upkeep.state().first_partition.map_or(bound, |first| first.min(bound));
    more |= step(session, FORGET_DELIVERIES, &[(&gone, Type::UUID)]).await?;
    more |= step(session, FORGET_EVENT_IDS, &[(&gone, Type::UUID)]).await?;
    Ok(more)
}

async fn forget_messages(session: &mut Session, bound: Uuid) -> Result<bool, StoreError> {
    session.begin().await?;
    let gone = session.query(FORGET_MESSAGES, &[(&bound, Type::UUID)]).await?;
    let mut sent: (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) = Default::default();
    let mut named: (Vec<Uuid>, Vec<&str>, Vec<Uuid>) = Default::default();
    for row in &gone {
        for endpoint in row.get::<_, Vec<Uuid>>(3) {
            sent.0.push(row.get(0));
            sent.1.push(endpoint);
            sent.2.push(row.get(1));
        }
        if let Some(event_id) = row.get(2) {
            named.0.push(row.get(0));
            named.1.push(event_id);
            named.2.push(row.get(1));
        }
    }
    if !sent.0.is_empty() {
        let ids = [&sent.0, &sent.1, &sent.2];
        let values = ids.map(|it| -> Param<'_> { (it, Type::UUID_ARRAY) });
        session.execute(FORGET_SENT, &values).await?;
    }
    if !named.0.is_empty() {
        let values: [Param<'_>; 3] = [
            (&named.0, Type::UUID_ARRAY),
            (&named.1, Type::TEXT_ARRAY),
            (&named.2, Type::UUID_ARRAY),
        ];
        session.execute(FORGET_NAMES, &values).await?;
    }
    session.commit().await?;
    Ok(gone.len() as u64 >= STEP)
}

async fn forget_keys(
    session: &mut Session,
    now: Timestamp,
    retention: Retention,
) -> Result<bool, StoreError> {
    let bound = first_young(now, millis_of(retention.digests));
    let mut more = step(session, FORGET_DIGESTS, &[(&bound, Type::UUID)]).await?;
    if let Some(until) = last_old(now, retention.rejections) {
        more |= step(session, FORGET_REJECTIONS, &[(&until, Type::INT8)]).await?;
    }
    if let Some(until) = last_old(now, retention.idempotency) {
        more |= step(session, FORGET_ANSWERS, &[(&until, Type::INT8)]).await?;
    }
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

/// The last moment that is as old as that.
fn last_old(now: Timestamp, keep: Duration) -> Option<i64> {
    let until = now.as_millis().checked_sub(millis_of(keep))?;
    Some(millis(Timestamp::from_millis(until)))
}

/// The first id that is younger than that.
fn first_young(now: Timestamp, keep_millis: u64) -> Uuid {
    let last_old = now.as_millis().checked_sub(keep_millis);
    last_old.map_or(Uuid(0), |it| value::first_id_at(Timestamp::from_millis(it + 1)))
}

fn millis_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
