//! How messages and attempts are laid out in rows.
//!
//! What is searched for or removed alone has a column; all else is one blob, which begins with
//! the version of its layout.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postrider::{EventTypeName, Uid};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Response, Trigger},
    message::{Format, Message},
    outcome::Outcome,
    retry::RetryPlan,
    time::Timestamp,
};
use serde::{Deserialize, Serialize, Serializer};
use tokio_postgres::Row;

use super::{
    trouble,
    value::{self, Uuid},
};
use crate::StoreError;

const VERSION: u8 = 1;

/// Columns of a message, as [`message`] wants them first in a row.
macro_rules! message_columns {
    () => {
        "m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, m.body"
    };
}
pub(super) use message_columns;

/// The same without the body.
macro_rules! bodiless_columns {
    () => {
        "m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea"
    };
}
pub(super) use bodiless_columns;

/// Columns of an attempt, as [`attempt`] wants them first in a row.
macro_rules! attempt_columns {
    () => {
        "a.endpoint, a.message, a.id, a.number, a.manual, a.details, a.response"
    };
}
pub(super) use attempt_columns;

/// What has no column of a message.
#[derive(Serialize, Deserialize)]
struct MessageDetails {
    channels: Vec<String>,
    tags: Vec<String>,
    /// Headers of a raw body; none for JSON.
    headers: Option<Vec<(String, String)>>,
    deliver_at: Option<Timestamp>,
}

/// What has no column of an attempt.
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
    })
}

/// A message from the first columns of a row.
pub(super) fn message(row: &Row) -> Result<Message, StoreError> {
    let details: MessageDetails = decode("message", row.get(4))?;
    let event_id: Option<&str> = row.get(3);
    let event_id = event_id.map(Uid::stored).transpose();
    Ok(Message {
        id: row.get::<_, Uuid>(1).into(),
        application: row.get::<_, Uuid>(0).into(),
        event_type: event_type(row.get(2))?,
        event_id: event_id.map_err(|error| trouble::corrupt("message", error))?,
        channels: details.channels,
        tags: details.tags,
        body: row.get::<_, Option<&[u8]>>(6).map(Bytes::copy_from_slice),
        format: details.headers.map_or(Format::Json, |headers| Format::Raw { headers }),
        deliver_at: details.deliver_at,
        body_until: value::timestamp(row.get(5)),
    })
}

fn event_type(name: &str) -> Result<EventTypeName, StoreError> {
    EventTypeName::stored(name).map_err(|error| trouble::corrupt("message", error))
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
    attempt.response.as_ref().map(|it| encode(&(&it.headers, Whole(&it.body))))
}

/// Bytes that are written at once and not one by one.
struct Whole<'a>(&'a [u8]);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The answer's status; 0 if there was none.
pub(super) fn status(outcome: Outcome) -> i16 {
    i16::try_from(outcome.status().unwrap_or(0)).unwrap_or(i16::MAX)
}

/// An attempt from the first columns of a row.
pub(super) fn attempt(row: &Row) -> Result<Attempt, StoreError> {
    let details: AttemptDetails = decode("attempt", row.get(5))?;
    let response = row.get::<_, Option<&[u8]>>(6).map(|it| decode("attempt", it)).transpose()?;
    Ok(Attempt {
        id: row.get::<_, Uuid>(2).into(),
        delivery: DeliveryId {
            endpoint: row.get::<_, Uuid>(0).into(),
            message: row.get::<_, Uuid>(1).into(),
        },
        number: number(row.get(3)),
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

/// A retry_plan as the database knows it.
pub(super) fn resume_at(retry_plan: RetryPlan) -> Option<i64> {
    match retry_plan {
        RetryPlan::Schedule => None,
        RetryPlan::Once => Some(-1),
        RetryPlan::Resume(at) => Some(value::millis(at)),
    }
}

/// A retry_plan as we know it.
pub(super) fn retry_plan(resume_at: Option<i64>) -> RetryPlan {
    match resume_at {
        None => RetryPlan::Schedule,
        Some(..0) => RetryPlan::Once,
        Some(at) => RetryPlan::Resume(value::timestamp(at)),
    }
}

/// The number of an attempt as the database knows it.
pub(super) fn small(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

pub(super) fn number(small: i16) -> u16 {
    u16::try_from(small).unwrap_or_default()
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    let buffer = vec![VERSION];
    postcard::to_extend(value, buffer).expect("what is stored serializes, and a vector takes it")
}

fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| trouble::corrupt(what, error))
        },
        _ => Err(trouble::corrupt(what, "the row is of an unknown version")),
    }
}
