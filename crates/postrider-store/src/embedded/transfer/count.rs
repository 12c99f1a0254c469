//! How much there is.

use std::path::Path;

use rusqlite::Connection;

use crate::{
    StoreError,
    embedded::{
        index::{CANCELLED, DELIVERED, FAILED, PENDING},
        read::Reader,
        trouble,
    },
    transfer::RecordCounts,
};

const DELIVERIES: &str = "SELECT count(*) FROM deliveries WHERE state = ?1";

const MESSAGES: &str = "SELECT count(*), count(body) FROM messages";

/// Those of messages that are gone stay for a while, for nobody to see.
const DIGESTS: &str = "SELECT count(*)
    FROM idempotent
    WHERE message IN (SELECT sequence FROM messages)";

const ATTEMPTS: &str = "SELECT count(*)
    FROM readers.attempts_by_message
    WHERE message IN (SELECT sequence FROM messages)
      AND attempt IN (SELECT sequence FROM attempts)";

pub(super) fn record_counts(reader: &Reader, index: &Path) -> Result<RecordCounts, StoreError> {
    let count = |sql| reader.truth.query_row(sql, [], |row| row.get::<_, u64>(0));
    let standing = |state: u8| {
        let count = reader.index.query_row(DELIVERIES, [state], |row| row.get::<_, u64>(0));
        count.map_err(trouble::of_index)
    };
    let (messages, bodies) =
        reader.truth.query_row(MESSAGES, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(RecordCounts {
        applications: count("SELECT count(*) FROM applications")?,
        endpoints: count("SELECT count(*) FROM endpoints")?,
        event_types: count("SELECT count(*) FROM event_types")?,
        sources: count("SELECT count(*) FROM sources")?,
        messages,
        bodies,
        event_ids: count("SELECT count(*) FROM event_ids")?,
        digests: count(DIGESTS)?,
        delivered: standing(DELIVERED)?,
        failed: standing(FAILED)?,
        cancelled: standing(CANCELLED)?,
        pending: standing(PENDING)?,
        attempts: attempts(&reader.truth, index)?,
        recoveries: count("SELECT count(*) FROM recoveries")?,
        answers: count("SELECT count(*) FROM reservations")?,
    })
}

/// Attempts by the index, which are in the truth and whose messages are, too.
fn attempts(truth: &Connection, index: &Path) -> Result<u64, StoreError> {
    let path = index.to_string_lossy();
    truth.execute("ATTACH DATABASE ?1 AS readers", [path])?;
    let counted = truth.query_row(ATTEMPTS, [], |row| row.get(0));
    truth.execute("DETACH DATABASE readers", [])?;
    Ok(counted?)
}
