//! Fetches messages, bodies and attempts by their ids.

use std::{collections::HashMap, sync::Arc};

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{delivery::Attempt, message::Message};
use tokio_postgres::Row;

use crate::{
    contract::history::MessageFilter,
    page::ScanPage,
    postgres::{error::DatabaseError, row, session::Session, value::Uuid},
    weight::LIST_BYTES,
};

/// One lookup for each id, in the one partition in which it can be.
pub(in crate::postgres) const MESSAGES_BY_ID: &str = "
SELECT found.*
FROM unnest($2) AS it (id)
CROSS JOIN LATERAL (
    SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, m.body
    FROM message m
    WHERE m.application = $1 AND m.id = it.id
    LIMIT 1
) AS found";

pub(in crate::postgres) const BODILESS_BY_ID: &str = "
SELECT found.*
FROM unnest($2) AS it (id)
CROSS JOIN LATERAL (
    SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea
    FROM message m
    WHERE m.application = $1 AND m.id = it.id
    LIMIT 1
) AS found";

/// Fetches the messages that exist.
pub(in crate::postgres) async fn messages_by_id(
    session: &mut Session,
    application: ApplicationId,
    mut ids: Vec<MessageId>,
    with_body: bool,
) -> Result<HashMap<MessageId, Arc<Message>>, DatabaseError> {
    ids.sort_unstable();
    ids.dedup();
    let ids: Vec<_> = ids.into_iter().map(Uuid::from).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = if with_body { MESSAGES_BY_ID } else { BODILESS_BY_ID };
    let mut found = HashMap::with_capacity(ids.len());
    for row in session.query(sql, &[&Uuid::from(application), &ids]).await? {
        let message = row::message(&row)?;
        found.insert(message.id, Arc::new(message));
    }
    Ok(found)
}

/// Does not read the bodies: the length of a long one is stored in the row, apart from its bytes.
pub(in crate::postgres) const LENGTHS_BY_ID: &str = "
SELECT found.*
FROM unnest($2) AS it (id)
CROSS JOIN LATERAL (
    SELECT m.id, octet_length(m.body)
    FROM message m
    WHERE m.application = $1 AND m.id = it.id
    LIMIT 1
) AS found";

/// Fetches the lengths of the bodies of these messages.
async fn body_lengths(
    session: &mut Session,
    application: ApplicationId,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, usize>, DatabaseError> {
    let ids: Vec<_> = ids.iter().copied().map(Uuid::from).collect();
    let rows = session.query(LENGTHS_BY_ID, &[&Uuid::from(application), &ids]).await?;
    let length = |row: &Row| {
        let length = row.get::<_, Option<i32>>(1).unwrap_or_default();
        (row.get::<_, Uuid>(0).into(), usize::try_from(length).unwrap_or_default())
    };
    Ok(rows.iter().map(length).collect())
}

/// One lookup for each attempt.
pub(in crate::postgres) const ATTEMPTS_BY_ID: &str = "
SELECT found.*
FROM unnest($2, $3) AS it (endpoint, id)
CROSS JOIN LATERAL (
    SELECT a.endpoint, a.message, a.id, a.number, a.manual, a.details, a.response
    FROM attempt a
    WHERE a.application = $1 AND a.endpoint = it.endpoint AND a.id = it.id
    LIMIT 1
) AS found";

/// Fetches the attempts that exist.
pub(super) async fn attempts_by_id(
    session: &mut Session,
    application: ApplicationId,
    ids: &[(EndpointId, AttemptId)],
) -> Result<HashMap<AttemptId, Attempt>, DatabaseError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let endpoints: Vec<_> = ids.iter().map(|id| Uuid::from(id.0)).collect();
    let attempts: Vec<_> = ids.iter().map(|id| Uuid::from(id.1)).collect();
    let mut found = HashMap::with_capacity(ids.len());
    let rows =
        session.query(ATTEMPTS_BY_ID, &[&Uuid::from(application), &endpoints, &attempts]).await?;
    for row in rows {
        let attempt = row::attempt(&row)?;
        found.insert(attempt.id, attempt);
    }
    Ok(found)
}

/// Shortens a page to the items whose bodies may be read at once. The lengths are read first, since
/// the bodies of a whole page could exhaust the memory.
pub(super) async fn limit_bodies<T, K>(
    session: &mut Session,
    application: ApplicationId,
    page: &mut ScanPage<T, K>,
    message: impl Fn(&T) -> MessageId,
    key: impl Fn(&T) -> K,
) -> Result<(), DatabaseError> {
    let ids: Vec<_> = page.items.iter().map(message).collect();
    let lengths = body_lengths(session, application, &ids).await?;
    let mut bytes = 0;
    let fits = |id: &&MessageId| {
        let fits = bytes < LIST_BYTES;
        bytes += lengths.get(id).copied().unwrap_or_default();
        fits
    };
    let count = ids.iter().take_while(fits).count();
    if count < page.items.len() {
        page.items.truncate(count);
        page.resume = page.items.last().map(key);
    }
    Ok(())
}

/// Replaces the messages by ones with bodies, if the filter asks for them.
pub(super) async fn add_bodies(
    session: &mut Session,
    application: ApplicationId,
    filter: &MessageFilter,
    messages: Vec<&mut Arc<Message>>,
) -> Result<(), DatabaseError> {
    if !filter.with_body {
        return Ok(());
    }
    let ids = messages.iter().map(|message| message.id).collect();
    let whole = messages_by_id(session, application, ids, true).await?;
    for message in messages {
        if let Some(whole) = whole.get(&message.id) {
            *message = Arc::clone(whole);
        }
    }
    Ok(())
}
