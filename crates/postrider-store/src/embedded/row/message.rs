//! A message's row.

use bytes::Bytes;
use postrider::{MessageId, Uid};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
    trace::TraceContext,
};
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::{Content, RowKey, blob_of, content_as, optional_blob_of};
use crate::{
    at_end,
    embedded::{
        labels::Labels,
        number::{ApplicationNumber, EndpointNumber, EventTypeNumber, IdTail, MessageSequence},
        numbers::Numbers,
    },
};

/// A message without its id, its application and its body, which have columns.
#[derive(Serialize, Deserialize)]
pub(in crate::embedded) struct Head {
    pub(in crate::embedded) event_type: EventTypeNumber,
    pub(in crate::embedded) event_id: Option<Uid>,
    channels: Vec<String>,
    tags: Vec<String>,
    /// Headers of a raw body; none for JSON.
    headers: Option<Vec<(String, String)>>,
    pub(in crate::embedded) deliver_at: Option<Timestamp>,
    pub(in crate::embedded) body_until: Timestamp,
    /// The endpoints that the message was accepted for.
    pub(in crate::embedded) targets: Vec<EndpointNumber>,
    /// Takes no space if there is none. Versions that do not know it ignore it.
    #[serde(with = "at_end")]
    trace: Option<Box<TraceContext>>,
}

impl Head {
    pub(in crate::embedded) fn of(
        message: &Message,
        event_type: EventTypeNumber,
        targets: Vec<EndpointNumber>,
    ) -> Self {
        Self {
            event_type,
            event_id: message.event_id.clone(),
            channels: message.channels.clone(),
            tags: message.tags.clone(),
            headers: match &message.format {
                Format::Json => None,
                Format::Raw { headers } => Some(headers.clone()),
            },
            deliver_at: message.deliver_at,
            body_until: message.body_until,
            targets,
            trace: message.trace.clone(),
        }
    }

    /// Replaces the head of a message whose row cannot be decoded.
    pub(in crate::embedded) fn unreadable() -> Self {
        Self {
            event_type: EventTypeNumber(u32::MAX),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            headers: None,
            deliver_at: None,
            body_until: Timestamp::from_millis(0),
            targets: Vec::new(),
            trace: None,
        }
    }

    pub(in crate::embedded) fn labels(&self) -> Labels {
        Labels::of(self.event_type, &self.channels, &self.tags)
    }

    /// When the first attempt for the message is due.
    pub(in crate::embedded) fn first_due(&self, message: MessageSequence) -> Timestamp {
        self.deliver_at.unwrap_or_default().max(message.time())
    }
}

/// A head with what its row's checksum depends on.
pub(in crate::embedded) struct CheckedHead {
    pub(in crate::embedded) head: Head,
    key: RowKey,
    /// The checksum of the body when it was stored; none in rows of earlier versions.
    body: Option<BodySum>,
}

type BodySum = [u8; 4];

impl CheckedHead {
    /// Reads the columns `sequence, tail, application, head`; an error if the row does not match
    /// its checksum.
    pub(in crate::embedded) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let key = key(row.get(0)?, row.get(1)?, row.get(2)?);
        let (body, content) = match super::check(key, blob_of(row, 3)?)? {
            Content::Plain(content) => (None, content),
            Content::Checked(content) => {
                let (body, content) = content.split_first_chunk().ok_or_else(|| key.damaged())?;
                (Some(*body), content)
            },
        };
        Ok(Self { head: content_as(content)?, key, body })
    }

    /// The blob of the row with a changed head.
    pub(in crate::embedded) fn encode<'b>(&self, buffer: &'b mut Vec<u8>) -> &'b [u8] {
        match &self.body {
            Some(body) => super::encode_checked(self.key, body, &self.head, buffer),
            // Its body has no checksum, so that it cannot be known to be what was stored.
            None => super::encode(&self.head, buffer),
        }
    }

    /// Whether this is the body that was stored.
    pub(in crate::embedded) fn has_body(&self, body: &[u8]) -> bool {
        self.check_body(body).is_ok()
    }

    /// An error if the body is not the one that was stored.
    fn check_body(&self, body: &[u8]) -> rusqlite::Result<()> {
        match self.body {
            Some(stored) if stored != body_sum(body) => Err(self.key.damaged()),
            Some(_) | None => Ok(()),
        }
    }
}

fn body_sum(body: &[u8]) -> BodySum {
    crc32c::crc32c(body).to_le_bytes()
}

fn key(sequence: MessageSequence, tail: IdTail, application: ApplicationNumber) -> RowKey {
    RowKey { table: "messages", sequence: sequence.0, tail, owner: application.0 }
}

/// The blob of a new row.
pub(in crate::embedded) fn encode<'b>(
    head: &Head,
    (id, application): (MessageId, ApplicationNumber),
    body: Option<&[u8]>,
    buffer: &'b mut Vec<u8>,
) -> &'b [u8] {
    let key = key(MessageSequence::of(id), IdTail(id.tail()), application);
    super::encode_checked(key, &body_sum(body.unwrap_or_default()), head, buffer)
}

/// Reads the head from the columns `sequence, tail, application, head`.
pub(in crate::embedded) fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    CheckedHead::from_row(row).map(|checked| checked.head)
}

/// The same for a caller that can go on without a damaged row, which is logged.
pub(in crate::embedded) fn intact_head(row: &Row<'_>) -> rusqlite::Result<Option<Head>> {
    super::intact("messages", row.get(0)?, head(row))
}

/// Whether the row `sequence, tail, application, head, body` has a checksum; an error if it does not
/// match that.
pub(in crate::embedded) fn has_checksum(row: &Row<'_>) -> rusqlite::Result<bool> {
    let checked = CheckedHead::from_row(row)?;
    optional_blob_of(row, 4)?.map_or(Ok(()), |body| checked.check_body(body))?;
    Ok(checked.body.is_some())
}

/// Reads the columns `sequence, tail, application, head, body`; an error if the row does not match
/// its checksum.
pub(in crate::embedded) fn from_row(row: &Row<'_>, numbers: &Numbers) -> rusqlite::Result<Message> {
    let checked = CheckedHead::from_row(row)?;
    let body = optional_blob_of(row, 4)?;
    body.map_or(Ok(()), |body| checked.check_body(body))?;
    let CheckedHead { head, .. } = checked;
    let sequence: MessageSequence = row.get(0)?;
    Ok(Message {
        id: sequence.id(row.get(1)?),
        application: numbers.application(row.get(2)?)?,
        event_type: numbers.event_type(head.event_type)?,
        event_id: head.event_id,
        channels: head.channels,
        tags: head.tags,
        body: body.map(Bytes::copy_from_slice),
        format: head.headers.map_or(Format::Json, |headers| Format::Raw { headers }),
        deliver_at: head.deliver_at,
        body_until: head.body_until,
        trace: head.trace,
    })
}
