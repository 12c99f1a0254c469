//! Counting what a folder contains.

use std::path::Path;

use rusqlite::Connection;

use crate::{
    embedded::{
        error::IndexError,
        index::delivery_state::{CANCELLED, DELIVERED, FAILED, PENDING},
        readers::Reader,
    },
    error::StoreError,
    transfer::RecordCounts,
};

const DELIVERIES: &str = "SELECT count(*) FROM deliveries WHERE state = ?1";

const MESSAGES: &str = "SELECT count(*), count(body) FROM messages";

/// Digests can outlive their messages; those do not count.
const DIGESTS: &str = "SELECT count(*)
    FROM idempotent
    WHERE message IN (SELECT sequence FROM messages)";

const ATTEMPTS: &str = "SELECT count(*)
    FROM readers.attempts_by_message
    WHERE message IN (SELECT sequence FROM messages)
      AND attempt IN (SELECT sequence FROM attempts)";

const POLL_ENTRIES: &str = "SELECT count(*)
    FROM poll_entries
    WHERE log IN (SELECT number FROM poll_logs WHERE removed = 0)";

pub(super) fn record_counts(reader: &Reader, index: &Path) -> Result<RecordCounts, StoreError> {
    let count = |sql| reader.main.query_row(sql, [], |row| row.get::<_, u64>(0));
    let in_state = |state: u8| {
        let count = reader.index.query_row(DELIVERIES, [state], |row| row.get::<_, u64>(0));
        count.map_err(IndexError)
    };
    let (messages, bodies) =
        reader.main.query_row(MESSAGES, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(RecordCounts {
        applications: count("SELECT count(*) FROM applications")?,
        endpoints: count("SELECT count(*) FROM endpoints")?,
        event_types: count("SELECT count(*) FROM event_types")?,
        sources: count("SELECT count(*) FROM sources")?,
        connectors: count("SELECT count(*) FROM connectors")?,
        consumers: count("SELECT count(*) FROM consumers")?,
        dead_letters: count("SELECT count(*) FROM dead_letters")?,
        api_keys: count("SELECT count(*) FROM api_keys")?,
        audit_log: count("SELECT count(*) FROM audit_log")?,
        tasks: count("SELECT count(*) FROM tasks")?,
        messages,
        bodies,
        event_ids: count("SELECT count(*) FROM event_ids")?,
        digests: count(DIGESTS)?,
        delivered: in_state(DELIVERED)?,
        failed: in_state(FAILED)?,
        cancelled: in_state(CANCELLED)?,
        pending: in_state(PENDING)?,
        attempts: attempts(&reader.main, index)?,
        poll_entries: count(POLL_ENTRIES)?,
        poll_consumers: count("SELECT count(*) FROM poll_consumers")?,
        recoveries: count("SELECT count(*) FROM recoveries")?,
        answers: count("SELECT count(*) FROM reservations")?,
    })
}

/// Counts the attempts of the index that the main database has, with their messages.
fn attempts(main: &Connection, index: &Path) -> Result<u64, StoreError> {
    let path = index.to_string_lossy();
    main.execute("ATTACH DATABASE ?1 AS readers", [path])?;
    let counted = main.query_row(ATTEMPTS, [], |row| row.get(0));
    main.execute("DETACH DATABASE readers", [])?;
    Ok(counted?)
}
