//! Fetches messages, attempts and kinds of endpoints of several applications by their ids.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postrider::{
    ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId, api::EndpointKind,
};
use postrider_core::{
    delivery::{Attempt, StatusKind},
    message::Message,
};
use serde::Deserialize;
use tokio_postgres::Row;

use crate::postgres::{error::DatabaseError, row, session::Session, value::Uuid};

/// A message with its application, which is a part of its key.
pub(super) type MessageKey = (ApplicationId, MessageId);

/// One lookup for each id, in the one partition in which it can be.
pub(in crate::postgres) const MESSAGES: &str = "
SELECT found.*
FROM unnest($1, $2) AS it (application, id)
CROSS JOIN LATERAL (
    SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea
    FROM message m
    WHERE m.application = it.application AND m.id = it.id
    LIMIT 1
) AS found
WHERE (SELECT a.organization = $3 FROM application a WHERE a.id = it.application)";

/// Fetches the messages, without their bodies, that exist in applications of the organization.
pub(super) async fn messages(
    session: &mut Session,
    organization: &OrganizationId,
    mut keys: Vec<MessageKey>,
) -> Result<HashMap<MessageId, Arc<Message>>, DatabaseError> {
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let (applications, ids) = columns(&keys);
    let rows = session.query(MESSAGES, &[&applications, &ids, &organization.as_str()]).await?;
    let message = |row: &Row| row::message(row).map(|it| (it.id, Arc::new(it)));
    rows.iter().map(message).collect()
}

/// Reads no body: the length of a long one is stored in the row, apart from its bytes.
pub(in crate::postgres) const LENGTHS: &str = "
SELECT found.*
FROM unnest($1, $2) AS it (application, id)
CROSS JOIN LATERAL (
    SELECT m.id, octet_length(m.body)
    FROM message m
    WHERE m.application = it.application AND m.id = it.id
    LIMIT 1
) AS found";

/// Fetches the lengths of the messages' bodies.
pub(super) async fn body_lengths(
    session: &mut Session,
    keys: &[MessageKey],
) -> Result<HashMap<MessageId, usize>, DatabaseError> {
    let (applications, ids) = columns(keys);
    let rows = session.query(LENGTHS, &[&applications, &ids]).await?;
    let length = |row: &Row| {
        let length = row.get::<_, Option<i32>>(1).unwrap_or_default();
        (row.get::<_, Uuid>(0).into(), usize::try_from(length).unwrap_or_default())
    };
    Ok(rows.iter().map(length).collect())
}

pub(in crate::postgres) const BODIES: &str = "
SELECT found.*
FROM unnest($1, $2) AS it (application, id)
CROSS JOIN LATERAL (
    SELECT m.id, m.body
    FROM message m
    WHERE m.application = it.application AND m.id = it.id
    LIMIT 1
) AS found";

/// Fetches the bodies that still exist.
pub(super) async fn bodies(
    session: &mut Session,
    keys: &[MessageKey],
) -> Result<HashMap<MessageId, bytes::Bytes>, DatabaseError> {
    let (applications, ids) = columns(keys);
    let rows = session.query(BODIES, &[&applications, &ids]).await?;
    let body = |row: &Row| {
        let body = row.get::<_, Option<&[u8]>>(1).map(bytes::Bytes::copy_from_slice);
        body.map(|body| (row.get::<_, Uuid>(0).into(), body))
    };
    Ok(rows.iter().filter_map(body).collect())
}

/// Messages with a delivery that ended in this state.
pub(in crate::postgres) const WITH_ENDED: &str = "
SELECT it.id
FROM unnest($1, $2) AS it (application, id)
CROSS JOIN LATERAL (
    SELECT m.targets
    FROM message m
    WHERE m.application = it.application AND m.id = it.id
    LIMIT 1
) AS found
CROSS JOIN LATERAL unnest(found.targets) AS target (endpoint)
CROSS JOIN LATERAL (
    SELECT d.state
    FROM delivery d
    WHERE d.application = it.application AND d.endpoint = target.endpoint AND d.message = it.id
    LIMIT 1
) AS ended
WHERE ended.state = $3";

/// Messages with a delivery that has not ended and was attempted, or was not.
pub(in crate::postgres) const WITH_QUEUED: &str = "
SELECT it.id
FROM unnest($1, $2) AS it (application, id)
CROSS JOIN LATERAL (
    SELECT m.targets
    FROM message m
    WHERE m.application = it.application AND m.id = it.id
    LIMIT 1
) AS found
CROSS JOIN LATERAL unnest(found.targets) AS target (endpoint)
CROSS JOIN LATERAL (
    SELECT cardinality(q.attempts) AS attempts
    FROM queue q
    WHERE q.application = it.application AND q.endpoint = target.endpoint AND q.message = it.id
    LIMIT 1
) AS queued
WHERE (queued.attempts > 0) = $3";

/// The state of a delivery as its tables have it.
#[derive(Clone, Copy)]
pub(super) enum State {
    Ended(i16),
    Queued { attempted: bool },
}

impl From<StatusKind> for State {
    fn from(kind: StatusKind) -> Self {
        match kind {
            StatusKind::Delivered => Self::Ended(1),
            StatusKind::Failed => Self::Ended(2),
            StatusKind::Cancelled => Self::Ended(3),
            StatusKind::Pending => Self::Queued { attempted: false },
            StatusKind::Sending => Self::Queued { attempted: true },
        }
    }
}

/// Those of the messages that have a delivery in this state.
pub(super) async fn with_state(
    session: &mut Session,
    keys: &[MessageKey],
    state: State,
) -> Result<HashSet<MessageId>, DatabaseError> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let (applications, ids) = columns(keys);
    let rows = match state {
        State::Ended(state) => session.query(WITH_ENDED, &[&applications, &ids, &state]).await?,
        State::Queued { attempted } => {
            session.query(WITH_QUEUED, &[&applications, &ids, &attempted]).await?
        },
    };
    Ok(rows.iter().map(|row| row.get::<_, Uuid>(0).into()).collect())
}

/// The key of an attempt.
#[derive(Clone, Copy)]
pub(super) struct AttemptKey {
    pub(super) application: ApplicationId,
    pub(super) endpoint: EndpointId,
    pub(super) id: AttemptId,
    pub(super) message: MessageId,
}

pub(in crate::postgres) const ATTEMPTS: &str = "
SELECT found.*
FROM unnest($1, $2, $3) AS it (application, endpoint, id)
CROSS JOIN LATERAL (
    SELECT a.endpoint, a.message, a.id, a.number, a.manual, a.details,
        CASE WHEN $4 THEN a.response END
    FROM attempt a
    WHERE a.application = it.application AND a.endpoint = it.endpoint AND a.id = it.id
    LIMIT 1
) AS found";

/// Fetches the attempts that exist.
pub(super) async fn attempts(
    session: &mut Session,
    keys: &[AttemptKey],
    with_response: bool,
) -> Result<HashMap<AttemptId, Attempt>, DatabaseError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let applications: Vec<_> = keys.iter().map(|it| Uuid::from(it.application)).collect();
    let endpoints: Vec<_> = keys.iter().map(|it| Uuid::from(it.endpoint)).collect();
    let ids: Vec<_> = keys.iter().map(|it| Uuid::from(it.id)).collect();
    let rows = session.query(ATTEMPTS, &[&applications, &endpoints, &ids, &with_response]).await?;
    let attempt = |row: &Row| row::attempt(row).map(|it| (it.id, it));
    rows.iter().map(attempt).collect()
}

pub(in crate::postgres) const RECORDS: &str = "
SELECT found.*
FROM unnest($1, $2) AS it (application, id)
CROSS JOIN LATERAL (
    SELECT e.id, e.record
    FROM endpoint e
    WHERE e.application = it.application AND e.id = it.id
    LIMIT 1
) AS found";

#[derive(Deserialize)]
struct WithKind {
    #[serde(default)]
    kind: EndpointKind,
}

/// Fetches the kinds of the endpoints that exist.
pub(super) async fn kinds(
    session: &mut Session,
    mut endpoints: Vec<(ApplicationId, EndpointId)>,
) -> Result<HashMap<EndpointId, EndpointKind>, DatabaseError> {
    endpoints.sort_unstable();
    endpoints.dedup();
    if endpoints.is_empty() {
        return Ok(HashMap::new());
    }
    let applications: Vec<_> = endpoints.iter().map(|it| Uuid::from(it.0)).collect();
    let ids: Vec<_> = endpoints.iter().map(|it| Uuid::from(it.1)).collect();
    let kind = |row: &Row| {
        let read = serde_json::from_str::<WithKind>(row.get(1));
        let read = read.map_err(|error| DatabaseError::corrupt("endpoint", error))?;
        Ok((row.get::<_, Uuid>(0).into(), read.kind))
    };
    session.query(RECORDS, &[&applications, &ids]).await?.iter().map(kind).collect()
}

fn columns(keys: &[MessageKey]) -> (Vec<Uuid>, Vec<Uuid>) {
    keys.iter().map(|(application, id)| (Uuid::from(*application), Uuid::from(*id))).unzip()
}
