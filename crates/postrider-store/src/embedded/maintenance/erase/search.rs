//! Finding in the index what is left of removed applications and endpoints.

use rusqlite::{OptionalExtension, Row, params};

use super::{Erasure, Remaining, RemainingAttempt};
use crate::{
    embedded::{
        error::IndexError,
        number::{ApplicationNumber, DeliveryKey, EndpointNumber, MessageSequence},
        readers::Reader,
    },
    error::StoreError,
};

/// Bytes of bodies that one step erases, unless the first one alone is longer: overwriting them
/// delays commits.
const BODY_BYTES: u64 = 2 << 20;

/// What is left of the applications: of as many of them as the limit, a number of messages,
/// allows for.
pub(in crate::embedded) fn remaining(
    reader: &Reader,
    erasures: Vec<Erasure>,
    limit: usize,
) -> Result<Vec<(Erasure, Remaining)>, StoreError> {
    reader.coverage().require_all()?;
    let (mut found, mut left, mut bytes) = (Vec::new(), limit, 0);
    for erasure in erasures {
        if left == 0 || bytes >= BODY_BYTES {
            break;
        }
        let (remaining, body_bytes) = remaining_of(reader, erasure.application, left)?;
        left = left.saturating_sub(remaining.messages.len().max(remaining.attempts.len()));
        bytes += body_bytes;
        found.push((erasure, remaining));
    }
    Ok(found)
}

const BODY_LENGTH: &str = "SELECT coalesce(length(body), 0) FROM messages WHERE sequence = ?1";

/// The application's first messages with their attempts, and the length of their bodies. If
/// there are no messages, attempts that outlived theirs.
fn remaining_of(
    reader: &Reader,
    application: ApplicationNumber,
    limit: usize,
) -> Result<(Remaining, u64), StoreError> {
    let mut found = Remaining::default();
    let mut bytes = 0;
    for message in messages(reader, application, limit)? {
        let mut statement = reader.main.prepare_cached(BODY_LENGTH)?;
        let body: Option<u64> = statement.query_row([message], |row| row.get(0)).optional()?;
        let sum = bytes + body.unwrap_or(0);
        if sum > BODY_BYTES && !found.messages.is_empty() {
            break;
        }
        bytes = sum;
        found.messages.push(message);
        found.attempts.extend(attempts_of(reader, message)?);
    }
    if found.messages.is_empty() {
        for endpoint in endpoints(reader, application)? {
            let left = limit.saturating_sub(found.attempts.len());
            found.attempts.extend(attempts_to(reader, endpoint, left)?);
        }
    }
    Ok((found, bytes))
}

const MESSAGES: &str =
    "SELECT message FROM messages WHERE application = ?1 ORDER BY message LIMIT ?2";

fn messages(
    reader: &Reader,
    application: ApplicationNumber,
    limit: usize,
) -> Result<Vec<MessageSequence>, IndexError> {
    let mut statement = reader.index.prepare_cached(MESSAGES)?;
    let found = statement.query_map(params![application, limit], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

const ENDPOINTS: &str = "SELECT number FROM endpoint_numbers WHERE application = ?1";

fn endpoints(
    reader: &Reader,
    application: ApplicationNumber,
) -> rusqlite::Result<Vec<EndpointNumber>> {
    let mut statement = reader.main.prepare_cached(ENDPOINTS)?;
    let found = statement.query_map([application], |row| row.get(0))?;
    found.collect()
}

const ATTEMPTS_OF: &str = "SELECT attempt, message, endpoint
    FROM attempts_by_message
    WHERE message = ?1";

/// All attempts for the message.
fn attempts_of(
    reader: &Reader,
    message: MessageSequence,
) -> Result<Vec<RemainingAttempt>, IndexError> {
    let mut statement = reader.index.prepare_cached(ATTEMPTS_OF)?;
    let found = statement.query_map([message], attempt)?;
    Ok(found.collect::<Result<_, _>>()?)
}

const ATTEMPTS_TO: &str = "SELECT attempt, message, endpoint
    FROM attempts_by_endpoint
    WHERE endpoint = ?1
    LIMIT ?2";

/// Attempts to the endpoint.
fn attempts_to(
    reader: &Reader,
    endpoint: EndpointNumber,
    limit: usize,
) -> Result<Vec<RemainingAttempt>, IndexError> {
    let mut statement = reader.index.prepare_cached(ATTEMPTS_TO)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map(params![endpoint, limit], attempt)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Reads the columns `attempt, message, endpoint`.
fn attempt(row: &Row<'_>) -> rusqlite::Result<RemainingAttempt> {
    let delivery = DeliveryKey { message: row.get(1)?, endpoint: row.get(2)? };
    Ok(RemainingAttempt { attempt: row.get(0)?, delivery })
}

const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = ?1)
    OR EXISTS (SELECT 1 FROM attempts_by_endpoint WHERE endpoint = ?1)";

/// The endpoints that no delivery and no attempt refers to.
pub(in crate::embedded) fn unused(
    reader: &Reader,
    endpoints: Vec<EndpointNumber>,
) -> Result<Vec<EndpointNumber>, StoreError> {
    reader.coverage().require_all()?;
    let mut statement = reader.index.prepare_cached(IS_USED).map_err(IndexError)?;
    let mut unused = Vec::new();
    for endpoint in endpoints {
        let is_used: bool =
            statement.query_row([endpoint], |row| row.get(0)).map_err(IndexError)?;
        if !is_used {
            unused.push(endpoint);
        }
    }
    Ok(unused)
}
