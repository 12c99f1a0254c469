//! A partition for every day of history: made ahead, dropped whole.
//!
//! A statement with a lock that others wait for gives up soon and is tried again later, so that
//! no delivery waits behind it for long. What comes on a day without a partition goes to the
//! `rest` of its table, where everything works, only slower.

use std::collections::BTreeSet;

use postrider_core::time::Timestamp;
use tokio_postgres::{Row, types::Type};

use super::Upkeep;
use crate::{
    StoreError,
    postgres::{
        session::{Param, Session},
        trouble,
        value::{self, Uuid},
    },
};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Days that have partitions before they begin.
const AHEAD: u64 = 7;

/// Days in the past that get partitions when their history comes from elsewhere.
const BACK: u64 = 400;

/// Pending messages that are moved out of a partition's way, at most. With more of them it
/// stays, since the move holds up everybody.
const MOVABLE: i64 = 20_000;

/// One node at a time; the lock ends with the transaction.
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(
    hashtextextended('postrider partitions ' || current_schema(), 0))";

const LOCK: &str = "SELECT pg_advisory_xact_lock(
    hashtextextended('postrider partitions ' || current_schema(), 0))";

const NOW: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Partitions of those days that are not there, with the day that each is for.
const MISSING: &str = "SELECT parent, name, day
    FROM (
        SELECT parent, day,
            parent || '_' || to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', 'YYYYMMDD')
                AS name
        FROM generate_series($1::bigint, $2::bigint) AS day
        CROSS JOIN unnest(ARRAY['message', 'attempt', 'delivery']) AS parent
    ) AS wanted
    WHERE NOT EXISTS (
        SELECT FROM pg_class
        WHERE relname = name AND relnamespace = quote_ident(current_schema())::regnamespace
    )
    ORDER BY day, parent";

/// All partitions with their bounds, but for those of the rest.
const ALL: &str = r"SELECT parent, name,
        substring(bounds FROM 'FROM \(''(.+?)''\)')::uuid AS first,
        substring(bounds FROM 'TO \(''(.+?)''\)')::uuid AS past
    FROM (
        SELECT parent.relname::text AS parent, part.relname::text AS name,
            pg_get_expr(part.relpartbound, part.oid) AS bounds
        FROM pg_class AS parent
        JOIN pg_inherits ON inhparent = parent.oid
        JOIN pg_class AS part ON part.oid = inhrelid
        WHERE parent.relnamespace = quote_ident(current_schema())::regnamespace
            AND parent.relname IN ('message', 'attempt', 'delivery')
    ) AS found
    WHERE bounds <> 'DEFAULT'
    ORDER BY past, parent DESC";

/// Deliveries that have not ended, of messages in the range.
pub(in crate::postgres) const KEPT: &str = "SELECT count(*)
    FROM (SELECT FROM queue WHERE message >= $1 AND message < $2 LIMIT $3) AS pending";

/// A partition of a day.
#[derive(Clone, Debug)]
struct Partition {
    parent: String,
    name: String,
    first: Uuid,
    /// The first id behind it.
    past: Uuid,
}

/// What became of the oldest partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    One,
    /// There is none that is old enough.
    None,
    /// Others were in the way.
    Busy,
}

/// Where the first day begins that begins at this id or behind it.
pub(super) const fn whole_day(id: Uuid) -> Uuid {
    let millis = (id.0 >> 80) as u64;
    first_of(millis.div_ceil(DAY_MILLIS))
}

const fn first_of(day: u64) -> Uuid {
    value::first_id_at(Timestamp::from_millis(day.saturating_mul(DAY_MILLIS)))
}

/// Makes the partitions that a node needs from its start on, and leaves the others to its
/// upkeep; another node that makes them at the moment is waited for.
pub(in crate::postgres) async fn prepare(
    session: &mut Session,
    upkeep: &Upkeep,
) -> Result<(), StoreError> {
    let now = value::timestamp(session.query_one(NOW, &[]).await?.get(0));
    session.begin().await?;
    session.query(LOCK, &[]).await?;
    session.commit().await?;
    let today = now.as_millis() / DAY_MILLIS;
    make(session, upkeep, today, today + 1).await.map(drop)
}

/// Makes the partitions of today and of the days to come; `false` if some could not be made for
/// now.
pub(super) async fn make_ahead(
    session: &mut Session,
    upkeep: &Upkeep,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let today = now.as_millis() / DAY_MILLIS;
    make(session, upkeep, today, today.saturating_add(AHEAD)).await
}

/// Makes the partitions of these days that are missing, for history that comes from elsewhere.
/// What is older than most keep, or of a time to come, can do without.
pub(in crate::postgres) async fn make_for(
    session: &mut Session,
    upkeep: &Upkeep,
    days: &BTreeSet<u64>,
) -> Result<(), StoreError> {
    let now = value::timestamp(session.query_one(NOW, &[]).await?.get(0));
    let today = now.as_millis() / DAY_MILLIS;
    for &day in days.range(today.saturating_sub(BACK)..=today + AHEAD) {
        make(session, upkeep, day, day).await?;
    }
    Ok(())
}

/// The day of an id that was made then.
pub(in crate::postgres) const fn day_of(millis: u64) -> u64 {
    millis / DAY_MILLIS
}

/// Makes the partitions of these days that are missing.
async fn make(
    session: &mut Session,
    upkeep: &Upkeep,
    first_day: u64,
    last_day: u64,
) -> Result<bool, StoreError> {
    if first_of(last_day).0 == u128::MAX {
        // No id is made that late.
        return Ok(true);
    }
    let days = [first_day, last_day].map(|day| i64::try_from(day).unwrap_or(i64::MAX));
    let values: [Param<'_>; 2] = [(&days[0], Type::INT8), (&days[1], Type::INT8)];
    let mut is_done = true;
    for row in session.query(MISSING, &values).await? {
        is_done &= make_one(session, upkeep, &row).await?;
    }
    Ok(is_done)
}

/// Makes it apart and attaches it then, which disturbs nobody but those who look at the rest.
async fn make_one(session: &mut Session, upkeep: &Upkeep, row: &Row) -> Result<bool, StoreError> {
    let (parent, name): (&str, &str) = (row.get(0), row.get(1));
    let day = u64::try_from(row.get::<_, i64>(2)).unwrap_or_default();
    let (first, past) = (first_of(day).0, first_of(day + 1).0);
    if !begin(session).await? {
        return Ok(false);
    }
    let sql = format!(
        "SET LOCAL lock_timeout = '500ms';
        CREATE TABLE {name} (LIKE {parent} INCLUDING ALL) WITH (
            autovacuum_vacuum_insert_scale_factor = 0,
            autovacuum_vacuum_insert_threshold = 200000,
            autovacuum_analyze_scale_factor = 0.05
        );
        ALTER TABLE {parent} ATTACH PARTITION {name}
            FOR VALUES FROM ('{first:032x}') TO ('{past:032x}')"
    );
    match session.run(&sql).await {
        Ok(()) => {
            session.commit().await?;
            Ok(true)
        },
        Err(error) if trouble::is_locked(&error) || trouble::is_there(&error) => {
            session.rollback().await?;
            Ok(false)
        },
        // Rows of the day are in the rest, and stay there.
        Err(error) if trouble::is_broken_check(&error) => {
            session.rollback().await?;
            if upkeep.is_news(name) {
                tracing::warn!(
                    partition = name,
                    "rows of this day came before its partition; they go one by one in their time"
                );
            }
            Ok(true)
        },
        Err(error) => Err(error),
    }
}

/// Drops one partition whose rows are all below `bound`.
pub(super) async fn drop_first(
    session: &mut Session,
    upkeep: &Upkeep,
    bound: Uuid,
) -> Result<Dropped, StoreError> {
    let all: Vec<_> = session.query(ALL, &[]).await?.iter().map(partition).collect();
    let first = all.iter().filter(|it| it.parent == "message").map(|it| it.first).min();
    upkeep.state().first_partition = first;
    for it in all.iter().take_while(|it| it.past <= bound) {
        // What is kept of a day's deliveries depends on what is kept of its messages.
        let is_early = it.parent == "delivery"
            && all.iter().any(|other| {
                other.parent == "message" && other.first < it.past && it.first < other.past
            });
        if is_early {
            continue;
        }
        if !begin(session).await? {
            return Ok(Dropped::Busy);
        }
        if it.parent == "message" && pending(session, it).await? > MOVABLE {
            session.rollback().await?;
            if upkeep.is_news(&it.name) {
                tracing::warn!(
                    partition = it.name,
                    "too much of this day is still pending; it is kept until less is"
                );
            }
            continue;
        }
        return drop_one(session, it).await;
    }
    Ok(Dropped::None)
}

async fn drop_one(session: &mut Session, it: &Partition) -> Result<Dropped, StoreError> {
    let Partition { parent, name, .. } = it;
    // Whoever works on the partition itself is waited for longer, since that holds up nobody
    // who works on today's.
    let detach = format!(
        "SET LOCAL lock_timeout = '2s';
        LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE;
        SET LOCAL lock_timeout = '500ms';
        ALTER TABLE {parent} DETACH PARTITION {name}"
    );
    if let Err(error) = session.run(&detach).await {
        if !trouble::is_locked(&error) {
            return Err(error);
        }
        session.rollback().await?;
        return Ok(Dropped::Busy);
    }
    let keep = keep(it).unwrap_or_default();
    session.run(&format!("{keep}; DROP TABLE {name}")).await?;
    session.commit().await?;
    tracing::info!(partition = name, "dropped what has outlived its time");
    Ok(Dropped::One)
}

/// Puts back what has to stay: messages with pending deliveries, and what became of their other
/// deliveries. It goes to the rest, since there is no partition for it any more.
fn keep(it: &Partition) -> Option<String> {
    let Partition { parent, name, first: Uuid(first), past: Uuid(past) } = it;
    match parent.as_str() {
        "message" => Some(format!(
            "INSERT INTO message
            SELECT it.*
            FROM (
                SELECT DISTINCT application, message
                FROM queue
                WHERE message >= '{first:032x}' AND message < '{past:032x}'
            ) AS pending
            CROSS JOIN LATERAL (
                SELECT * FROM {name}
                WHERE application = pending.application AND id = pending.message
                LIMIT 1
            ) AS it"
        )),
        "delivery" => Some(format!(
            "INSERT INTO delivery
            SELECT it.*
            FROM message m
            CROSS JOIN LATERAL (SELECT DISTINCT unnest(m.targets) AS endpoint) AS target
            CROSS JOIN LATERAL (
                SELECT * FROM {name}
                WHERE application = m.application AND endpoint = target.endpoint
                    AND message = m.id
                LIMIT 1
            ) AS it
            WHERE m.id >= '{first:032x}' AND m.id < '{past:032x}'"
        )),
        _ => None,
    }
}

async fn pending(session: &mut Session, it: &Partition) -> Result<i64, StoreError> {
    let values: [Param<'_>; 3] =
        [(&it.first, Type::UUID), (&it.past, Type::UUID), (&(MOVABLE + 1), Type::INT8)];
    Ok(session.query_one(KEPT, &values).await?.get(0))
}

/// Begins a transaction, unless another node makes or drops partitions at the moment.
async fn begin(session: &mut Session) -> Result<bool, StoreError> {
    session.begin().await?;
    let is_alone: bool = session.query_one(TRY_LOCK, &[]).await?.get(0);
    if !is_alone {
        session.rollback().await?;
    }
    Ok(is_alone)
}

fn partition(row: &Row) -> Partition {
    Partition { parent: row.get(0), name: row.get(1), first: row.get(2), past: row.get(3) }
}
