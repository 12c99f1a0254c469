//! Lists. A walk goes along the keys first, which are small; what they stand for is fetched
//! for those that pass, and bodies for those that are shown.

use std::{collections::HashMap, sync::Arc};

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status},
    message::Message,
};
use tokio_postgres::{Row, types::Type};

use super::{
    attempts_by_id, body_lengths, messages_by_id,
    walk::{Step, Walk},
};
use crate::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, LIST_BYTES,
    MessageFilter, Scan, ScanPage, StatusKind, StoreError,
    postgres::{
        row::{self, bodiless_columns},
        session::{Param, Session},
        trouble,
        value::{self, Uuid},
    },
};

macro_rules! messages {
    ($direction:literal) => {
        concat!(
            "SELECT ",
            bodiless_columns!(),
            " FROM message m
            WHERE m.application = $1 AND m.id BETWEEN $2 AND $3
            ORDER BY m.id ",
            $direction,
            " LIMIT $4"
        )
    };
}

pub(in crate::postgres) const MESSAGES_UP: &str = messages!("ASC");

pub(in crate::postgres) const MESSAGES_DOWN: &str = messages!("DESC");

macro_rules! attempts {
    ($direction:literal) => {
        concat!(
            "SELECT id, message, status
            FROM attempt
            WHERE application = $1 AND endpoint = $2 AND id BETWEEN $3 AND $4
            ORDER BY id ",
            $direction,
            " LIMIT $5"
        )
    };
}

pub(in crate::postgres) const ATTEMPTS_UP: &str = attempts!("ASC");

pub(in crate::postgres) const ATTEMPTS_DOWN: &str = attempts!("DESC");

/// Those that have ended and those that have not, by one look.
macro_rules! deliveries {
    ($direction:literal) => {
        concat!(
            "SELECT message, state, due_at, attempts
            FROM (
                (SELECT message, 0::smallint AS state, due_at, cardinality(attempts) AS attempts
                FROM queue
                WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
                ORDER BY message ",
            $direction,
            " LIMIT $5)
                UNION ALL
                (SELECT message, state, 0, cardinality(attempts)
                FROM delivery
                WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
                ORDER BY message ",
            $direction,
            " LIMIT $5)
            ) AS it
            ORDER BY message ",
            $direction,
            " LIMIT $5"
        )
    };
}

pub(in crate::postgres) const DELIVERIES_UP: &str = deliveries!("ASC");

pub(in crate::postgres) const DELIVERIES_DOWN: &str = deliveries!("DESC");

macro_rules! pending {
    ($direction:literal) => {
        concat!(
            "SELECT message, 0::smallint, due_at, cardinality(attempts)
            FROM queue
            WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
            ORDER BY message ",
            $direction,
            " LIMIT $5"
        )
    };
}

pub(in crate::postgres) const PENDING_UP: &str = pending!("ASC");

pub(in crate::postgres) const PENDING_DOWN: &str = pending!("DESC");

/// Those that failed or were cancelled have an index of their own.
macro_rules! open {
    ($direction:literal) => {
        concat!(
            "SELECT message, state, 0::bigint, cardinality(attempts)
            FROM delivery
            WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
                AND state = $6 AND state <> 1
            ORDER BY message ",
            $direction,
            " LIMIT $5"
        )
    };
}

pub(in crate::postgres) const OPEN_UP: &str = open!("ASC");

pub(in crate::postgres) const OPEN_DOWN: &str = open!("DESC");

/// A message has as many deliveries as it has endpoints: those are known without a search.
pub(in crate::postgres) const STANDINGS: &str =
    "SELECT it.endpoint, found.state, found.due_at, found.attempts
    FROM (
        SELECT DISTINCT unnest(m.targets) AS endpoint
        FROM message m
        WHERE m.application = $1 AND m.id = $2
    ) AS it
    CROSS JOIN LATERAL (
        (SELECT 0::smallint AS state, due_at, attempts
        FROM queue
        WHERE application = $1 AND endpoint = it.endpoint AND message = $2
        LIMIT 1)
        UNION ALL
        (SELECT state, 0, attempts
        FROM delivery
        WHERE application = $1 AND endpoint = it.endpoint AND message = $2
        LIMIT 1)
    ) AS found
    ORDER BY it.endpoint";

pub(in crate::postgres) async fn messages(
    session: &mut Session,
    application: ApplicationId,
    filter: &MessageFilter,
    scan: &Scan<MessageId>,
) -> Result<ScanPage<Message, MessageId>, StoreError> {
    let sql = if scan.ascending { MESSAGES_UP } else { MESSAGES_DOWN };
    let mut walk = Walk::new(filter, scan, |id| id.as_u128());
    while let Some(Step { span, rows, .. }) = walk.step() {
        let values: [Param<'_>; 4] = [
            (&Uuid::from(application), Type::UUID),
            (&Uuid(span.0), Type::UUID),
            (&Uuid(span.1), Type::UUID),
            (&count(rows), Type::INT8),
        ];
        let found = session.query(sql, &values).await?;
        let look = |row: &Row| {
            let message = row::message(row)?;
            Ok((message.id, Some(message).filter(|it| filter.concerns(it))))
        };
        let looked = found.iter().map(look).collect::<Result<_, StoreError>>()?;
        walk.take(looked, found.len() == rows);
    }
    let mut found = walk.found();
    if filter.with_body {
        let ids: Vec<_> = found.items.iter().map(|it| it.id).collect();
        let fitting = fitting(session, application, &ids).await?;
        shorten(&mut found, fitting, |it| it.id);
        let ids = found.items.iter().map(|it| it.id).collect();
        let mut whole = messages_by_id(session, application, ids, true).await?;
        for item in &mut found.items {
            item.body = whole.remove(&item.id).and_then(|it| it.body.clone());
        }
    }
    Ok(found)
}

/// An attempt that a walk came to, before it is fetched.
#[derive(Clone, Copy)]
struct Seen {
    id: AttemptId,
    endpoint: EndpointId,
    message: MessageId,
}

pub(in crate::postgres) async fn attempts(
    session: &mut Session,
    of: AttemptsOf,
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    let (application, mut found) = match of {
        AttemptsOf::Endpoint(application, endpoint) => {
            (application, of_endpoint(session, (application, endpoint), filter, scan).await?)
        },
        AttemptsOf::Message(application, message, endpoint) => {
            let of = (application, message, endpoint);
            (application, of_message(session, of, filter, scan).await?)
        },
    };
    if filter.message.with_body {
        let ids: Vec<_> = found.items.iter().map(|(_, message)| message.id).collect();
        let fitting = fitting(session, application, &ids).await?;
        shorten(&mut found, fitting, |(attempt, _)| attempt.id);
    }
    let messages = found.items.iter_mut().map(|(_, message)| message).collect();
    show_bodies(session, application, &filter.message, messages).await?;
    Ok(found)
}

async fn of_endpoint(
    session: &mut Session,
    (application, endpoint): (ApplicationId, EndpointId),
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    let sql = if scan.ascending { ATTEMPTS_UP } else { ATTEMPTS_DOWN };
    let mut walk = Walk::new(&filter.message, scan, |id| id.as_u128());
    while let Some(Step { span, rows, wanted }) = walk.step() {
        let values: [Param<'_>; 5] = [
            (&Uuid::from(application), Type::UUID),
            (&Uuid::from(endpoint), Type::UUID),
            (&Uuid(span.0), Type::UUID),
            (&Uuid(span.1), Type::UUID),
            (&count(rows), Type::INT8),
        ];
        let found = session.query(sql, &values).await?;
        let look = |row: &Row| {
            let id = row.get::<_, Uuid>(0).into();
            let seen = Seen { id, endpoint, message: row.get::<_, Uuid>(1).into() };
            let status = u16::try_from(row.get::<_, i16>(2)).unwrap_or_default();
            (seen, filter.admits(status))
        };
        let seen = found.iter().map(look).collect();
        let looked = fetch_attempts(session, application, seen, (filter, wanted)).await?;
        let is_whole = looked.len() == found.len();
        walk.take(looked, found.len() == rows || !is_whole);
    }
    Ok(walk.found())
}

async fn of_message(
    session: &mut Session,
    (application, message, only): (ApplicationId, MessageId, Option<EndpointId>),
    filter: &AttemptFilter,
    scan: &Scan<AttemptId>,
) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    let mut all = Vec::new();
    for row in standings(session, application, message).await? {
        let endpoint = row.get::<_, Uuid>(0).into();
        if only.is_none_or(|only| only == endpoint) {
            let ids = row.get::<_, Vec<Uuid>>(3).into_iter();
            all.extend(ids.map(|id| Seen { id: id.into(), endpoint, message }));
        }
    }
    all.sort_unstable_by_key(|it| it.id);
    if !scan.ascending {
        all.reverse();
    }
    let mut walk = Walk::new(&filter.message, scan, |id| id.as_u128());
    while let Some(Step { span, rows, wanted }) = walk.step() {
        let within = all.iter().filter(|it| span.contains(it.id.as_u128()));
        let seen: Vec<_> = within.take(rows).map(|&it| (it, true)).collect();
        let count = seen.len();
        let looked = fetch_attempts(session, application, seen, (filter, wanted)).await?;
        let is_whole = looked.len() == count;
        walk.take(looked, count == rows || !is_whole);
    }
    Ok(walk.found())
}

/// Fetches those that pass, with their messages; not more than are wanted, and then it leaves
/// out what comes behind them.
async fn fetch_attempts(
    session: &mut Session,
    application: ApplicationId,
    mut seen: Vec<(Seen, bool)>,
    (filter, wanted): (&AttemptFilter, usize),
) -> Result<Vec<(AttemptId, Option<(Attempt, Arc<Message>)>)>, StoreError> {
    let admitted = seen.iter().filter(|it| it.1).map(|it| it.0.message).collect();
    let messages = messages_by_id(session, application, admitted, false).await?;
    let mut passed = Vec::new();
    let mut end = seen.len();
    for (place, (it, is_admitted)) in seen.iter_mut().enumerate() {
        let message = messages.get(&it.message).filter(|it| filter.message.concerns(it));
        *is_admitted &= message.is_some();
        if *is_admitted {
            passed.push((it.endpoint, it.id));
        }
        if passed.len() == wanted {
            end = place + 1;
            break;
        }
    }
    seen.truncate(end);
    let mut attempts = attempts_by_id(session, application, &passed).await?;
    let look = |(it, is_admitted): (Seen, bool)| {
        let attempt = attempts.remove(&it.id).filter(|it| is_admitted && filter.passes(it));
        (it.id, attempt.map(|attempt| (attempt, Arc::clone(&messages[&it.message]))))
    };
    Ok(seen.into_iter().map(look).collect())
}

pub(in crate::postgres) async fn deliveries(
    session: &mut Session,
    of: DeliveriesOf,
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let (application, mut found) = match of {
        DeliveriesOf::Endpoint(application, endpoint) => {
            (application, to_endpoint(session, (application, endpoint), filter, scan).await?)
        },
        DeliveriesOf::Message(application, message) => {
            (application, with_message(session, (application, message), filter, scan).await?)
        },
    };
    if filter.message.with_body {
        let ids: Vec<_> = found.items.iter().map(|row| row.message.id).collect();
        let fitting = fitting(session, application, &ids).await?;
        shorten(&mut found, fitting, |row| row.id);
    }
    let messages = found.items.iter_mut().map(|row| &mut row.message).collect();
    show_bodies(session, application, &filter.message, messages).await?;
    Ok(found)
}

async fn to_endpoint(
    session: &mut Session,
    (application, endpoint): (ApplicationId, EndpointId),
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let mut walk = Walk::new(&filter.message, scan, |id| id.message.as_u128());
    while let Some(Step { span, rows, .. }) = walk.step() {
        let (sql, state) = statement(filter.status, scan.ascending);
        let values: [Param<'_>; 6] = [
            (&Uuid::from(application), Type::UUID),
            (&Uuid::from(endpoint), Type::UUID),
            (&Uuid(span.0), Type::UUID),
            (&Uuid(span.1), Type::UUID),
            (&count(rows), Type::INT8),
            (&state.unwrap_or_default(), Type::INT2),
        ];
        let values = &values[..if state.is_some() { 6 } else { 5 }];
        let found = session.query(sql, values).await?;
        let look = |row: &Row| {
            let id = DeliveryId { endpoint, message: row.get::<_, Uuid>(0).into() };
            let attempts = u16::try_from(row.get::<_, i32>(3)).unwrap_or(u16::MAX);
            Ok((id, status(row.get(1), attempts, row.get(2))?, attempts))
        };
        let found = found.iter().map(look).collect::<Result<Vec<_>, StoreError>>()?;
        let admitted = found.iter().filter(|it| filter.admits(it.1));
        let ids = admitted.map(|(id, ..)| id.message).collect();
        let messages = messages_by_id(session, application, ids, false).await?;
        let look = |&(id, status, attempts): &(DeliveryId, Status, u16)| {
            let message = messages.get(&id.message).filter(|_| filter.admits(status));
            let message = message.filter(|it| filter.message.concerns(it)).cloned();
            (id, message.map(|message| DeliveryRow { id, message, status, attempts }))
        };
        walk.take(found.iter().map(look).collect(), found.len() == rows);
    }
    Ok(walk.found())
}

/// How to find those with the status. Nearly all are delivered: a walk over all finds them.
fn statement(status: Option<StatusKind>, ascending: bool) -> (&'static str, Option<i16>) {
    let pick = |up, down| if ascending { up } else { down };
    match status {
        None | Some(StatusKind::Delivered) => (pick(DELIVERIES_UP, DELIVERIES_DOWN), None),
        // The number of attempts tells them apart.
        Some(StatusKind::Pending | StatusKind::Sending) => (pick(PENDING_UP, PENDING_DOWN), None),
        Some(StatusKind::Failed) => (pick(OPEN_UP, OPEN_DOWN), Some(2)),
        Some(StatusKind::Cancelled) => (pick(OPEN_UP, OPEN_DOWN), Some(3)),
    }
}

async fn with_message(
    session: &mut Session,
    (application, id): (ApplicationId, MessageId),
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
    let mut found = ScanPage { items: Vec::new(), resume: None };
    let mut known = messages_by_id(session, application, vec![id], false).await?;
    let message = known.remove(&id);
    let concerned =
        |it: &Arc<Message>| filter.message.spans(id.millis()) && filter.message.concerns(it);
    let Some(message) = message.filter(concerned) else { return Ok(found) };
    let mut rows = standings(session, application, id).await?;
    if !scan.ascending {
        rows.reverse();
    }
    let after = scan.after.map(|it| it.endpoint);
    for row in rows {
        let endpoint: EndpointId = row.get::<_, Uuid>(0).into();
        let is_behind = after.is_none_or(|after| (endpoint > after) == scan.ascending);
        if !is_behind || after == Some(endpoint) {
            continue;
        }
        let attempts = u16::try_from(row.get::<_, Vec<Uuid>>(3).len()).unwrap_or(u16::MAX);
        let status = status(row.get(1), attempts, row.get(2))?;
        if !filter.admits(status) {
            continue;
        }
        if found.items.len() == scan.limit {
            found.resume = found.items.last().map(|it: &DeliveryRow| it.id);
            break;
        }
        let id = DeliveryId { endpoint, message: id };
        found.items.push(DeliveryRow { id, message: Arc::clone(&message), status, attempts });
    }
    Ok(found)
}

/// Columns `endpoint, state, due_at, attempts` of a message's deliveries, in the order of the
/// endpoints.
async fn standings(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
) -> Result<Vec<Row>, StoreError> {
    let values: [Param<'_>; 2] =
        [(&Uuid::from(application), Type::UUID), (&Uuid::from(message), Type::UUID)];
    session.query(STANDINGS, &values).await
}

fn status(state: i16, attempts: u16, due_at: i64) -> Result<Status, StoreError> {
    Ok(match state {
        0 => Status::open(attempts, value::timestamp(due_at)),
        1 => Status::Delivered,
        2 => Status::Failed,
        3 => Status::Cancelled,
        _ => return Err(trouble::corrupt("delivery", "it stands nowhere")),
    })
}

/// The number of leading messages whose bodies may be read at once.
async fn fitting(
    session: &mut Session,
    application: ApplicationId,
    ids: &[MessageId],
) -> Result<usize, StoreError> {
    let lengths = body_lengths(session, application, ids).await?;
    let mut bytes = 0;
    let fits = |id: &&MessageId| {
        let fits = bytes < LIST_BYTES;
        bytes += lengths.get(id).copied().unwrap_or_default();
        fits
    };
    Ok(ids.iter().take_while(fits).count())
}

/// Leaves out all but the first items, so that the next walk begins behind them.
fn shorten<T, K>(found: &mut ScanPage<T, K>, length: usize, key: impl Fn(&T) -> K) {
    if length < found.items.len() {
        found.items.truncate(length);
        found.resume = found.items.last().map(key);
    }
}

/// Fetches the bodies of what is shown, if the filter asks for them.
async fn show_bodies(
    session: &mut Session,
    application: ApplicationId,
    filter: &MessageFilter,
    shown: Vec<&mut Arc<Message>>,
) -> Result<(), StoreError> {
    if !filter.with_body {
        return Ok(());
    }
    let ids = shown.iter().map(|it| it.id).collect();
    let whole: HashMap<_, _> = messages_by_id(session, application, ids, true).await?;
    for message in shown {
        if let Some(whole) = whole.get(&message.id) {
            *message = Arc::clone(whole);
        }
    }
    Ok(())
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
