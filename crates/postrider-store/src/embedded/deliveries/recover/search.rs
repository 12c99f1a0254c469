//! Finding the deliveries that a recovery is about.

use rusqlite::params;

use super::StoredRecovery;
use crate::{
    embedded::{
        error::IndexError,
        history::span::Span,
        number::{EndpointNumber, MessageSequence},
        readers::Reader,
    },
    error::StoreError,
};

/// Failed and cancelled deliveries in the order of their messages: two walks that are merged.
pub(in crate::embedded) const NOT_DELIVERED: &str = "SELECT message
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = 2 AND state > 0
    UNION ALL
    SELECT message
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = 3 AND state > 0
    ORDER BY message
    LIMIT ?4";

/// The next messages whose deliveries the recovery resends.
pub(in crate::embedded) fn not_delivered(
    reader: &Reader,
    recovery: &StoredRecovery,
    limit: usize,
) -> Result<Vec<MessageSequence>, StoreError> {
    let StoredRecovery { recovery, done, .. } = recovery;
    let number = reader.numbers().endpoint_number(recovery.endpoint);
    let Some(endpoint) = number else { return Ok(Vec::new()) };
    let period = Span::between(recovery.since, recovery.until);
    let span = Span { first: period.first.max(done.next().0), ..period };
    reader.coverage().require(span.first)?;
    Ok(find(reader, endpoint, span, limit)?)
}

fn find(
    reader: &Reader,
    endpoint: EndpointNumber,
    span: Span,
    limit: usize,
) -> Result<Vec<MessageSequence>, IndexError> {
    let mut statement = reader.index.prepare_cached(NOT_DELIVERED)?;
    let values = params![endpoint, span.first, span.last, limit];
    let found = statement.query_map(values, |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
