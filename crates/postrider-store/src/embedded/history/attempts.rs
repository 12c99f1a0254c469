//! Attempts, one by one and in lists.

use std::sync::Arc;

use postrider::{AttemptId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId},
    message::Message,
};
use rusqlite::{Row, params};

use super::{
    deliveries,
    label_check::LabelCheck,
    messages::{self, by_sequence},
    span::Span,
    walk::{Budget, walk},
};
use crate::{
    contract::history::{AttemptFilter, AttemptsOf, MessageFilter},
    embedded::{
        error::IndexError,
        index::coverage::Covered,
        number::{AttemptSequence, EndpointNumber, IdTail, MessageSequence},
        readers::Reader,
        row::attempt::AttemptRecord,
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

pub(super) fn find(
    reader: &Reader,
    message: MessageId,
    id: AttemptId,
) -> Result<Option<Attempt>, StoreError> {
    if messages::by_id(reader, message)?.is_none() {
        return Ok(None);
    }
    let found = by_message(reader, AttemptSequence::of(id), message)?;
    Ok(found.filter(|attempt| attempt.id == id))
}

const ATTEMPT: &str = "SELECT sequence, tail, record FROM attempts WHERE sequence = ?1";

/// The attempt if it was made for this message.
pub(in crate::embedded) fn by_message(
    reader: &Reader,
    sequence: AttemptSequence,
    message: MessageId,
) -> rusqlite::Result<Option<Attempt>> {
    let mut statement = reader.main.prepare_cached(ATTEMPT)?;
    let mut rows = statement.query([sequence])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let id = sequence.id(found.get(1)?);
    let record = AttemptRecord::from_row(found)?;
    if record.message != MessageSequence::of(message) {
        return Ok(None);
    }
    let endpoint = reader.numbers().endpoint(record.endpoint)?;
    Ok(Some(record.attempt(id, DeliveryId { endpoint, message })))
}

pub(in crate::embedded) const BY_ENDPOINT_UP: &str = "SELECT attempt, message, status, endpoint
    FROM attempts_by_endpoint
    WHERE endpoint = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt";

pub(in crate::embedded) const BY_ENDPOINT_DOWN: &str = "SELECT attempt, message, status, endpoint
    FROM attempts_by_endpoint
    WHERE endpoint = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt DESC";

/// Without the status, which the attempt itself has: a message has few attempts.
pub(in crate::embedded) const BY_MESSAGE_UP: &str = "SELECT attempt, message, NULL, endpoint
    FROM attempts_by_message
    WHERE message = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt";

pub(in crate::embedded) const BY_MESSAGE_DOWN: &str = "SELECT attempt, message, NULL, endpoint
    FROM attempts_by_message
    WHERE message = ?1 AND attempt BETWEEN ?2 AND ?3
    ORDER BY attempt DESC";

/// A row of either statement.
struct Entry {
    attempt: AttemptSequence,
    message: MessageSequence,
    status: Option<u16>,
    endpoint: EndpointNumber,
}

impl Entry {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            attempt: row.get(0)?,
            message: row.get(1)?,
            status: row.get(2)?,
            endpoint: row.get(3)?,
        })
    }
}

/// What a list of attempts walks along.
#[derive(Clone, Copy)]
enum Key {
    Endpoint(EndpointNumber),
    /// The message, and the only endpoint to list if there is one.
    Message(MessageSequence, Option<EndpointNumber>),
}

impl Key {
    /// The key of attempts that exist and belong to the application.
    fn of(reader: &Reader, of: AttemptsOf) -> Result<Option<Self>, StoreError> {
        match of {
            AttemptsOf::Endpoint(application, id) => {
                let endpoint = deliveries::own_endpoint(reader, application, id)?;
                Ok(endpoint.map(Self::Endpoint))
            },
            AttemptsOf::Message(application, id, only) => {
                let only = match only {
                    None => None,
                    Some(endpoint) => match reader.numbers().endpoint_number(endpoint) {
                        None => return Ok(None),
                        known => known,
                    },
                };
                let message = messages::by_id(reader, id)?;
                let own = message.filter(|message| message.application == application);
                Ok(own.map(|message| Self::Message(MessageSequence::of(message.id), only)))
            },
        }
    }

    const fn statement(self, ascending: bool) -> &'static str {
        match (self, ascending) {
            (Self::Endpoint(_), true) => BY_ENDPOINT_UP,
            (Self::Endpoint(_), false) => BY_ENDPOINT_DOWN,
            (Self::Message(..), true) => BY_MESSAGE_UP,
            (Self::Message(..), false) => BY_MESSAGE_DOWN,
        }
    }

    fn admits(self, endpoint: EndpointNumber) -> bool {
        match self {
            Self::Endpoint(_) | Self::Message(_, None) => true,
            Self::Message(_, Some(only)) => only == endpoint,
        }
    }
}

pub(super) fn list(
    reader: &Reader,
    of: AttemptsOf,
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    let Some(key) = Key::of(reader, of)? else {
        return Ok(ScanPage { items: Vec::new(), resume: None });
    };
    let span = Span::of(&filter.message, scan, |id| id.sequence());
    let Covered { span, missing } = match key {
        Key::Endpoint(_) => reader.coverage().part_of(span, scan.ascending)?,
        // Attempts are made after their message was accepted, so they are there if it is.
        Key::Message(message, _) => {
            reader.coverage().require(message.0)?;
            Covered { span, missing: None }
        },
    };
    let mut statement =
        reader.index.prepare_cached(key.statement(scan.ascending)).map_err(IndexError)?;
    let rows = match key {
        Key::Endpoint(endpoint) => statement.query(params![endpoint, span.first, span.last]),
        Key::Message(message, _) => statement.query(params![message, span.first, span.last]),
    };
    let check = LabelCheck::new(reader, &filter.message);
    let mut messages = Messages::new(reader, &filter.message);
    walk(rows.map_err(IndexError)?, Budget::items(scan.limit, missing), |row| {
        let entry = Entry::from_row(row)?;
        let skipped = (entry.attempt.id(IdTail(0)), None);
        // The index rules out most attempts that do not match, without reading them.
        let is_wanted =
            key.admits(entry.endpoint) && entry.status.is_none_or(|status| filter.admits(status));
        if !is_wanted || !check.admits_message(of.application(), entry.message)? {
            return Ok(skipped);
        }
        let Some(message) = messages.find(entry.message)? else { return Ok(skipped) };
        let attempt = by_message(reader, entry.attempt, message.id)?;
        let attempt = attempt.filter(|attempt| filter.passes(attempt));
        Ok(attempt.map_or(skipped, |attempt| (attempt.id, Some((attempt, message)))))
    })
}

/// Fetches messages that match a filter. Attempts of the same message often follow each other.
pub(in crate::embedded) struct Messages<'a> {
    reader: &'a Reader,
    filter: &'a MessageFilter,
    last: Option<(MessageSequence, Option<Arc<Message>>)>,
}

impl<'a> Messages<'a> {
    pub(in crate::embedded) const fn new(reader: &'a Reader, filter: &'a MessageFilter) -> Self {
        Self { reader, filter, last: None }
    }

    pub(in crate::embedded) fn find(
        &mut self,
        sequence: MessageSequence,
    ) -> rusqlite::Result<Option<Arc<Message>>> {
        if let Some((last, message)) = &self.last
            && *last == sequence
        {
            return Ok(message.clone());
        }
        let message = by_sequence(self.reader, sequence, self.filter.with_body)?;
        let message = message.filter(|message| self.filter.concerns(message)).map(Arc::new);
        self.last = Some((sequence, message.clone()));
        Ok(message)
    }
}
