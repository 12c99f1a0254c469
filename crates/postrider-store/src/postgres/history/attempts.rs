//! Reads attempts. A walk goes along the keys first, which are small; the attempts are fetched for
//! the keys that pass the filter, and bodies for the page that is returned.

use std::sync::Arc;

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{delivery::Attempt, message::Message};
use tokio_postgres::Row;

use super::{
    fetch, states,
    walk::{Step, Walk},
};
use crate::{
    contract::history::{AttemptFilter, AttemptsOf},
    page::{Scan, ScanPage},
    postgres::{
        error::DatabaseError,
        row,
        session::Session,
        value::{self, Uuid},
    },
};

/// An attempt is found by its endpoint, which is one of the message's: one lookup for each.
pub(in crate::postgres) const ATTEMPT: &str = "
SELECT found.*
FROM (
    SELECT unnest(m.targets) AS endpoint FROM message m WHERE m.application = $1 AND m.id = $2
) AS target
CROSS JOIN LATERAL (
    SELECT a.endpoint, a.message, a.id, a.number, a.manual, a.details, a.response
    FROM attempt a
    WHERE a.application = $1 AND a.endpoint = target.endpoint AND a.id = $3
        AND a.message = $2
    LIMIT 1
) AS found
LIMIT 1";

pub(in crate::postgres) async fn attempt(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
    id: AttemptId,
) -> Result<Option<Attempt>, DatabaseError> {
    let (application, message, id) = (Uuid::from(application), Uuid::from(message), Uuid::from(id));
    let found = session.query_opt(ATTEMPT, &[&application, &message, &id]).await?;
    found.as_ref().map(row::attempt).transpose()
}

/// The key of an attempt that a walk found, before the attempt is fetched.
#[derive(Clone, Copy)]
struct AttemptKey {
    id: AttemptId,
    endpoint: EndpointId,
    message: MessageId,
}

pub(in crate::postgres) async fn attempts(
    session: &mut Session,
    of: AttemptsOf,
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, DatabaseError> {
    let (application, mut page) = match of {
        AttemptsOf::Endpoint(application, endpoint) => {
            (application, of_endpoint(session, (application, endpoint), filter, scan).await?)
        },
        AttemptsOf::Message(application, message, endpoint) => {
            let of = (application, message, endpoint);
            (application, of_message(session, of, filter, scan).await?)
        },
    };
    if filter.message.with_body {
        fetch::limit_bodies(session, application, &mut page, |it| it.1.id, |it| it.0.id).await?;
    }
    let messages = page.items.iter_mut().map(|(_, message)| message).collect();
    fetch::add_bodies(session, application, &filter.message, messages).await?;
    Ok(page)
}

pub(in crate::postgres) const ATTEMPTS_UP: &str = "
SELECT id, message, status
FROM attempt
WHERE application = $1 AND endpoint = $2 AND id BETWEEN $3 AND $4
ORDER BY id ASC
LIMIT $5";

pub(in crate::postgres) const ATTEMPTS_DOWN: &str = "
SELECT id, message, status
FROM attempt
WHERE application = $1 AND endpoint = $2 AND id BETWEEN $3 AND $4
ORDER BY id DESC
LIMIT $5";

async fn of_endpoint(
    session: &mut Session,
    (application, endpoint): (ApplicationId, EndpointId),
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, DatabaseError> {
    let sql = if scan.ascending { ATTEMPTS_UP } else { ATTEMPTS_DOWN };
    let mut walk = Walk::new(&filter.message, scan, |id| id.as_u128());
    while let Some(Step { span, rows, wanted }) = walk.step() {
        let found = session
            .query(
                sql,
                &[
                    &Uuid::from(application),
                    &Uuid::from(endpoint),
                    &Uuid(span.first),
                    &Uuid(span.last),
                    &value::to_bigint(rows),
                ],
            )
            .await?;
        let read = |row: &Row| {
            let id = row.get::<_, Uuid>(0).into();
            let key = AttemptKey { id, endpoint, message: row.get::<_, Uuid>(1).into() };
            let status = u16::try_from(row.get::<_, i16>(2)).unwrap_or_default();
            (key, filter.admits(status))
        };
        let keys = found.iter().map(read).collect();
        let read = fetch_attempts(session, application, keys, (filter, wanted)).await?;
        let is_whole = read.len() == found.len();
        walk.take(read, found.len() == rows || !is_whole);
    }
    Ok(walk.found())
}

async fn of_message(
    session: &mut Session,
    (application, message, only): (ApplicationId, MessageId, Option<EndpointId>),
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, DatabaseError> {
    let mut all = Vec::new();
    for row in states::of_message(session, application, message).await? {
        let endpoint = row.get::<_, Uuid>(0).into();
        if only.is_none_or(|only| only == endpoint) {
            let ids = row.get::<_, Vec<Uuid>>(3).into_iter();
            all.extend(ids.map(|id| AttemptKey { id: id.into(), endpoint, message }));
        }
    }
    all.sort_unstable_by_key(|key| key.id);
    if !scan.ascending {
        all.reverse();
    }
    let mut walk = Walk::new(&filter.message, scan, |id| id.as_u128());
    while let Some(Step { span, rows, wanted }) = walk.step() {
        let within = all.iter().filter(|key| span.contains(key.id.as_u128()));
        let keys: Vec<_> = within.take(rows).map(|&key| (key, true)).collect();
        let count = keys.len();
        let read = fetch_attempts(session, application, keys, (filter, wanted)).await?;
        let is_whole = read.len() == count;
        walk.take(read, count == rows || !is_whole);
    }
    Ok(walk.found())
}

/// Fetches the attempts that pass the filter, with their messages. After as many as are wanted it
/// stops, and leaves out the keys behind them.
async fn fetch_attempts(
    session: &mut Session,
    application: ApplicationId,
    mut keys: Vec<(AttemptKey, bool)>,
    (filter, wanted): (&AttemptFilter, usize),
) -> Result<Vec<(AttemptId, Option<(Attempt, Arc<Message>)>)>, DatabaseError> {
    let admitted = keys.iter().filter(|(_, passes)| *passes).map(|(key, _)| key.message).collect();
    let messages = fetch::messages_by_id(session, application, admitted, false).await?;
    let mut passed = Vec::new();
    let mut end = keys.len();
    for (index, (key, passes)) in keys.iter_mut().enumerate() {
        let message = messages.get(&key.message);
        *passes &= message.is_some_and(|message| filter.message.concerns(message));
        if *passes {
            passed.push((key.endpoint, key.id));
        }
        if passed.len() == wanted {
            end = index + 1;
            break;
        }
    }
    keys.truncate(end);
    let mut attempts = fetch::attempts_by_id(session, application, &passed).await?;
    let item = |(key, passes): (AttemptKey, bool)| {
        let attempt = attempts.remove(&key.id).filter(|it| passes && filter.passes(it));
        (key.id, attempt.map(|attempt| (attempt, Arc::clone(&messages[&key.message]))))
    };
    Ok(keys.into_iter().map(item).collect())
}
