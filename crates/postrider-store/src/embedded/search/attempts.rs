//! Attempts of several applications.

use std::sync::Arc;

use postrider::AttemptId;
use postrider_core::{
    delivery::{Attempt, DeliveryId},
    message::Message,
};
use rusqlite::{OptionalExtension, Row, params};

use super::owner::{Kinds, Owners};
use crate::{
    contract::search::{AttemptSearch, Reach},
    embedded::{
        error::IndexError,
        history::{
            attempts::{BY_ENDPOINT_DOWN, BY_ENDPOINT_UP, Messages},
            deliveries,
            label_check::LabelCheck,
            span::Span,
            walk::{Budget, Visited, walk_within},
        },
        index::coverage::Covered,
        number::{AttemptSequence, EndpointNumber, IdTail},
        readers::Reader,
        row::attempt::AttemptRecord,
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

/// What a search walks along.
#[derive(Clone, Copy)]
enum Key {
    All,
    Failed,
    Endpoint(EndpointNumber),
}

pub(in crate::embedded) const ALL_UP: &str = "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence BETWEEN ?1 AND ?2
    ORDER BY sequence";

pub(in crate::embedded) const ALL_DOWN: &str = "SELECT sequence, tail, record
    FROM attempts
    WHERE sequence BETWEEN ?1 AND ?2
    ORDER BY sequence DESC";

pub(in crate::embedded) const FAILED_UP: &str = "SELECT attempt, message, status, endpoint
    FROM attempts_by_endpoint INDEXED BY attempts_failed
    WHERE attempt BETWEEN ?1 AND ?2 AND (status < 200 OR status > 299)
    ORDER BY attempt";

pub(in crate::embedded) const FAILED_DOWN: &str = "SELECT attempt, message, status, endpoint
    FROM attempts_by_endpoint INDEXED BY attempts_failed
    WHERE attempt BETWEEN ?1 AND ?2 AND (status < 200 OR status > 299)
    ORDER BY attempt DESC";

impl Key {
    /// The key of attempts that exist.
    fn of(
        reader: &Reader,
        reach: &Reach,
        search: &AttemptSearch,
    ) -> Result<Option<Self>, StoreError> {
        Ok(match reach.application {
            Some((application, Some(endpoint))) => {
                deliveries::own_endpoint(reader, application, endpoint)?.map(Self::Endpoint)
            },
            Some((_, None)) | None if search.is_of_failures() => Some(Self::Failed),
            Some((_, None)) | None => Some(Self::All),
        })
    }

    const fn sql(self, ascending: bool) -> &'static str {
        match (self, ascending) {
            (Self::All, true) => ALL_UP,
            (Self::All, false) => ALL_DOWN,
            (Self::Failed, true) => FAILED_UP,
            (Self::Failed, false) => FAILED_DOWN,
            (Self::Endpoint(_), true) => BY_ENDPOINT_UP,
            (Self::Endpoint(_), false) => BY_ENDPOINT_DOWN,
        }
    }
}

pub(super) fn search(
    reader: &Reader,
    reach: &Reach,
    search: &AttemptSearch,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    let Some(key) = Key::of(reader, reach, search)? else {
        return Ok(ScanPage { items: Vec::new(), resume: None });
    };
    let span = Span::of(&search.attempt.message, scan, |id| id.sequence());
    let Covered { span: Span { first, last }, missing } = match key {
        Key::All => Covered { span, missing: None },
        Key::Failed | Key::Endpoint(_) => reader.coverage().part_of(span, scan.ascending)?,
    };
    let db = if matches!(key, Key::All) { &reader.main } else { &reader.index };
    let mut statement = db.prepare_cached(key.sql(scan.ascending)).map_err(IndexError)?;
    let rows = match key {
        Key::All | Key::Failed => statement.query(params![first, last]),
        Key::Endpoint(endpoint) => statement.query(params![endpoint, first, last]),
    };
    let rows = rows.map_err(IndexError)?;
    let mut visitor = Visitor {
        reader,
        search,
        owners: Owners::new(reader, reach),
        kinds: Kinds::new(reader),
        check: LabelCheck::new(reader, &search.attempt.message),
        messages: Messages::new(reader, &search.attempt.message),
    };
    let budget = Budget::items(scan.limit, missing);
    walk_within(rows, budget, |row| {
        let sequence: AttemptSequence = row.get(0)?;
        let item = match key {
            Key::All => visitor.visit(sequence, row)?,
            Key::Failed | Key::Endpoint(_) => visitor.visit_entry(sequence, row)?,
        };
        // A continued scan compares sequences only.
        let key = item.as_ref().map_or_else(|| sequence.id(IdTail(0)), |(it, _)| it.id);
        Ok(Visited { key, item, bytes: 0 })
    })
}

struct Visitor<'a> {
    reader: &'a Reader,
    search: &'a AttemptSearch,
    owners: Owners<'a>,
    kinds: Kinds<'a>,
    check: LabelCheck<'a>,
    messages: Messages<'a>,
}

type Found = Option<(Attempt, Arc<Message>)>;

const ATTEMPT: &str = "SELECT sequence, tail, record FROM attempts WHERE sequence = ?1";

impl Visitor<'_> {
    /// Visits a row `attempt, message, status, endpoint` of the index, which rules out most
    /// attempts without reading them.
    fn visit_entry(&mut self, sequence: AttemptSequence, row: &Row<'_>) -> rusqlite::Result<Found> {
        let endpoint = row.get(3)?;
        if !self.search.admits(row.get(2)?) || !self.owners.reaches_endpoint(endpoint)? {
            return Ok(None);
        }
        let application = self.reader.numbers().application_of(endpoint)?;
        if !self.check.admits_message(application, row.get(1)?)? {
            return Ok(None);
        }
        let mut statement = self.reader.main.prepare_cached(ATTEMPT)?;
        let found = statement.query_row([sequence], |row| self.visit(sequence, row));
        Ok(found.optional()?.flatten())
    }

    /// Visits a row `sequence, tail, record`.
    fn visit(&mut self, attempt: AttemptSequence, row: &Row<'_>) -> rusqlite::Result<Found> {
        let id = attempt.id(row.get(1)?);
        let mut record = AttemptRecord::from_row(row)?;
        let (sequence, endpoint) = (record.message, record.endpoint);
        if !self.search.admits(record.status()) || !self.owners.reaches_endpoint(endpoint)? {
            return Ok(None);
        }
        if let Some(kind) = self.search.kind
            && self.kinds.of(endpoint)? != Some(kind)
        {
            return Ok(None);
        }
        let Some(message) = self.messages.find(sequence)? else { return Ok(None) };
        if self.search.without_response {
            record.response = None;
        }
        let endpoint = self.reader.numbers().endpoint(endpoint)?;
        let attempt = record.attempt(id, DeliveryId { endpoint, message: message.id });
        Ok(self.search.passes(&attempt).then_some((attempt, message)))
    }
}
