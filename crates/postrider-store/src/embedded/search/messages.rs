//! Messages of several applications.

use postrider::{ApplicationId, MessageId};
use postrider_core::{delivery::StatusKind, message::Message};
use rusqlite::{Row, params};

use super::owner::Owners;
use crate::{
    contract::search::{MessageSearch, PAYLOAD_BYTES, Reach},
    embedded::{
        error::IndexError,
        history::{
            deliveries::{self, DELIVERIES_DOWN, DELIVERIES_UP},
            label_check::LabelCheck,
            messages::{MESSAGES_DOWN, MESSAGES_UP, by_sequence},
            span::Span,
            walk::{Budget, Visited, walk_within},
        },
        index::{
            coverage::Covered,
            delivery_state::{CANCELLED, FAILED},
        },
        number::{ApplicationNumber, EndpointNumber, IdTail, MessageSequence},
        readers::Reader,
        row::message,
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

/// What a search walks along.
#[derive(Clone, Copy)]
enum Key {
    All,
    /// Deliveries of all endpoints that ended in this state.
    Ended(u8),
    Application(ApplicationNumber),
    Endpoint(EndpointNumber),
}

/// The columns of a message. The body is read only if it is needed.
pub(in crate::embedded) const ALL_UP: &str = "SELECT sequence, tail, application, head, NULL
    FROM messages
    WHERE sequence BETWEEN ?1 AND ?2
    ORDER BY sequence";

pub(in crate::embedded) const ALL_DOWN: &str = "SELECT sequence, tail, application, head, NULL
    FROM messages
    WHERE sequence BETWEEN ?1 AND ?2
    ORDER BY sequence DESC";

pub(in crate::embedded) const ENDED_UP: &str = "SELECT message
    FROM deliveries INDEXED BY deliveries_not_delivered
    WHERE state = ?1 AND state > 1 AND message BETWEEN ?2 AND ?3
    ORDER BY message";

pub(in crate::embedded) const ENDED_DOWN: &str = "SELECT message
    FROM deliveries INDEXED BY deliveries_not_delivered
    WHERE state = ?1 AND state > 1 AND message BETWEEN ?2 AND ?3
    ORDER BY message DESC";

impl Key {
    /// The key of messages that exist.
    fn of(
        reader: &Reader,
        reach: &Reach,
        search: &MessageSearch,
    ) -> Result<Option<Self>, StoreError> {
        let ended = match search.status {
            Some(StatusKind::Failed) => Some(FAILED),
            Some(StatusKind::Cancelled) => Some(CANCELLED),
            Some(StatusKind::Delivered | StatusKind::Pending | StatusKind::Sending) | None => None,
        };
        Ok(match (reach.application, ended) {
            (Some((application, Some(endpoint))), _) => {
                deliveries::own_endpoint(reader, application, endpoint)?.map(Self::Endpoint)
            },
            (_, Some(state)) => Some(Self::Ended(state)),
            (Some((application, None)), None) => {
                reader.numbers().application_number(application).map(Self::Application)
            },
            (None, None) => Some(Self::All),
        })
    }

    const fn sql(self, ascending: bool) -> &'static str {
        match (self, ascending) {
            (Self::All, true) => ALL_UP,
            (Self::All, false) => ALL_DOWN,
            (Self::Ended(_), true) => ENDED_UP,
            (Self::Ended(_), false) => ENDED_DOWN,
            (Self::Application(_), true) => MESSAGES_UP,
            (Self::Application(_), false) => MESSAGES_DOWN,
            (Self::Endpoint(_), true) => DELIVERIES_UP,
            (Self::Endpoint(_), false) => DELIVERIES_DOWN,
        }
    }
}

pub(super) fn search(
    reader: &Reader,
    reach: &Reach,
    search: &MessageSearch,
    scan: &Scan<MessageId>,
) -> Result<ScanPage<Message, MessageId>, StoreError> {
    let Some(key) = Key::of(reader, reach, search)? else {
        return Ok(ScanPage { items: Vec::new(), resume: None });
    };
    let span = Span::of(&search.message, scan, |id| id.sequence());
    let Covered { span: Span { first, last }, missing } =
        if matches!(key, Key::All) && search.status.is_none() {
            Covered { span, missing: None }
        } else {
            reader.coverage().part_of(span, scan.ascending)?
        };
    let db = if matches!(key, Key::All) { &reader.main } else { &reader.index };
    let mut statement = db.prepare_cached(key.sql(scan.ascending)).map_err(IndexError)?;
    let rows = match key {
        Key::All => statement.query(params![first, last]),
        Key::Ended(state) => statement.query(params![state, first, last]),
        Key::Application(application) => statement.query(params![application, first, last]),
        Key::Endpoint(endpoint) => statement.query(params![endpoint, first, last]),
    };
    let rows = rows.map_err(IndexError)?;
    let owners = Owners::new(reader, reach);
    let check = LabelCheck::new(reader, &search.message);
    let application = reach.application.map(|(application, _)| application);
    let mut visitor = Visitor { reader, search, check, application, key, owners, last: None };
    let budget = Budget { limit: scan.limit, bytes: PAYLOAD_BYTES, missing };
    walk_within(rows, budget, |row| visitor.visit(row))
}

struct Visitor<'a> {
    reader: &'a Reader,
    search: &'a MessageSearch,
    check: LabelCheck<'a>,
    /// The only one that the search reaches.
    application: Option<ApplicationId>,
    key: Key,
    owners: Owners<'a>,
    /// The message that was visited last. Several deliveries of a message follow each other.
    last: Option<MessageSequence>,
}

impl Visitor<'_> {
    fn visit(&mut self, row: &Row<'_>) -> rusqlite::Result<Visited<MessageId, Message>> {
        let sequence: MessageSequence = row.get(0)?;
        // A continued scan compares sequences only.
        let skipped = Visited { key: sequence.id(IdTail(0)), item: None, bytes: 0 };
        if self.last.replace(sequence) == Some(sequence) || !self.has_status(row)? {
            return Ok(skipped);
        }
        if !self.has_labels(row, sequence)? {
            return Ok(skipped);
        }
        let Some(message) = self.read(row, sequence)? else { return Ok(skipped) };
        if !self.search.message.concerns(&message) || !self.has_other_status(&message)? {
            return Ok(skipped);
        }
        self.with_payload(message)
    }

    /// Whether the delivery that the row is about matches, if it is about one.
    fn has_status(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let (Key::Endpoint(_), Some(wanted)) = (self.key, self.search.status) else {
            return Ok(true);
        };
        Ok(StatusKind::from(deliveries::status(row)?) == wanted)
    }

    /// Whether the message may match, if the index says what its labels are.
    fn has_labels(&self, row: &Row<'_>, message: MessageSequence) -> rusqlite::Result<bool> {
        match (self.key, self.application) {
            (Key::Application(_), _) => Ok(self.check.admits(row.get(1)?)),
            (Key::Endpoint(_) | Key::Ended(_), Some(application)) => {
                self.check.admits_message(application, message)
            },
            (Key::All, _) | (Key::Endpoint(_) | Key::Ended(_), None) => Ok(true),
        }
    }

    /// The message without its body, if the search reaches it.
    fn read(
        &mut self,
        row: &Row<'_>,
        sequence: MessageSequence,
    ) -> rusqlite::Result<Option<Message>> {
        if matches!(self.key, Key::All) {
            if !self.owners.reaches_number(row.get(2)?)? {
                return Ok(None);
            }
            return message::from_row(row, &self.reader.numbers()).map(Some);
        }
        let Some(found) = by_sequence(self.reader, sequence, false)? else { return Ok(None) };
        Ok(self.owners.reaches(found.application)?.then_some(found))
    }

    /// Whether one of the message's deliveries matches, if the row does not say so.
    fn has_other_status(&self, message: &Message) -> rusqlite::Result<bool> {
        match (self.key, self.search.status) {
            (Key::All | Key::Application(_), Some(wanted)) => {
                deliveries::has_status(self.reader, message.id, wanted)
            },
            (Key::Endpoint(_) | Key::Ended(_), _) | (_, None) => Ok(true),
        }
    }

    fn with_payload(&self, message: Message) -> rusqlite::Result<Visited<MessageId, Message>> {
        let key = message.id;
        if !self.search.reads_bodies() {
            return Ok(Visited { key, item: Some(message), bytes: 0 });
        }
        let found = by_sequence(self.reader, MessageSequence::of(key), true)?;
        let bytes = found.as_ref().and_then(|it| it.body.as_ref()).map_or(0, bytes::Bytes::len);
        let found = found.filter(|it| self.search.matches_payload(it));
        Ok(Visited { key, item: found.map(|it| self.search.show(it)), bytes })
    }
}
