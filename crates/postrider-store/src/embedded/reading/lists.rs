//! Lists and counts. A walk looks at a bounded number of rows and then says where to go on.

use std::{collections::HashMap, sync::Arc};

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status},
    message::Message,
    time::Timestamp,
};
use rusqlite::{OptionalExtension, Row, Rows, params};

use super::{attempt_of, by_sequence};
use crate::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, LIST_BYTES,
    MessageFilter, Scan, ScanPage, Stats, StatusKind, StoreError, Weight,
    embedded::{
        index::{CANCELLED, DELIVERED, FAILED, PENDING},
        ledger::Begun,
        read::Reader,
        row::{self, Head, sequence_at},
        trouble,
    },
};

/// Rows that one call looks at.
const LOOKS: usize = 10_000;

pub(in crate::embedded) const MESSAGES_UP: &str = "SELECT message
    FROM messages
    WHERE application = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message";

pub(in crate::embedded) const MESSAGES_DOWN: &str = "SELECT message
    FROM messages
    WHERE application = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message DESC";

pub(in crate::embedded) const BY_ENDPOINT_UP: &str = "SELECT attempt, message, status, endpoint
    FROM attempts_by_endpoint
    WHERE endpoint = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt";

pub(in crate::embedded) const BY_ENDPOINT_DOWN: &str = "SELECT attempt, message, status, endpoint
    FROM attempts_by_endpoint
    WHERE endpoint = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt DESC";

/// Without the status, which the attempt itself has.
pub(in crate::embedded) const BY_MESSAGE_UP: &str = "SELECT attempt, message, NULL, endpoint
    FROM attempts_by_message
    WHERE message = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt";

pub(in crate::embedded) const BY_MESSAGE_DOWN: &str = "SELECT attempt, message, NULL, endpoint
    FROM attempts_by_message
    WHERE message = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt DESC";

pub(in crate::embedded) const DELIVERIES_UP: &str = "SELECT message, state, at, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message";

pub(in crate::embedded) const DELIVERIES_DOWN: &str = "SELECT message, state, at, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message DESC";

pub(in crate::embedded) const OPEN_UP: &str = "SELECT message, state, at, attempts
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = ?4 AND state > 0
    ORDER BY message";

pub(in crate::embedded) const OPEN_DOWN: &str = "SELECT message, state, at, attempts
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = ?4 AND state > 0
    ORDER BY message DESC";

const DELIVERY: &str = "SELECT message, state, at, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message = ?2";

/// What ended without a success, in the order of the messages: both walks are merged.
pub(in crate::embedded) const FAILED_UP: &str = "SELECT message
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = 2 AND state > 0
    UNION ALL
    SELECT message
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = 3 AND state > 0
    ORDER BY message
    LIMIT ?4";

const COUNTS: &str = "SELECT state, attempts > 0, count(*)
    FROM deliveries
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3
    GROUP BY 1, 2";

const BACKLOG: &str = "SELECT count(*) FROM (
        SELECT 1 FROM deliveries INDEXED BY deliveries_open
        WHERE endpoint = ?1 AND state = ?2 AND state > 0
        LIMIT ?3
    )";

const HEAD: &str = "SELECT head, application FROM messages WHERE sequence = ?1 AND tail = ?2";

const EXTRAS: &str = "SELECT endpoint FROM extras WHERE message = ?1";

/// First and last sequence that a walk may come to.
#[derive(Clone, Copy)]
struct Span(u64, u64);

impl Span {
    /// What the filter's times and the walk's beginning leave.
    fn of<K>(filter: &MessageFilter, scan: &Scan<K>, sequence: impl Fn(&K) -> u64) -> Self {
        let first = filter.after.map_or(0, |it| sequence_at(it.as_millis()));
        // SQLite's integers end there.
        let end = u64::MAX >> 1;
        let last = filter.before.map_or(end, |it| sequence_at(it.as_millis()).saturating_sub(1));
        let (first, last) = (first.min(end), last.min(end));
        match &scan.after {
            None => Self(first, last),
            Some(after) if scan.ascending => Self(first.max(sequence(after) + 1), last),
            Some(after) => Self(first, last.min(sequence(after).saturating_sub(1))),
        }
    }
}

/// Takes what passes, until there is more than enough or enough was looked at.
fn walk<T: Weight, K>(
    mut rows: Rows<'_>,
    limit: usize,
    mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<(K, Option<T>)>,
) -> Result<ScanPage<T, K>, StoreError> {
    let mut found = ScanPage { items: Vec::new(), resume: None };
    let (mut looks, mut bytes) = (0, 0);
    let mut last = None;
    while let Some(row) = rows.next().map_err(trouble::of_index)? {
        if looks == LOOKS {
            found.resume = last;
            return Ok(found);
        }
        looks += 1;
        let (key, item) = look(row)?;
        if let Some(item) = item {
            if found.items.len() == limit || bytes >= LIST_BYTES {
                found.resume = last;
                return Ok(found);
            }
            bytes += item.weight();
            found.items.push(item);
        }
        // What does not pass is behind us as well.
        last = Some(key);
    }
    Ok(found)
}

pub(in crate::embedded) fn messages(
    reader: &mut Reader,
    application: ApplicationId,
    filter: &MessageFilter,
    scan: &Scan<MessageId>,
) -> Result<ScanPage<Message, MessageId>, StoreError> {
    let nothing = ScanPage { items: Vec::new(), resume: None };
    let number = reader.numbers().number_of_application(application);
    let Some(number) = number else { return Ok(nothing) };
    let span = Span::of(filter, scan, |id| id.sequence());
    let sql = if scan.ascending { MESSAGES_UP } else { MESSAGES_DOWN };
    let mut statement = reader.index.prepare_cached(sql).map_err(trouble::of_index)?;
    let rows = statement.query(params![number, span.0, span.1]).map_err(trouble::of_index)?;
    walk(rows, scan.limit, |it| {
        let sequence = row::sequence(it, 0)?;
        let message = by_sequence(reader, sequence, filter.with_body)?;
        let message = message.filter(|it| filter.concerns(it));
        Ok((
            MessageId::from_parts(sequence, message.as_ref().map_or(0, |it| it.id.tail())),
            message,
        ))
    })
}

pub(in crate::embedded) fn attempts(
    reader: &mut Reader,
    of: AttemptsOf,
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    let nothing = ScanPage { items: Vec::new(), resume: None };
    let only = match of {
        AttemptsOf::Endpoint(..) | AttemptsOf::Message(_, _, None) => None,
        AttemptsOf::Message(_, _, Some(id)) => match reader.numbers().number_of_endpoint(id) {
            None => return Ok(nothing),
            some => some,
        },
    };
    let Some((key, up, down)) = place_of(reader, of)? else { return Ok(nothing) };
    let span = Span::of(&filter.message, scan, |id| id.sequence());
    let sql = if scan.ascending { up } else { down };
    let mut statement = reader.index.prepare_cached(sql).map_err(trouble::of_index)?;
    let rows = statement.query(params![key, span.0, span.1]).map_err(trouble::of_index)?;
    let mut messages = Messages { reader, with_body: filter.message.with_body, last: None };
    walk(rows, scan.limit, |it| {
        let sequence = row::sequence(it, 0)?;
        let status: Option<u16> = it.get(2)?;
        let endpoint: u32 = it.get(3)?;
        let unseen = AttemptId::from_parts(sequence, 0);
        let wanted =
            only.is_none_or(|it| it == endpoint) && status.is_none_or(|it| filter.admits(it));
        if !wanted {
            return Ok((unseen, None));
        }
        let Some(message) = messages.find(row::sequence(it, 1)?)? else {
            return Ok((unseen, None));
        };
        let attempt = attempt_of(reader, sequence, message.id)?;
        let passes = |it: &Attempt| filter.passes(it) && filter.message.concerns(&message);
        let Some(attempt) = attempt.filter(passes) else { return Ok((unseen, None)) };
        Ok((attempt.id, Some((attempt, message))))
    })
}

/// Which key to look under, and by which statements.
fn place_of(
    reader: &Reader,
    of: AttemptsOf,
) -> Result<Option<(u64, &'static str, &'static str)>, StoreError> {
    Ok(match of {
        AttemptsOf::Endpoint(application, endpoint) => own_endpoint(reader, application, endpoint)?
            .map(|number| (number.into(), BY_ENDPOINT_UP, BY_ENDPOINT_DOWN)),
        AttemptsOf::Message(application, message, _) => {
            let known = by_sequence(reader, message.sequence(), false)?;
            known
                .filter(|it| it.id == message && it.application == application)
                .map(|it| (it.id.sequence(), BY_MESSAGE_UP, BY_MESSAGE_DOWN))
        },
    })
}

/// The endpoint's number if it belongs to the application.
fn own_endpoint(
    reader: &Reader,
    application: ApplicationId,
    endpoint: EndpointId,
) -> rusqlite::Result<Option<u32>> {
    let numbers = reader.numbers();
    let Some(number) = numbers.number_of_endpoint(endpoint) else { return Ok(None) };
    let own = numbers.application_of(number)? == application;
    Ok(own.then_some(number))
}

/// Fetches messages; the attempts of one often follow each other.
struct Messages<'a> {
    reader: &'a Reader,
    with_body: bool,
    last: Option<Arc<Message>>,
}

impl Messages<'_> {
    fn find(&mut self, sequence: u64) -> rusqlite::Result<Option<Arc<Message>>> {
        if self.last.as_ref().is_none_or(|it| it.id.sequence() != sequence) {
            self.last = by_sequence(self.reader, sequence, self.with_body)?.map(Arc::new);
        }
        Ok(self.last.clone())
    }
}

pub(in crate::embedded) fn deliveries(
    reader: &mut Reader,
    of: DeliveriesOf,
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    match of {
        DeliveriesOf::Message(application, message) => {
            of_message(reader, application, message, filter, scan)
        },
        DeliveriesOf::Endpoint(application, endpoint) => {
            match own_endpoint(reader, application, endpoint)? {
                Some(number) => of_endpoint(reader, (endpoint, number), filter, scan),
                None => Ok(ScanPage { items: Vec::new(), resume: None }),
            }
        },
    }
}

fn of_endpoint(
    reader: &Reader,
    (endpoint, number): (EndpointId, u32),
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let span = Span::of(&filter.message, scan, |id| id.message.sequence());
    // Nearly all are delivered: a walk over all finds those soon.
    let open = filter.status.filter(|&kind| kind != StatusKind::Delivered).map(state_of);
    let sql = match (open, scan.ascending) {
        (None, true) => DELIVERIES_UP,
        (None, false) => DELIVERIES_DOWN,
        (Some(_), true) => OPEN_UP,
        (Some(_), false) => OPEN_DOWN,
    };
    let mut statement = reader.index.prepare_cached(sql).map_err(trouble::of_index)?;
    let rows = match open {
        None => statement.query(params![number, span.0, span.1]),
        Some(state) => statement.query(params![number, span.0, span.1, state]),
    };
    walk(rows.map_err(trouble::of_index)?, scan.limit, |it| {
        let sequence = row::sequence(it, 0)?;
        let unseen = DeliveryId { endpoint, message: MessageId::from_parts(sequence, 0) };
        let status = status(it)?;
        if !filter.admits(status) {
            return Ok((unseen, None));
        }
        let message = by_sequence(reader, sequence, filter.message.with_body)?;
        let Some(message) = message.filter(|it| filter.message.concerns(it)) else {
            return Ok((unseen, None));
        };
        let id = DeliveryId { endpoint, message: message.id };
        let message = Arc::new(message);
        Ok((id, Some(DeliveryRow { id, message, status, attempts: it.get(3)? })))
    })
}

/// From the columns `message, state, at, attempts`.
fn status(row: &Row<'_>) -> rusqlite::Result<Status> {
    Ok(match row.get(1)? {
        DELIVERED => Status::Delivered,
        PENDING => Status::open(row.get(3)?, Timestamp::from_millis(row.get(2)?)),
        FAILED => Status::Failed,
        CANCELLED => Status::Cancelled,
        _ => return Err(trouble::implausible("a delivery stands nowhere")),
    })
}

const fn state_of(kind: StatusKind) -> u8 {
    match kind {
        StatusKind::Delivered => DELIVERED,
        // The number of attempts tells them apart.
        StatusKind::Pending | StatusKind::Sending => PENDING,
        StatusKind::Failed => FAILED,
        StatusKind::Cancelled => CANCELLED,
    }
}

/// A message has as many deliveries as it has endpoints: those are known without a search.
fn of_message(
    reader: &Reader,
    application: ApplicationId,
    id: MessageId,
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let mut found = ScanPage { items: Vec::new(), resume: None };
    let message = by_sequence(reader, id.sequence(), filter.message.with_body)?.filter(|it| {
        it.id == id
            && it.application == application
            && filter.message.spans(id.millis())
            && filter.message.concerns(it)
    });
    let Some(message) = message.map(Arc::new) else { return Ok(found) };
    let after = scan.after.map(|it| it.endpoint);
    let mut endpoints = endpoints_of(reader, id)?;
    endpoints.retain(|(endpoint, _)| match after {
        None => true,
        Some(after) if scan.ascending => *endpoint > after,
        Some(after) => *endpoint < after,
    });
    if !scan.ascending {
        endpoints.reverse();
    }
    let mut statement = reader.index.prepare_cached(DELIVERY).map_err(trouble::of_index)?;
    for (endpoint, number) in endpoints {
        let row = statement.query_row(params![number, id.sequence()], |it| {
            let id = DeliveryId { endpoint, message: id };
            let message = Arc::clone(&message);
            Ok(DeliveryRow { id, message, status: status(it)?, attempts: it.get(3)? })
        });
        let row = row.optional().map_err(trouble::of_index)?;
        let Some(row) = row.filter(|it| filter.admits(it.status)) else { continue };
        if found.items.len() == scan.limit {
            found.resume = found.items.last().map(|it: &DeliveryRow| it.id);
            break;
        }
        found.items.push(row);
    }
    Ok(found)
}

/// Endpoints that the message has deliveries to, in the order of their ids.
fn endpoints_of(reader: &Reader, id: MessageId) -> rusqlite::Result<Vec<(EndpointId, u32)>> {
    let mut statement = reader.truth.prepare_cached(HEAD)?;
    let head = statement.query_row(params![id.sequence(), id.tail().cast_signed()], |it| {
        row::decode::<Head>(row::blob_of(it, 0)?)
    });
    let Some(head) = head.optional()? else { return Ok(Vec::new()) };
    let mut endpoints = head.targets;
    let mut statement = reader.truth.prepare_cached(EXTRAS)?;
    for extra in statement.query_map([id.sequence()], |it| it.get(0))? {
        endpoints.push(extra?);
    }
    let numbers = reader.numbers();
    let named = |number: u32| Ok((numbers.endpoint(number)?, number));
    let mut endpoints = endpoints.into_iter().map(named).collect::<rusqlite::Result<Vec<_>>>()?;
    endpoints.sort_unstable();
    Ok(endpoints)
}

pub(in crate::embedded) fn failed(
    reader: &mut Reader,
    begun: &Begun,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let recovery = &begun.recovery;
    let number = reader.numbers().number_of_endpoint(recovery.endpoint);
    let Some(number) = number else { return Ok(Vec::new()) };
    let first = sequence_at(recovery.since.as_millis()).max(begun.done + 1);
    let last = sequence_at(recovery.until.as_millis()).saturating_sub(1).min(u64::MAX >> 1);
    let ask = || -> rusqlite::Result<Vec<u64>> {
        let mut statement = reader.index.prepare_cached(FAILED_UP)?;
        let found = statement.query_map(params![number, first, last, limit], |it| it.get(0))?;
        found.collect()
    };
    ask().map_err(trouble::of_index)
}

pub(in crate::embedded) fn stats(
    reader: &mut Reader,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Stats, StoreError> {
    let number = reader.numbers().number_of_endpoint(endpoint);
    let Some(number) = number else { return Ok(Stats::default()) };
    let end = u64::MAX >> 1;
    let first = sequence_at(since.as_millis()).min(end);
    let last = sequence_at(until.as_millis()).saturating_sub(1).min(end);
    let ask = || -> rusqlite::Result<HashMap<(u8, bool), u64>> {
        let mut statement = reader.index.prepare_cached(COUNTS)?;
        let found = statement.query_map(params![number, first, last], |it| {
            Ok(((it.get(0)?, it.get(1)?), it.get(2)?))
        })?;
        found.collect()
    };
    let counts = ask().map_err(trouble::of_index)?;
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

pub(in crate::embedded) fn backlog(
    reader: &mut Reader,
    endpoints: &[EndpointId],
    at_most: u64,
) -> Result<u64, StoreError> {
    let numbers: Vec<_> =
        endpoints.iter().filter_map(|it| reader.numbers().number_of_endpoint(*it)).collect();
    let count = || -> rusqlite::Result<u64> {
        let mut statement = reader.index.prepare_cached(BACKLOG)?;
        let mut total = 0;
        for number in numbers {
            let left = at_most.min(u64::from(u32::MAX)).saturating_sub(total);
            total +=
                statement.query_row(params![number, PENDING, left], |it| it.get::<_, u64>(0))?;
        }
        Ok(total)
    };
    count().map_err(trouble::of_index)
}
