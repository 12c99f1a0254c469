//! Reads deliveries: those in the queue and those that have ended.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    delivery::{DeliveryId, Status, StatusKind},
    message::Message,
};
use tokio_postgres::Row;

use super::{
    fetch, states,
    walk::{Step, Walk},
};
use crate::{
    contract::history::{DeliveriesOf, DeliveryFilter, DeliveryRow, StatusFilter},
    page::{Scan, ScanPage},
    postgres::{
        error::DatabaseError,
        parameter::Param,
        session::Session,
        value::{self, Uuid},
    },
};

pub(in crate::postgres) async fn deliveries(
    session: &mut Session,
    of: DeliveriesOf,
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, DatabaseError> {
    let (application, mut page) = match of {
        DeliveriesOf::Endpoint(application, endpoint) => {
            (application, of_endpoint(session, (application, endpoint), filter, scan).await?)
        },
        DeliveriesOf::Message(application, message) => {
            (application, of_message(session, (application, message), filter, scan).await?)
        },
    };
    if filter.message.with_body {
        fetch::limit_bodies(session, application, &mut page, |it| it.message.id, |it| it.id)
            .await?;
    }
    let messages = page.items.iter_mut().map(|row| &mut row.message).collect();
    fetch::add_bodies(session, application, &filter.message, messages).await?;
    Ok(page)
}

/// Reads the queue and the ended deliveries with one statement, so that none is missed that ends
/// between two.
pub(in crate::postgres) const DELIVERIES_UP: &str = "
SELECT message, state, due_at, attempts
FROM (
    (SELECT message, 0::smallint AS state, due_at, cardinality(attempts) AS attempts
    FROM queue
    WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    ORDER BY message ASC LIMIT $5)
    UNION ALL
    (SELECT message, state, 0, cardinality(attempts)
    FROM delivery
    WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    ORDER BY message ASC LIMIT $5)
) AS it
ORDER BY message ASC LIMIT $5";

pub(in crate::postgres) const DELIVERIES_DOWN: &str = "
SELECT message, state, due_at, attempts
FROM (
    (SELECT message, 0::smallint AS state, due_at, cardinality(attempts) AS attempts
    FROM queue
    WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    ORDER BY message DESC LIMIT $5)
    UNION ALL
    (SELECT message, state, 0, cardinality(attempts)
    FROM delivery
    WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    ORDER BY message DESC LIMIT $5)
) AS it
ORDER BY message DESC LIMIT $5";

pub(in crate::postgres) const PENDING_UP: &str = "
SELECT message, 0::smallint, due_at, cardinality(attempts)
FROM queue
WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
ORDER BY message ASC
LIMIT $5";

pub(in crate::postgres) const PENDING_DOWN: &str = "
SELECT message, 0::smallint, due_at, cardinality(attempts)
FROM queue
WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
ORDER BY message DESC
LIMIT $5";

/// Failed and cancelled deliveries have an index of their own, whose condition is `state <> 1`.
pub(in crate::postgres) const OPEN_UP: &str = "
SELECT message, state, 0::bigint, cardinality(attempts)
FROM delivery
WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    AND state = $6 AND state <> 1
ORDER BY message ASC
LIMIT $5";

pub(in crate::postgres) const OPEN_DOWN: &str = "
SELECT message, state, 0::bigint, cardinality(attempts)
FROM delivery
WHERE application = $1 AND endpoint = $2 AND message BETWEEN $3 AND $4
    AND state = $6 AND state <> 1
ORDER BY message DESC
LIMIT $5";

/// The statement that finds deliveries with this status, and the state for it. Nearly all deliveries
/// are delivered, so a walk over all of them finds those.
fn statement(status: Option<StatusFilter>, ascending: bool) -> (&'static str, Option<i16>) {
    let pick = |up, down| if ascending { up } else { down };
    match status {
        None | Some(StatusFilter::Is(StatusKind::Delivered)) => {
            (pick(DELIVERIES_UP, DELIVERIES_DOWN), None)
        },
        // The number of attempts distinguishes them.
        Some(
            StatusFilter::Is(StatusKind::Pending | StatusKind::Sending) | StatusFilter::Unfinished,
        ) => (pick(PENDING_UP, PENDING_DOWN), None),
        Some(StatusFilter::Is(StatusKind::Failed)) => (pick(OPEN_UP, OPEN_DOWN), Some(2)),
        Some(StatusFilter::Is(StatusKind::Cancelled)) => (pick(OPEN_UP, OPEN_DOWN), Some(3)),
    }
}

async fn of_endpoint(
    session: &mut Session,
    (application, endpoint): (ApplicationId, EndpointId),
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, DatabaseError> {
    let mut walk = Walk::new(&filter.message, scan, |id| id.message.as_u128());
    while let Some(Step { span, rows, .. }) = walk.step() {
        let (sql, state) = statement(filter.status, scan.ascending);
        let params: [Param<'_>; 6] = [
            &Uuid::from(application),
            &Uuid::from(endpoint),
            &Uuid(span.first),
            &Uuid(span.last),
            &value::to_bigint(rows),
            &state.unwrap_or_default(),
        ];
        let params = &params[..if state.is_some() { 6 } else { 5 }];
        let found = session.query(sql, params).await?;
        let read = |row: &Row| {
            let id = DeliveryId { endpoint, message: row.get::<_, Uuid>(0).into() };
            let attempts = u16::try_from(row.get::<_, i32>(3)).unwrap_or(u16::MAX);
            Ok((id, states::status(row.get(1), attempts, row.get(2))?, attempts))
        };
        let found = found.iter().map(read).collect::<Result<Vec<_>, DatabaseError>>()?;
        let admitted = found.iter().filter(|(_, status, _)| filter.admits(*status));
        let ids = admitted.map(|(id, ..)| id.message).collect();
        let messages = fetch::messages_by_id(session, application, ids, false).await?;
        let item = |&(id, status, attempts): &(DeliveryId, Status, u16)| {
            let message = messages.get(&id.message).filter(|_| filter.admits(status));
            let message = message.filter(|message| filter.message.concerns(message)).cloned();
            (id, message.map(|message| DeliveryRow { id, message, status, attempts }))
        };
        walk.take(found.iter().map(item).collect(), found.len() == rows);
    }
    Ok(walk.found())
}

async fn of_message(
    session: &mut Session,
    (application, id): (ApplicationId, MessageId),
    filter: &DeliveryFilter,
    scan: &Scan<DeliveryId>,
) -> Result<ScanPage<DeliveryRow, DeliveryId>, DatabaseError> {
    let mut page = ScanPage { items: Vec::new(), resume: None };
    let mut known = fetch::messages_by_id(session, application, vec![id], false).await?;
    let message = known.remove(&id);
    let passes =
        |it: &Arc<Message>| filter.message.spans(id.millis()) && filter.message.concerns(it);
    let Some(message) = message.filter(passes) else { return Ok(page) };
    let mut rows = states::of_message(session, application, id).await?;
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
        let status = states::status(row.get(1), attempts, row.get(2))?;
        if !filter.admits(status) {
            continue;
        }
        if page.items.len() == scan.limit {
            page.resume = page.items.last().map(|it: &DeliveryRow| it.id);
            break;
        }
        let id = DeliveryId { endpoint, message: id };
        page.items.push(DeliveryRow { id, message: Arc::clone(&message), status, attempts });
    }
    Ok(page)
}
