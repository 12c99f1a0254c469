//! Deliveries that ended, were resent, and were then cancelled: their last attempt does not tell
//! their state, so a rebuild of the index finds it here.
//!
//! They stay as long as the message.

use rusqlite::{Connection, params};

use super::number::{DeliveryKey, MessageSequence};

const INSERT: &str = "INSERT OR IGNORE INTO cancelled (message, endpoint) VALUES (?1, ?2)";

pub(super) fn insert(db: &Connection, key: DeliveryKey) -> rusqlite::Result<()> {
    db.prepare_cached(INSERT)?.execute((key.message, key.endpoint)).map(drop)
}

/// Inserts those of the deliveries of a lane, from a position up to another one, that is cancelled.
/// The first flag marks deliveries that were resent.
pub(super) const INSERT_RANGE: &str = "INSERT OR IGNORE INTO cancelled (message, endpoint)
    SELECT message, endpoint FROM pending
    WHERE endpoint = ?1 AND free_at >= ?2 AND (free_at, message) <= (?3, ?4) AND flags & 1 = 1";

const REMOVE: &str = "DELETE FROM cancelled WHERE message = ?1 AND endpoint = ?2";

/// Removes a delivery that is pending again.
pub(super) fn remove(db: &Connection, key: DeliveryKey) -> rusqlite::Result<()> {
    db.prepare_cached(REMOVE)?.execute((key.message, key.endpoint)).map(drop)
}

const REMOVE_ALL: &str = "DELETE FROM cancelled WHERE message = ?1";

/// Removes the deliveries of a message that is removed.
pub(super) fn remove_all(db: &Connection, message: MessageSequence) -> rusqlite::Result<()> {
    db.prepare_cached(REMOVE_ALL)?.execute([message]).map(drop)
}

pub(super) const BETWEEN: &str =
    "SELECT message, endpoint FROM cancelled WHERE message >= ?1 AND message < ?2";

/// Those of the messages between two sequences, without the second one.
pub(super) fn between(db: &Connection, first: u64, end: u64) -> rusqlite::Result<Vec<DeliveryKey>> {
    let mut statement = db.prepare_cached(BETWEEN)?;
    let found = statement.query_map(params![first, end], |row| {
        Ok(DeliveryKey { message: row.get(0)?, endpoint: row.get(1)? })
    })?;
    found.collect()
}
