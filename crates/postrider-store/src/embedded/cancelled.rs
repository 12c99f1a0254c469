//! Deliveries that ended, were resent, and were then cancelled: their last attempt does not tell
//! their state, so a rebuild of the index finds it here.
//!
//! They are rows of `ended` with the negative sequence of the message, which has no other meaning
//! there, and stay as long as the message.

use rusqlite::{Connection, params};

use super::number::{DeliveryKey, EndpointNumber, MessageSequence};

const INSERT: &str = "INSERT OR IGNORE INTO ended (message, endpoint) VALUES (-?1, ?2)";

pub(super) fn insert(db: &Connection, key: DeliveryKey) -> rusqlite::Result<()> {
    db.prepare_cached(INSERT)?.execute((key.message, key.endpoint)).map(drop)
}

const INSERT_LANE: &str = "INSERT OR IGNORE INTO ended (message, endpoint)
    SELECT -message, endpoint FROM pending WHERE endpoint = ?1 AND flags & 1 = 1";

/// Inserts those of a lane that is cancelled. The first flag marks deliveries that were resent.
pub(super) fn insert_lane(db: &Connection, endpoint: EndpointNumber) -> rusqlite::Result<()> {
    db.prepare_cached(INSERT_LANE)?.execute([endpoint]).map(drop)
}

const REMOVE: &str = "DELETE FROM ended WHERE message = -?1 AND endpoint = ?2";

/// Removes a delivery that is pending again.
pub(super) fn remove(db: &Connection, key: DeliveryKey) -> rusqlite::Result<()> {
    db.prepare_cached(REMOVE)?.execute((key.message, key.endpoint)).map(drop)
}

const REMOVE_ALL: &str = "DELETE FROM ended WHERE message = -?1";

/// Removes the deliveries of a message that is removed.
pub(super) fn remove_all(db: &Connection, message: MessageSequence) -> rusqlite::Result<()> {
    db.prepare_cached(REMOVE_ALL)?.execute([message]).map(drop)
}

pub(super) const BETWEEN: &str =
    "SELECT -message, endpoint FROM ended WHERE message > -?2 AND message <= -?1";

/// Those of the messages between two sequences, without the second one.
pub(super) fn between(db: &Connection, first: u64, end: u64) -> rusqlite::Result<Vec<DeliveryKey>> {
    let mut statement = db.prepare_cached(BETWEEN)?;
    let found = statement.query_map(params![first, end], |row| {
        Ok(DeliveryKey { message: row.get(0)?, endpoint: row.get(1)? })
    })?;
    found.collect()
}
