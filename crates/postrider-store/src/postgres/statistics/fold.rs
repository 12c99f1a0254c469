//! Moves what was counted into the rollups, each row once: both happen in one transaction.

use postrider_core::statistics::{Counters, RollupKey, Rollups};

use super::tally;
use crate::postgres::{
    error::DatabaseError, parameter::Param, row, session::Session, value::millis,
};

/// Rows that one step takes: the `LIMIT` of the statement.
const STEP: usize = 20_000;

/// One node at a time: rollups are read and written again.
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(hashtextextended('postrider rollup ' || current_schema(), 0))";

pub(in crate::postgres) const TAKE: &str = "DELETE FROM tally
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM tally LIMIT 20000))
    RETURNING application, subject, fact, count";

pub(in crate::postgres) const GET: &str = "SELECT found.counters
    FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
        WITH ORDINALITY AS key (resolution, start, subject, place)
    LEFT JOIN LATERAL (
        SELECT r.counters FROM rollup r
        WHERE r.resolution = key.resolution AND r.start = key.start AND r.subject = key.subject
        LIMIT 1
    ) AS found ON true
    ORDER BY place";

pub(in crate::postgres) const SET: &str =
    "INSERT INTO rollup (resolution, start, subject, problems, counters)
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[])
    ON CONFLICT (resolution, start, subject) DO UPDATE
    SET problems = excluded.problems, counters = excluded.counters";

/// `true` if there is more to move.
pub(super) async fn fold(session: &mut Session) -> Result<bool, DatabaseError> {
    session.begin().await?;
    if !session.query_one(TRY_LOCK, &[]).await?.get::<_, bool>(0) {
        session.rollback().await?;
        return Ok(false);
    }
    let rows = session.query(TAKE, &[]).await?;
    if rows.is_empty() {
        session.rollback().await?;
        return Ok(false);
    }
    let rollups = tally::add_up(session, &rows).await?;
    add(session, &rollups).await?;
    session.commit().await?;
    Ok(rows.len() >= STEP)
}

/// Adds the numbers to those that are stored.
async fn add(session: &mut Session, rollups: &Rollups) -> Result<(), DatabaseError> {
    let mut keys = KeyColumns::default();
    rollups.entries().keys().for_each(|key| keys.push(key));
    let stored = session.query(GET, &[&keys.resolution, &keys.start, &keys.subject]).await?;
    let (mut problems, mut counters) = (Vec::new(), Vec::new());
    for (row, new) in stored.iter().zip(rollups.entries().values()) {
        let bytes: Option<&[u8]> = row.get(0);
        let mut total = bytes.map_or_else(|| Ok(Counters::default()), row::counters)?;
        total.merge(new);
        problems.push(i64::try_from(total.problems()).unwrap_or(i64::MAX));
        counters.push(row::counters_blob(&total));
    }
    let values: [Param<'_>; 5] =
        [&keys.resolution, &keys.start, &keys.subject, &problems, &counters];
    session.execute(SET, &values).await.map(drop)
}

/// The columns of rollups' keys.
#[derive(Default)]
struct KeyColumns {
    resolution: Vec<i16>,
    start: Vec<i64>,
    subject: Vec<Vec<u8>>,
}

impl KeyColumns {
    fn push(&mut self, key: &RollupKey) {
        self.resolution.push(i16::from(key.resolution.code()));
        self.start.push(millis(key.start));
        self.subject.push(key.subject.to_bytes());
    }
}
