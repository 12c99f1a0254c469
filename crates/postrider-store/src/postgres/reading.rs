//! What readers ask for.

mod counts;
mod lists;
mod walk;

use std::{collections::HashMap, sync::Arc};

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{delivery::Attempt, message::Message};
use tokio_postgres::{Row, types::Type};

#[cfg(test)]
pub(super) use self::{
    counts::{BACKLOG, OLDEST, STATS, WAITING},
    lists::{
        ATTEMPTS_DOWN, ATTEMPTS_UP, DELIVERIES_DOWN, DELIVERIES_UP, MESSAGES_DOWN, MESSAGES_UP,
        OPEN_DOWN, OPEN_UP, PENDING_DOWN, PENDING_UP, STANDINGS,
    },
};
pub(super) use self::{
    counts::{Bytes, backlog, last_sequence, size, stats},
    lists::{attempts, deliveries, messages},
};
use super::{
    row::{self, attempt_columns, bodiless_columns, message_columns},
    session::{Param, Session},
    value::Uuid,
};
use crate::{IdOrUid, StoreError};

pub(super) const MESSAGE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM message m
    WHERE m.application = $1 AND m.id = $2"
);

pub(super) const EVENT_ID: &str =
    "SELECT message FROM event_id WHERE application = $1 AND event_id = $2";

/// An attempt is found by its endpoint, and that is one of the message's: one search for each.
pub(super) const ATTEMPT: &str = concat!(
    "SELECT found.*
    FROM (
        SELECT unnest(m.targets) AS endpoint FROM message m WHERE m.application = $1 AND m.id = $2
    ) AS target
    CROSS JOIN LATERAL (
        SELECT ",
    attempt_columns!(),
    " FROM attempt a
        WHERE a.application = $1 AND a.endpoint = target.endpoint AND a.id = $3
            AND a.message = $2
        LIMIT 1
    ) AS found
    LIMIT 1"
);

/// One search for each id, in the one partition that it can be in.
macro_rules! messages_by_id {
    ($columns:ident) => {
        concat!(
            "SELECT found.*
            FROM unnest($2) AS it (id)
            CROSS JOIN LATERAL (
                SELECT ",
            $columns!(),
            " FROM message m
                WHERE m.application = $1 AND m.id = it.id
                LIMIT 1
            ) AS found"
        )
    };
}

pub(super) const MESSAGES_BY_ID: &str = messages_by_id!(message_columns);

pub(super) const BODILESS_BY_ID: &str = messages_by_id!(bodiless_columns);

macro_rules! length_columns {
    () => {
        "m.id, octet_length(m.body)"
    };
}

/// Does not read the bodies, for a long one is stored apart with its length.
pub(super) const LENGTHS_BY_ID: &str = messages_by_id!(length_columns);

/// One search for each of them, as for messages.
pub(super) const ATTEMPTS_BY_ID: &str = concat!(
    "SELECT found.*
    FROM unnest($2, $3) AS it (endpoint, id)
    CROSS JOIN LATERAL (
        SELECT ",
    attempt_columns!(),
    " FROM attempt a
        WHERE a.application = $1 AND a.endpoint = it.endpoint AND a.id = it.id
        LIMIT 1
    ) AS found"
);

pub(super) async fn message(
    session: &mut Session,
    application: ApplicationId,
    named: &IdOrUid<MessageId>,
) -> Result<Option<Message>, StoreError> {
    let application = Uuid::from(application);
    let application: Param<'_> = (&application, Type::UUID);
    let id = match named {
        IdOrUid::Id(id) => Uuid::from(*id),
        IdOrUid::Uid(uid) => {
            let values = [application.clone(), (&uid.as_str(), Type::TEXT)];
            let Some(found) = session.query_opt(EVENT_ID, &values).await? else { return Ok(None) };
            found.get(0)
        },
    };
    let found = session.query_opt(MESSAGE, &[application, (&id, Type::UUID)]).await?;
    found.as_ref().map(row::message).transpose()
}

pub(super) async fn attempt(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
    id: AttemptId,
) -> Result<Option<Attempt>, StoreError> {
    let values: [Param<'_>; 3] = [
        (&Uuid::from(application), Type::UUID),
        (&Uuid::from(message), Type::UUID),
        (&Uuid::from(id), Type::UUID),
    ];
    session.query_opt(ATTEMPT, &values).await?.as_ref().map(row::attempt).transpose()
}

/// Those of the messages that there are.
async fn messages_by_id(
    session: &mut Session,
    application: ApplicationId,
    mut ids: Vec<MessageId>,
    with_body: bool,
) -> Result<HashMap<MessageId, Arc<Message>>, StoreError> {
    ids.sort_unstable();
    ids.dedup();
    let ids: Vec<_> = ids.into_iter().map(Uuid::from).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = if with_body { MESSAGES_BY_ID } else { BODILESS_BY_ID };
    let values: [Param<'_>; 2] = [(&Uuid::from(application), Type::UUID), (&ids, Type::UUID_ARRAY)];
    let mut found = HashMap::with_capacity(ids.len());
    for row in session.query(sql, &values).await? {
        let message = row::message(&row)?;
        found.insert(message.id, Arc::new(message));
    }
    Ok(found)
}

/// The lengths of the bodies of those messages that have one.
async fn body_lengths(
    session: &mut Session,
    application: ApplicationId,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, usize>, StoreError> {
    let ids: Vec<_> = ids.iter().copied().map(Uuid::from).collect();
    let values: [Param<'_>; 2] = [(&Uuid::from(application), Type::UUID), (&ids, Type::UUID_ARRAY)];
    let rows = session.query(LENGTHS_BY_ID, &values).await?;
    let length = |row: &Row| {
        let length = row.get::<_, Option<i32>>(1).unwrap_or_default();
        (row.get::<_, Uuid>(0).into(), usize::try_from(length).unwrap_or_default())
    };
    Ok(rows.iter().map(length).collect())
}

/// Those of the attempts that there are.
async fn attempts_by_id(
    session: &mut Session,
    application: ApplicationId,
    ids: &[(EndpointId, AttemptId)],
) -> Result<HashMap<AttemptId, Attempt>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let endpoints: Vec<_> = ids.iter().map(|it| Uuid::from(it.0)).collect();
    let attempts: Vec<_> = ids.iter().map(|it| Uuid::from(it.1)).collect();
    let values: [Param<'_>; 3] = [
        (&Uuid::from(application), Type::UUID),
        (&endpoints, Type::UUID_ARRAY),
        (&attempts, Type::UUID_ARRAY),
    ];
    let mut found = HashMap::with_capacity(ids.len());
    for row in session.query(ATTEMPTS_BY_ID, &values).await? {
        let attempt = row::attempt(&row)?;
        found.insert(attempt.id, attempt);
    }
    Ok(found)
}
