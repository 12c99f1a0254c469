//! Messages, one by one and in lists.

use postrider::{ApplicationId, MessageId, Uid};
use postrider_core::message::Message;
use rusqlite::{OptionalExtension, params};

use super::{
    label_check::LabelCheck,
    span::Span,
    walk::{Budget, walk},
};
use crate::{
    contract::{catalog::IdOrUid, history::MessageFilter},
    embedded::{
        error::IndexError,
        index::coverage::Covered,
        number::{IdTail, MessageSequence},
        readers::Reader,
        row::message,
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

const MESSAGE: &str = "SELECT sequence, tail, application, head, body
    FROM messages
    WHERE sequence = ?1";

const MESSAGE_WITHOUT_BODY: &str = "SELECT sequence, tail, application, head, NULL
    FROM messages
    WHERE sequence = ?1";

pub(in crate::embedded) fn by_sequence(
    reader: &Reader,
    sequence: MessageSequence,
    with_body: bool,
) -> rusqlite::Result<Option<Message>> {
    let sql = if with_body { MESSAGE } else { MESSAGE_WITHOUT_BODY };
    let numbers = reader.numbers();
    let mut statement = reader.main.prepare_cached(sql)?;
    statement.query_row([sequence], |row| message::from_row(row, &numbers)).optional()
}

/// The message, without its body, if it has this id and not only the same sequence.
pub(super) fn by_id(reader: &Reader, id: MessageId) -> rusqlite::Result<Option<Message>> {
    let found = by_sequence(reader, MessageSequence::of(id), false)?;
    Ok(found.filter(|message| message.id == id))
}

pub(super) fn find(
    reader: &Reader,
    application: ApplicationId,
    key: &IdOrUid<MessageId>,
) -> Result<Option<Message>, StoreError> {
    let sequence = match key {
        IdOrUid::Id(id) => Some(MessageSequence::of(*id)),
        IdOrUid::Uid(event_id) => by_event_id(reader, application, event_id)?,
    };
    let Some(sequence) = sequence else { return Ok(None) };
    let found = by_sequence(reader, sequence, true)?;
    Ok(found.filter(|message| {
        message.application == application
            && match key {
                IdOrUid::Id(id) => *id == message.id,
                IdOrUid::Uid(_) => true,
            }
    }))
}

const BY_EVENT_ID: &str = "SELECT message FROM event_ids WHERE application = ?1 AND event_id = ?2";

pub(in crate::embedded) fn by_event_id(
    reader: &Reader,
    application: ApplicationId,
    event_id: &Uid,
) -> rusqlite::Result<Option<MessageSequence>> {
    let number = reader.numbers().application_number(application);
    let Some(number) = number else { return Ok(None) };
    let mut statement = reader.main.prepare_cached(BY_EVENT_ID)?;
    statement.query_row(params![number, event_id.as_str()], |row| row.get(0)).optional()
}

pub(in crate::embedded) const MESSAGES_UP: &str = "SELECT message, labels
    FROM messages
    WHERE application = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message";

pub(in crate::embedded) const MESSAGES_DOWN: &str = "SELECT message, labels
    FROM messages
    WHERE application = ?1 AND message BETWEEN ?2 AND ?3
    ORDER BY message DESC";

pub(super) fn list(
    reader: &Reader,
    application: ApplicationId,
    filter: &MessageFilter,
    scan: &Scan<MessageId>,
) -> Result<ScanPage<Message, MessageId>, StoreError> {
    let number = reader.numbers().application_number(application);
    let Some(number) = number else {
        return Ok(ScanPage { items: Vec::new(), resume: None });
    };
    let span = Span::of(filter, scan, |id| id.sequence());
    let Covered { span, missing } = reader.coverage().part_of(span, scan.ascending)?;
    let sql = if scan.ascending { MESSAGES_UP } else { MESSAGES_DOWN };
    let mut statement = reader.index.prepare_cached(sql).map_err(IndexError)?;
    let rows = statement.query(params![number, span.first, span.last]).map_err(IndexError)?;
    let check = LabelCheck::new(reader, filter);
    walk(rows, Budget::items(scan.limit, missing), |row| {
        let sequence: MessageSequence = row.get(0)?;
        if !check.admits(row.get(1)?) {
            return Ok((sequence.id(IdTail(0)), None));
        }
        let message = by_sequence(reader, sequence, filter.with_body)?;
        let message = message.filter(|message| filter.concerns(message));
        // A continued scan compares sequences only, so the tail of a skipped one is irrelevant.
        let id = message.as_ref().map_or_else(|| sequence.id(IdTail(0)), |message| message.id);
        Ok((id, message))
    })
}

const LAST_SEQUENCE: &str = "SELECT max(
    coalesce((SELECT max(sequence) FROM messages), 0),
    coalesce((SELECT max(sequence) FROM attempts), 0)
  )";

pub(super) fn last_sequence(reader: &Reader) -> Result<u64, StoreError> {
    Ok(reader.main.prepare_cached(LAST_SEQUENCE)?.query_row([], |row| row.get(0))?)
}
