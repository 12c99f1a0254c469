//! Lists of deliveries with their states.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    delivery::{DeliveryId, Status, StatusKind},
    message::Message,
    time::Timestamp,
};
use rusqlite::{OptionalExtension, Row, params};

use super::{
    label_check::LabelCheck,
    messages::by_sequence,
    span::Span,
    walk::{Budget, walk},
};
use crate::{
    contract::history::{DeliveriesOf, DeliveryFilter, DeliveryRow, StatusFilter},
    embedded::{
        error::{Inconsistency, IndexError},
        extras,
        index::{
            coverage::Covered,
            delivery_state::{CANCELLED, DELIVERED, FAILED, PENDING},
        },
        number::{EndpointNumber, IdTail, MessageSequence},
        readers::Reader,
        row::message,
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

pub(super) fn list(
    reader: &Reader,
    of: DeliveriesOf,
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let nothing = ScanPage { items: Vec::new(), resume: None };
    match of {
        DeliveriesOf::Message(application, id) => {
            let message = by_sequence(reader, MessageSequence::of(id), filter.message.with_body)?;
            let message = message.filter(|message| {
                message.id == id
                    && message.application == application
                    && filter.message.spans(id.millis())
                    && filter.message.concerns(message)
            });
            match message {
                Some(message) => of_message(reader, &Arc::new(message), filter, scan),
                None => Ok(nothing),
            }
        },
        DeliveriesOf::Endpoint(application, endpoint) => {
            match own_endpoint(reader, application, endpoint)? {
                Some(number) => of_endpoint(reader, application, (endpoint, number), filter, scan),
                None => Ok(nothing),
            }
        },
    }
}

/// The endpoint's number if it belongs to the application.
pub(in crate::embedded) fn own_endpoint(
    reader: &Reader,
    application: ApplicationId,
    endpoint: EndpointId,
) -> rusqlite::Result<Option<EndpointNumber>> {
    let numbers = reader.numbers();
    let Some(number) = numbers.endpoint_number(endpoint) else { return Ok(None) };
    let is_own = numbers.application_of(number)? == application;
    Ok(is_own.then_some(number))
}

pub(in crate::embedded) const DELIVERIES_UP: &str = "SELECT message, state, at, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message";

pub(in crate::embedded) const DELIVERIES_DOWN: &str = "SELECT message, state, at, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message DESC";

pub(in crate::embedded) const NOT_DELIVERED_UP: &str = "SELECT message, state, at, attempts
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = ?4 AND state > 0
    ORDER BY message";

pub(in crate::embedded) const NOT_DELIVERED_DOWN: &str = "SELECT message, state, at, attempts
    FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND message BETWEEN ?2 AND ?3 AND state = ?4 AND state > 0
    ORDER BY message DESC";

fn of_endpoint(
    reader: &Reader,
    application: ApplicationId,
    (endpoint, number): (EndpointId, EndpointNumber),
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let span = Span::of(&filter.message, scan, |id| id.message.sequence());
    let Covered { span, missing } = reader.coverage().part_of(span, scan.ascending)?;
    let Span { first, last } = span;
    // Nearly all are delivered, so a walk over all of them finds those soon enough.
    let state = filter.status.and_then(state_of);
    let sql = match (state, scan.ascending) {
        (None, true) => DELIVERIES_UP,
        (None, false) => DELIVERIES_DOWN,
        (Some(_), true) => NOT_DELIVERED_UP,
        (Some(_), false) => NOT_DELIVERED_DOWN,
    };
    let mut statement = reader.index.prepare_cached(sql).map_err(IndexError)?;
    let rows = match state {
        None => statement.query(params![number, first, last]),
        Some(state) => statement.query(params![number, first, last, state]),
    };
    let check = LabelCheck::new(reader, &filter.message);
    walk(rows.map_err(IndexError)?, Budget::items(scan.limit, missing), |row| {
        let sequence: MessageSequence = row.get(0)?;
        let skipped = (DeliveryId { endpoint, message: sequence.id(IdTail(0)) }, None);
        let status = status(row)?;
        if !filter.admits(status) || !check.admits_message(application, sequence)? {
            return Ok(skipped);
        }
        let message = by_sequence(reader, sequence, filter.message.with_body)?;
        let Some(message) = message.filter(|message| filter.message.concerns(message)) else {
            return Ok(skipped);
        };
        let id = DeliveryId { endpoint, message: message.id };
        let message = Arc::new(message);
        Ok((id, Some(DeliveryRow { id, message, status, attempts: row.get(3)? })))
    })
}

/// Reads the columns `message, state, at, attempts`.
pub(in crate::embedded) fn status(row: &Row<'_>) -> rusqlite::Result<Status> {
    Ok(match row.get(1)? {
        DELIVERED => Status::Delivered,
        PENDING => Status::open(row.get(3)?, Timestamp::from_millis(row.get(2)?)),
        FAILED => Status::Failed,
        CANCELLED => Status::Cancelled,
        _ => return Err(Inconsistency::UnknownState.into()),
    })
}

/// The state to search for; none if the walk is over all deliveries.
const fn state_of(status: StatusFilter) -> Option<u8> {
    Some(match status {
        StatusFilter::Is(StatusKind::Delivered) => return None,
        // The number of attempts tells them apart.
        StatusFilter::Is(StatusKind::Pending | StatusKind::Sending) | StatusFilter::Unfinished => {
            PENDING
        },
        StatusFilter::Is(StatusKind::Failed) => FAILED,
        StatusFilter::Is(StatusKind::Cancelled) => CANCELLED,
    })
}

const DELIVERY: &str = "SELECT message, state, at, attempts
    FROM deliveries
    WHERE endpoint = ?1 AND message = ?2";

/// The row of the message says which endpoints it has deliveries to, without a search.
fn of_message(
    reader: &Reader,
    message: &Arc<Message>,
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let mut page = ScanPage { items: Vec::new(), resume: None };
    let endpoints = endpoints_in_order(reader, message.id, scan)?;
    let sequence = MessageSequence::of(message.id);
    reader.coverage().require(sequence.0)?;
    let mut statement = reader.index.prepare_cached(DELIVERY).map_err(IndexError)?;
    for (endpoint, number) in endpoints {
        let row = statement.query_row(params![number, sequence], |row| {
            let id = DeliveryId { endpoint, message: message.id };
            let message = Arc::clone(message);
            Ok(DeliveryRow { id, message, status: status(row)?, attempts: row.get(3)? })
        });
        let row = row.optional().map_err(IndexError)?;
        let Some(row) = row.filter(|row| filter.admits(row.status)) else { continue };
        if page.items.len() == scan.limit {
            page.resume = page.items.last().map(|row: &DeliveryRow| row.id);
            break;
        }
        page.items.push(row);
    }
    Ok(page)
}

/// Whether a delivery of the message has this status.
pub(in crate::embedded) fn has_status(
    reader: &Reader,
    message: MessageId,
    wanted: StatusKind,
) -> rusqlite::Result<bool> {
    let sequence = MessageSequence::of(message);
    let mut statement = reader.index.prepare_cached(DELIVERY)?;
    for (_, endpoint) in endpoints_of(reader, message)? {
        let found = statement.query_row(params![endpoint, sequence], status).optional()?;
        if found.is_some_and(|it| StatusKind::from(it) == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The endpoints of the message that the scan has not visited yet.
fn endpoints_in_order(
    reader: &Reader,
    message: MessageId,
    scan: &Scan<DeliveryId>,
) -> rusqlite::Result<Vec<(EndpointId, EndpointNumber)>> {
    let after = scan.after.map(|id| id.endpoint);
    let mut endpoints = endpoints_of(reader, message)?;
    endpoints.retain(|(endpoint, _)| match after {
        None => true,
        Some(after) if scan.ascending => *endpoint > after,
        Some(after) => *endpoint < after,
    });
    endpoints.sort_unstable();
    if !scan.ascending {
        endpoints.reverse();
    }
    Ok(endpoints)
}

const HEAD: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence = ?1 AND tail = ?2";

/// The endpoints that the message has deliveries to.
fn endpoints_of(
    reader: &Reader,
    id: MessageId,
) -> rusqlite::Result<Vec<(EndpointId, EndpointNumber)>> {
    let sequence = MessageSequence::of(id);
    let mut statement = reader.main.prepare_cached(HEAD)?;
    let head = statement.query_row(params![sequence, IdTail(id.tail())], message::head);
    let Some(head) = head.optional()? else { return Ok(Vec::new()) };
    let endpoints = extras::with_extras(&reader.main, sequence, head.targets)?;
    let numbers = reader.numbers();
    endpoints.into_iter().map(|number| Ok((numbers.endpoint(number)?, number))).collect()
}
