//! Removes rollups that have outlived their retention, and those of erased applications.

use postrider_core::{
    statistics::{Resolution, StatisticsRetention},
    time::Timestamp,
};

use crate::postgres::{
    error::DatabaseError,
    session::Session,
    value::{Uuid, millis},
};

/// Rows that one step removes: the `LIMIT` of the statement.
const STEP: u64 = 2_000;

pub(in crate::postgres) const EXPIRE: &str = "DELETE FROM rollup
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rollup
        WHERE resolution = $1 AND start < $2
        ORDER BY resolution, start, subject
        LIMIT 2000
        FOR UPDATE SKIP LOCKED
    ))";

/// `true` if there may be more to remove.
pub(super) async fn expire(
    session: &mut Session,
    now: Timestamp,
    retention: &StatisticsRetention,
) -> Result<bool, DatabaseError> {
    let mut has_more = false;
    for resolution in Resolution::ALL {
        let code = i16::from(resolution.code());
        let first_kept = millis(retention.first_kept(resolution, now));
        has_more |= session.execute(EXPIRE, &[&code, &first_kept]).await? >= STEP;
    }
    Ok(has_more)
}

/// The periods of a resolution that have rollups, found one after the other.
pub(in crate::postgres) const ERASE: &str = "
WITH RECURSIVE period AS (
    (SELECT start FROM rollup WHERE resolution = $1 ORDER BY resolution, start LIMIT 1)
    UNION ALL
    SELECT (
        SELECT r.start FROM rollup r
        WHERE r.resolution = $1 AND r.start > period.start
        ORDER BY r.resolution, r.start LIMIT 1
    )
    FROM period
    WHERE period.start IS NOT NULL
)
DELETE FROM rollup r
USING period
WHERE r.resolution = $1 AND r.start = ANY (ARRAY[period.start])
    AND r.subject >= $2 AND r.subject < $3";

/// Removes the numbers of an application and of everything that belongs to it.
pub(in crate::postgres) async fn erase(
    session: &mut Session,
    application: Uuid,
) -> Result<(), DatabaseError> {
    // Every subject of the application starts with its id.
    let first = application.0.to_be_bytes();
    let end = application.0.saturating_add(1).to_be_bytes();
    for resolution in Resolution::ALL {
        let code = i16::from(resolution.code());
        session.execute(ERASE, &[&code, &&first[..], &&end[..]]).await?;
    }
    Ok(())
}
