//! The layout of messages and attempts in rows.
//!
//! Fields that are searched for or removed alone have columns; all others are one blob, which
//! begins with the version of its layout.
//!
//! Columns are read by their place. Statements that read messages select
//! `application, id, event_type, event_id, details, body_until, body` first, and statements that
//! read attempts `endpoint, message, id, number, manual, details, response`.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider::{EventTypeName, Uid};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Response, Trigger},
    message::{Format, Message},
    outcome::Outcome,
    retry::RetryPlan,
    statistics::Counters,
    time::Timestamp,
    trace::TraceContext,
};
use serde::{Deserialize, Serialize, Serializer};
use tokio_postgres::Row;

use super::{
    error::DatabaseError,
    value::{self, Uuid},
};
use crate::at_end;

const VERSION: u8 = 1;

/// Fields of a message without a column.
#[derive(Serialize, Deserialize)]
struct MessageDetails {
    channels: Vec<String>,
    tags: Vec<String>,
    /// Headers of a raw body; none for JSON.
    headers: Option<Vec<(String, String)>>,
    deliver_at: Option<Timestamp>,
    /// Takes no space if there is none. Versions that do not know it ignore it.
    #[serde(with = "at_end")]
    trace: Option<Box<TraceContext>>,
}

/// Fields of an attempt without a column.
#[derive(Serialize, Deserialize)]
struct AttemptDetails {
    at: Timestamp,
    duration: Duration,
    url: String,
    address: Option<SocketAddr>,
    outcome: Outcome,
}

pub(super) fn message_details(message: &Message) -> Vec<u8> {
    encode(&MessageDetails {
        channels: message.channels.clone(),
        tags: message.tags.clone(),
        headers: match &message.format {
            Format::Json => None,
            Format::Raw { headers } => Some(headers.clone()),
        },
        deliver_at: message.deliver_at,
        trace: message.trace.clone(),
    })
}

/// The details of a message whose first attempts are made at another time.
pub(super) fn rescheduled_details(
    details: &[u8],
    deliver_at: Timestamp,
) -> Result<Vec<u8>, DatabaseError> {
    let details: MessageDetails = decode("message", details)?;
    Ok(encode(&MessageDetails { deliver_at: Some(deliver_at), ..details }))
}

/// A message from the first columns of a row.
pub(super) fn message(row: &Row) -> Result<Message, DatabaseError> {
    let details: MessageDetails = decode("message", row.get(4))?;
    let event_id: Option<&str> = row.get(3);
    let event_id = event_id.map(Uid::stored).transpose();
    Ok(Message {
        id: row.get::<_, Uuid>(1).into(),
        application: row.get::<_, Uuid>(0).into(),
        event_type: event_type(row.get(2))?,
        event_id: event_id.map_err(|error| DatabaseError::corrupt("message", error))?,
        channels: details.channels,
        tags: details.tags,
        body: row.get::<_, Option<&[u8]>>(6).map(Bytes::copy_from_slice),
        format: details.headers.map_or(Format::Json, |headers| Format::Raw { headers }),
        deliver_at: details.deliver_at,
        body_until: value::timestamp(row.get(5)),
        trace: details.trace,
    })
}

fn event_type(name: &str) -> Result<EventTypeName, DatabaseError> {
    EventTypeName::stored(name).map_err(|error| DatabaseError::corrupt("message", error))
}

pub(super) fn attempt_details(attempt: &Attempt) -> Vec<u8> {
    encode(&AttemptDetails {
        at: attempt.at,
        duration: attempt.duration,
        url: attempt.url.clone(),
        address: attempt.address,
        outcome: attempt.outcome,
    })
}

pub(super) fn response(attempt: &Attempt) -> Option<Vec<u8>> {
    attempt.response.as_ref().map(|response| encode(&(&response.headers, Whole(&response.body))))
}

/// Bytes that are serialized as a whole instead of one by one.
struct Whole<'a>(&'a [u8]);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The status of the response; 0 if there was none.
pub(super) fn status(outcome: Outcome) -> i16 {
    i16::try_from(outcome.status().unwrap_or(0)).unwrap_or(i16::MAX)
}

/// An attempt from the first columns of a row.
pub(super) fn attempt(row: &Row) -> Result<Attempt, DatabaseError> {
    let details: AttemptDetails = decode("attempt", row.get(5))?;
    let response = row.get::<_, Option<&[u8]>>(6).map(|it| decode("attempt", it)).transpose()?;
    Ok(Attempt {
        id: row.get::<_, Uuid>(2).into(),
        delivery: DeliveryId {
            endpoint: row.get::<_, Uuid>(0).into(),
            message: row.get::<_, Uuid>(1).into(),
        },
        number: from_smallint(row.get(3)),
        trigger: trigger(row.get(4)),
        at: details.at,
        duration: details.duration,
        url: details.url,
        address: details.address,
        outcome: details.outcome,
        response: response.map(|(headers, body): (_, &[u8])| Response {
            headers,
            body: Bytes::copy_from_slice(body),
        }),
    })
}

pub(super) const fn trigger(is_manual: bool) -> Trigger {
    if is_manual { Trigger::Manual } else { Trigger::Scheduled }
}

/// The value of the column `resume_at`.
pub(super) fn resume_at(retry_plan: RetryPlan) -> Option<i64> {
    match retry_plan {
        RetryPlan::Schedule => None,
        RetryPlan::Once => Some(-1),
        RetryPlan::Resume(at) => Some(value::millis(at)),
    }
}

pub(super) fn retry_plan(resume_at: Option<i64>) -> RetryPlan {
    match resume_at {
        None => RetryPlan::Schedule,
        Some(..0) => RetryPlan::Once,
        Some(at) => RetryPlan::Resume(value::timestamp(at)),
    }
}

/// The number of an attempt as it is stored.
pub(super) fn to_smallint(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

pub(super) fn from_smallint(number: i16) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    let buffer = vec![VERSION];
    postcard::to_extend(value, buffer).expect("stored types serialize, and a vector grows")
}

fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, DatabaseError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| DatabaseError::corrupt(what, error))
        },
        _ => Err(DatabaseError::corrupt(what, "the row has an unknown version")),
    }
}

/// The numbers of a rollup.
pub(super) fn counters_blob(counters: &Counters) -> Vec<u8> {
    encode(counters)
}

/// Reverses [`counters_blob`].
pub(super) fn counters(blob: &[u8]) -> Result<Counters, DatabaseError> {
    decode("rollup", blob)
}
