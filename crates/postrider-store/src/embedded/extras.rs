//! The table `extras`: deliveries that a message was not accepted for, but that were requested
//! later.

use rusqlite::Connection;

use super::number::{DeliveryKey, EndpointNumber, MessageSequence};

const INSERT: &str = "INSERT OR IGNORE INTO extras (message, endpoint) VALUES (?1, ?2)";

pub(super) fn insert(db: &Connection, key: DeliveryKey) -> rusqlite::Result<()> {
    db.prepare_cached(INSERT)?.execute((key.message, key.endpoint)).map(drop)
}

const IS_EXTRA: &str = "SELECT 1 FROM extras WHERE message = ?1 AND endpoint = ?2";

pub(super) fn contains(db: &Connection, key: DeliveryKey) -> rusqlite::Result<bool> {
    db.prepare_cached(IS_EXTRA)?.exists((key.message, key.endpoint))
}

const OF_MESSAGE: &str = "SELECT endpoint FROM extras WHERE message = ?1";

/// The endpoints that the message has deliveries to: those that it was accepted for, which its
/// row names, and the others.
pub(super) fn with_extras(
    db: &Connection,
    message: MessageSequence,
    mut targets: Vec<EndpointNumber>,
) -> rusqlite::Result<Vec<EndpointNumber>> {
    let mut statement = db.prepare_cached(OF_MESSAGE)?;
    for endpoint in statement.query_map([message], |row| row.get(0))? {
        targets.push(endpoint?);
    }
    Ok(targets)
}

const REMOVE: &str = "DELETE FROM extras WHERE message = ?1";

/// Removes the extras of a message that is removed.
pub(super) fn remove(db: &Connection, message: MessageSequence) -> rusqlite::Result<()> {
    db.prepare_cached(REMOVE)?.execute([message]).map(drop)
}
