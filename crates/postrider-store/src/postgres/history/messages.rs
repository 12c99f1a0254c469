//! Reads messages.

use postrider::{ApplicationId, MessageId};
use postrider_core::message::Message;
use tokio_postgres::Row;

use super::{
    fetch,
    walk::{Step, Walk},
};
use crate::{
    contract::{catalog::IdOrUid, history::MessageFilter},
    page::{Scan, ScanPage},
    postgres::{
        error::DatabaseError,
        row,
        session::Session,
        value::{self, Uuid},
    },
};

pub(in crate::postgres) const MESSAGE: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, m.body
FROM message m
WHERE m.application = $1 AND m.id = $2";

pub(in crate::postgres) const EVENT_ID: &str = "
SELECT message FROM event_id WHERE application = $1 AND event_id = $2";

pub(in crate::postgres) async fn message(
    session: &mut Session,
    application: ApplicationId,
    key: &IdOrUid<MessageId>,
) -> Result<Option<Message>, DatabaseError> {
    let application = Uuid::from(application);
    let id = match key {
        IdOrUid::Id(id) => Uuid::from(*id),
        IdOrUid::Uid(uid) => {
            let found = session.query_opt(EVENT_ID, &[&application, &uid.as_str()]).await?;
            let Some(row) = found else { return Ok(None) };
            row.get(0)
        },
    };
    let found = session.query_opt(MESSAGE, &[&application, &id]).await?;
    found.as_ref().map(row::message).transpose()
}

pub(in crate::postgres) const MESSAGES_UP: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea
FROM message m
WHERE m.application = $1 AND m.id BETWEEN $2 AND $3
ORDER BY m.id ASC
LIMIT $4";

pub(in crate::postgres) const MESSAGES_DOWN: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea
FROM message m
WHERE m.application = $1 AND m.id BETWEEN $2 AND $3
ORDER BY m.id DESC
LIMIT $4";

pub(in crate::postgres) async fn messages(
    session: &mut Session,
    application: ApplicationId,
    filter: &MessageFilter,
    scan: &Scan<MessageId>,
) -> Result<ScanPage<Message, MessageId>, DatabaseError> {
    let sql = if scan.ascending { MESSAGES_UP } else { MESSAGES_DOWN };
    let mut walk = Walk::new(filter, scan, |id| id.as_u128());
    while let Some(Step { span, rows, .. }) = walk.step() {
        let (first, last) = (Uuid(span.first), Uuid(span.last));
        let limit = value::to_bigint(rows);
        let found = session.query(sql, &[&Uuid::from(application), &first, &last, &limit]).await?;
        let read = |row: &Row| {
            let message = row::message(row)?;
            Ok((message.id, Some(message).filter(|message| filter.concerns(message))))
        };
        let read = found.iter().map(read).collect::<Result<_, DatabaseError>>()?;
        walk.take(read, found.len() == rows);
    }
    let mut page = walk.found();
    if filter.with_body {
        fetch::limit_bodies(session, application, &mut page, |it| it.id, |it| it.id).await?;
        let ids = page.items.iter().map(|message| message.id).collect();
        let mut whole = fetch::messages_by_id(session, application, ids, true).await?;
        for item in &mut page.items {
            item.body = whole.remove(&item.id).and_then(|message| message.body.clone());
        }
    }
    Ok(page)
}
