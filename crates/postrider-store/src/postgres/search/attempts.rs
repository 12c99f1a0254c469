//! Attempts of several applications. A walk goes along the keys, which are small; the attempts are
//! fetched for the keys that pass.

use std::sync::Arc;

use postrider::{ApplicationId, AttemptId, EndpointId};
use postrider_core::{delivery::Attempt, message::Message};
use tokio_postgres::Row;

use super::fetch::{self, AttemptKey};
use crate::{
    contract::search::{AttemptSearch, Reach},
    page::{Scan, ScanPage},
    postgres::{
        error::DatabaseError,
        history::{
            attempts::{ATTEMPTS_DOWN, ATTEMPTS_UP},
            walk::{Step, Walk},
        },
        session::Session,
        value::{self, Uuid},
    },
};

/// The condition about the number is that of the index `attempt_id`.
pub(in crate::postgres) const ALL_UP: &str = "
SELECT a.id, a.message, a.status, a.application, a.endpoint
FROM attempt a
WHERE a.id BETWEEN $1 AND $2 AND a.number >= 0
ORDER BY a.id ASC
LIMIT $3";

pub(in crate::postgres) const ALL_DOWN: &str = "
SELECT a.id, a.message, a.status, a.application, a.endpoint
FROM attempt a
WHERE a.id BETWEEN $1 AND $2 AND a.number >= 0
ORDER BY a.id DESC
LIMIT $3";

/// The condition is that of the index `attempt_failed`.
pub(in crate::postgres) const FAILED_UP: &str = "
SELECT a.id, a.message, a.status, a.application, a.endpoint
FROM attempt a
WHERE a.id BETWEEN $1 AND $2 AND (a.status < 200 OR a.status > 299)
ORDER BY a.id ASC
LIMIT $3";

pub(in crate::postgres) const FAILED_DOWN: &str = "
SELECT a.id, a.message, a.status, a.application, a.endpoint
FROM attempt a
WHERE a.id BETWEEN $1 AND $2 AND (a.status < 200 OR a.status > 299)
ORDER BY a.id DESC
LIMIT $3";

/// What a search walks along.
#[derive(Clone, Copy)]
enum Key {
    All,
    Failed,
    Endpoint(ApplicationId, EndpointId),
}

pub(super) async fn search(
    session: &mut Session,
    reach: &Reach,
    search: &AttemptSearch,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, DatabaseError> {
    let key = match reach.application {
        Some((application, Some(endpoint))) => Key::Endpoint(application, endpoint),
        Some((_, None)) | None if search.is_of_failures() => Key::Failed,
        Some((_, None)) | None => Key::All,
    };
    let mut walk = Walk::new(&search.attempt.message, scan, |id| id.as_u128());
    while let Some(step) = walk.step() {
        let keys = keys(session, key, step, scan.ascending).await?;
        let has_more = keys.len() == step.rows;
        let count = keys.len();
        let found = found(session, (reach, search), keys, step.wanted).await?;
        let is_whole = found.len() == count;
        walk.take(found, has_more || !is_whole);
    }
    let mut page = walk.found();
    if search.attempt.message.with_body {
        add_bodies(session, &mut page).await?;
    }
    Ok(page)
}

/// The keys of a step, each with the status of its attempt.
async fn keys(
    session: &mut Session,
    key: Key,
    Step { span, rows, .. }: Step,
    ascending: bool,
) -> Result<Vec<(AttemptKey, u16)>, DatabaseError> {
    let (first, last, limit) = (Uuid(span.first), Uuid(span.last), value::to_bigint(rows));
    let found = match key {
        Key::All => {
            let sql = if ascending { ALL_UP } else { ALL_DOWN };
            session.query(sql, &[&first, &last, &limit]).await?
        },
        Key::Failed => {
            let sql = if ascending { FAILED_UP } else { FAILED_DOWN };
            session.query(sql, &[&first, &last, &limit]).await?
        },
        Key::Endpoint(application, endpoint) => {
            let sql = if ascending { ATTEMPTS_UP } else { ATTEMPTS_DOWN };
            let (application, endpoint) = (Uuid::from(application), Uuid::from(endpoint));
            session.query(sql, &[&application, &endpoint, &first, &last, &limit]).await?
        },
    };
    let read = |row: &Row| {
        let (application, endpoint) = match key {
            Key::Endpoint(application, endpoint) => (application, endpoint),
            Key::All | Key::Failed => (row.get::<_, Uuid>(3).into(), row.get::<_, Uuid>(4).into()),
        };
        let (id, message) = (row.get::<_, Uuid>(0).into(), row.get::<_, Uuid>(1).into());
        let status = u16::try_from(row.get::<_, i16>(2)).unwrap_or_default();
        (AttemptKey { application, endpoint, id, message }, status)
    };
    Ok(found.iter().map(read).collect())
}

type Found = Vec<(AttemptId, Option<(Attempt, Arc<Message>)>)>;

/// Fetches the attempts that match. After as many as are wanted, it leaves out the keys behind
/// them.
async fn found(
    session: &mut Session,
    (reach, search): (&Reach, &AttemptSearch),
    keys: Vec<(AttemptKey, u16)>,
    wanted: usize,
) -> Result<Found, DatabaseError> {
    let admits = |(key, status): &(AttemptKey, u16)| {
        reach.includes(key.application) && search.admits(*status)
    };
    let admitted: Vec<_> = keys.iter().filter(|it| admits(it)).map(|(key, _)| *key).collect();
    let messages = admitted.iter().map(|key| (key.application, key.message)).collect();
    let messages = fetch::messages(session, &reach.organization, messages).await?;
    let kinds = match search.kind {
        None => None,
        Some(kind) => {
            let endpoints = admitted.iter().map(|key| (key.application, key.endpoint)).collect();
            Some((kind, fetch::kinds(session, endpoints).await?))
        },
    };
    let mut end = keys.len();
    let mut passed = Vec::new();
    for (index, it) in keys.iter().enumerate() {
        let key = it.0;
        let message = messages.get(&key.message).filter(|_| admits(it));
        let is_of_kind =
            kinds.as_ref().is_none_or(|(kind, all)| all.get(&key.endpoint) == Some(kind));
        if is_of_kind && message.is_some_and(|it| search.attempt.message.concerns(it)) {
            passed.push(key);
        }
        if passed.len() == wanted {
            end = index + 1;
            break;
        }
    }
    let mut attempts = fetch::attempts(session, &passed, !search.without_response).await?;
    let item = |(key, _): &(AttemptKey, u16)| {
        let attempt = attempts.remove(&key.id).filter(|it| search.passes(it));
        let found = attempt.zip(messages.get(&key.message).map(Arc::clone));
        (key.id, found)
    };
    Ok(keys.iter().take(end).map(item).collect())
}

/// Adds the bodies of as many messages as one page may have.
async fn add_bodies(
    session: &mut Session,
    page: &mut ScanPage<(Attempt, Arc<Message>), AttemptId>,
) -> Result<(), DatabaseError> {
    let keys: Vec<_> = page.items.iter().map(|(_, it)| (it.application, it.id)).collect();
    let lengths = fetch::body_lengths(session, &keys).await?;
    let mut bytes = 0;
    let fits = |(_, id): &&fetch::MessageKey| {
        let fits = bytes < crate::weight::LIST_BYTES;
        bytes += lengths.get(id).copied().unwrap_or_default();
        fits
    };
    let count = keys.iter().take_while(fits).count();
    if count < page.items.len() {
        page.items.truncate(count);
        page.resume = page.items.last().map(|(attempt, _)| attempt.id);
    }
    let bodies = fetch::bodies(session, &keys[..count]).await?;
    for (_, message) in &mut page.items {
        let body = bodies.get(&message.id).cloned();
        *message = Arc::new(Message { body, ..Message::clone(message) });
    }
    Ok(())
}
