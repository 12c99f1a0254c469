//! A message's row.

use bytes::Bytes;
use postrider::Uid;
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
    trace::TraceContext,
};
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::{blob_of, decode, optional_blob_of};
use crate::{
    at_end,
    embedded::{
        number::{EndpointNumber, EventTypeNumber, MessageSequence},
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

    /// When the first attempt for the message is due.
    pub(in crate::embedded) fn first_due(&self, message: MessageSequence) -> Timestamp {
        self.deliver_at.unwrap_or_default().max(message.time())
    }
}

/// Reads the columns `sequence, tail, application, head, body`.
pub(in crate::embedded) fn from_row(row: &Row<'_>, numbers: &Numbers) -> rusqlite::Result<Message> {
    let head: Head = decode(blob_of(row, 3)?)?;
    let sequence: MessageSequence = row.get(0)?;
    Ok(Message {
        id: sequence.id(row.get(1)?),
        application: numbers.application(row.get(2)?)?,
        event_type: numbers.event_type(head.event_type)?,
        event_id: head.event_id,
        channels: head.channels,
        tags: head.tags,
        body: optional_blob_of(row, 4)?.map(Bytes::copy_from_slice),
        format: head.headers.map_or(Format::Json, |headers| Format::Raw { headers }),
        deliver_at: head.deliver_at,
        body_until: head.body_until,
        trace: head.trace,
    })
}
