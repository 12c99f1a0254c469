//! The table `rollups`: numbers of subjects in periods.

use postrider::ApplicationId;
use postrider_core::{
    statistics::{Counters, Resolution, RollupKey},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::feed::KeptFrom;
use crate::embedded::row;

/// Periods that one call of [`expire`] removes.
const EXPIRED_PER_CALL: usize = 16;

pub(in crate::embedded) const GET: &str = "SELECT counters
    FROM rollups
    WHERE resolution = ?1 AND start = ?2 AND subject = ?3";

/// One statement for each row, new or not: two take nearly twice as long.
const ADD: &str = "INSERT INTO rollups (resolution, start, subject, problems, counters)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (resolution, start, subject) DO UPDATE
    SET problems = problems + excluded.problems,
      counters = merge_counters(counters, excluded.counters)";

/// Adds the numbers to those that are stored.
pub(super) fn add(db: &Connection, rollups: &[(RollupKey, Counters)]) -> rusqlite::Result<()> {
    let mut add = db.prepare_cached(ADD)?;
    let mut buffer = Vec::new();
    for (RollupKey { resolution, start, subject }, counters) in rollups {
        let blob = row::encode(counters, &mut buffer);
        let (code, start, subject) = (resolution.code(), start.as_millis(), subject.to_bytes());
        add.execute(params![code, start, subject, counters.problems(), blob])?;
    }
    Ok(())
}

/// The numbers of a subject in a period.
pub(in crate::embedded) fn get(
    db: &Connection,
    key: &RollupKey,
) -> rusqlite::Result<Option<Counters>> {
    let RollupKey { resolution, start, subject } = key;
    let values = params![resolution.code(), start.as_millis(), subject.to_bytes()];
    let mut statement = db.prepare_cached(GET)?;
    statement.query_row(values, |row| row::decode(row::blob_of(row, 0)?)).optional()
}

pub(in crate::embedded) const NEXT_START: &str =
    "SELECT min(start) FROM rollups WHERE resolution = ?1 AND start >= ?2";

pub(in crate::embedded) const REMOVE_PERIOD: &str =
    "DELETE FROM rollups WHERE resolution = ?1 AND start = ?2";

/// Removes old periods, a few per call.
pub(super) fn expire(db: &Connection, kept: &KeptFrom) -> rusqlite::Result<()> {
    for resolution in Resolution::ALL {
        for _ in 0..EXPIRED_PER_CALL {
            let first = next(db, resolution, Timestamp::default())?;
            let Some(start) = first.filter(|it| *it < kept.of(resolution)) else { break };
            let values = params![resolution.code(), start.as_millis()];
            db.prepare_cached(REMOVE_PERIOD)?.execute(values)?;
        }
    }
    Ok(())
}

/// The first period from this time on that has numbers.
pub(in crate::embedded) fn next(
    db: &Connection,
    resolution: Resolution,
    from: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = db.prepare_cached(NEXT_START)?;
    let values = params![resolution.code(), from.as_millis()];
    let start: Option<u64> = statement.query_row(values, |row| row.get(0))?;
    Ok(start.map(Timestamp::from_millis))
}

pub(in crate::embedded) const REMOVE_APPLICATION: &str = "DELETE FROM rollups
    WHERE resolution = ?1 AND start = ?2 AND subject >= ?3 AND subject < ?4";

/// Removes the numbers of an application and of everything that belongs to it.
pub(in crate::embedded) fn erase(
    db: &Connection,
    application: ApplicationId,
) -> rusqlite::Result<()> {
    let id = application.as_u128();
    // Every subject of the application starts with its id.
    let (first, end) = (row::blob(id), row::blob(id.saturating_add(1)));
    for resolution in Resolution::ALL {
        let mut from = Timestamp::default();
        while let Some(start) = next(db, resolution, from)? {
            let values = params![resolution.code(), start.as_millis(), first, end];
            db.prepare_cached(REMOVE_APPLICATION)?.execute(values)?;
            from = Timestamp::from_millis(start.as_millis() + 1);
        }
    }
    Ok(())
}
