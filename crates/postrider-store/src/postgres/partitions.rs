//! Partitions of history, one for each day: created ahead of their day and dropped as a whole.
//!
//! Creating and dropping a partition needs a lock of the table that blocks all other transactions,
//! and those that come while it is waited for queue up behind it. So these statements stop waiting
//! after a fraction of a second, and are tried again later. Rows of a day without a partition go to the
//! default partition `…_rest`, where everything works, only slower.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use postrider_core::time::Timestamp;
use tokio_postgres::Row;

use super::{
    clock,
    error::DatabaseError,
    session::Session,
    value::{self, Uuid},
};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Days ahead for which partitions are created.
const DAYS_AHEAD: u64 = 7;

/// Days in the past for which partitions are created when a copy brings their history.
const DAYS_BACK: u64 = 400;

/// Limit of pending deliveries whose messages are moved before their partition is dropped. With more
/// of them it stays, because the move takes place under a lock that blocks all others.
const MAX_MOVED: i64 = 20_000;

/// One node at a time creates or drops partitions; the lock ends with the transaction.
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(
    hashtextextended('postrider partitions ' || current_schema(), 0))";

const LOCK: &str = "SELECT pg_advisory_xact_lock(
    hashtextextended('postrider partitions ' || current_schema(), 0))";

/// The missing partitions of these days.
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

/// All partitions with their bounds, except the default ones.
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

/// Pending deliveries of messages in the range, counted up to a limit.
pub(super) const PENDING: &str = "SELECT count(*)
    FROM (SELECT FROM queue WHERE message >= $1 AND message < $2 LIMIT $3) AS pending";

/// A partition of a day.
#[derive(Clone, Debug)]
struct Partition {
    parent: String,
    name: String,
    first: Uuid,
    /// The first id behind the partition.
    past: Uuid,
}

impl Partition {
    fn overlaps(&self, other: &Self) -> bool {
        self.first < other.past && other.first < self.past
    }
}

/// What a node knows of partitions.
#[derive(Debug, Default)]
pub(super) struct PartitionLog(Mutex<LogState>);

#[derive(Debug, Default)]
struct LogState {
    first_partition: Option<Uuid>,
    /// Partitions that could not be created or dropped, and were logged.
    logged: Vec<String>,
}

impl PartitionLog {
    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the first partition of messages begins, as far as is known.
    pub(super) fn first_partition(&self) -> Option<Uuid> {
        self.lock().first_partition
    }

    /// Whether this partition is logged for the first time.
    fn is_first(&self, partition: &str) -> bool {
        let mut state = self.lock();
        let is_first = !state.logged.iter().any(|name| name == partition);
        if is_first {
            state.logged.push(partition.to_owned());
        }
        is_first
    }
}

/// The result of dropping the oldest partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    One,
    /// No partition has expired.
    None,
    /// Another transaction held a lock, or another node is working on partitions.
    Busy,
}

/// The first id of the first day that begins at this id or behind it.
pub(super) const fn whole_day(id: Uuid) -> Uuid {
    let millis = (id.0 >> 80) as u64;
    first_of(millis.div_ceil(DAY_MILLIS))
}

const fn first_of(day: u64) -> Uuid {
    value::first_id_at(Timestamp::from_millis(day.saturating_mul(DAY_MILLIS)))
}

/// Creates the partitions that a node needs when it starts, and leaves the others to its
/// maintenance. Waits for another node that is creating them.
pub(super) async fn prepare(
    session: &mut Session,
    log: &PartitionLog,
) -> Result<(), DatabaseError> {
    let now = clock::now(session).await?;
    session.begin().await?;
    session.query(LOCK, &[]).await?;
    session.commit().await?;
    let today = now.as_millis() / DAY_MILLIS;
    create(session, log, today, today + 1).await.map(drop)
}

/// Creates the partitions of today and of the days to come; `false` if some could not be created
/// now.
pub(super) async fn create_ahead(
    session: &mut Session,
    log: &PartitionLog,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let today = now.as_millis() / DAY_MILLIS;
    create(session, log, today, today.saturating_add(DAYS_AHEAD)).await
}

/// Creates the missing partitions of these days, for a copy. Rows that are older than most
/// retentions, or of the future, go to the default partition.
pub(super) async fn create_for(
    session: &mut Session,
    log: &PartitionLog,
    days: &BTreeSet<u64>,
) -> Result<(), DatabaseError> {
    let now = clock::now(session).await?;
    let today = now.as_millis() / DAY_MILLIS;
    for &day in days.range(today.saturating_sub(DAYS_BACK)..=today + DAYS_AHEAD) {
        create(session, log, day, day).await?;
    }
    Ok(())
}

/// The day of an id with these milliseconds.
pub(super) const fn day_of(millis: u64) -> u64 {
    millis / DAY_MILLIS
}

/// Creates the missing partitions of these days.
async fn create(
    session: &mut Session,
    log: &PartitionLog,
    first_day: u64,
    last_day: u64,
) -> Result<bool, DatabaseError> {
    if first_of(last_day).0 == u128::MAX {
        // Ids cannot be that late.
        return Ok(true);
    }
    let [first, last] = [first_day, last_day].map(|day| i64::try_from(day).unwrap_or(i64::MAX));
    let mut is_complete = true;
    for row in session.query(MISSING, &[&first, &last]).await? {
        is_complete &= create_one(session, log, &row).await?;
    }
    Ok(is_complete)
}

/// Creates a table and attaches it then. That locks the parent less strictly than `CREATE TABLE …
/// PARTITION OF`, and blocks only transactions that use the default partition.
async fn create_one(
    session: &mut Session,
    log: &PartitionLog,
    row: &Row,
) -> Result<bool, DatabaseError> {
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
            autovacuum_analyze_scale_factor = 0.05,
            autovacuum_analyze_threshold = 20000
        );
        ALTER TABLE {parent} ATTACH PARTITION {name}
            FOR VALUES FROM ('{first:032x}') TO ('{past:032x}')"
    );
    match session.run(&sql).await {
        Ok(()) => {
            session.commit().await?;
            Ok(true)
        },
        Err(DatabaseError::LockTimeout(_) | DatabaseError::DuplicateTable(_)) => {
            session.rollback().await?;
            Ok(false)
        },
        // The default partition has rows of this day, which stay there.
        Err(DatabaseError::OutsidePartition(_)) => {
            session.rollback().await?;
            if log.is_first(name) {
                tracing::warn!(
                    partition = name,
                    "rows of this day were stored before its partition existed; they will be deleted one by one"
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
    log: &PartitionLog,
    bound: Uuid,
) -> Result<Dropped, DatabaseError> {
    let all: Vec<_> = session.query(ALL, &[]).await?.iter().map(partition).collect();
    let first = all.iter().filter(|it| it.parent == "message").map(|it| it.first).min();
    log.lock().first_partition = first;
    for partition in all.iter().take_while(|it| it.past <= bound) {
        // Deliveries are kept for the messages that are kept, so the messages go first.
        let has_messages = partition.parent == "delivery"
            && all.iter().any(|other| other.parent == "message" && other.overlaps(partition));
        if has_messages {
            continue;
        }
        if !begin(session).await? {
            return Ok(Dropped::Busy);
        }
        if partition.parent == "message" && pending(session, partition).await? > MAX_MOVED {
            session.rollback().await?;
            if log.is_first(&partition.name) {
                tracing::warn!(
                    partition = partition.name,
                    "this day has too many pending deliveries to be dropped; it is kept until there are fewer"
                );
            }
            continue;
        }
        return drop_one(session, partition).await;
    }
    Ok(Dropped::None)
}

async fn drop_one(session: &mut Session, partition: &Partition) -> Result<Dropped, DatabaseError> {
    let Partition { parent, name, .. } = partition;
    // The lock of the partition may be waited for longer than that of the table: it does not block
    // transactions on other days.
    let detach = format!(
        "SET LOCAL lock_timeout = '2s';
        LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE;
        SET LOCAL lock_timeout = '500ms';
        ALTER TABLE {parent} DETACH PARTITION {name}"
    );
    match session.run(&detach).await {
        Ok(()) => {},
        Err(DatabaseError::LockTimeout(_)) => {
            session.rollback().await?;
            return Ok(Dropped::Busy);
        },
        Err(error) => return Err(error),
    }
    let keep = keep(partition).unwrap_or_default();
    session.run(&format!("{keep}; DROP TABLE {name}")).await?;
    session.commit().await?;
    tracing::info!(partition = name, "dropped an expired partition");
    Ok(Dropped::One)
}

/// The statement that keeps messages with pending deliveries, and the ended deliveries of such
/// messages. They go to the default partition, as theirs does not exist any more.
fn keep(partition: &Partition) -> Option<String> {
    let Partition { parent, name, first: Uuid(first), past: Uuid(past) } = partition;
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

async fn pending(session: &mut Session, partition: &Partition) -> Result<i64, DatabaseError> {
    let row =
        session.query_one(PENDING, &[&partition.first, &partition.past, &(MAX_MOVED + 1)]).await?;
    Ok(row.get(0))
}

/// Begins a transaction, unless another node is creating or dropping partitions.
async fn begin(session: &mut Session) -> Result<bool, DatabaseError> {
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
