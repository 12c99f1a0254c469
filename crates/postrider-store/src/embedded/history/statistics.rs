//! Counts of deliveries by state.

use std::collections::HashMap;

use postrider::EndpointId;
use postrider_core::time::Timestamp;
use rusqlite::params;

use super::span::Span;
use crate::{
    contract::history::Stats,
    embedded::{
        error::IndexError,
        index::delivery_state::{CANCELLED, DELIVERED, FAILED, PENDING},
        number::EndpointNumber,
        readers::Reader,
    },
    error::StoreError,
};

/// Counts by state, and by whether there was an attempt.
type Counts = HashMap<(u8, bool), u64>;

pub(super) fn stats(
    reader: &Reader,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Stats, StoreError> {
    let number = reader.numbers().endpoint_number(endpoint);
    let Some(number) = number else { return Ok(Stats::default()) };
    let span = Span::between(since, until);
    reader.coverage().require(span.first)?;
    let counts = counts(reader, number, span)?;
    let count = |state: u8, attempted: bool| counts.get(&(state, attempted)).unwrap_or(&0);
    let total = |state: u8| count(state, false) + count(state, true);
    Ok(Stats {
        delivered: total(DELIVERED),
        pending: *count(PENDING, false),
        sending: *count(PENDING, true),
        failed: total(FAILED),
        cancelled: total(CANCELLED),
    })
}

const COUNTS: &str = "SELECT state, attempts > 0, count(*)
    FROM deliveries
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3
    GROUP BY 1, 2";

fn counts(reader: &Reader, endpoint: EndpointNumber, span: Span) -> Result<Counts, IndexError> {
    let mut statement = reader.index.prepare_cached(COUNTS)?;
    let found = statement.query_map(params![endpoint, span.first, span.last], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn backlog(
    reader: &Reader,
    endpoints: &[EndpointId],
    at_most: u64,
) -> Result<u64, StoreError> {
    reader.coverage().require_all()?;
    let mut total = 0;
    for &endpoint in endpoints {
        let number = reader.numbers().endpoint_number(endpoint);
        let Some(number) = number else { continue };
        let left = at_most.min(u64::from(u32::MAX)).saturating_sub(total);
        total += pending(reader, number, left)?;
    }
    Ok(total)
}

const PENDING_OF: &str = "SELECT count(*) FROM (
    SELECT 1 FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND state = ?2 AND state > 0
    LIMIT ?3
  )";

/// The number of pending deliveries to the endpoint, up to the limit.
fn pending(reader: &Reader, endpoint: EndpointNumber, limit: u64) -> Result<u64, IndexError> {
    let mut statement = reader.index.prepare_cached(PENDING_OF)?;
    Ok(statement.query_row(params![endpoint, PENDING, limit], |row| row.get(0))?)
}
