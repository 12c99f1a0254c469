//! How messages and attempts are laid out in rows.
//!
//! What is searched for or removed alone has a column; all else is one blob, which costs
//! less than a column each. A blob begins with the version of its layout.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider::{AttemptId, MessageId, Uid};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Response, Settlement, Trigger},
    message::{Format, Message},
    outcome::{Failure, Outcome},
    retry::Verdict,
    time::Timestamp,
};
use rusqlite::Row;
use serde::{Deserialize, Serialize, Serializer};

use super::{numbers::Numbers, trouble};

const VERSION: u8 = 1;

/// All of a message but its id, its application and its body.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) event_type: u32,
    pub(super) event_id: Option<Uid>,
    channels: Vec<String>,
    tags: Vec<String>,
    /// Headers of a raw body; none for JSON.
    headers: Option<Vec<(String, String)>>,
    pub(super) deliver_at: Option<Timestamp>,
    pub(super) body_until: Timestamp,
    pub(super) targets: Vec<u32>,
}

impl Head {
    pub(super) fn of(message: &Message, event_type: u32, targets: Vec<u32>) -> Self {
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
        }
    }

    /// What is said of a message whose row cannot be read.
    pub(super) fn unreadable() -> Self {
        Self {
            event_type: u32::MAX,
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            headers: None,
            deliver_at: None,
            body_until: Timestamp::from_millis(0),
            targets: Vec::new(),
        }
    }

    /// When a fresh delivery of the message is due.
    pub(super) fn first_due(&self, message: u64) -> u64 {
        first_due(self.deliver_at, message)
    }
}

/// When a fresh delivery of a message is due.
pub(super) fn first_due(deliver_at: Option<Timestamp>, message: u64) -> u64 {
    deliver_at.map_or(0, Timestamp::as_millis).max(millis(message))
}

/// The time in a sequence.
pub(super) const fn millis(sequence: u64) -> u64 {
    sequence >> 12
}

/// The first sequence of that millisecond.
pub(super) const fn sequence_at(millis: u64) -> u64 {
    if millis > u64::MAX >> 12 { u64::MAX } else { millis << 12 }
}

/// Columns of a message: `sequence, tail, application, head, body`.
pub(super) fn message(row: &Row<'_>, numbers: &Numbers) -> rusqlite::Result<Message> {
    let head: Head = decode(blob_of(row, 3)?)?;
    Ok(Message {
        id: MessageId::from_parts(sequence(row, 0)?, tail(row, 1)?),
        application: numbers.application(row.get(2)?)?,
        event_type: numbers.event_type(head.event_type)?,
        event_id: head.event_id,
        channels: head.channels,
        tags: head.tags,
        body: optional_blob(row, 4)?.map(Bytes::copy_from_slice),
        format: head.headers.map_or(Format::Json, |headers| Format::Raw { headers }),
        deliver_at: head.deliver_at,
        body_until: head.body_until,
    })
}

/// All of an attempt but its id; the tail of the message's id is in the message's row.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'a> {
    pub(super) message: u64,
    pub(super) endpoint: u32,
    number: u16,
    manual: bool,
    at: Timestamp,
    duration: Duration,
    url: &'a str,
    address: Option<SocketAddr>,
    outcome: StoredOutcome,
    /// What followed, so that the index can be made anew.
    pub(super) end: End,
    #[serde(borrow)]
    pub(super) response: Option<StoredResponse<'a>>,
}

/// What followed from an attempt for its delivery.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    Delivered,
    Failed,
    Retried,
}

#[derive(Serialize, Deserialize)]
enum StoredOutcome {
    Answered { status: u16, retry_after: Option<Duration> },
    Resolve,
    Connect,
    Tls,
    Timeout,
    Protocol,
    Forbidden,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredResponse<'a> {
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a str)>,
    #[serde(serialize_with = "whole", borrow)]
    body: &'a [u8],
}

/// Writes bytes at once and not one by one.
fn whole<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

impl<'a> Record<'a> {
    pub(super) fn of(settlement: &'a Settlement, endpoint: u32) -> Self {
        let attempt = &settlement.attempt;
        let end = match settlement.verdict {
            Verdict::Delivered => End::Delivered,
            Verdict::GiveUp(_) => End::Failed,
            Verdict::RetryAt(_) => End::Retried,
        };
        Self::new(attempt, (attempt.delivery.message.sequence(), endpoint), end)
    }

    pub(super) fn new(attempt: &'a Attempt, (message, endpoint): (u64, u32), end: End) -> Self {
        Self {
            message,
            endpoint,
            number: attempt.number,
            manual: attempt.trigger == Trigger::Manual,
            at: attempt.at,
            duration: attempt.duration,
            url: &attempt.url,
            address: attempt.address,
            outcome: StoredOutcome::from(attempt.outcome),
            end,
            response: attempt.response.as_ref().map(|response| StoredResponse {
                headers: response.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
                body: &response.body,
            }),
        }
    }

    /// The answer's status; 0 if there was none.
    pub(super) const fn status(&self) -> u16 {
        match self.outcome {
            StoredOutcome::Answered { status, .. } => status,
            StoredOutcome::Resolve
            | StoredOutcome::Connect
            | StoredOutcome::Tls
            | StoredOutcome::Timeout
            | StoredOutcome::Protocol
            | StoredOutcome::Forbidden => 0,
        }
    }

    pub(super) fn attempt(self, id: AttemptId, delivery: DeliveryId) -> Attempt {
        Attempt {
            id,
            delivery,
            number: self.number,
            trigger: if self.manual { Trigger::Manual } else { Trigger::Scheduled },
            at: self.at,
            duration: self.duration,
            url: self.url.to_owned(),
            address: self.address,
            outcome: self.outcome.into(),
            response: self.response.map(|response| Response {
                headers: response
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                body: Bytes::copy_from_slice(response.body),
            }),
        }
    }
}

impl From<Outcome> for StoredOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered { status, retry_after } => Self::Answered { status, retry_after },
            Outcome::Unanswered(failure) => match failure {
                Failure::Resolve => Self::Resolve,
                Failure::Connect => Self::Connect,
                Failure::Tls => Self::Tls,
                Failure::Timeout => Self::Timeout,
                Failure::Protocol => Self::Protocol,
                Failure::Forbidden => Self::Forbidden,
            },
        }
    }
}

impl From<StoredOutcome> for Outcome {
    fn from(outcome: StoredOutcome) -> Self {
        Self::Unanswered(match outcome {
            StoredOutcome::Answered { status, retry_after } => {
                return Self::Answered { status, retry_after };
            },
            StoredOutcome::Resolve => Failure::Resolve,
            StoredOutcome::Connect => Failure::Connect,
            StoredOutcome::Tls => Failure::Tls,
            StoredOutcome::Timeout => Failure::Timeout,
            StoredOutcome::Protocol => Failure::Protocol,
            StoredOutcome::Forbidden => Failure::Forbidden,
        })
    }
}

/// Encodes into the buffer, in place of what is there.
pub(super) fn encode<'b>(value: &impl Serialize, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    buffer.push(VERSION);
    *buffer = postcard::to_extend(value, std::mem::take(buffer))
        .expect("what is stored serializes, and a vector takes it");
    buffer
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> rusqlite::Result<T> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(trouble::undecodable),
        _ => Err(trouble::implausible("a row is of an unknown version")),
    }
}

/// Decodes for somebody who can do without what is damaged: an operator has to look at it,
/// but it must not hold up everything else.
pub(super) fn decode_if_whole<'a, T: Deserialize<'a>>(
    table: &'static str,
    sequence: u64,
    bytes: &'a [u8],
) -> Option<T> {
    decode(bytes)
        .inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::error!(table, sequence, error, "a row of postrider.db is damaged");
        })
        .ok()
}

/// An id's bits as a key that sorts like the id.
pub(super) const fn blob(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    row.get(column).map(u128::from_be_bytes)
}

pub(super) fn sequence(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column)
}

/// The tail of an id uses all 64 bits, which `SQLite`'s integers have, but for the sign.
pub(super) fn tail(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn blob_of<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

fn optional_blob<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<Option<&'a [u8]>> {
    Ok(row.get_ref(column)?.as_blob_or_null()?)
}
